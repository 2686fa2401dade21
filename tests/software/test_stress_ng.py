"""stress-ng: what each stressor, two seconds of it, does under runc it does here, or it says why it is skipped."""

import pathlib
import re

import pytest
from bundle import edit_config
from marks import software

STRESSORS = (pathlib.Path(__file__).parent / "stressors.txt").read_text().split()
# Those that have found bugs.
QUICK = ["aiol", "fsize", "kcmp", "pidfd", "pty", "seal", "shm", "cyclic"]
# Which pass under runc (without a seccomp profile) and not here: what they do here, and why.
DIFFERS = {
    "chattr": ("skip", "no attributes of the host's file systems"),
    "fiemap": ("skip", "no FS_IOC_FIEMAP: where a file lies on its disk is the host's to know"),
    "io-uring": ("skip", "ENOSYS, as a kernel without it"),
    "key": ("skip", "no keyrings, as under Docker's default profile"),
    "landlock": ("skip", "ENOSYS, as a kernel without Landlock"),
    "memhotplug": ("skip", "no memory blocks in /sys"),
    "netlink-proc": ("skip", "events of processes are refused, as in a network namespace of one's own"),
    "pci": ("skip", "no PCI devices in /sys"),
    "rawpkt": ("fail", "no packet sockets: with a host's CAP_NET_RAW it has no way to skip"),
    "secretmem": ("skip", "ENOSYS, as a kernel without secret memory"),
    "usersyscall": ("skip", "no PR_SET_SYSCALL_USER_DISPATCH"),
}
SKIPPED = re.compile(r"skipp(ed|ing)|No stress workers invoked|not implemented on this|disabled '")


def limit_tasks(bundle):
    def change(config):
        config["linux"]["resources"] = {"pids": {"limit": 8000}}
    edit_config(bundle, change)


def outcome(result):
    """pass, skip or fail; anything that is not the stressor's own doing is a failure of the test."""
    assert not result.timed_out, str(result)
    assert result.status in (0, 1, 2, 3, 4), str(result)
    text = result.stdout + result.stderr
    if SKIPPED.search(text) and "stress-ng: fail:" not in text:
        return "skip"
    return "pass" if result.status == 0 and "stress-ng: fail:" not in text else "fail"


def compare(run, name, seconds):
    def go(**options):
        return run("/usr/bin/stress-ng", "--" + name, "1", "--timeout", str(seconds), "--verify", "--no-rand-seed",
                   cwd="/var/tmp", timeout=90, prepare=limit_tasks, **options)
    expected, actual = go(runtime="runc"), go()
    here, there = outcome(actual), outcome(expected)
    if there == "pass" and here != "pass":
        assert DIFFERS.get(name, ("pass", ""))[0] == here, f"{actual}\n=== runc: {expected}"


def marked(name):
    differs = ": ".join(DIFFERS[name]) if name in DIFFERS else ""
    return pytest.param(name, id=name, marks=software("stress-ng", layer="stress", differs=differs))


@pytest.mark.parametrize("name", QUICK)
@software("stress-ng", layer="core")
def test_quick(run, name):
    """A stressor that has found a bug, for a second"""
    compare(run, name, 1)


@pytest.mark.parametrize("name", [marked(name) for name in STRESSORS])
def test_stressor(run, name):
    """A stressor for two seconds: it passes, or is skipped, as under runc"""
    compare(run, name, 2)


@software("stress-ng", layer="stress")
def test_all_stressors_are_known(run):
    """No stressor of this version is left out"""
    result = run("/usr/bin/stress-ng", "--stressors")
    assert set(result.stdout.split()) == set(STRESSORS), str(result)

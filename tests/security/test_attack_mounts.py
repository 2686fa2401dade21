"""Attacks on mounts and on procfs: masks, redirected writes, exchanged names, host programs that a kernel would call."""

import contextlib
import ctypes
import os
import pathlib
import shutil
import subprocess

import pytest
from bundle import BUILD, PATH, RUNTIME, edit_config, wait_for
from terminal import ContainerTerminal

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: about callgate's own boundary")

ADMIN = ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_NET_ADMIN", "CAP_MKNOD", "CAP_DAC_OVERRIDE", "CAP_SYS_RESOURCE"]
CORE_PATTERN = pathlib.Path("/proc/sys/kernel/core_pattern")


def changed(*, admin=False, mounts_without=(), **linux):
    """What prepare= takes: capabilities, fewer mounts, members of config.linux."""
    def edit(config):
        if admin:
            for names in config["process"]["capabilities"].values():
                names.extend(ADMIN)
        config["mounts"] = [m for m in config["mounts"] if not m["destination"].startswith(tuple(mounts_without) or "\0")]
        config["linux"].update(linux)
    return lambda bundle: edit_config(bundle, edit)


def replaced(root, name, target):
    """The image has a link there instead."""
    path = root / name
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


@pytest.fixture
def fake_proc(scratch):
    """What a malicious image or volume has in place of a procfs: writes to it would be seen."""
    for name in ("self/attr/exec", "self/attr/current", "self/attr/apparmor/exec", "thread-self/attr/exec", "thread-self/attr/current",
                 "self/oom_score_adj", "self/setgroups", "self/uid_map", "sys/kernel/domainname", "sys/kernel/hostname",
                 "sys/net/ipv4/ip_forward", "sys/kernel/shmmax", "sysrq-trigger", "cpuinfo"):
        path = scratch / "proc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("untouched")
    return scratch / "proc"


def contents(folder):
    return {path.read_text() for path in folder.rglob("*") if path.is_file()}


LOOK_AT_PROC = "cat /proc/cpuinfo | wc -c; head -c 12 /proc/self/status; cat /proc/sys/kernel/shmmax; " \
               "(echo pwned >/proc/sys/kernel/domainname) 2>/dev/null && echo written; echo end"
SYSCTLS = {"kernel.shmmax": "8192", "kernel.domainname": "inside"}
COVERED = {"maskedPaths": ["/proc/cpuinfo"], "readonlyPaths": ["/proc/sys"], "sysctl": SYSCTLS}


@pytest.mark.parametrize("how", ["a link in the image", "a volume"])
def test_a_false_procfs_gets_no_writes(bundles, start, fake_proc, how):
    """CVE-2019-16884, CVE-2019-19921, CVE-2025-52881: sysctls, labels and masks go to the procfs that is meant, or nowhere."""
    def prepare(bundle):
        if how == "a volume":
            changed(mounts_without=["/proc"], **COVERED)(bundle)
        else:
            changed(**COVERED)(bundle)
            shutil.copytree(fake_proc, bundle / "rootfs/evil", dirs_exist_ok=True)
            replaced(bundle / "rootfs", "proc", "/evil")
    mounts = [("/proc", "bind", str(fake_proc), ["rbind"])] if how == "a volume" else []
    container = start("/bin/sh", "-c", LOOK_AT_PROC, prepare=prepare, mounts=mounts)
    result = container.wait()
    assert contents(fake_proc) == {"untouched"}
    evil = container.bundle / "rootfs/evil"
    assert not evil.exists() or contents(evil) == {"untouched"}
    if how == "a volume":  # whoever configures that has no procfs inside; nothing of the host's one instead
        assert "Name:" not in result.stdout
    elif result.status:
        assert "proc" in result.stderr, str(result)  # refused, and the reason names the mount
    else:
        assert result.stdout.split()[:2] == ["0", "Name:"] and "written" not in result.stdout, str(result)


def test_links_in_place_of_devices_lead_nowhere(start, scratch):
    """CVE-2025-31133: masks do not depend on what the image calls /dev/null."""
    before = CORE_PATTERN.read_text()
    (scratch / "secret").write_text("SECRET\n")

    def prepare(bundle):
        changed(mounts_without=["/dev"], maskedPaths=["/data/secret", "/proc/cpuinfo", "/etc/hostname"])(bundle)
        for name in ("null", "zero", "console", "ptmx", "pts/0"):
            replaced(bundle / "rootfs", f"dev/{name}", "/proc/sys/kernel/core_pattern")
    container = start("/bin/sh", "-c", "cat /data/secret /etc/hostname; cat /proc/cpuinfo; echo '|/data/run' >/dev/null; echo end",
                      prepare=prepare, mounts=[("/data", "bind", str(scratch), ["rbind"])])
    result = container.wait()
    assert result.stdout == "end\n", str(result)
    assert CORE_PATTERN.read_text() == before and (scratch / "secret").read_text() == "SECRET\n"


def test_links_in_place_of_the_console(bundles, scratch):
    """CVE-2025-52565: with a terminal, /dev/console and /dev/pts/0 are the guest's; a link's target is not mounted upon."""
    before = CORE_PATTERN.read_text()
    (scratch / "victim").write_text("untouched")
    bundle = bundles.make(["/bin/sh", "-c", "tty; ls -l /dev/console; echo to the console >/dev/console; cat /data/victim; "
                           "echo; cat /proc/sys/kernel/core_pattern; echo en''d"], env=["TERM=xterm"],
                          mounts=[("/data", "bind", str(scratch), ["rbind"])])
    changed(mounts_without=["/dev"])(bundle)
    edit_config(bundle, lambda config: config["process"].update(terminal=True))
    replaced(bundle / "rootfs", "dev/console", "/data/victim")
    replaced(bundle / "rootfs", "dev/pts", "/proc/sys/kernel")
    terminal = ContainerTerminal(RUNTIME, bundle)
    try:
        terminal.wait_for(lambda text: "end" in text or "error" in text)
    finally:
        terminal.close()
    assert (scratch / "victim").read_text() in ("untouched", "to the console\n")
    assert CORE_PATTERN.read_text() == before


RACE = """
import ctypes, os
libc = ctypes.CDLL(None)
os.chdir("/vol")
os.mkdir("place"); os.symlink("{target}", "link")
print("up", flush=True)
while not os.path.exists("/vol/stop"):
    for i in range(2000):
        libc.renameat2(-100, b"place", -100, b"link", 2)
"""


def test_another_container_exchanges_a_mounts_place(start, bundles, scratch):
    """CVE-2021-30465: what one container mounts lies on a volume whose names another one exchanges meanwhile."""
    volume, host = scratch / "volume", scratch / "host"
    volume.mkdir()
    host.mkdir()
    (host / "secret").write_text("SECRET\n")
    racer = start("/usr/bin/python3", "-c", RACE.format(target=host), mounts=[("/vol", "bind", str(volume), ["rbind"])])
    assert racer.process.stdout.readline() == b"up\n", str(racer.wait(5))
    bundle = bundles.make(["/bin/sh", "-c", "cat /vol/place/secret /vol/link/secret 2>/dev/null; echo ran"],
                          mounts=[("/vol", "bind", str(volume), ["rbind"]), ("/vol/place/in/side", "tmpfs", "tmpfs", []),
                                  ("/vol/place", "bind", "/etc", ["rbind", "ro"])])
    outcomes = []
    for i in range(15):
        done = subprocess.run([str(BUILD / "callgate"), "run", "-b", str(bundle), f"t-exchange-{os.getpid()}-{i}"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
        assert "SECRET" not in done.stdout, done
        assert done.returncode == 0 or "mounts[" in done.stderr, done
        outcomes.append(done.returncode)
    (volume / "stop").write_text("")
    racer.wait()
    assert os.listdir(host) == ["secret"] and str(host) not in pathlib.Path("/proc/self/mountinfo").read_text()
    assert 0 in outcomes


# ---- programs that the host's kernel would run ----

def called_by_the_host():
    """{file: text}: what names a program that the host's kernel would run. Of version 1 of cgroups there may be none."""
    files = [*pathlib.Path("/sys/fs/cgroup").glob("*/release_agent"), CORE_PATTERN, pathlib.Path("/proc/sys/kernel/modprobe"),
             pathlib.Path("/proc/sys/kernel/hotplug"), pathlib.Path("/sys/kernel/uevent_helper")]
    return {path: path.read_text() for path in files if path.exists()}


@contextlib.contextmanager
def host_is_unchanged(canary):
    before = called_by_the_host()
    yield
    assert called_by_the_host() == before
    assert not canary.exists(), "the host has run it"


@pytest.fixture
def canary(scratch):
    """A program on a volume that the attacker would have the host run; it leaves a mark."""
    program = scratch / "run"
    program.write_text(f"#!/bin/sh\nPATH={PATH}\ntouch {scratch}/ran\n")
    program.chmod(0o755)
    subprocess.run([str(program)], check=True)  # it does work
    assert (scratch / "ran").exists()
    (scratch / "ran").unlink()
    return scratch / "ran"


RELEASE_AGENT = """
mkdir /tmp/cg
for o in memory pids none,name=evil; do
    mount -t cgroup -o $o cgroup /tmp/cg 2>/dev/null && echo mounted $o
    for d in /tmp/cg /sys/fs/cgroup /sys/fs/cgroup/memory; do
        mkdir $d/x && echo 1 >$d/x/notify_on_release
        echo {program} >$d/release_agent && echo written $d
        sh -c "echo \\$\\$ >$d/x/cgroup.procs"
    done 2>/dev/null
    umount /tmp/cg 2>/dev/null
done
sleep 0.2; echo end"""


def test_release_agent(run, scratch, canary):
    with host_is_unchanged(canary):
        result = run("/bin/sh", "-c", RELEASE_AGENT.format(program=scratch / "run"), prepare=changed(admin=True),
                     mounts=[("/data", "bind", str(scratch), ["rbind"]), ("/sys/fs/cgroup", "cgroup", "cgroup", ["rw"])])
    assert "end" in result.stdout and "written" not in result.stdout, str(result)


CORE = """
ulimit -c unlimited
for f in /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sys/kernel/hotplug /sys/kernel/uevent_helper \
         /proc/sys/fs/binfmt_misc/register; do
    (echo '|{program}' >$f) 2>/dev/null && echo "written $f"
done
cd /tmp; sh -c 'kill -SEGV $$'; perl -e 'socket(my $s, 42, 1, 7)' 2>/dev/null; printf '\\377\\377\\377\\377' >/tmp/x; chmod +x /tmp/x; /tmp/x 2>/dev/null
sleep 0.2; echo end"""


def test_core_pattern(run, scratch, canary):
    """With a pipe before a program, and what else names a program that Linux runs: all of it the guest kernel's."""
    with host_is_unchanged(canary):
        result = run("/bin/sh", "-c", CORE.format(program=scratch / "run"), prepare=changed(admin=True),
                     mounts=[(str(scratch), "bind", str(scratch), ["rbind"])])
    assert "end" in result.stdout, str(result)
    # core(5): the guest kernel has a core_pattern of its own, and runs no programs
    assert [line for line in result.stdout.splitlines() if line.startswith("written")] in \
        ([], ["written /proc/sys/kernel/core_pattern"]), str(result)

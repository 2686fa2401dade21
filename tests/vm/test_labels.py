"""process.apparmorProfile: all host processes of the container have it."""

import pathlib
import subprocess

import pytest
from bundle import edit_config

PROFILE = """profile callgate-test flags=(attach_disconnected, mediate_deleted) {
	capability, file, network, mount, umount, pivot_root, ptrace, signal, unix,
	deny /{,**/}forbidden w,
}
"""


@pytest.fixture
def profile():
    subprocess.run(["apparmor_parser", "--replace"], input=PROFILE, text=True, check=True)
    yield "callgate-test"
    subprocess.run(["apparmor_parser", "--remove"], input=PROFILE, text=True, check=True)


def with_profile(name):
    def change(config):
        config["process"]["apparmorProfile"] = name
        config["linux"]["cgroupsPath"] = "/callgate-labels"
    return lambda bundle: edit_config(bundle, change)


def test_all_processes_are_confined(start, profile):
    container = start("sh", "-c", "echo up; exec sleep 1000", prepare=with_profile(profile))
    assert container.process.stdout.readline() == b"up\n", str(container.wait(10))
    pids = pathlib.Path("/sys/fs/cgroup/callgate-labels/cgroup.procs").read_text().split()
    labels = {pid: pathlib.Path(f"/proc/{pid}/attr/current").read_text() for pid in pids}
    assert len(pids) >= 3 and set(labels.values()) == {f"{profile} (enforce)\n"}, labels


def test_the_profile_counts(run, profile):
    """What it forbids the container can't do, though its kernel knows nothing of it."""
    result = run("sh", "-c", "echo x >/allowed && echo written; echo x >/forbidden", prepare=with_profile(profile))
    assert result.stdout == "written\n" and result.status != 0 and "ermission denied" in result.stderr, str(result)


def test_unknown_profile_is_named(run):
    result = run("true", prepare=with_profile("no-such-profile"))
    assert result.status == 1 and "process.apparmorProfile: no-such-profile" in result.stderr, str(result)
    assert not pathlib.Path("/sys/fs/cgroup/callgate-labels").exists()


def test_selinux_label_without_selinux(run):
    result = run("true", prepare=lambda bundle: edit_config(
        bundle, lambda config: config["process"].update(selinuxLabel="system_u:system_r:container_t:s0")))
    assert result.status == 1 and "selinux" in result.stderr, str(result)

"""process.selinuxLabel: all host processes of the container have it. The machine is started with SELinux, permissive."""

import pathlib

import pytest
from bundle import edit_config

LABEL = "system_u:system_r:initrc_t:s0:c1,c2"
CGROUP = pathlib.Path("/sys/fs/cgroup/callgate-labels")

pytestmark = pytest.mark.skipif(not pathlib.Path("/sys/fs/selinux/enforce").exists(),
                                reason="known: this machine was started without SELinux")


def with_label(label):
    def change(config):
        config["process"]["selinuxLabel"] = label
        config["linux"]["cgroupsPath"] = "/callgate-labels"
    return lambda bundle: edit_config(bundle, change)


def test_all_processes_are_labelled(start):
    container = start("sh", "-c", "echo up; exec sleep 1000", prepare=with_label(LABEL))
    assert container.process.stdout.readline() == b"up\n", str(container.wait(10))
    pids = (CGROUP / "cgroup.procs").read_text().split()
    labels = {pid: pathlib.Path(f"/proc/{pid}/attr/current").read_text().rstrip("\0\n") for pid in pids}
    assert len(pids) >= 3 and set(labels.values()) == {LABEL}, labels


def test_unknown_label_is_named(run):
    result = run("true", prepare=with_label("system_u:system_r:no_such_type_t:s0"))
    assert result.status == 1 and "process.selinuxLabel: system_u:system_r:no_such_type_t:s0" in result.stderr, str(result)
    assert not CGROUP.exists()

"""Cgroups made by systemd: a container is a scope of the machine's systemd, or of an ordinary user's."""

import json
import pathlib
import subprocess
import uuid

import pytest
from bundle import BUILD, edit_config, wait_for

CALLGATE, RUNC = str(BUILD / "callgate"), "/usr/sbin/runc"
MOUNT = pathlib.Path("/sys/fs/cgroup")
MIB = 1 << 20
SLICE = "callgate-test.slice"
LIMITS = {"memory": {"limit": 96 * MIB, "reservation": 64 * MIB, "swap": 128 * MIB}, "pids": {"limit": 123},
          "cpu": {"quota": 50000, "period": 100000, "cpus": "0", "mems": "0"},
          "unified": {"memory.high": str(80 * MIB), "cpu.weight": "321"}}
PROPERTIES = ("Slice MemoryMax MemoryLow MemoryHigh MemorySwapMax TasksMax CPUQuotaPerSecUSec CPUQuotaPeriodUSec CPUWeight "
              "AllowedCPUs AllowedMemoryNodes Delegate MemoryAccounting TasksAccounting ActiveState").split()
FILES = ("memory.max memory.low memory.high memory.swap.max pids.max cpu.max cpu.weight cpuset.cpus cpuset.mems "
         "cgroup.controllers").split()


def show(unit, *properties):
    text = subprocess.run(["systemctl", "show", "-p", ",".join(properties), unit], check=True, capture_output=True,
                          text=True).stdout
    return dict(line.split("=", 1) for line in text.splitlines())


def values(directory):
    return {name: (directory / name).read_text() for name in FILES}


class Scope:
    """A container with --systemd-cgroup, detached."""

    def __init__(self, runtime, bundle, path, resources, args=("sleep", "1000")):
        self.runtime, self.bundle, self.id = runtime, bundle, f"t-{uuid.uuid4().hex[:8]}"
        self.name = path.format(id=self.id).split(":")[-1] if path else self.id

        def change(config):
            config["process"]["args"] = list(args)
            config["linux"]["resources"] = resources
            if path:
                config["linux"]["cgroupsPath"] = path.format(id=self.id)
        edit_config(bundle, change)
        with open(bundle / "log", "wb") as log:
            self.status = self.call("run", "--detach", "--bundle", str(bundle), self.id, stdout=log, stderr=log).returncode
        self.log = (bundle / "log").read_text()

    def call(self, *args, **options):
        return subprocess.run([self.runtime, "--systemd-cgroup", *args], stdin=subprocess.DEVNULL, timeout=60,
                              check=False, **options)

    def ok(self, *args):
        result = self.call(*args, capture_output=True, text=True)
        assert result.returncode == 0, result
        return result.stdout

    def cgroup(self):
        pid = json.loads(self.ok("state", self.id))["pid"]
        return pathlib.Path(f"/proc/{pid}/cgroup").read_text()


@pytest.fixture
def scope(bundles):
    made = []

    def go(runtime=CALLGATE, path=SLICE + ":libpod:{id}", resources=None, **options):
        made.append(Scope(runtime, bundles.make(["true"]), path, resources or {}, **options))
        return made[-1]
    yield go
    for each in made:
        each.call("delete", "--force", each.id, capture_output=True)


def test_scope_as_runc_makes_it(scope):
    found = []
    for runtime in (RUNC, CALLGATE):
        box = scope(runtime, resources=LIMITS)
        assert box.status == 0, box.log
        unit = f"libpod-{box.name}.scope"
        where = f"/callgate.slice/{SLICE}/{unit}"
        assert box.cgroup() == f"0::{where}\n"
        found.append((show(unit, *PROPERTIES), values(MOUNT / where[1:])))
        box.ok("delete", "--force", box.id)
        assert not (MOUNT / where[1:]).exists()
        assert show(unit, "LoadState") == {"LoadState": "not-found"}
    assert found[0] == found[1]
    assert found[1][0]["MemoryMax"] == str(96 * MIB) and found[1][0]["ActiveState"] == "active"


def test_default_scope(scope):
    box = scope(path=None)
    assert box.status == 0, box.log
    assert box.cgroup() == f"0::/system.slice/callgate-{box.id}.scope\n"


def test_update_outlives_a_reload_of_systemd(scope):
    """What systemd does not know of it would overwrite."""
    box = scope(resources=LIMITS)
    unit = f"libpod-{box.name}.scope"
    where = MOUNT / f"callgate.slice/{SLICE}/{unit}"
    box.ok("update", "--memory", "100m", "--memory-swap", "150m", "--pids-limit", "55", "--cpu-quota", "70000", box.id)
    for _ in range(2):
        now = values(where)
        assert (now["memory.max"], now["memory.swap.max"]) == (f"{100 * MIB}\n", f"{50 * MIB}\n")
        assert (now["pids.max"], now["cpu.max"]) == ("55\n", "70000 100000\n")
        subprocess.run(["systemctl", "daemon-reload"], check=True)
    assert show(unit, "MemoryMax", "TasksMax") == {"MemoryMax": str(100 * MIB), "TasksMax": "55"}


def test_pause_events_and_end(scope):
    box = scope(resources=LIMITS)
    where = MOUNT / f"callgate.slice/{SLICE}/libpod-{box.name}.scope"
    box.ok("pause", box.id)
    assert "frozen 1" in (where / "cgroup.events").read_text()
    box.ok("resume", box.id)
    assert "frozen 0" in (where / "cgroup.events").read_text()
    stats = json.loads(box.ok("events", "--stats", box.id))["data"]
    assert stats["memory"]["usage"]["limit"] == 96 * MIB and stats["pids"]["limit"] == 123
    assert int(stats["pids"]["current"]) == len((where / "cgroup.threads").read_text().split())
    box.ok("kill", box.id, "KILL")
    wait_for(lambda: json.loads(box.ok("state", box.id))["status"] == "stopped", 30, "the end")
    box.ok("delete", box.id)
    wait_for(lambda: not where.exists(), 30, "removal of the scope")


@pytest.mark.parametrize("path, error", [
    ("/a/b", 'linux.cgroupsPath: expected cgroupsPath to be of format "slice:prefix:name"'),
    ("no-slice:a:b", "linux.cgroupsPath: invalid slice or name in 'no-slice:a:b'"),
    ("a--b.slice:a:b", "linux.cgroupsPath: invalid slice or name"),
])
def test_paths_that_are_refused(scope, path, error):
    box = scope(path=path)
    assert box.status == 1 and error in box.log
    assert box.call("state", box.id, capture_output=True).returncode == 1


def test_scope_of_another_container(scope):
    first = scope(path=SLICE + ":libpod:same")
    assert first.status == 0, first.log
    second = scope(path=SLICE + ":libpod:same")
    assert second.status == 1 and "not empty" in second.log
    assert json.loads(first.ok("state", first.id))["status"] == "running"


# ---- an ordinary user's own systemd ----

USER = r"""
set -e
export XDG_RUNTIME_DIR=/run/user/$(id -u)
export DBUS_SESSION_BUS_ADDRESS=unix:path=$XDG_RUNTIME_DIR/bus
cd "$1"
timeout 60 build/callgate --systemd-cgroup run -d -b . mine </dev/null >log 2>&1 || { cat log; exit 1; }
pid=$(build/callgate state mine | awk '/"pid"/ { print $2 + 0 }')
cat /proc/$pid/cgroup
cd /sys/fs/cgroup$(cut -d: -f3 /proc/$pid/cgroup)
cat memory.max pids.max
systemctl --user show -p MemoryMax,ActiveState "${PWD##*/}"
cd "$1"
build/callgate --systemd-cgroup update --memory 70m mine
build/callgate events --stats mine | grep -o '"limit": *73400320' | head -1
build/callgate delete --force mine
systemctl --user list-units --type=scope --no-legend | grep -c callgate-mine || true
"""


@pytest.fixture
def home():
    """Of a user whose systemd runs, with a bundle in it."""
    subprocess.run(["loginctl", "enable-linger", "tester"], check=True)
    wait_for(lambda: pathlib.Path("/run/user/1000/bus").exists(), 60, "the user's systemd")
    place = pathlib.Path("/home/tester")
    script = ("mkdir -p rootfs/bin rootfs/proc rootfs/dev rootfs/sys && cp -r /share/build . && cp /bin/busybox rootfs/bin && "
              "rm -f config.json && build/callgate spec --rootless")
    subprocess.run(["runuser", "-u", "tester", "--", "sh", "-c", f"cd {place} && {script}"], check=True)

    def change(config):
        config["process"].update(terminal=False, args=["/bin/busybox", "sleep", "1000"])
        config["linux"]["resources"] = {"memory": {"limit": 64 * MIB}, "pids": {"limit": 99}}
    edit_config(place, change)
    return place


def test_scope_of_a_user(home):
    result = subprocess.run(["runuser", "-u", "tester", "--", "bash", "-c", USER, "user", str(home)], capture_output=True,
                            stdin=subprocess.DEVNULL, text=True, timeout=200, check=False)
    assert result.stdout.splitlines() == [
        "0::/user.slice/user-1000.slice/user@1000.service/user.slice/callgate-mine.scope", str(64 * MIB), "99",
        f"MemoryMax={64 * MIB}", "ActiveState=active", f'"limit":{70 * MIB}', "0"], result


# ---- podman as it is on such a machine ----

def podman(*args):
    return subprocess.run(["podman", "--runtime", CALLGATE, *args], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=200, check=False)


def test_podman(bundles):
    """Its cgroup manager is systemd where systemd runs."""
    rootfs = str(bundles.make(["true"]) / "rootfs")
    common = ("--network", "none", "--memory", "96m", "--pids-limit", "77", "--rootfs", rootfs)
    result = podman("run", "--rm", *common, "sh", "-c", "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max; exit 3")
    assert (result.returncode, result.stdout) == (3, f"{96 * MIB}\n77\n"), result
    assert podman("info", "-f", "{{.Host.CgroupManager}} {{.Host.CgroupsVersion}}").stdout == "systemd v2\n"
    try:
        name = podman("run", "-d", "--name", "box", *common, "sleep", "1000").stdout.strip()
        pid = podman("inspect", "-f", "{{.State.Pid}}", "box").stdout.strip()
        lines = pathlib.Path(f"/proc/{pid}/cgroup").read_text()
        assert lines == f"0::/machine.slice/libpod-{name}.scope\n"
        assert podman("exec", "box", "echo", "inside").stdout == "inside\n"
        assert podman("stats", "--no-stream", "--format", "{{.MemLimit}}", "box").returncode == 0
        assert podman("pause", "box").returncode == podman("unpause", "box").returncode == 0
    finally:
        removed = podman("rm", "--force", "--time", "0", "box")
    assert removed.returncode == 0, removed
    wait_for(lambda: not list(MOUNT.glob("machine.slice/libpod-*")), 30, "removal of the scopes")

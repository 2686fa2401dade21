"""Limits: the files of the container's cgroup have the same values as under runc."""

import json
import os
import pathlib
import subprocess
import uuid

import pytest
from bundle import BUILD, RUNTIME, edit_config, wait_for

CALLGATE = str(BUILD / "callgate")
MOUNT = pathlib.Path("/sys/fs/cgroup")
UNIFIED = (MOUNT / "cgroup.controllers").exists()
MIB = 1 << 20


def controllers():
    """{controller: directory of its hierarchy}, as it is mounted here."""
    if UNIFIED:
        return dict.fromkeys((MOUNT / "cgroup.controllers").read_text().split(), MOUNT)
    found = {}
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        names = line.split(":", 2)[1]
        for name in names.split(","):
            if (MOUNT / names).is_dir():
                found[name] = MOUNT / names
    return found


CONTROLLERS = controllers()


def disk():
    """The number of a disk of this machine, for limits of input and output."""
    for device in sorted(pathlib.Path("/sys/block").iterdir()):
        if not device.name.startswith(("loop", "ram", "zram", "nbd")):
            return tuple(int(part) for part in (device / "dev").read_text().split(":"))
    return None


# linux.resources, and by controller the files that tell of it: version 1, version 2
MAJOR, MINOR = disk() or (8, 0)
RATE = [{"major": MAJOR, "minor": MINOR, "rate": 12 * MIB}]
IOPS = [{"major": MAJOR, "minor": MINOR, "rate": 1234}]
CASES = {
    "memory": ({"memory": {"limit": 96 * MIB, "reservation": 64 * MIB}}, "memory",
               ["memory.limit_in_bytes", "memory.soft_limit_in_bytes"], ["memory.max", "memory.low"]),
    "swap": ({"memory": {"limit": 96 * MIB, "swap": 128 * MIB}}, "memory",
             ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"], ["memory.max", "memory.swap.max"]),
    "no-memory-limit": ({"memory": {"limit": -1}}, "memory",
                        ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"], ["memory.max"]),
    "quota": ({"cpu": {"quota": 25000, "period": 50000}}, "cpu",
              ["cpu.cfs_quota_us", "cpu.cfs_period_us"], ["cpu.max"]),
    "period": ({"cpu": {"period": 50000}}, "cpu", ["cpu.cfs_period_us"], ["cpu.max"]),
    "no-quota": ({"cpu": {"quota": -1}}, "cpu", ["cpu.cfs_quota_us"], ["cpu.max"]),
    "cpuset": ({"cpu": {"cpus": "0", "mems": "0"}}, "cpuset", ["cpuset.cpus", "cpuset.mems"],
               ["cpuset.cpus", "cpuset.mems"]),
    "pids": ({"pids": {"limit": 321}}, "pids", ["pids.max"], ["pids.max"]),
    "no-pids-limit": ({"pids": {"limit": -1}}, "pids", ["pids.max"], ["pids.max"]),
    "throttle": ({"blockIO": {"throttleReadBpsDevice": RATE, "throttleWriteBpsDevice": RATE,
                              "throttleReadIOPSDevice": IOPS, "throttleWriteIOPSDevice": IOPS}}, "blkio",
                 [f"blkio.throttle.{kind}_device" for kind in
                  ("read_bps", "write_bps", "read_iops", "write_iops")], ["io.max"]),
    "weight": ({"blockIO": {"weight": 500}}, "blkio", ["blkio.weight", "blkio.bfq.weight"],
               ["io.weight", "io.bfq.weight"]),
    "hugepages": ({"hugepageLimits": [{"pageSize": "2MB", "limit": 4 * MIB}]}, "hugetlb",
                  ["hugetlb.2MB.limit_in_bytes"], ["hugetlb.2MB.max"]),
}
V1_CASES = {
    "network": ({"network": {"classID": 1048577}}, "net_cls", ["net_cls.classid"], []),
    "swappiness": ({"memory": {"swappiness": 7}}, "memory", ["memory.swappiness"], []),
    "oom-killer": ({"memory": {"limit": 256 * MIB, "disableOOMKiller": True}}, "memory",
                   ["memory.oom_control"], []),
    "shares": ({"cpu": {"shares": 333}}, "cpu", ["cpu.shares"], []),
    "realtime": ({"cpu": {"realtimePeriod": 500000, "realtimeRuntime": 0}}, "cpu",
                 ["cpu.rt_period_us", "cpu.rt_runtime_us"], []),
}
V2_CASES = {
    "unified": ({"unified": {"memory.high": str(50 * MIB), "cpu.weight": "321"}}, "memory", [],
                ["memory.high", "cpu.weight"]),
}
ALL = {**CASES, **(V2_CASES if UNIFIED else V1_CASES)}


def with_resources(resources, path):
    def change(config):
        config["linux"]["resources"] = resources
        config["linux"]["cgroupsPath"] = path
    return lambda bundle: edit_config(bundle, change)


def directory(controller, path):
    if UNIFIED:
        return MOUNT / path.lstrip("/")
    return CONTROLLERS[controller] / path.lstrip("/")


@pytest.fixture
def path():
    """A cgroup of the test's own, whose parent is gone afterwards too."""
    name = f"/callgate-test-{uuid.uuid4().hex[:8]}"
    yield name + "/box"
    for place in [MOUNT, *MOUNT.iterdir()]:
        mine = place / name[1:]
        if mine.is_dir():
            wait_for(lambda mine=mine: not (mine / "box").exists(), 10, "removal of the cgroup")
            mine.rmdir()


@pytest.fixture
def values(start, path):
    """values(runtime, case): (what the container's files say, what went wrong)"""
    def go(runtime, resources, controller, files):
        container = start("/bin/sh", "-c", "echo up; exec sleep 60", runtime=runtime,
                          prepare=with_resources(resources, path))
        if container.process.stdout.readline() != b"up\n":
            return None, container.wait(10).stderr
        where = directory(controller, path)
        found = {name: (where / name).read_text() for name in files if (where / name).exists()}
        container.kill()
        container.wait(10)
        wait_for(lambda: not where.exists(), 10, "removal of the cgroup")
        return found, ""
    return go


@pytest.mark.parametrize("case", ALL)
def test_same_values_as_runc(values, case):
    resources, controller, v1, v2 = ALL[case]
    files = v2 if UNIFIED else v1
    if UNIFIED and controller == "blkio":
        controller = "io"
    expected, _ = values("runc", resources, controller, files)
    actual, error = values(RUNTIME, resources, controller, files)
    if expected is None:  # this host can't: then it has to be said of what
        assert actual is None and "linux.resources." in error, (actual, error)
    else:
        assert expected and actual == expected, error


V1_ERRORS = [
    ({"cpu": {"shares": 300000}}, "linux.resources.cpu.shares: the maximum allowed cpu-shares is 262144"),
    ({"unified": {"memory.max": "1"}}, "linux.resources.unified: cannot use it on cgroup v1"),
]
V2_ERRORS = [
    ({"network": {"classID": 1048577}}, "linux.resources.network.classID: cgroup v2 has none"),
    ({"cpu": {"realtimeRuntime": 1000}}, "linux.resources.cpu.realtimeRuntime: cgroup v2 has none"),
    ({"unified": {"cpu.weight": "0"}}, "linux.resources.unified.cpu.weight: cannot write '0' to cpu.weight"),
    ({"unified": {"memory.nothing": "1"}}, "linux.resources.unified.memory.nothing"),
]


@pytest.mark.parametrize("resources, name", (V2_ERRORS if UNIFIED else V1_ERRORS) + [
    ({"rdma": {"no_such_0": {"hcaHandles": 1}}}, "linux.resources.rdma.no_such_0"),
    ({"cpu": {"cpus": "999"}}, "linux.resources.cpu.cpus: cannot write '999' to cpuset.cpus"),
    ({"memory": {"limit": 64 * MIB, "swap": 32 * MIB}}, "linux.resources.memory.swap"),
    ({"memory": {"swappiness": 101}}, "linux.resources.memory.swappiness"),
])
def test_what_cannot_be_applied_is_named(run, path, resources, name):
    result = run("/bin/true", prepare=with_resources(resources, path))
    assert result.status == 1 and name in result.stderr, str(result)
    assert not directory("memory", path).exists()


def test_relative_path(start, path):
    """It counts from the runtime's own cgroup in each hierarchy."""
    relative = path.lstrip("/")
    own = {}
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _, names, where = line.split(":", 2)
        own[names] = where.rstrip("/")
    container = start("/bin/sh", "-c", "echo up; exec sleep 60", prepare=with_resources({}, relative))
    assert container.process.stdout.readline() == b"up\n", str(container.wait(5))
    pid = json.loads(pathlib.Path(f"/run/callgate/{container.id}/state.json").read_text())["init_process_pid"]
    for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, names, where = line.split(":", 2)
        if (MOUNT / (names.removeprefix("name=") or "unified")).is_dir():
            assert where == f"{own[names]}/{relative}"
    container.kill()
    container.wait(10)
    for place in CONTROLLERS.values():
        for left in (place / own.get(place.name, "").lstrip("/")).glob(relative.split("/")[0]):
            wait_for(lambda left=left: not (left / "box").exists(), 10, "removal of the cgroup")
            left.rmdir()


def test_no_cgroup(bundles):
    bundle = bundles.make(["/bin/sh", "-c", "echo up"])
    own = pathlib.Path("/proc/self/cgroup").read_text()
    result = subprocess.run([CALLGATE, "--cgroup-manager", "disabled", "run", "-b", str(bundle), "t-none"],
                            capture_output=True, text=True, timeout=20, check=False, stdin=subprocess.DEVNULL)
    assert (result.returncode, result.stdout) == (0, "up\n"), result.stderr
    assert pathlib.Path("/proc/self/cgroup").read_text() == own
    edit_config(bundle, lambda config: config["linux"].update(resources={"pids": {"limit": 10}}))
    result = subprocess.run([CALLGATE, "--cgroup-manager", "disabled", "run", "-b", str(bundle), "t-none"],
                            capture_output=True, text=True, timeout=20, check=False, stdin=subprocess.DEVNULL)
    assert result.returncode == 1
    assert "linux.resources.pids.limit: the container is to have no cgroup" in result.stderr


def test_occupied_cgroup(run, path):
    """The end of a container kills what is in its cgroup: it must have it to itself."""
    where = directory("pids", path)
    where.mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"]) as other:
        (where / "cgroup.procs").write_text(str(other.pid))
        result = run("/bin/true", prepare=with_resources({}, path))
        assert result.status == 1 and "container's cgroup is not empty" in result.stderr, str(result)
        assert other.poll() is None
        other.kill()
    if where.exists():
        wait_for(lambda: not where.joinpath("cgroup.procs").read_text(), 5, "an empty cgroup")
        os.rmdir(where)

"""pause, resume, update and events: cgroups of a running container, and what its programs see of it."""

import json
import pathlib
import subprocess
import uuid

import pytest
from bundle import BUILD, RUNTIME, edit_config, wait_for
from test_cgroups import MIB, UNIFIED, directory

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: state of callgate is looked at")

CALLGATE = str(BUILD / "callgate")
COUNT = "i=0; while :; do i=$((i+1)); echo $i > /count; sleep 0.02; done"


def command(runtime, *args, stdin=None):
    program = "/usr/sbin/runc" if runtime == "runc" else CALLGATE
    return subprocess.run([program, *args], input=stdin, capture_output=True, text=True, timeout=30, check=False)


def ok(*args, runtime=RUNTIME, stdin=None):
    result = command(runtime, *args, stdin=stdin)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture
def box(start):
    """box(script, resources): (container, path of its cgroup); it has said "up"."""
    paths, containers = [], []

    def go(script, resources=None, runtime=RUNTIME):
        paths.append(f"/callgate-test-{uuid.uuid4().hex[:8]}")

        def change(config):
            config["linux"]["cgroupsPath"] = paths[-1] + "/box"
            config["linux"]["resources"] = resources or {}
        container = start("/bin/sh", "-c", "echo up; " + script, runtime=runtime,
                          prepare=lambda bundle: edit_config(bundle, change))
        containers.append(container)
        assert container.process.stdout.readline() == b"up\n", str(container.wait(5))
        return container, paths[-1] + "/box"

    yield go
    for container in containers:
        container.kill()
    for path in paths:
        for place in pathlib.Path("/sys/fs/cgroup").glob("**" + path if UNIFIED else "*" + path):
            wait_for(lambda place=place: not (place / "box").exists(), 10, "removal of the cgroup")
            place.rmdir()


def written(container, name):
    path = container.bundle / "rootfs" / name
    return path.read_text() if path.exists() else ""


def stands_still(container):
    before = written(container, "count")
    subprocess.run(["sleep", "0.4"], check=True)
    return before == written(container, "count")


def test_pause_and_resume(box):
    container, _ = box(COUNT)
    wait_for(lambda: written(container, "count"), 5, "the first number")
    ok("pause", container.id)
    assert stands_still(container)
    again = command(RUNTIME, "pause", container.id)
    assert again.returncode == 1 and "container not running" in again.stderr
    ok("resume", container.id)
    assert not stands_still(container)
    again = command(RUNTIME, "resume", container.id)
    assert again.returncode == 1 and "container not paused" in again.stderr


def test_end_of_a_paused_container(box):
    """Frozen processes do not die by themselves."""
    container, path = box("sleep 100")
    ok("pause", container.id)
    container.kill()
    assert directory("memory", path).exists()
    ok("resume", container.id)
    wait_for(lambda: not directory("memory", path).exists(), 10, "removal of the cgroup")


FILES = [("memory", "memory.max", "memory.limit_in_bytes"), ("memory", "memory.low", "memory.soft_limit_in_bytes"),
         ("memory", "memory.swap.max", "memory.memsw.limit_in_bytes"), ("pids", "pids.max", "pids.max"),
         ("cpu", "cpu.max", "cpu.cfs_quota_us"), ("cpu", "cpu.max", "cpu.cfs_period_us"),
         ("cpuset", "cpuset.cpus", "cpuset.cpus")] + ([] if UNIFIED else [("cpu", "", "cpu.shares")])
START = {"memory": {"limit": 64 * MIB, "swap": 80 * MIB}, "cpu": {"quota": 60000, "period": 120000}}


def values(path):
    found = {}
    for controller, v2, v1 in FILES:
        place = directory(controller, path) / (v2 if UNIFIED else v1)
        found[v2 if UNIFIED else v1] = place.read_text() if place.exists() else None
    return found


@pytest.mark.parametrize("args, stdin", [
    (["--memory", "96m", "--memory-swap", "128MiB"], None),
    (["--memory", "48m"], None),
    (["--memory", "-1"], None),
    (["--memory-reservation", "33554432"], None),
    (["--cpu-quota", "30000"], None),
    (["--cpu-period", "100000"], None),
    (["--cpu-quota", "-1"], None),
    (["--cpu-share", "512", "--cpuset-cpus", "0"], None),
    (["--pids-limit", "77"], None),
    (["--resources", "-"], json.dumps({"pids": {"limit": 55}, "memory": {"limit": 72 * MIB, "swap": 90 * MIB}})),
])
def test_update_does_what_runc_does(box, args, stdin):
    if UNIFIED and "--cpu-share" in args:
        args = ["--cpuset-cpus", "0"]
    results = []
    for runtime in ("runc", RUNTIME):
        container, path = box("sleep 100", START, runtime=runtime)
        ok("update", *args, container.id, runtime=runtime, stdin=stdin)
        results.append(values(path))
        container.kill()
        container.wait(10)
    assert results[0] == results[1]


@pytest.mark.parametrize("args, error", [
    (["--memory", "12x"], "invalid value for memory: invalid size: '12x'"),
    (["--cpu-share", "no"], "invalid value for cpu-share: 'no'"),
    (["--cpuset-cpus", "999"], "linux.resources.cpu.cpus"),
    (["--l3-cache-schema", "L3:0=f"], "--l3-cache-schema"),
])
def test_update_errors_leave_things_as_they_were(box, args, error):
    container, path = box("sleep 100", START)
    before = values(path)
    result = command(RUNTIME, "update", *args, container.id)
    assert result.returncode == 1 and error in result.stderr, result.stderr
    assert values(path) == before


def test_a_limit_below_the_usage_is_refused(box):
    container, path = box("head -c 60M /dev/zero >/dev/shm/x; sleep 100", START)
    usage = directory("memory", path) / ("memory.current" if UNIFIED else "memory.usage_in_bytes")
    wait_for(lambda: int(usage.read_text()) > 60 * MIB)
    before = values(path)
    new = {"memory": {"limit": 20 * MIB, "checkBeforeUpdate": True}}
    result = command(RUNTIME, "update", "--resources", "-", container.id, stdin=json.dumps(new))
    assert result.returncode == 1 and "unable to set memory limit to" in result.stderr, result.stderr
    assert values(path) == before and json.loads(ok("state", container.id))["status"] == "running"


def test_the_guest_learns_of_an_update(box):
    look = "while :; do echo $(nproc) $(awk '/MemTotal/ { print $2 }' /proc/meminfo) > /seen; sleep 0.05; done"
    container, _ = box(look, START)
    wait_for(lambda: written(container, "seen").endswith(f" {64 << 10}\n"), 10, "the limit in meminfo")
    ok("update", "--cpuset-cpus", "0", container.id)
    wait_for(lambda: written(container, "seen") == f"1 {64 << 10}\n", 10, "one CPU")
    ok("pause", container.id)
    ok("update", "--memory", "128m", "--memory-swap", "128m", container.id)
    ok("resume", container.id)
    wait_for(lambda: written(container, "seen") == f"1 {128 << 10}\n", 10, "the new limit")


# Lists that depend on what happened; in version 2 runc tells of cpuset files which only version 1 has.
UNLIKE = ["blkio", "network_interfaces", "pids"] + (["cpuset"] if UNIFIED else [])


def test_stats_have_the_form_of_runc(box):
    def shape(value):
        if isinstance(value, dict):
            return {key: shape(member) for key, member in value.items()}
        return type(value)

    found = []
    for runtime in ("runc", RUNTIME):
        container, _ = box("sleep 100", START, runtime=runtime)
        event = json.loads(ok("events", "--stats", container.id, runtime=runtime))
        assert (event["type"], event["id"]) == ("stats", container.id)
        found.append(event["data"])
        container.kill()
        container.wait(10)
    runc, ours = found
    assert ours["memory"]["usage"]["limit"] == runc["memory"]["usage"]["limit"] == 64 * MIB
    assert ours["memory"]["usage"]["usage"] > 100000 and ours["cpu"]["usage"]["total"] > 1000000
    assert ours["pids"]["current"] >= 2
    for key in runc:
        assert key in ours
        if key not in UNLIKE:
            missing = set(shape(runc[key])) - set(shape(ours[key]))
            assert not missing, (key, missing)
    assert set(runc["memory"]["raw"]) <= set(ours["memory"]["raw"])


def test_events_end_with_the_container(box):
    container, _ = box("sleep 100")
    with subprocess.Popen([CALLGATE, "events", "--interval", "100ms", container.id], stdout=subprocess.PIPE,
                          text=True) as events:
        for _ in range(3):
            assert json.loads(events.stdout.readline())["type"] == "stats"
        container.kill()
        assert events.wait(10) == 0


@pytest.mark.parametrize("name", ["pause", "resume", "events", "update"])
def test_no_such_container(name):
    result = command(RUNTIME, name, "no-such-container")
    assert result.returncode == 1 and "container does not exist" in result.stderr

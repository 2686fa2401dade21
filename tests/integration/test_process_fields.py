"""Properties of config.json's process and of its clocks that Debian 12's runc does not know: what the
program sees, and what the host does."""

import json
import os
import subprocess
import time

import pytest
from bundle import edit_config, runtime_command, wait_for


def with_(change):
    return lambda bundle: edit_config(bundle, change)


def python(run, script, change):
    result = run("/usr/bin/python3", "-c", script, prepare=with_(change))
    assert result.status == 0, str(result)
    return json.loads(result.stdout)


def test_scheduler_and_io_priority(start):
    """The guest's calls report them, and its host processes have them."""
    def change(config):
        config["process"]["scheduler"] = {"policy": "SCHED_BATCH", "nice": 7}
        config["process"]["ioPriority"] = {"class": "IOPRIO_CLASS_BE", "priority": 6}
    script = ("import ctypes, json, os, time; libc = ctypes.CDLL(None);"
              "print(json.dumps([os.sched_getscheduler(0), os.nice(0), libc.syscall(252, 1, 0)]), flush=True);"
              "time.sleep(60)")
    container = start("/usr/bin/python3", "-c", script, prepare=with_(change))
    line = container.process.stdout.readline()
    assert json.loads(line) == [os.SCHED_BATCH, 7, 2 << 13 | 6]
    children = wait_for(lambda: descendants(container.pid), what="host processes")
    inside = [pid for pid in children if os.sched_getscheduler(pid) == os.SCHED_BATCH]
    assert len(inside) >= 3, children  # the hypervisor, vm0 and the program
    assert {os.getpriority(os.PRIO_PROCESS, pid) for pid in inside} == {7}


def descendants(pid):
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as stat:
                    found.append((int(entry), int(stat.read().rsplit(")", 1)[1].split()[1])))
            except (FileNotFoundError, ProcessLookupError):
                pass
    below = {pid}
    while True:
        more = {child for child, parent in found if parent in below} - below
        if not more:
            return sorted(below - {pid})
        below |= more


def test_reset_on_fork(run):
    def change(config):
        config["process"]["scheduler"] = {"policy": "SCHED_OTHER", "nice": 5, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}
    script = """
import json, os
r, w = os.pipe()
if not os.fork():
    os.write(w, json.dumps([os.nice(0)]).encode())
    os._exit(0)
os.wait()
print(json.dumps([os.nice(0), json.loads(os.read(r, 100))]))
"""
    assert python(run, script, change) == [5, [0]]


def test_personality(run):
    def change(config):
        config["linux"]["personality"] = {"domain": "LINUX32"}
    script = "import json, os; print(json.dumps([os.uname().machine, os.popen('uname -m').read().strip()]))"
    assert python(run, script, change) == ["i686", "i686"]


def test_many_groups(run_both):
    def change(config):
        config["process"]["user"]["additionalGids"] = list(range(1000, 1700))
    result = run_both("/usr/bin/id", "-G", prepare=with_(change))
    assert len(result.stdout.split()) == 701


def test_oom_score(run_both, start):
    def change(config):
        config["process"]["oomScoreAdj"] = 321
    assert run_both("/bin/cat", "/proc/self/oom_score_adj", prepare=with_(change)).stdout == "321\n"
    container = start("/bin/sh", "-c", "echo up; sleep 60", prepare=with_(change))
    assert container.process.stdout.readline() == b"up\n"
    scores = set()
    for pid in descendants(container.pid):
        with open(f"/proc/{pid}/oom_score_adj") as score:
            scores.add(int(score.read()))
    assert min(scores) < 321 and len(scores) == 2  # the hypervisor's, and that of all processes of the guest


CLOCKS = """
import json, os, select, threading, time
begin = time.monotonic()
time.sleep(0.05); select.select([], [], [], 0.05); threading.Event().wait(0.05)
print(json.dumps([time.clock_gettime(time.CLOCK_MONOTONIC), time.clock_gettime(time.CLOCK_BOOTTIME),
                  float(open("/proc/uptime").read().split()[0]), time.time(), time.monotonic() - begin]))
"""


def test_time_namespace(run):
    """Clocks with offsets: what is read, what is waited for, and what /proc says."""
    def change(config):
        config["linux"]["namespaces"].append({"type": "time"})
        config["linux"]["timeOffsets"] = {"monotonic": {"secs": 1000000, "nanosecs": 500000000}, "boottime": {"secs": 2000000}}
    mono, boot, real = time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME), time.time()
    seen = python(run, CLOCKS, change)
    for value, base in zip(seen, (mono + 1000000.5, boot + 2000000, boot + 2000000, real)):
        assert base - 1 <= value <= base + 60
    assert 0.14 < seen[4] < 30


def test_time_namespace_by_path(run):
    """The host's own: nothing changes."""
    def change(config):
        config["linux"]["namespaces"].append({"type": "time", "path": f"/proc/{os.getpid()}/ns/time"})
    mono = time.monotonic()
    assert mono - 1 <= python(run, CLOCKS, change)[0] <= mono + 60


@pytest.mark.parametrize("section, value, message", [
    ("process.scheduler", {"policy": "SCHED_NICE"}, "process.scheduler.policy: unknown policy 'SCHED_NICE'"),
    ("process.scheduler", {"policy": "SCHED_DEADLINE", "runtime": 1}, "process.scheduler.policy: processes with SCHED_DEADLINE"),
    ("process.scheduler", {"policy": "SCHED_FIFO"}, "process.scheduler.priority: expected 1 to 99"),
    ("process.scheduler", {"policy": "SCHED_OTHER", "nice": 20}, "process.scheduler.nice: expected -20 to 19"),
    ("process.ioPriority", {"class": "IOPRIO_CLASS_X", "priority": 1}, "process.ioPriority.class: unknown class"),
    ("process.ioPriority", {"class": "IOPRIO_CLASS_BE", "priority": 8}, "process.ioPriority.priority: expected 0 to 7"),
    ("linux.personality", {"domain": "BSD"}, "linux.personality.domain: expected LINUX or LINUX32"),
    ("linux.timeOffsets", {"boottime": {"secs": 1}}, "linux.timeOffsets: needs a time namespace"),
    ("linux.timeOffsets", {"realtime": {"secs": 1}}, "linux.timeOffsets.realtime: unknown clock"),
])
def test_what_is_wrong_is_named(run, section, value, message):
    outer, inner = section.split(".")
    result = run("/bin/true", prepare=with_(lambda config: config[outer].update({inner: value})))
    assert result.status == 1 and message in result.stderr, str(result)


@pytest.mark.parametrize("module, section, name, message", [
    ("/sys/module/apparmor/parameters/enabled", "process", "apparmorProfile",
     "apparmor: config provided but apparmor not supported"),
    ("/sys/fs/selinux/enforce", "process", "selinuxLabel", "selinux is disabled or not supported"),
    ("/sys/fs/selinux/enforce", "linux", "mountLabel", "selinux is disabled or not supported"),
])
def test_labels_without_their_module(run, module, section, name, message):
    if os.path.exists(module):
        return  # the host has it: then a label is no mistake
    result = run("/bin/true", prepare=with_(lambda config: config[section].update({name: "some_label"})))
    assert result.status == 1 and message in result.stderr, str(result)


def with_sys_admin(bundle):
    def change(data):
        for kind in ("bounding", "effective", "permitted"):
            data["process"]["capabilities"][kind] = ["CAP_SYS_ADMIN"]
    edit_config(bundle, change)


def host_side_name(pid):
    return subprocess.run(["nsenter", "-t", str(pid), "-u", "hostname"], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("runtime", ["callgate", "runc"])
def test_host_name_that_is_set_inside(box, runtime):
    """It is that of the container's uts namespace, too, where hooks and the host's tools see it."""
    here = box(runtime, prepare=with_sys_admin)
    assert here.sh("hostname inside && hostname", cap=["CAP_SYS_ADMIN"]) == "inside\n"
    state = subprocess.run([*runtime_command(runtime), "state", here.id], capture_output=True, check=True)
    assert host_side_name(json.loads(state.stdout)["pid"]) == "inside"
    assert host_side_name(os.getpid()) != "inside"


def test_host_name_of_the_host(run):
    """Without a uts namespace it is the host's, which a container without CAP_SYS_ADMIN cannot set: nor can its guest kernel."""
    def shared(bundle):
        def change(data):
            data["linux"]["namespaces"] = [n for n in data["linux"]["namespaces"] if n["type"] != "uts"]
            data.pop("hostname")
        edit_config(bundle, change)
    before = host_side_name(os.getpid())
    result = run("/bin/sh", "-c", "hostname stolen; echo $?", prepare=shared)
    assert result.stdout == "1\n" and "must be root" in result.stderr, str(result)
    result = run("/bin/sh", "-c", "echo stolen 2>&- > /proc/sys/kernel/hostname; hostname", prepare=shared)
    assert result.stdout == before + "\n", str(result)
    assert host_side_name(os.getpid()) == before

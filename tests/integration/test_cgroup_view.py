"""The container's cgroup as its own programs see it: version 2, whatever the host has, with real values."""

import pytest
from bundle import RUNTIME, edit_config
from test_cgroups import MIB, UNIFIED, directory, path  # noqa: F401

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: runc shows the host's version")

LIMITS = {"memory": {"limit": 100 * MIB, "swap": 120 * MIB}, "pids": {"limit": 123},
          "cpu": {"quota": 150000, "period": 100000}}


def with_cgroup(path, resources):  # noqa: F811
    def change(config):
        config["linux"]["cgroupsPath"] = path
        config["linux"]["resources"] = resources
        config["mounts"].append({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
                                 "options": ["ro", "nosuid", "noexec", "nodev"]})
    return lambda bundle: edit_config(bundle, change)


@pytest.fixture
def look(path, run):  # noqa: F811
    def go(script, resources=None):
        result = run("/bin/bash", "-c", "cd /sys/fs/cgroup; " + script,
                     prepare=with_cgroup(path, LIMITS if resources is None else resources))
        assert result.status == 0, str(result)
        return result.stdout
    return go


def test_limits(look):
    assert look("cat memory.max memory.swap.max pids.max cpu.max") == f"{100 * MIB}\n{20 * MIB}\n123\n150000 100000\n"


def test_no_limits(look):
    assert look("cat memory.max memory.high pids.max cpu.max cpu.weight", {}) == "max\nmax\nmax\nmax 100000\n100\n"


def test_use(look):
    text = look("cat pids.current memory.current memory.peak; x=$(head -c 30000000 /dev/zero | tr '\\0' x); "
                "cat memory.current memory.peak; cat cpu.stat memory.events memory.stat")
    lines = text.splitlines()
    pids, before, peak, after, peak_after = (int(line) for line in lines[:5])
    assert 2 <= pids <= 123 and 0 < before <= peak < 30000000 < after <= peak_after <= 100 * MIB
    table = {key: int(value) for key, value in (line.split() for line in lines[5:])}
    assert table["usage_usec"] > 1000 and 0 < table["anon"] <= 100 * MIB  # counted with a delay
    assert table["oom_kill"] == 0 and "file" in table and "inactive_file" in table


def test_it_is_the_host_s_number(path, start):  # noqa: F811
    container = start("/bin/bash", "-c", "head -c 20000000 /dev/zero > /dev/shm/x; cat /sys/fs/cgroup/memory.current; "
                      "exec sleep 60", prepare=with_cgroup(path, LIMITS))
    inside = int(container.process.stdout.readline())
    outside = int((directory("memory", path) / ("memory.current" if UNIFIED else "memory.usage_in_bytes")).read_text())
    assert abs(inside - outside) < 8 * MIB


def test_read_only(look):
    assert look("for f in memory.max cgroup.procs; do (echo 1 > $f) 2>/dev/null && echo written $f; done; "
                "mkdir x 2>/dev/null && echo made; true") == ""


def test_writable(path, box):  # noqa: F811
    """Directories of the container's own making; what exec starts goes where processes may be. In the end `run` is killed, and its
    hypervisor removes the cgroup (that of the fixture), which it has to leave for that, from inside of a cgroup namespace."""
    def change(config):
        config["linux"]["cgroupsPath"] = path
        config["linux"]["namespaces"].append({"type": "cgroup"})
        config["mounts"].append({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["rw"]})
    inside = box(prepare=lambda bundle: edit_config(bundle, change))
    script = """cd /sys/fs/cgroup; mkdir init x; echo $$ >x/cgroup.procs; cat /proc/self/cgroup; echo 1 >init/cgroup.procs
        echo +pids +memory >cgroup.subtree_control; cat cgroup.subtree_control x/pids.current; [ $(cat x/memory.current) -gt 0 ]; echo $?
        (echo 1000 >x/memory.max) 2>/dev/null; echo $?; rmdir x 2>/dev/null || echo busy; echo $$ >init/cgroup.procs; rmdir x; ls -d */"""
    assert inside.exec("/bin/bash", "-c", script).stdout == "0::/x\nmemory pids\n2\n0\n1\nbusy\ninit/\n"
    assert inside.exec("/bin/cat", "/proc/self/cgroup").stdout == "0::/init\n"


def test_how_programs_find_it(look):
    """The JVM and others: mountinfo says cgroup2, /proc/self/cgroup has one line."""
    assert look("cat /proc/self/cgroup; awk '$5 == \"/sys/fs/cgroup\" { print $(NF - 2) }' /proc/self/mountinfo; "
                "stat -f -c %T .; ls cgroup.controllers") == "0::/\ncgroup2\ncgroup2fs\ncgroup.controllers\n"

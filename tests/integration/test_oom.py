"""Out of memory, as engines see it; what memory the container is charged for."""

import contextlib
import json
import os
import pathlib
import subprocess

import pytest
from bundle import BUILD, RUNTIME, edit_config, wait_for
from test_cgroups import MIB, UNIFIED, directory, path  # noqa: F401

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: runc's container outlives one of its processes")

CALLGATE = str(BUILD / "callgate")
FILL = "l = []\nwhile True: l.append(bytearray(b'x') * 1000000)\n"


def limited(path, memory=64 * MIB, adj=None):  # noqa: F811
    def change(config):
        config["linux"]["cgroupsPath"] = path
        config["linux"]["resources"] = {"memory": {"limit": memory, "swap": memory}}
        if adj is not None:
            config["process"]["oomScoreAdj"] = adj
    return lambda bundle: edit_config(bundle, change)


def kills(where):
    text = (where / ("memory.events" if UNIFIED else "memory.oom_control")).read_text()
    return int(dict(line.split() for line in text.splitlines()).get("oom_kill", 0))


def state(container):
    return json.loads(pathlib.Path(f"/run/callgate/{container.id}/state.json").read_text())


class Watch:
    """What an engine does: an eventfd of memory.oom_control, an inotify of memory.events."""

    def __init__(self, where):
        self.where = where
        if not UNIFIED:
            self.fd = os.eventfd(0, os.EFD_NONBLOCK)
            with open(where / "memory.oom_control", encoding="ascii") as control:
                (where / "cgroup.event_control").write_text(f"{self.fd} {control.fileno()}")

    def happened(self):
        if UNIFIED:
            return kills(self.where) > 0
        try:
            return os.eventfd_read(self.fd) > 0
        except BlockingIOError:
            return False


def test_out_of_memory(path, start):  # noqa: F811
    container = start("/bin/sh", "-c", "echo up; python3 -c \"$0\"; echo survived", FILL,
                      prepare=limited(path))
    assert container.process.stdout.readline() == b"up\n", str(container.wait(5))
    result = container.wait(30)
    assert result.status == 137 and "survived" not in result.stdout, str(result)
    assert "ran out of memory" in result.stderr


@pytest.fixture
def created(path, bundles):  # noqa: F811
    """A container that waits for "start", and stays until "delete"."""
    bundle = bundles.make(["/usr/bin/python3", "-c", FILL])
    limited(path)(bundle)
    name = path.split("/")[1].replace("callgate-test", "t-oom")
    subprocess.run([CALLGATE, "create", "-b", str(bundle), name], check=True, timeout=20,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield name
    subprocess.run([CALLGATE, "delete", "--force", name], check=True, timeout=20)
    assert not directory("memory", path).exists()


def test_engines_are_told(path, created):  # noqa: F811
    """The kernel's event, the count, and our own `events`; the count is there until delete."""
    where = directory("memory", path)
    watch = Watch(where)
    with subprocess.Popen([CALLGATE, "events", "--interval", "100ms", created], stdout=subprocess.PIPE,
                          text=True) as events:
        assert json.loads(events.stdout.readline())["type"] == "stats"  # it has begun to watch
        subprocess.run([CALLGATE, "start", created], check=True, timeout=20)
        wait_for(watch.happened, 20, "the kernel's event")
        assert {"type": "oom", "id": created} in [json.loads(line) for line in events.stdout]
        assert events.wait(10) == 0
    assert kills(where) >= 1


def lowest_score():
    """What a process may take on here: without CAP_SYS_RESOURCE nothing below its own."""
    script = "echo -999 2>/dev/null >/proc/self/oom_score_adj; cat /proc/self/oom_score_adj"
    return int(subprocess.run(["/bin/sh", "-c", script], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, check=True).stdout)


def test_score_of_processes(path, start):  # noqa: F811
    container = start("/bin/sh", "-c", "cat /proc/self/oom_score_adj; exec sleep 60", prepare=limited(path, adj=321))
    assert container.process.stdout.readline() == b"321\n", str(container.wait(5))
    scores = {}
    for pid in (directory("memory", path) / "cgroup.procs").read_text().split():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # cat ends
            scores[pid] = int(pathlib.Path(f"/proc/{pid}/oom_score_adj").read_text())
    assert len(scores) >= 3
    assert scores.pop(str(state(container)["init_process_pid"])) == lowest_score()
    assert set(scores.values()) == {321}


@pytest.mark.parametrize("script", ["head -c 100000000 /dev/zero > /dev/shm/file", "for i in $(seq 400); do sleep 1000 & done; wait"])
def test_hypervisor_is_left_to_say_why(path, start, script):  # noqa: F811
    """Also when every process of the guest is smaller."""
    result = start("/bin/sh", "-c", script, prepare=limited(path, 24 * MIB, adj=321)).wait(60)
    assert result.status == 137 and "ran out of memory: " in result.stderr, str(result)
    assert "its hypervisor was killed" not in result.stderr


def usage(where):
    return int((where / ("memory.current" if UNIFIED else "memory.usage_in_bytes")).read_text())


@pytest.mark.parametrize("script", [
    "head -c 40000000 /dev/zero > /file",                # page cache
    "head -c 40000000 /dev/zero > /dev/shm/file",        # a file system of the guest
    "exec python3 -c 'import time; x = bytearray(b\"x\") * 40000000; time.sleep(60)'",
])
def test_memory_is_charged_to_the_container(path, start, script):  # noqa: F811
    container = start("/bin/sh", "-c", f"echo up; {script}; exec sleep 60",
                      prepare=limited(path, 200 * MIB))
    assert container.process.stdout.readline() == b"up\n", str(container.wait(5))
    where = directory("memory", path)
    wait_for(lambda: usage(where) > 40000000, 20, "40 MB more")


def test_page_cache_is_given_back(path, run):  # noqa: F811
    """More files than memory: that is no reason to die."""
    result = run("/bin/sh", "-c", "head -c 150000000 /dev/zero > /file && cat /file | wc -c",
                 prepare=limited(path, 48 * MIB), timeout=60)
    assert (result.status, result.stdout) == (0, "150000000\n"), str(result)

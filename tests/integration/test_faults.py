"""Host processes of a container are killed at random instants, one or several or all at the same time: nothing is left,
somebody says what happened, and another container notices nothing.

A few runs here, hundreds by `make faults`: CALLGATE_FAULT_RUNS says how many, CALLGATE_FAULT_SEED which.
"""

import contextlib
import json
import os
import pathlib
import random
import re
import signal
import subprocess

import pytest
from bundle import RUNTIME, runtime_command, wait_for

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: runc's containers outlive it")

RUNS = int(os.environ.get("CALLGATE_FAULT_RUNS", "24"))
SEED = int(os.environ.get("CALLGATE_FAULT_SEED", "1"))
BATCH = 12
LATEST = 0.6  # seconds after the start: some are killed before they are up
LOAD = ("/bin/sh", "-c", "sleep 1000 & (sleep 1000 | cat) & echo up; while :; do /bin/true; read x </etc/passwd; done")


def processes():
    """{pid: parent} of the host's live processes."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if fields[0] not in "ZX":
                    found[int(entry.name)] = int(fields[1])
    return found


def tree(root, hypervisor):
    """The live host processes of a container; `run` may be among the dead."""
    parents = processes()
    found = {root, hypervisor} & set(parents)
    while new := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= new
    return found


def cgroups_of(ident):
    """Those of a container; others may come and go meanwhile."""
    places = [pathlib.Path("/sys/fs/cgroup"), *pathlib.Path("/sys/fs/cgroup").iterdir()]
    return [str(place) for place in places if (place / "callgate" / ident).exists()]


class Neighbour:
    """A container that nobody does anything to."""

    def __init__(self, bundle):
        self.process = subprocess.Popen([*runtime_command(RUNTIME), "run", "-b", str(bundle), f"t-neighbour-{os.getpid()}"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.check()

    def check(self):
        self.process.stdin.write(b"still there?\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == b"still there?\n", self.process.communicate(timeout=20)

    def end(self):
        out, err = self.process.communicate(timeout=20)
        assert (self.process.returncode, out, err) == (0, b"", b"")


@pytest.fixture
def neighbour(bundles):
    other = Neighbour(bundles.make(["/bin/cat"]))
    yield other
    other.end()


def mounts(*about):
    """The host's mounts that have to do with one of these."""
    return [line for line in open("/proc/self/mountinfo", encoding="utf-8") if any(str(what) in line for what in about)]


class Victim:
    """A container in the foreground, and what is done to it."""

    def __init__(self, bundle, root, rng):
        self.id, self.root, self.rng = f"t-fault-{rng.getrandbits(40):x}", root, rng
        self.process = subprocess.Popen(
            [*runtime_command(RUNTIME), "--root", str(root), "run", "-b", str(bundle), self.id],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)
        self.seen = {self.process.pid}

    def hypervisor(self):
        with contextlib.suppress(OSError, ValueError):
            return json.loads((self.root / self.id / "state.json").read_text())["init_process_pid"]
        return 0

    def targets(self):
        """What to kill this time, some of what lives."""
        alive = sorted(tree(self.process.pid, self.hypervisor()))
        self.seen.update(alive)
        how = self.rng.choice(["one", "one", "some", "all", "those outside"])
        if how == "all" or not alive:
            return alive
        if how == "those outside":
            return sorted({self.process.pid, self.hypervisor()} & set(alive))
        return self.rng.sample(alive, 1 if how == "one" else self.rng.randint(1, len(alive)))

    def strike(self):
        """Kills until the container ends: the first may have been about to end by itself."""
        killed = set()
        for _ in range(10):
            targets = self.targets()
            for pid in targets:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            killed.update(targets)
            with contextlib.suppress(TimeoutError):
                wait_for(lambda: not tree(self.process.pid, self.hypervisor()), 3, "end")
                return killed
        raise AssertionError(f"{self.id} does not end: {tree(self.process.pid, self.hypervisor())}")


def check_end(victim, killed):
    _, err = victim.process.communicate(timeout=20)
    if victim.process.pid not in killed:
        assert victim.process.returncode in (1, 134, 137), (victim.process.returncode, err)
        assert re.search(r"killed|could not be created|ended|is gone", err), err
    wait_for(lambda: not victim.seen & set(processes()), 20, f"end of {victim.seen}")
    listed = subprocess.run([*runtime_command(RUNTIME), "--root", str(victim.root), "list", "-q"], capture_output=True,
                            text=True, timeout=20, check=True)
    assert listed.stdout == "", listed
    assert [path.name for path in victim.root.iterdir() if not path.name.startswith(".")] == []
    assert cgroups_of(victim.id) == [] and mounts(victim.id) == []


@pytest.mark.parametrize("batch", range((RUNS + BATCH - 1) // BATCH))
def test_killed_at_random_instants(bundles, neighbour, tmp_path, batch):
    bundle = bundles.make(LOAD)
    before = mounts(bundle, tmp_path)
    for number in range(batch * BATCH, min(RUNS, (batch + 1) * BATCH)):
        rng = random.Random(SEED * 1000003 + number)
        victim = Victim(bundle, tmp_path, rng)
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                victim.process.wait(rng.random() * LATEST)
            killed = victim.strike()
            check_end(victim, killed)
            neighbour.check()
        except BaseException as error:
            raise AssertionError(f"run {number} of seed {SEED}") from error
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(victim.process.pid, signal.SIGKILL)
    assert mounts(bundle, tmp_path) == before

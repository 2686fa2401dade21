"""Many containers at once: all of them start, and nothing of them is left."""

import os
import pathlib
import subprocess
import sys
import uuid

import pytest
from bundle import BUILD, RUNTIME, TESTS, wait_for

sys.path.insert(0, str(TESTS.parent / "bench"))
import scale  # noqa: E402

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: of callgate alone")

CALLGATE = [str(BUILD / "callgate")]
MANY = 50


def wait_all(started):
    return [process.wait(120) for process in started]


def in_parallel(*commands):
    return wait_all([subprocess.Popen([*CALLGATE, *args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) for args in commands])


def left(prefix):
    """Cgroups, states and processes of containers whose names begin so."""
    found = [path for path, _, _ in os.walk("/sys/fs/cgroup") if os.path.basename(path).startswith(prefix)]
    found += [word for word in scale.call(*CALLGATE, "list", "-q").stdout.split() if word.startswith(prefix)]
    return found


def test_all_at_once(bundles):
    bundle, prefix = bundles.make(["/bin/sleep", "1000"]), f"t-{uuid.uuid4().hex[:6]}-"
    names = [f"{prefix}{i}" for i in range(MANY)]
    try:
        assert not any(in_parallel(*(("run", "--detach", "--bundle", str(bundle), name) for name in names)))
        listed = scale.call(*CALLGATE, "list").stdout.splitlines()
        running = [line.split() for line in listed if line.startswith(prefix)]
        assert len(running) == MANY and {row[2] for row in running} == {"running"}, running
        pids = {int(row[1]) for row in running}
        assert len(pids) == MANY
    finally:
        statuses = in_parallel(*(("delete", "--force", name) for name in names))
    assert not any(statuses)
    wait_for(lambda: not left(prefix), 20, "nothing is left")
    wait_for(lambda: not any(alive(pid) for pid in pids), 20, "no process is left")


def alive(pid):
    try:
        return pathlib.Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_one_after_another(bundles):
    """As bench/scale.py measures it, which looks for what is left by itself."""
    row = scale.containers(CALLGATE, bundles.make(["/bin/true"]), 10)
    assert row["failed"] == row["left"] == [] and row["processes"] == 30, row


@pytest.mark.parametrize("kind", scale.MOST)
def test_inside(bundles, kind):
    """One container with many of each: the script runs, whatever it takes."""
    points = scale.inside(CALLGATE, bundles.make(["/bin/true"]), kind, 100)
    assert list(points) == [1, 10, 100], points

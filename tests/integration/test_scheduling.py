"""Nice values and CPU masks of guest processes: the host has them, too (/proc/PID/stat and status of the processes there)."""

import json
import os
import pathlib
import subprocess
import uuid

import pytest
from bundle import BUILD, CAPABILITIES, RUNTIME, wait_for

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: of callgate alone")


def below(pid):
    try:
        children = [int(child) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
                    for child in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):  # ended meanwhile
        return []
    return children + [found for child in children for found in below(child)]


def fields(container):
    """Of each host process of the container below the one that was started: its nice value and CPUs."""
    found = []
    for pid in below(container.process.pid):
        try:
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            found.append((int(stat[16]), frozenset(os.sched_getaffinity(pid))))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


class Told:
    """A container that reads what it is to do."""

    def __init__(self, bundle, *before):
        self.id = f"t-{uuid.uuid4().hex[:10]}"
        self.process = subprocess.Popen([*before, str(BUILD / "callgate"), "run", "--bundle", str(bundle), self.id],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.line() == "up"

    def line(self):
        return self.process.stdout.readline().decode().strip()

    def do(self, word):
        self.process.stdin.write(word.encode() + b"\n")
        self.process.stdin.flush()
        assert self.line() == word

    def close(self):
        self.process.kill()
        self.process.communicate(timeout=20)


@pytest.fixture
def told(bundles):
    made = []

    def make(script, *before):
        bundle = bundles.make(["/bin/sh", "-c", script])
        config = json.loads((bundle / "config.json").read_text())
        config["process"]["capabilities"] = {kind: [*CAPABILITIES, "CAP_SYS_NICE"] for kind in ("bounding", "permitted", "effective")}
        (bundle / "config.json").write_text(json.dumps(config))
        made.append(Told(bundle, *before))
        return made[-1]
    yield make
    for one in made:
        one.close()


def may_go_back(container, own):
    """RLIMIT_NICE of the guest processes; who starts the runtime without CAP_SYS_RESOURCE has none to give."""
    limits = pathlib.Path(f"/proc/{below(container.process.pid)[-1]}/limits").read_text()
    allowed = int(limits.split("Max nice priority")[1].split()[0])
    assert allowed <= 20 - own
    return allowed == 20 - own


def nices(container):
    return sorted(nice for nice, _ in fields(container))


SCRIPT = """
nice -n 7 sleep 1000 & p=$!
sh -c 'nice -n 3 sleep 1000 & nice -n 12 sleep 1000' &
echo up
while read word; do
    case $word in
    worse) renice -n 19 -p $p ;;
    back) renice -n -10 -p $p ;;
    mask) taskset -p 1 $p ;;
    all) taskset -p -c 0-%d $p ;;
    esac >/dev/null 2>&1
    echo $word
done
"""


def test_nice_values(told):
    own = os.getpriority(os.PRIO_PROCESS, 0)
    container = told(SCRIPT % 0)
    wait_for(lambda: {own, own + 3, own + 7, own + 12} <= set(nices(container)), 20)
    container.do("worse")
    assert 19 in nices(container) and own + 7 not in nices(container)
    container.do("back")
    assert (19 not in nices(container)) == may_go_back(container, own)
    assert min(nices(container)) == own


def test_masks(told):
    """CPU 0 inside is the first that the container may use; all are all of these."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) == 1:
        return
    container = told(SCRIPT % (len(cpus) - 1))
    everywhere = {frozenset(cpus)}
    assert {mask for _, mask in fields(container)} == everywhere
    container.do("mask")
    assert [sorted(mask) for _, mask in fields(container) if mask != frozenset(cpus)] == [cpus[:1]]
    container.do("all")
    assert {mask for _, mask in fields(container)} == everywhere


def test_what_began_worse_stays_so(told):
    """A container that was started with a worse nice value gets none that is better; root inside does not know."""
    container = told("nice -n -5 sleep 1000 & nice -n 9 sleep 1000 & echo up; read x", "nice", "-n", "4")
    wait_for(lambda: 9 in nices(container), 20)
    assert min(nices(container)) == os.getpriority(os.PRIO_PROCESS, 0) + 4

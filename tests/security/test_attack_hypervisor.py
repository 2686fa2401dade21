"""Attacks on the hypervisor itself: requests that change while it serves them, and more of everything than it has."""

import pathlib
import re
import subprocess

import pytest
from bundle import BUILD, RUNTIME, TIMEOUT, edit_config, wait_for

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: runc has no hypervisor")


def lives(box):
    result = box.exec("/bin/echo", "fine")
    assert (result.returncode, result.stdout) == (0, "fine\n"), result


# ---- double fetch ----

def test_a_name_that_changes_is_read_once(box, run):
    """Both names are asked for, so there was a race; nothing but the answers to one or the other ever came."""
    neighbour = box()
    result = run("/t/attack_ring", "flip", "names", "20", timeout=60)
    assert result.status == 0, str(result)
    good, absent, other = map(int, re.fullmatch(r"(\d+) good, (\d+) absent, (\d+) other\n", result.stdout).groups())
    assert good and absent and not other
    lives(neighbour)


REASONS = {"length": "stat.path_len: path longer than PV_PATH_MAX", "command": "(mem_read.len: length over the buffer|stat.path2_len: a second path where there is one only)",
           "handle": "stat.dir: handle number out of range", "slot": "request.req_id: slot number out of range"}


@pytest.mark.parametrize("how", REASONS)
def test_a_request_that_changes_is_read_once(box, run, how):
    """What is decoded is what is served: either it was good, or the guest ends, and the reason names the field."""
    neighbour = box()
    result = run("/t/attack_ring", "flip", how, "20", timeout=60)
    assert result.status == 134 and result.stdout == "", str(result)
    assert re.search(f"the guest broke the PV call protocol: {REASONS[how]}", result.stderr), str(result)
    lives(neighbour)


# ---- floods ----

def children(pid):
    return [int(child) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()]


class Hypervisor:
    """What a container's hypervisor holds on the host."""

    def __init__(self, box):
        self.pid = children(box.container.pid)[0]

    def descriptors(self):
        return len(list(pathlib.Path(f"/proc/{self.pid}/fd").iterdir()))

    def memory(self):
        """KiB of its own: not what it shares with the guest."""
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"RssAnon:\s+(\d+)", text).group(1))


def limited(bundle):
    edit_config(bundle, lambda config: (
        config["linux"].update(resources={"memory": {"limit": 256 << 20}, "pids": {"limit": 400}}),
        config["process"]["rlimits"][0].update(hard=20000, soft=20000)))


# what: (bound, how it may end)
FLOODS = {"descriptors": (30000, "EMFILE"), "sockets": (30000, "EMFILE"), "ptys": (30000, "ENOSPC"), "watches": (3000, "the bound|ENOSPC"),
          "inodes": (10000, "the bound"), "pids": (3000, "EAGAIN"), "futexes": (3000, "EAGAIN")}


@pytest.mark.parametrize("what", FLOODS)
def test_floods_end_with_an_error(box, scratch, what):
    """The attacker gets an errno; the hypervisor stays small and answers, and gives back what was taken."""
    bound, end = FLOODS[what]
    attacker = box(mounts=[("/data", "bind", str(scratch), ["rbind"])], prepare=limited)
    neighbour = box()
    hypervisor = Hypervisor(attacker)
    before = hypervisor.descriptors()
    done = attacker.exec("/t/attack_flood", what, str(bound))
    taken = re.fullmatch(rf"(\d+), then ({end})\n", done.stdout)
    assert done.returncode == 0 and taken and int(taken.group(1)) > 100, done
    assert hypervisor.memory() < 16 << 10
    wait_for(lambda: hypervisor.descriptors() < before + 100, what="descriptors that are given back")
    lives(attacker)
    lives(neighbour)


def test_a_flood_of_memory_ends_its_container(box):
    """What the guest kernel holds for its programs (full pipes) is the container's memory: at its end, so is the container."""
    attacker, neighbour = box(prepare=limited), box()
    flood = attacker.start("/t/attack_flood", "pipes", "10000", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    result = attacker.container.wait(60)
    flood.wait(TIMEOUT)
    assert result.status == 137 and "ran out of memory" in result.stderr, str(result)
    lives(neighbour)


def test_floods_while_it_serves_others(box):
    """Many programs at once that do nothing but make it work: its control socket and its neighbours are served."""
    attacker, neighbour = box(prepare=limited), box()
    script = "for i in 1 2 3 4 5 6 7 8; do (while :; do : </etc/hosts; : >/tmp/f$i; done) & done; wait"
    flood = attacker.start("/bin/sh", "-c", script, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        lives(neighbour)
        lives(attacker)
        top = subprocess.run([str(BUILD / "callgate"), "ps", attacker.id], capture_output=True, text=True, timeout=TIMEOUT, check=False)
        assert top.returncode == 0 and "sleep" in top.stdout, top
    finally:
        flood.kill()
        flood.wait()

"""callgate top, at a terminal."""

import re
import subprocess
import uuid

import pytest
from bundle import BUILD, RUNTIME
from terminal import Terminal

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: of callgate alone")

CALLGATE = str(BUILD / "callgate")


class Box:
    def __init__(self, root, bundle):
        self.id = f"top-{uuid.uuid4().hex[:8]}"
        self.process = subprocess.Popen([CALLGATE, "--root", str(root), "run", "-b", str(bundle), self.id],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def up(self):
        assert self.process.stdout.readline() == b"up\n"
        return self


@pytest.fixture
def boxes(bundles, tmp_path):
    """Starts containers in a state folder of their own: nothing else is on the screen."""
    made = []

    def make(*args):
        made.append(Box(tmp_path / "root", bundles.make(args)))
        return made[-1].up()
    yield make
    for box in made:
        if box.process.poll() is None:
            box.process.kill()
        box.process.communicate(timeout=30)


@pytest.fixture
def top(boxes, tmp_path):
    """Two containers, one of which is busy, and the terminal."""
    busy = boxes("/usr/bin/python3", "-c", "import os\nprint('up', flush=True)\nwhile True: os.getppid(); os.stat('/etc')")
    idle = boxes("/usr/bin/python3", "-c", "import socket, time\na = [socket.socket() for _ in range(5)]\n"
                                           "print('up', flush=True)\ntime.sleep(1000)")
    terminal = Terminal(["env", "TERM=linux", CALLGATE, "--root", str(tmp_path / "root"), "top", "-d", "0.3"],
                        rows=24, columns=100)
    terminal.busy, terminal.idle = busy.id, idle.id
    yield terminal
    terminal.close()


def row(text, ident):
    """The words behind a container's name."""
    lines = [line.split() for line in text.splitlines() if line.startswith(ident)]
    return lines[0][1:] if lines else []


def test_numbers(top):
    def right(text):  # not at once: the screen may be looked at while it is drawn
        busy, idle = row(text, top.busy), row(text, top.idle)
        return (len(busy) == len(idle) == 7 and busy[0] == "running" and busy[4].isdigit() and int(busy[4]) > 100
                and busy[5].isdigit() and int(busy[5]) > 50 and busy[6] == "0" and idle[6] == "5")
    text = top.wait_for(right)
    assert re.search(r"CONTAINER +STATUS +CPU% +MEMORY +PIDS +CALLS/S +PV/S +SOCKETS", text)
    top.type("q")
    assert top.end() == 0


def above(first, second):
    def seen(text):
        return 0 <= text.find(first) < text.find(second)
    return seen


def test_sort_keys(top):
    top.wait_for(top.idle)
    top.type("s")
    top.wait_for(above(top.busy, top.idle))
    top.type("n")
    top.wait_for(above(top.idle, top.busy))
    top.type("r")
    top.wait_for(above(top.busy, top.idle))


def test_resize(top):
    top.wait_for(top.idle)
    top.resize(10, 70)
    top.wait_for(lambda t: t.count("\n") == 9 and "sort: c CPU" in t.splitlines()[-1] and "PV/S" in t
                 and "SOCKETS" not in t and top.idle in t)  # what has no room is left out
    top.resize(30, 120)
    top.wait_for(lambda t: t.count("\n") == 29 and top.idle in t and "q quit" in t.splitlines()[-1])


def test_containers_come_and_go(top, boxes):
    top.wait_for(top.idle)
    another = boxes("/bin/sh", "-c", "trap 'exit 0' TERM; echo up; while :; do sleep 1; done")
    top.wait_for(another.id)
    another.process.kill()
    top.wait_for(lambda t: another.id not in t and "2 containers" in t)


def test_no_terminal():
    result = subprocess.run([CALLGATE, "top"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30,
                            check=False)
    assert result.returncode == 1 and "needs a terminal" in result.stderr

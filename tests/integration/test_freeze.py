"""A container whose host processes are stopped for a while goes on as if nothing had happened."""

import os
import signal
import time

import pytest
from bundle import BUILD, RUNTIME, wait_for

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: runc's container is no child of it")

GUEST = BUILD / "guest-pv.elf"


def guest_processes():
    found = set()
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.path.samefile(f"/proc/{name}/exe", GUEST):
                found.add(int(name))
        except OSError:
            continue
    return found


def send(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def test_stopped_and_continued(start):
    """The host resumes waits with a timeout by restart_syscall: in sleep, select and a pipe's reader."""
    before = guest_processes()
    script = ("import select, threading, time\nprint('up', flush=True)\n"
              "t = threading.Thread(target=time.sleep, args=(2,))\nt.start()\n"
              "select.select([], [], [], 2)\nt.join()\nthreading.Event().wait(0.5)\nprint('done')\n")
    container = start("/bin/sh", "-c", "sleep 2 & python3 -c \"$0\"; wait; (sleep 0.2; echo late) | cat", script)
    assert container.process.stdout.readline() == b"up\n", str(container.wait(5))
    pids = wait_for(lambda: guest_processes() - before, 5, "guest processes")
    for _ in range(5):
        send(pids, signal.SIGSTOP)
        time.sleep(0.05)
        send(pids, signal.SIGCONT)
        time.sleep(0.1)
    result = container.wait(20)
    assert (result.status, result.stdout) == (0, "done\nlate\n"), str(result)

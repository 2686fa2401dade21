"""Nothing hangs, nothing leaks."""

import pytest

SECONDS = 30

FORKERS = f"""
import os, time, sys
end = time.monotonic() + {SECONDS}
def work():
    n = 0
    while time.monotonic() < end:
        p = os.fork()
        if p == 0: os._exit(n % 256)
        assert os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]) == n % 256
        n += 1
    os._exit(0 if n else 1)
kids = []
for _ in range(100):
    p = os.fork()
    if p == 0: work()
    kids.append(p)
print([os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]) for p in kids] == [0] * 100)
left = [d for d in os.listdir('/proc') if d.isdigit()]
print(len(left))
"""


def test_hundred_forkers(run):
    assert run("/usr/bin/python3", "-c", FORKERS, timeout=SECONDS + 60).stdout == "True\n1\n"


@pytest.mark.parametrize("program", ["stress_futex", "stress_signals", "stress_stop", "stress_pipes", "stress_sockets"])
def test_stress_program(run, program):
    result = run(f"/t/{program}", "10", timeout=90)
    assert result.status == 0, str(result)


def test_exec_storm(run_script):
    run_script("for j in 1 2 3 4; do (for i in {1..150}; do /bin/true || echo bad; done) & done; wait; echo ok",
               timeout=60)


def test_pipe_storm(run_script):
    run_script("for j in 1 2 3 4 5 6 7 8; do (head -c 50000000 /dev/zero | tr '\\0' x | wc -c) & done; wait",
               timeout=90)

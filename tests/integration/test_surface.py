"""What `make surface` counts with: the trace's lines, filters as the kernel has them, lines before validation."""

import pathlib
import re
import subprocess
import sys
import time

import pytest
from bundle import BUILD, RUNTIME, TESTS

sys.path.insert(0, str(TESTS.parent / "bench"))

import before_validation  # noqa: E402
import ftrace  # noqa: E402
import seccomp_reach  # noqa: E402


def test_functions_of_a_process():
    """Where the kernel lets its functions be traced; else it has to say why not."""
    tracefs = ftrace.Tracefs()
    try:
        reason = ftrace.why_not(tracefs)
        if reason:
            assert "function" in reason
            return
        with subprocess.Popen(["sh", "-c", "read x; cat /etc/passwd"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as traced:
            with ftrace.Tracer(tracefs, ftrace.Functions(tracefs), "test", [traced.pid], BUILD / "bench/ftrace-reader") as tracer:
                traced.communicate(b"\n", timeout=60)
                time.sleep(1)
        assert tracer.calls() and len(tracer.seen) > 50, tracer.seen  # of a short life the beginning may be lost
        assert not tracer.path.exists()
    finally:
        tracefs.close()


LD_NR, LD_ARG, RET_K = (0x20, 0, 0, 0), (0x20, 0, 0, 16), (0x06, 0, 0)
ALLOW, ERRNO = seccomp_reach.ALLOW, seccomp_reach.ERRNO


def test_a_filter_is_put_through_its_paces():
    program = [LD_NR, (0x15, 0, 1, 5), (*RET_K, ALLOW),  # number 5
               (0x15, 0, 3, 7), LD_ARG, (0x15, 0, 1, 1), (*RET_K, ALLOW),  # number 7 with one argument
               (*RET_K, ERRNO)]
    assert seccomp_reach.actions(program, 7) == {ALLOW, ERRNO}
    assert seccomp_reach.reachable([program]) == [5, 7]
    assert seccomp_reach.reachable([program, [LD_NR, (0x15, 1, 0, 5), (*RET_K, ALLOW), (*RET_K, ERRNO)]]) == [7]
    assert len(seccomp_reach.reachable([])) == len(seccomp_reach.CALLS)


@pytest.mark.skipif(RUNTIME == "runc", reason="known: it has no hypercalls")
def test_calls_that_a_guest_can_reach(start):
    """As many as the table has, by the filters that the host's kernel applies to the processes."""
    table = re.findall(r"^HYPERCALL\((\w+)", (TESTS.parent / "abi/hypercalls.def").read_text(), re.M)
    container = start("/bin/sh", "-c", "sleep 1000 & echo up; wait")
    assert container.process.stdout.readline() == b"up\n"
    (hypervisor,) = children(container.pid)
    vm0 = children(hypervisor)
    guests = vm0 + [pid for each in vm0 for pid in children(each)]
    assert len(guests) >= 3
    for pid in guests:
        found = seccomp_reach.reachable(seccomp_reach.filters(pid))
        assert len(found) == len(table) <= 32, found


def children(pid):
    return list(map(int, pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def test_lines_before_validation():
    names, lines = before_validation.count()
    assert {"take_request", "decode_path", "sendto_decode", "fetch"} <= set(names)
    assert not {"serve_perform", "workers_submit", "caller_become"} & set(names)
    assert 200 < lines < 2000

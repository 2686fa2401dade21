"""make bench runs, and what of its figures does not depend on time is as docs/performance.md says."""

import re
import subprocess
import sys

import pytest
from bundle import BUILD, RUNTIME, TESTS

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: of callgate alone")


@pytest.fixture(scope="module")
def output():
    command = [sys.executable, str(TESTS.parent / "bench/bench.py"), "--build", str(BUILD), "--quick", "--rounds", "1",
               "--runtimes", "runc,callgate", "--only", "first_answer,tcp_rr_p99,iperf3_stream,idle_10k", "--counts"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def figures(output, name):
    """[(median, ratio)] of a row's columns."""
    row = next(line for line in output.splitlines() if line.startswith(name))
    return [(float(a), float(b)) for a, b in re.findall(r"([\d.]+) \[[\d.]+-[\d.]+\] ([\d.]+)x", row)]


def test_rows_are_there(output):
    for name in ("first_answer", "tcp_rr_p99", "iperf3_stream", "idle_10k"):
        assert len(figures(output, name)) == 2, output


def test_idle_connections(output):
    assert figures(output, "idle_10k")[1][1] <= 1.25, output


COUNTS = {
    "tcp_echo": {"recvfrom": 1, "sendto": 1},
    "redis_get": {"epoll_pwait2": 1, "recvfrom": 1, "sendto": 1},
    "nginx_small": {"epoll_pwait2": 1, "recvfrom": 1, "fstat": 1, "pwritev2": 1, "pread64": 1, "sendto": 1},
}
LOOKS = {"nginx_small": ("fstat", 4)}  # at a kept file and its directories: once a millisecond, which strace may make each request take


@pytest.mark.parametrize("name", COUNTS)
def test_host_calls_per_request(output, name):
    line = next(line for line in output.splitlines() if line.startswith(f"{name}, host calls per request, callgate"))
    calls = {call: round(float(n)) for call, n in re.findall(r"(\w+) ([\d.]+)(?:, |$)", line.split(": ", 2)[2])}
    calls.pop("futex", None)  # who waits for whom
    call, most = LOOKS.get(name, ("", 0))
    if call:
        calls[call] -= min(calls[call] - COUNTS[name][call], most)
    assert {call: n for call, n in calls.items() if n} == COUNTS[name], line

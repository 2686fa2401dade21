"""A guest that writes its trace itself harms neither the hypervisor nor the terminal of who looks."""

import subprocess

import pytest
from bundle import BUILD, RUNTIME, wait_for

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: of callgate alone")

CALLGATE = str(BUILD / "callgate")


def trace(container, *options, stop=None):
    """status, stdout as bytes, stderr; stopped by SIGINT when stop() is true."""
    tracer = subprocess.Popen([CALLGATE, "trace", *options, container.id], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert tracer.stderr.readline().startswith(b"tracing ")
    if stop:
        stop()
        tracer.send_signal(2)
    out, err = tracer.communicate(timeout=30)
    return tracer.returncode, out, err.decode()


@pytest.mark.parametrize("how", ["head", "noise"])
def test_nonsense_ends_the_trace_only(start, how):
    container = start("/t/bad_trace", how)
    wait_for(lambda: "running" in subprocess.run([CALLGATE, "state", container.id], capture_output=True, text=True,
                                                 check=False).stdout, what="container")
    status, _, errors = trace(container)
    assert status == 1 and "the guest's trace makes no sense" in errors
    assert container.process.stdout.read(len(b"done\nalive\n")) == b"done\nalive\n"
    status, out, errors = trace(container, "-c", stop=lambda: None)  # it can be tried again
    assert status == 0 and b"total" in out, errors
    assert container.process.poll() is None


def test_lies_are_printed_harmlessly(start):
    container = start("/t/bad_trace", "lies")
    wait_for(lambda: "running" in subprocess.run([CALLGATE, "state", container.id], capture_output=True, text=True,
                                                 check=False).stdout, what="container")
    status, out, errors = trace(container, "-s", "256", "-T", "-t", stop=container.process.stdout.readline)
    assert status == 0, errors
    assert out.count(b"\n") > 100
    assert not [byte for byte in set(out) if byte != 10 and not 32 <= byte < 127]


def test_sums_are_only_numbers(start):
    container = start("/t/bad_trace", "sums")
    wait_for(lambda: "running" in subprocess.run([CALLGATE, "state", container.id], capture_output=True, text=True,
                                                 check=False).stdout, what="container")
    status, out, errors = trace(container, "-c", stop=container.process.stdout.readline)
    assert status == 0 and b"total" in out, errors
    assert container.process.stdout.readline() == b"alive\n"

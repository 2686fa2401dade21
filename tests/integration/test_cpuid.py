"""What a start of a program costs in cpuid instructions, by the guest kernel's own count."""

import re
import subprocess
import time
import uuid

import pytest
from bundle import BUILD, RUNTIME

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: of callgate alone")

FEW, MANY = 5, 15


@pytest.fixture
def counts(bundles):
    """(answered, executed) after so many starts of the program"""
    def count(command, rounds):
        bundle = bundles.make(["/bin/sh", "-c", f"i=0; while [ $i -lt {rounds} ]; do {command}; i=$((i + 1)); done; echo done; exec sleep 100"])
        name = f"cpuid-{uuid.uuid4().hex[:8]}"
        callgate = str(BUILD / "callgate")
        with subprocess.Popen([callgate, "run", "--bundle", str(bundle), name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as run:
            try:
                assert run.stdout.readline() == "done\n"
                for _ in range(300):  # sleep has started as well when it sleeps
                    shown = subprocess.run([callgate, "debug", "syscalls", name], capture_output=True, text=True, timeout=30, check=True).stdout
                    if "clock_nanosleep" in shown:
                        break
                    time.sleep(0.1)
            finally:
                subprocess.run([callgate, "kill", name, "KILL"], capture_output=True, timeout=30, check=False)
                run.wait(30)
        return [int(n) for n in re.search(r"cpuid: (\d+) answered, (\d+) executed", shown).groups()]

    def difference(command):
        few, many = count(command, FEW), count(command, MANY)
        return [(b - a) / (MANY - FEW) for a, b in zip(few, many)]
    return difference


@pytest.mark.parametrize("program", ["/bin/true", "/bin/busybox true"])
def test_starts(counts, program):
    """What was asked once is not executed again. (Only for the number of another CPU, or if the thread is moved between CPUs meanwhile.)"""
    answered, executed = counts(program)
    assert answered >= 10 and executed < 2, (answered, executed)

"""However a container ends, nothing of it is left: no process, mount, cgroup or state."""

import os
import pathlib
import random
import signal
import subprocess

import pytest
from bundle import BUILD, RUNTIME, Container, wait_for

machine_only = pytest.mark.skipif(RUNTIME == "runc", reason="known: runc's containers outlive it")

STATE = pathlib.Path("/run/callgate")


def processes():
    """{pid: parent} of the host's live processes."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] not in "ZX":
                found[int(entry.name)] = int(fields[1])
    return found


def tree(root):
    """The live descendants of a process, itself included."""
    parents, found = processes(), {root}
    while new := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= new
    return found


def left_of(ids):
    """Cgroups and state that bear one of these containers' names."""
    cgroups = [folder for folder, _, _ in os.walk("/sys/fs/cgroup")  # which others leave meanwhile
               if any(ident in os.path.basename(folder) for ident in ids)]
    states = os.listdir(STATE) if STATE.is_dir() else []
    return cgroups + [name for name in states if name in ids]


def mounts():
    """The host's mounts, less those that tests (other ones, too) made themselves."""
    return sorted(line.split()[4] for line in open("/proc/self/mountinfo", encoding="utf-8")
                  if "callgate-test-" not in line)


@pytest.fixture
def nothing_left():
    """Runs the test, then looks for what its containers may have left on the host."""
    before, first = mounts(), len(Container.started)
    watched = set()
    yield watched
    wait_for(lambda: not watched & set(processes()), 10, "end of every process of the container")
    wait_for(lambda: not left_of(Container.started[first:]), 10, "no cgroups and state")
    wait_for(lambda: mounts() == before, 10, "mounts as before")


SLEEPER = ("/bin/bash", "-c", "sleep 1000 & (sleep 1000 | cat) & echo up; wait")


@pytest.fixture
def running(start, nothing_left):
    """A container with a few processes, and its host processes."""
    def go(*args, **options):
        container = start(*(args or SLEEPER), **options)
        container.process.stdout.read(3)  # "up\n"
        assert container.process.poll() is None, str(container.wait(1))
        nothing_left.update(tree(container.pid))
        return container
    return go


def test_normal_end(start, nothing_left):
    container = start("/bin/bash", "-c", "sleep 1000 & (setsid sleep 1000 &) ; echo up; exit 3")
    container.process.stdout.read(3)
    nothing_left.update(tree(container.pid))
    assert container.wait().status == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_reaches_pid_1(running, number):
    name = number.name[3:]
    container = running("/bin/bash", "-c", f"trap 'echo got {name}; exit 7' {name}; echo up; "
                        "while :; do sleep 0.05; done")
    container.process.send_signal(number)
    result = container.wait()
    assert (result.status, result.stdout) == (7, f"got {name}\n"), str(result)


def test_other_signals_are_forwarded(running):
    container = running("/bin/bash", "-c", "trap 'echo usr1' USR1; trap 'exit 0' TERM; echo up; "
                        "while :; do sleep 0.05; done")
    container.process.send_signal(signal.SIGUSR1)
    assert container.process.stdout.read(5) == b"usr1\n"
    container.process.send_signal(signal.SIGTERM)
    assert container.wait().status == 0


@machine_only
def test_runtime_killed(running):
    container = running()
    container.process.kill()
    container.wait(20)


@machine_only
@pytest.mark.parametrize("seed", range(4))
def test_any_host_process_killed(running, seed):
    """A VM crash: the hypervisor says why and ends with it."""
    container = running()
    others = sorted(tree(container.pid) - {container.pid})
    assert others, "no host process beside the runtime's"
    victim = random.Random(seed).choice(others) if seed else others[-1]
    os.kill(victim, signal.SIGKILL)
    result = container.wait(20)
    assert not result.timed_out and result.status != 0, str(result)
    assert result.stderr.strip(), "it did not say why"


@machine_only
def test_killed_while_forking(running):
    container = running("/bin/bash", "-c", "echo up; while :; do /bin/true; done")
    container.process.kill()
    container.wait(20)


def test_out_of_memory_process(run, nothing_left):
    """A guest process that asks for more than there is gets an error, not the machine."""
    result = run("/usr/bin/python3", "-c",
                 "try:\n bytearray(1 << 46)\nexcept MemoryError: print('refused')")
    assert result.stdout == "refused\n", str(result)


def test_stdin_output_closed(nothing_left, bundles):
    """Nobody but the container's processes keeps the stdio open: readers see the end of file."""
    bundle = bundles.make(("/bin/sh", "-c", "cat; echo end"))
    command = [str(BUILD / RUNTIME)] if RUNTIME != "runc" else ["runc"]
    done = subprocess.run(command + ["run", "--bundle", str(bundle), f"t-stdin{os.getpid()}"],
                          input=b"through\n", capture_output=True, timeout=20, check=False)
    assert done.stdout == b"through\nend\n", done.stderr


@pytest.mark.parametrize("round_", range(3))
def test_many_at_once(start, nothing_left, round_):
    containers = [start("/bin/sh", "-c", f"echo {n}; exit {n}") for n in range(8)]
    for n, container in enumerate(containers):
        result = container.wait()
        assert (result.stdout, result.status) == (f"{n}\n", n), str(result)

"""What a process costs: exactly so many host calls, by strace of all host processes of the container."""

import subprocess
import uuid

import pytest
from bundle import BUILD, RUNTIME

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: of callgate alone")

FEW, MANY = 30, 60  # what a further one costs is the difference of two runs


@pytest.fixture
def host_calls(bundles, tmp_path):
    """{call: calls made for each round}"""
    def count(command, rounds):
        bundle = bundles.make(["/bin/sh", "-c", f"i=0; while [ $i -lt {rounds} ]; do {command}; i=$((i + 1)); done"])
        log = tmp_path / f"log{rounds}"
        subprocess.run(["strace", "-f", "-c", "-o", str(log), str(BUILD / "callgate"), "run", "--bundle", str(bundle),
                        f"cost-{uuid.uuid4().hex[:8]}"], stdin=subprocess.DEVNULL, capture_output=True, timeout=100, check=True)
        rows = [line.split() for line in log.read_text().splitlines()]
        return {row[-1]: int(row[3]) for row in rows if len(row) >= 5 and row[3].isdigit()}

    def difference(command):
        few, many = count(command, FEW), count(command, MANY)
        return {call: (many[call] - few.get(call, 0)) / (MANY - FEW) for call in many}
    return difference


def rounded(calls, *names):
    return {name: round(calls.get(name, 0), 1) for name in names}


def test_fork(host_calls):
    """A forked child is born with its parent's patched call sites. What traps is the shell's return from its SIGCHLD handler."""
    calls = host_calls("(:)")
    assert rounded(calls, "clone", "sigaltstack", "execveat") | {"traps": calls.get("rt_sigreturn", 0) < 3.5} == \
        {"clone": 1, "sigaltstack": 1, "execveat": 0, "traps": True}, calls


def test_exec_of_a_dynamic_program(host_calls):
    """ld.so and the C library are mapped with their call sites patched; each process would trap some 30 times without that."""
    calls = host_calls("/bin/true")
    assert calls["clone"] == 1 and calls.get("rt_sigreturn", 0) < 6, calls
    # dash uses vfork: the child's new image of the guest kernel sets seven handlers, after one signal was ignored.
    assert rounded(calls, "execveat", "rt_sigaction") == {"execveat": 1, "rt_sigaction": 8}, calls

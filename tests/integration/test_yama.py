"""kernel.yama.ptrace_scope of the guest kernel, and PR_SET_PTRACER: who may attach to whom, as Linux' Yama has it."""

import pathlib

import pytest
from bundle import RUNTIME, edit_config

SCRIPT = (pathlib.Path(__file__).parent / "yama.py").read_text()
# Of an ordinary user: its child, another process, one that named it, one that named its parent, one that named anybody, one that
# has taken that back; /proc/PID/mem, process_vm_readv, pidfd_getfd of another process; PTRACE_TRACEME. Of who has CAP_SYS_PTRACE: another process.
EXPECTED = """
scope 0: child + other + named + above + anybody + taken-back + mem + vm + getfd + traceme + capable +
scope 1: child + other - named + above + anybody + taken-back - mem - vm - getfd - traceme + capable +
scope 2: child - other - named - above - anybody - taken-back - mem - vm - getfd - traceme - capable +
scope 3: child - other - named - above - anybody - taken-back - mem - vm - getfd - traceme - capable -
lower: EINVAL 3
nobody: EINVAL
""".lstrip()


def powers(*names):
    def change(config):
        for kind in ("bounding", "effective", "permitted"):
            config["process"]["capabilities"][kind] = config["process"]["capabilities"][kind] + list(names)
    return lambda bundle: edit_config(bundle, change)


@pytest.mark.skipif(RUNTIME == "runc", reason="known: it would be the host's setting")
def test_scopes(run):
    result = run("/usr/bin/python3", "-c", SCRIPT, prepare=powers("CAP_SYS_PTRACE"), timeout=60)
    assert (result.status, result.stdout) == (0, EXPECTED), str(result)


@pytest.mark.skipif(RUNTIME == "runc", reason="known: it would be the host's setting")
def test_scope_needs_the_capability(run):
    result = run("/bin/bash", "-c", "echo 1 >/proc/sys/kernel/yama/ptrace_scope; cat /proc/sys/kernel/yama/ptrace_scope")
    assert result.stdout == "0\n" and "not permitted" in result.stderr, str(result)

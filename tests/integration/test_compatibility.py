"""What docs/compatibility.md says of system calls is so."""

import errno
import sys

import pytest
from bundle import RUNTIME, TESTS

sys.path.insert(0, str(TESTS.parent / "tools"))
import gensyscalls  # noqa: E402

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: callgate's own table of calls")

TABLE = gensyscalls.parse(TESTS.parent / "kernel/sys/syscalls.tbl", gensyscalls.kernel_names())

# Each call with no arguments: its number and what it answered.
ASK = """
import ctypes
syscall = ctypes.CDLL(None, use_errno=True).syscall
for nr in %s:
	done = syscall(nr, 0, 0, 0, 0, 0, 0)
	print(nr, ctypes.get_errno() if done == -1 else 'done')
"""


def test_every_call_is_there():
    assert set(gensyscalls.kernel_names()) <= set(TABLE)


def test_named_tests_exist():
    missing = {name for call in TABLE.values() for name in call.tests if not (TESTS / "guest" / f"{name}.c").exists()}
    assert not missing


def test_refused_calls_answer_their_errno(run):
    refused = {nr: getattr(errno, call.status.split(":")[1]) for nr, call in TABLE.items()
               if call.status.startswith("refused:")}
    refused.update({nr: errno.ENOSYS for nr in range(max(TABLE) + 1, max(TABLE) + 20)})
    result = run("/usr/bin/python3", "-c", ASK % sorted(refused))
    assert result.status == 0, str(result)
    assert dict(line.split() for line in result.stdout.splitlines()) == {str(nr): str(e) for nr, e in refused.items()}

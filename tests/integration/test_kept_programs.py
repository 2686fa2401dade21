"""Programs that stay open between their execs: what that saves, and that every change is seen."""

import pytest
from bundle import RUNTIME
from test_kept_files import opener, place, settle  # noqa: F401
from test_trace import parse, traced  # noqa: F401

callgate_only = pytest.mark.skipif(RUNTIME == "runc", reason="known: of callgate alone")
RUN = """
import os, shutil, subprocess
def spawned(name):
    return os.waitstatus_to_exitcode(os.waitpid(os.posix_spawn(name, [name], {}), 0)[1])
def forked(name):
    pid = os.fork()
    if not pid:
        try: os.execv(name, [name])
        except OSError as e: os._exit(e.errno)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
def by(run, name):
    try: return run(name)
    except OSError as e: return e.errno
"""


@callgate_only
@pytest.mark.parametrize("run", ["/bin/true", "(exec /bin/true)"])  # vfork, fork
@pytest.mark.parametrize("between", ["", "; : >/tmp/$i"])
def test_what_an_exec_asks_for(traced, run, between):  # noqa: F811
    """The program and its interpreter: of a name that was executed before, nothing for a millisecond, though names are made meanwhile."""
    script = f"i=0; while [ $i -lt 300 ]; do {run}{between}; i=$((i + 1)); done"
    calls = parse(traced("/bin/sh", "-c", script).trace("--no-loss", "-e", "execve").start().lines())
    got = [call[4] for call in calls if call[2].startswith('"/bin/true"')]
    assert len(got) == 300 and got[0] >= 2, got
    assert 0 in got and sorted(got)[250] <= 2, got


# each: what is done first, and what the next exec of /tmp/p is to give
CHANGES = {
    "rename": ("os.rename('/tmp/false', '/tmp/p')", 1),
    "rename-and-back": ("os.rename('/tmp/p', '/tmp/q'); os.rename('/tmp/q', '/tmp/p')", 0),
    "unlink": ("os.unlink('/tmp/p')", 2),
    "chmod": ("os.chmod('/tmp/p', 0o644)", 13),
    "link": ("os.unlink('/tmp/p'); os.symlink('/tmp/false', '/tmp/p')", 1),
    "contents": ("shutil.copyfile('/bin/false', '/tmp/p')", 1),
    "open-to-write": ("f = open('/tmp/p', 'r+b')", 26),
    "folder": ("os.chmod('/tmp', 0o700); os.setgroups([]); os.setresuid(65534, 65534, 65534)", 13),
}


@pytest.mark.parametrize("run", ["spawned", "forked"])
@pytest.mark.parametrize("change", CHANGES)
def test_changes_inside(traced, tmp_path, run, change):  # noqa: F811
    """They are seen at once."""
    done, expected = CHANGES[change]
    script = f"""{RUN}
shutil.copy('/bin/true', '/tmp/p'); shutil.copy('/bin/false', '/tmp/false')
for i in range(20): assert by({run}, '/tmp/p') == 0
{done}
got = by({run}, '/tmp/p')
os.write(1, b'')
os._exit(0) if got == {expected} else os.access('wrong: %d' % got, 0)
"""
    lines = traced("/usr/bin/python3", "-c", script).trace("--no-loss", "-p", "1", "-e", "access,exit_group").start().lines()
    assert "exit_group(0)" in lines[-1] or "+++" in lines[-1], lines[-3:]
    assert not any("wrong" in line for line in lines), lines


def test_changes_outside(place):  # noqa: F811
    """In the root file system a little later. A link on a volume is looked at each time."""
    box, outside = place
    run = "do import os; raise OSError(1 + os.waitstatus_to_exitcode(os.waitpid(os.posix_spawn({0!r}, [{0!r}], {{}}), 0)[1]), 'x')"

    def answer(name):
        return int(box.say(run.format(name)).split()[1]) - 1

    (outside / "p").symlink_to("/bin/true")
    settle(box, outside)
    for _ in range(10):
        assert answer("/v/p") == 0
    (outside / "q").symlink_to("/bin/false")
    (outside / "q").rename(outside / "p")
    settle(box, outside)
    assert answer("/v/p") == 1

"""Names that are not there: what the guest kernel remembers of them, and how the host's changes are seen."""

import time

import pytest
from bundle import RUNTIME
from test_kept_files import opener, place, settle  # noqa: F401
from test_trace import parse, traced  # noqa: F401

callgate_only = pytest.mark.skipif(RUNTIME == "runc", reason="known: of callgate alone")


def asked(box, *names):
    """Which of the names are there, as digits: by way of an error number."""
    answer = box.say(f"do import os; raise OSError(1 + sum(os.access(n, os.F_OK) << i for i, n in enumerate({names[::-1]!r})), 'x')")
    return f"{int(answer.split()[1]) - 1:0{len(names)}b}"


def test_what_the_host_makes(place):  # noqa: F811
    """In the root file system a little later, on a volume at once."""
    box, outside = place
    for i in range(5):
        names = [f"/v/one{i}", f"/v/two{i}"]
        for _ in range(5):
            assert asked(box, *names) == "00"
        (outside / f"two{i}").write_text("x")
        settle(box, outside)
        assert asked(box, *names) == "01"
        (outside / f"one{i}").symlink_to("none")
        settle(box, outside)
        assert asked(box, *names) == "01"
        (outside / f"one{i}").unlink()
        (outside / f"two{i}").rename(outside / f"one{i}")
        settle(box, outside)
        assert asked(box, *names) == "10"


def costs(traced, lines, **options):  # noqa: F811
    """[PV calls] of each access() of a name with "none" in it."""
    script = "import os, time\n" + lines
    calls = parse(traced("/usr/bin/python3", "-c", script, **options).trace("--no-loss", "-p", "1", "-e", "access").start().lines())
    return [call[4] for call in calls if "none" in call[2]]


@callgate_only
def test_one_name(traced):  # noqa: F811
    """In the root file system an answer serves for a millisecond."""
    got = costs(traced, "for i in range(200): os.access('/usr/lib/none', 0)")
    assert len(got) == 200 and set(got) == {0, 1}, got


@callgate_only
@pytest.mark.parametrize("change", ["os.chmod('/tmp/x', 0o600)", "os.close(os.open(f'/tmp/{i}', os.O_CREAT | os.O_RDWR))",
                                    "os.rename('/tmp/x', '/tmp/y'); os.rename('/tmp/y', '/tmp/x')", "os.symlink('x', f'/tmp/l{i}')"])
def test_changes(traced, change):  # noqa: F811
    """... unless the container changes names itself."""
    got = costs(traced, f"open('/tmp/x', 'w').close()\nfor i in range(20): os.access('/usr/lib/none', 0); {change}")
    assert got == [1] * 20


@callgate_only
def test_a_volume(traced, tmp_path):  # noqa: F811
    got = costs(traced, "for i in range(50): os.access('/v/none', 0)", mounts=[("/v", "bind", str(tmp_path), ["bind"])])
    assert got == [1] * 50


@callgate_only
def test_names_that_follow_each_other(traced):  # noqa: F811
    """The names that followed one the last time are asked for along with it: one PV call for 12."""
    got = costs(traced, "for i in range(40):\n    time.sleep(0.005)\n    for j in range(12): os.access(f'/lib/none{j}', 0)")
    rounds = [got[i:i + 12] for i in range(0, len(got), 12)]
    assert len(rounds) == 40 and rounds[0] == [1] * 12
    assert [1] + [0] * 11 in rounds, rounds


@callgate_only
def test_programs_in_turn(traced):  # noqa: F811
    """All programs ask for the same name first. What follows it is another for each: that of the one is not asked for by the other."""
    script = "i=0; while [ $i -lt 40 ]; do /bin/true; /usr/bin/expr 1 + 1; i=$((i + 1)); done"
    calls = parse(traced("/bin/sh", "-c", script).trace("--no-loss", "-e", "openat,newfstatat,execve").start().lines())
    rounds = []
    for call in calls:
        if call[1] == "execve":
            rounds.append([call[2], 0, 0])
        elif rounds and "/expr" in rounds[-1][0] and "ENOENT" in call[3]:
            rounds[-1][1] += 1
            rounds[-1][2] += call[4]
    got = [row[1:] for row in rounds if '"/usr/bin/expr"' in row[0]]
    assert len(got) == 40 and got[-1][0] > 30, got
    assert sorted(asked for _, asked in got)[20] <= 25, got
    # No process opens a file for a second time, so it keeps none, which would take a call for each folder.
    assert max(call[4] for call in calls if call[1] == "openat") <= 3

"""containerd's runc shim with the runtime as its binary, driven by ctr."""

import re

import pytest

from bundle import wait_for
from engine import RUNTIME
from engine_terminal import Terminal


def run(containerd, *args, options=("--rm",), name="once", **more):
    return containerd(*containerd.run_args(*options), name, *args, **more)


@pytest.fixture
def sleeper(containerd):
    run(containerd, "sleep", "1000", options=["-d"], name="sleeper")
    return containerd


def status(containerd, name):
    match = re.search(rf"^{name}\s+\d+\s+(\S+)", containerd("tasks", "ls").stdout, re.M)
    return match and match[1]


def test_run(containerd):
    output = run(containerd, "/bin/bash", "-c", "uname -r; echo err >&2; exit 5", check=False)
    assert (output.stderr, output.status) == ("err\n", 5), output.describe()
    assert ("callgate" in output.stdout) == (RUNTIME == "callgate")


def test_run_options(containerd):
    output = run(containerd, "/bin/bash", "-c", "pwd; echo $ONE; touch /x 2>&1",
                 options=["--rm", "--cwd", "/usr", "--env", "ONE=1", "--read-only"], check=False)
    assert str(output) == "/usr\n1\ntouch: cannot touch '/x': Read-only file system"


def test_not_found(containerd):
    output = run(containerd, "no-such-program", check=False)
    assert output.status != 0 and "executable file not found" in output.stderr, output.describe()


def test_terminal(containerd):
    command = containerd.command(*containerd.run_args("--rm", "-t"), "tty", "/bin/bash", "--norc")
    with Terminal(command, rows=35, columns=95) as terminal:
        terminal.expect("# ")
        terminal.line("until stty size | grep '35 9'; do sleep 0.1; done")
        terminal.expect("35 95\r+\n")
        terminal.line("(echo rea''dy; exec sleep 1000)")
        terminal.expect("ready\r+\n")
        terminal.interrupt()
        terminal.line("exit $?")
        assert terminal.wait() == 130


def test_exec(sleeper):
    output = sleeper("tasks", "exec", "--exec-id", "e1", "--cwd", "/usr", "--user", "1000", "sleeper",
                     "/bin/bash", "-c", "pwd; id -u; cat /proc/1/comm; exit 3", check=False)
    assert (str(output), output.status) == ("/usr\n1000\nsleep", 3), output.describe()


def test_exec_terminal(sleeper):
    command = sleeper.command("tasks", "exec", "-t", "--exec-id", "e2", "sleeper", "/bin/bash", "--norc")
    with Terminal(command) as terminal:
        terminal.expect("# ")
        terminal.line("tty; exit 4")
        terminal.expect("/dev/pts/")
        assert terminal.wait() == 4


def test_kill(sleeper):
    sleeper("tasks", "kill", "-s", "SIGKILL", "sleeper")
    wait_for(lambda: status(sleeper, "sleeper") == "STOPPED")
    assert "non-zero exit code 137" in sleeper("tasks", "rm", "sleeper").stderr
    sleeper("containers", "rm", "sleeper")


def test_pause(sleeper):
    sleeper("tasks", "pause", "sleeper")
    assert status(sleeper, "sleeper") == "PAUSED"
    sleeper("tasks", "resume", "sleeper")
    assert status(sleeper, "sleeper") == "RUNNING"
    assert str(sleeper("tasks", "exec", "--exec-id", "e3", "sleeper", "echo", "awake")) == "awake"


def test_metrics(sleeper):
    metrics = sleeper("tasks", "metrics", "sleeper").stdout
    used = re.search(r"^memory\.usage(?:_in_bytes)?\s+(\d+)", metrics, re.M)
    assert used and int(used[1]) > 10000, metrics
    assert re.search(r"^pids\.current\s+[1-9]", metrics, re.M), metrics


def test_ps(sleeper):
    lines = sleeper("tasks", "ps", "sleeper").stdout.splitlines()
    pids = {int(line.split()[0]) for line in lines[1:]}
    assert pids and pids <= sleeper.cell.processes()


def test_checkpoint(sleeper):
    output = sleeper("tasks", "checkpoint", "sleeper", check=False, timeout=60)
    assert output.status != 0
    if RUNTIME == "callgate":
        assert "not supported" in output.stderr, output.describe()
    assert status(sleeper, "sleeper") == "RUNNING"


def test_id_taken(sleeper):
    output = run(sleeper, "true", name="sleeper", check=False)
    assert output.status != 0 and "already exists" in output.stderr

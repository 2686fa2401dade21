"""What docker does with a container after docker run."""

import json
import subprocess
import tarfile
import threading
import time

import pytest

from bundle import wait_for
from engine_terminal import Terminal


@pytest.fixture
def sleeper(docker):
    """A container named sleeper that does nothing, and goes at once when it is told to."""
    docker.up("sleep", "1000", options=["--init", "--name", "sleeper"])
    return docker


# -- exec ----------------------------------------------------------------------------------


EXECS = {
    "plain": ([], "echo hello; pwd; id -u", "hello\n/\n0"),
    "user": (["-u", "tester"], "id -un; id -g", "tester\n1000"),
    "workdir": (["-w", "/usr/bin"], "pwd", "/usr/bin"),
    "env": (["-e", "ONE=1 2"], 'echo "$ONE"', "1 2"),
    "same processes": ([], "ps -p 1 -o comm=; ps -e -o comm= | grep -c sleep", "docker-init\n1"),
    "same files": ([], "touch /made; stat -c %s /made", "0"),
    "same host name": ([], "[ $(hostname) = $(cat /etc/hostname) ] && echo same", "same"),
    "default capabilities": ([], "awk '/CapEff/ { print $2 }' /proc/self/status", "00000000a80425fb"),
    "seccomp": ([], "awk '/^Seccomp:/ { print $2 }' /proc/self/status", "2"),
}


@pytest.mark.parametrize("name", EXECS)
def test_exec(sleeper, name):
    options, script, expected = EXECS[name]
    output = sleeper("exec", *options, "sleeper", "/bin/bash", "-c", script)
    assert str(output) == expected, output.describe()


# Docker 20.10 makes 126 of everything that it cannot start by exec.
EXEC_EXITS = {"status": (["/bin/bash", "-c", "exit 3"], 3), "not found": (["no-such-program"], 126),
              "not executable": (["/etc/passwd"], 126), "signal": (["/bin/bash", "-c", "kill -9 $$"], 137)}


@pytest.mark.parametrize("name", EXEC_EXITS)
def test_exec_exit_status(sleeper, name):
    args, expected = EXEC_EXITS[name]
    output = sleeper("exec", "sleeper", *args, check=False)
    assert output.status == expected, output.describe()


def test_exec_stdin(sleeper):
    assert str(sleeper("exec", "-i", "sleeper", "sort", stdin="2\n1\n")) == "1\n2"


def test_exec_much(sleeper):
    assert len(sleeper("exec", "sleeper", "seq", "200000").stdout) == 1288895


def test_exec_detached(sleeper):
    sleeper("exec", "-d", "sleeper", "/bin/bash", "-c", "sleep 0.2; echo done > /made")
    wait_for(lambda: str(sleeper("exec", "sleeper", "cat", "/made", check=False)) == "done")


def test_exec_privileged(sleeper):
    script = "awk '/CapEff/ { print $2 }' /proc/self/status"
    output = sleeper("exec", "--privileged", "sleeper", "/bin/bash", "-c", script)
    assert int(str(output), 16) >= (1 << 38) - 1  # all that this docker knows


def test_exec_terminal(sleeper):
    command = sleeper.command("exec", "-it", "sleeper", "/bin/bash", "--norc")
    with Terminal(command, rows=31, columns=101) as terminal:
        terminal.expect("# ")
        terminal.line("until stty size | grep '31 10'; do sleep 0.1; done")
        terminal.expect("31 101\r\n")
        terminal.line("(echo rea''dy; exec sleep 1000)")
        terminal.expect("ready\r\n")
        terminal.interrupt()
        terminal.line("echo status $?; ps -o tty= -p $$")
        terminal.expect("status 130\r\npts/")
        terminal.line("exit 4")
        assert terminal.wait() == 4


def test_execs_at_once(sleeper):
    running = [sleeper.popen("exec", "sleeper", "/bin/bash", "-c", f"sleep 0.5; exit {n}")
               for n in range(10)]
    assert [process.wait(60) for process in running] == list(range(10))


# -- logs, attach, wait ------------------------------------------------------------------------


def test_logs_follow(docker):
    docker.up("/bin/bash", "-c", "for i in 1 2 3; do echo line $i; sleep 0.3; done; echo end >&2",
              options=["--name", "talks"])
    output = docker("logs", "-f", "talks")
    assert (output.stdout, output.stderr) == ("line 1\nline 2\nline 3\n", "end\n")
    assert docker("logs", "--tail", "1", "-t", "talks").stderr.endswith("Z end\n")


def test_wait(docker):
    docker.up("/bin/bash", "-c", "sleep 0.5; exit 6", options=["--name", "ends"])
    assert str(docker("wait", "ends")) == "6"


def test_attach(docker):
    docker("create", "-i", "--name", "reads", "box", "/bin/bash", "-c", "read x; echo got $x; exit 8")
    output = docker("start", "-a", "-i", "reads", stdin="this\n", check=False)
    assert (output.stdout, output.status) == ("got this\n", 8)


# -- signals -----------------------------------------------------------------------------------


TRAP = "trap 'echo got {0}; exit 9' {0}; echo ready; while :; do sleep 0.1; done"


@pytest.mark.parametrize("options, signal", [([], "TERM"), (["--stop-signal", "USR1"], "USR1")])
def test_stop_signal(docker, options, signal):
    docker.up("/bin/bash", "-c", TRAP.format(signal), options=["--name", "stops", *options])
    docker.wait_log("stops", "ready")
    docker("stop", "-t", "30", "stops")
    assert f"got {signal}" in docker("logs", "stops").stdout
    assert docker.inspect("stops", "{{.State.ExitCode}}") == "9"


def test_stop_timeout(docker):
    docker.up("/bin/bash", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done",
              options=["--name", "stubborn"])
    docker.wait_log("stubborn", "ready")
    docker("stop", "-t", "1", "stubborn")
    assert docker.inspect("stubborn", "{{.State.ExitCode}}") == "137"


def test_kill_signal(docker):
    docker.up("/bin/bash", "-c", TRAP.format("HUP"), options=["--name", "hangs"])
    docker.wait_log("hangs", "ready")
    docker("kill", "-s", "HUP", "hangs")
    docker.wait_state("hangs", "{{.State.ExitCode}}", "9")


def test_restart(sleeper):
    first = sleeper.inspect("sleeper", "{{.State.StartedAt}}")
    sleeper("restart", "-t", "5", "sleeper")
    assert sleeper.inspect("sleeper", "{{.State.StartedAt}}") != first
    assert str(sleeper("exec", "sleeper", "echo", "back")) == "back"


def test_restart_on_failure(docker):
    docker.up("/bin/bash", "-c", "exit 3", options=["--name", "fails", "--restart", "on-failure:2"])
    docker.wait_state("fails", "{{.RestartCount}} {{.State.Status}}", "2 exited")


def test_restart_always(docker):
    docker.up("sleep", "1000", options=["--name", "always", "--restart", "always"])
    pid = int(docker.inspect("always", "{{.State.Pid}}"))
    subprocess.run(["kill", "-KILL", str(pid)], check=True)
    docker.wait_state("always", "{{.RestartCount}} {{.State.Status}}", "1 running")
    assert str(docker("exec", "always", "echo", "back")) == "back"


def test_pause(docker):
    docker.up("/bin/bash", "-c", "while :; do echo tick; sleep 0.1; done", options=["--name", "ticks"])
    docker.wait_log("ticks", "tick")
    docker("pause", "ticks")
    assert docker.inspect("ticks", "{{.State.Status}}") == "paused"
    before = docker("logs", "ticks").stdout
    time.sleep(1)
    assert docker("logs", "ticks").stdout == before
    assert "is paused" in docker("exec", "ticks", "true", check=False).stderr
    docker("unpause", "ticks")
    wait_for(lambda: docker("logs", "ticks").stdout != before)


# -- looking at it -------------------------------------------------------------------------------


def test_stats(docker):
    docker.up("/bin/bash", "-c", "a=$(head -c 20000000 /dev/zero | tr '\\0' x); while :; do :; done",
              options=["--name", "busy", "--memory", "256m"])

    def used():
        line = json.loads(str(docker("stats", "--no-stream", "--format", "{{json .}}", "busy")))
        used, limit = line["MemUsage"].split(" / ")
        assert limit == "256MiB"
        return (float(line["CPUPerc"].rstrip("%")) > 20 and int(line["PIDs"]) >= 1
                and used.endswith("MiB") and float(used.removesuffix("MiB")) > 18)
    wait_for(used, what="docker stats sees the load")


def test_top(docker):
    docker.up("/bin/bash", "-c", "sleep 1000 & wait", options=["--name", "two"])
    wait_for(lambda: len(str(docker("top", "two")).splitlines()) >= 3)
    lines = str(docker("top", "two")).splitlines()[1:]
    assert any(line.endswith("sleep 1000") for line in lines), lines
    pids = {int(line.split()[1]) for line in lines}
    assert pids <= docker.cell.processes()
    # Docker filters the host's ps with the runtime's pids, so other columns work, too.
    assert "sleep 1000" in str(docker("top", "two", "-o", "pid,args"))


def test_events(docker):
    since = time.time()
    docker.script("exit 5", ["--name", "seen"], check=False)
    lines = str(docker("events", "--since", since, "--until", time.time() + 0.5, "--filter",
                       "container=seen", "--format", "{{.Action}} {{.Actor.Attributes.exitCode}}"))
    actions = [line.split()[0] for line in lines.splitlines()]
    assert [a for a in actions if a in ("create", "start", "die", "destroy")] \
        == ["create", "start", "die", "destroy"]
    assert "die 5" in lines


def test_oom_event(docker):
    since = time.time()
    docker("run", "--name", "eater", "--memory", "64m", "--memory-swap", "64m", "box", "python3", "-c",
           "a = [bytearray(1 << 20) for _ in range(4000)]", check=False)
    lines = str(docker("events", "--since", since, "--until", time.time() + 0.5, "--filter",
                       "container=eater", "--format", "{{.Action}}"))
    assert "oom" in lines.split()


def test_health(docker):
    docker.up("sleep", "1000", options=[
        "--name", "patient", "--health-cmd", "test -e /well", "--health-interval", "0.5s",
        "--health-retries", "2"])
    docker.wait_state("patient", "{{.State.Health.Status}}", "unhealthy")
    docker("exec", "patient", "touch", "/well")
    docker.wait_state("patient", "{{.State.Health.Status}}", "healthy")


# -- its files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("running", [True, False])
def test_cp(docker, running):
    docker.up(*(["sleep", "1000"] if running else ["true"]), options=["--init", "--name", "files"])
    if not running:
        docker("wait", "files")
    tree = docker.cell.state / f"tree-{running}"
    (tree / "below").mkdir(parents=True)
    (tree / "below" / "file").write_text("content\n")
    docker("cp", tree, "files:/srv/tree")
    if running:
        assert str(docker("exec", "files", "cat", "/srv/tree/below/file")) == "content"
        docker("exec", "files", "/bin/bash", "-c", "echo changed > /srv/tree/below/file")
    docker("cp", "files:/srv/tree/below/file", tree / "back")
    assert (tree / "back").read_text() == ("changed\n" if running else "content\n")
    assert "No such container:path" in docker("cp", "files:/no-such", tree, check=False).stderr


def test_cp_volume(docker):
    docker.up("sleep", "1000", options=["--init", "--name", "files", "-v", "data:/data",
                                        "--tmpfs", "/scratch"])
    docker("exec", "files", "/bin/bash", "-c", "echo in a volume > /data/file")
    docker("cp", "files:/data/file", docker.cell.state / "from-volume")
    assert (docker.cell.state / "from-volume").read_text() == "in a volume\n"


def test_diff_commit_export(docker):
    docker("run", "--name", "maker", "box", "/bin/bash", "-c",
           "echo new > /srv/new; rm /etc/issue; mkdir -p /opt/a/b")
    changes = str(docker("diff", "maker")).splitlines()
    assert {"A /srv/new", "D /etc/issue", "C /opt", "A /opt/a", "A /opt/a/b"} <= set(changes)
    docker("commit", "-c", "CMD cat /srv/new", "maker", "made")
    assert str(docker("run", "--rm", "made")) == "new"
    assert docker("run", "--rm", "made", "ls", "/etc/issue", check=False).status == 2
    docker("export", "-o", docker.cell.state / "made.tar", "maker")
    with tarfile.open(docker.cell.state / "made.tar") as archive:
        assert archive.extractfile("srv/new").read() == b"new\n"
        assert "etc/issue" not in archive.getnames()
    docker("rmi", "-f", "made")


def test_rename(sleeper):
    sleeper("rename", "sleeper", "dreamer")
    assert str(sleeper("exec", "dreamer", "echo", "same")) == "same"


# -- what cannot be ---------------------------------------------------------------------------------


def test_failed_create_leaves_nothing(docker):
    output = docker("run", "--name", "fails", "-v", "/proc/self:/proc/x:ro", "--workdir",
                    "/etc/passwd/x", "box", "true", check=False)
    assert output.status in (125, 126, 127), output.describe()
    docker("rm", "fails", check=False)


# -- many, and the daemon itself -----------------------------------------------------------------------


def test_fifty_at_once(docker):
    count = 50

    def start(n):
        docker.up("/bin/bash", "-c", "trap 'exit 0' TERM; echo ready; while :; do sleep 1; done",
                  options=["--name", f"many-{n}"], timeout=300)
    threads = [threading.Thread(target=start, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = [f"many-{n}" for n in range(count)]
    running = str(docker("ps", "-q", "--filter", "name=many-", "--filter", "status=running"))
    assert len(running.split()) == count
    for name in names:
        docker.wait_log(name, "ready", 60)
    docker("stop", "-t", "60", *names, timeout=300)
    states = str(docker("inspect", "--format", "{{.State.ExitCode}}", *names)).split()
    assert states == ["0"] * count
    docker("rm", *names, timeout=120)


def test_live_restore(docker):
    """A daemon that starts again finds its containers running."""
    try:
        docker.stop_dockerd()
        docker.start_dockerd("--live-restore")
        docker.up("/bin/bash", "-c", "while :; do echo tick; sleep 0.1; done",
                  options=["--name", "survivor"])
        docker.wait_log("survivor", "tick")
        pid = docker.inspect("survivor", "{{.State.Pid}}")
        docker.stop_dockerd()
        docker.start_dockerd("--live-restore")
        assert docker.inspect("survivor", "{{.State.Status}} {{.State.Pid}}") == f"running {pid}"
        assert str(docker("exec", "survivor", "echo", "here")) == "here"
        docker("kill", "survivor")
        assert docker.inspect("survivor", "{{.State.ExitCode}}") == "137"
    finally:
        docker.stop_dockerd()
        docker.start_dockerd()

"""create, start, state, kill, delete, list and run: the same tests for callgate and for runc."""

import array
import concurrent.futures
import contextlib
import ctypes
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import uuid

import pytest
from bundle import BUILD, RUNTIME, edit_config, runtime_command, wait_for

machine_only = pytest.mark.skipif(RUNTIME == "runc", reason="known: of callgate alone")
RUNTIMES = list(dict.fromkeys([RUNTIME, "runc"]))
PR_SET_CHILD_SUBREAPER = 36


@pytest.fixture
def subreaper():
    """Orphans become children of this process, as engines have it."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(PR_SET_CHILD_SUBREAPER, 1) == 0
    yield
    libc.prctl(PR_SET_CHILD_SUBREAPER, 0)


class Life:
    """A runtime with a state folder of its own, and what it made."""

    def __init__(self, runtime, root, bundles):
        self.runtime, self.root, self.bundles = runtime, root, bundles
        self.bundle = None
        self.id = f"l-{uuid.uuid4().hex[:10]}"
        self.ids = []
        self.log = root.parent / f"log-{runtime}"
        self.pid_file = root.parent / f"pid-{runtime}"

    def command(self, *args, options=()):
        return [*runtime_command(self.runtime), "--root", str(self.root), "--log", str(self.log),
                "--log-format", "json", *options, *args]

    def __call__(self, *args, **options):
        """Runs a command: its result. stdio is not the container's to keep."""
        defaults = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "timeout": 40, "check": False}
        return subprocess.run(self.command(*args), **(defaults | options))

    def ok(self, *args, **options):
        result = self(*args, **options)
        assert result.returncode == 0, f"{self.runtime} {args}: {result.stderr}"
        return result.stdout

    def prepare(self, *args, change=None, **options):
        self.bundle = self.bundles.make(args or ("/bin/sleep", "1000"), **options)
        if change:
            edit_config(self.bundle, change)
        return self.bundle

    def create(self, *args, change=None, ident=None, flags=(), pipes=False, **options):
        """Creates a container; with pipes: returns the ends of its output."""
        self.prepare(*args, change=change, **options)
        return self.create_again(ident=ident, flags=flags, pipes=pipes)

    def create_again(self, ident=None, flags=(), pipes=False, **popen):
        ident = ident or self.id
        self.ids.append(ident)
        command = self.command("create", "--bundle", str(self.bundle), "--pid-file", str(self.pid_file), *flags, ident)
        if not pipes:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL, timeout=40, check=False, **popen)
            assert done.returncode == 0, self.log.read_text()
            return None
        out, inner_out = os.pipe()
        with open(inner_out, "wb") as end:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=end, stderr=end, timeout=40, check=False,
                                  **popen)
        assert done.returncode == 0, self.log.read_text()
        return open(out, "rb")

    def fail_create(self, *flags):
        """Returns what --log has; nothing may be left."""
        self.ids.append(self.id)
        done = subprocess.run(self.command("create", "--bundle", str(self.bundle), "--pid-file", str(self.pid_file),
                                           *flags, self.id), stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=40, check=False)
        assert done.returncode == 1 and not done.stdout, done
        assert not self.pid_file.exists()
        self.assert_gone()
        message = self.messages()[-1]
        if self.runtime != "runc":  # which has it in the log only
            assert message in done.stderr.decode()
        return message

    def assert_gone(self):
        assert not (self.root / self.id).exists()
        assert not [path for path, _, _ in os.walk("/sys/fs/cgroup") if self.id in os.path.basename(path)]

    def messages(self):
        """Each line of the log is an object, and an error."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        assert all(set(line) == {"level", "msg", "time"} for line in lines), lines
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", line["time"]) for line in lines)
        return [line["msg"] for line in lines if line["level"] == "error"]

    def error(self, *args):
        """The message of a command that has to fail."""
        result = self(*args)
        assert result.returncode == 1, result
        return self.messages()[-1]

    def state(self, ident=None):
        return json.loads(self.ok("state", ident or self.id))

    def pid(self):
        return int(self.pid_file.read_text())

    def wait(self, seconds=30):
        """The wait status of the container's process, which has to be our child."""
        pid = self.pid()

        status = None

        def poll():
            nonlocal status
            found, status = os.waitpid(pid, os.WNOHANG)
            return found == pid
        wait_for(poll, seconds, "end of the container")
        return status

    def until_stopped(self, seconds=30):
        wait_for(lambda: self.state()["status"] == "stopped", seconds, "end of the container")

    def close(self):
        for ident in self.ids:
            self("delete", "--force", ident)
        while True:  # those that were reparented to us
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    break
            except ChildProcessError:
                break


@pytest.fixture(params=RUNTIMES)
def life(request, bundles, tmp_path):
    made = Life(request.param, tmp_path / "state", bundles)
    yield made
    made.close()


@pytest.fixture
def callgate_life(bundles, tmp_path):
    made = Life(RUNTIME, tmp_path / "state", bundles)
    yield made
    made.close()


def parent_of(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


# ---- the straight way ----

@pytest.mark.parametrize("status", [0, 3, 143])
def test_from_create_to_delete(life, subreaper, status):
    output = life.create("/bin/sh", "-c", f"echo up; until test -e /go; do sleep 0.02; done; exit {status}", pipes=True)
    text = life.pid_file.read_text()
    assert re.fullmatch(r"[1-9][0-9]*", text), text
    assert parent_of(life.pid()) == os.getpid()
    state = life.state()
    assert (state["id"], state["pid"], state["status"]) == (life.id, life.pid(), "created")
    assert state["bundle"] == str(life.bundle) and state["rootfs"] == f"{life.bundle}/rootfs"
    assert state["ociVersion"].startswith("1.0.2") and re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z$", state["created"])
    life.ok("start", life.id)
    assert output.read(3) == b"up\n"
    assert life.state()["status"] == "running"
    (life.bundle / "rootfs/go").touch()
    assert os.waitstatus_to_exitcode(life.wait()) == status
    state = life.state()
    assert (state["status"], state["pid"]) == ("stopped", 0)
    assert output.read() == b""
    life.ok("delete", life.id)
    life.assert_gone()
    assert "does not exist" in life.error("state", life.id)


def test_created_runs_nothing(life, subreaper):
    life.create("/bin/touch", "/touched")
    time.sleep(0.3)
    assert not (life.bundle / "rootfs/touched").exists()
    life.ok("start", life.id)
    assert life.wait() == 0
    assert (life.bundle / "rootfs/touched").exists()


def test_annotations_are_told(life):
    life.create(change=lambda data: data.update(annotations={"org.example.key": "value"}))
    assert life.state()["annotations"] == {"org.example.key": "value"}


@pytest.mark.parametrize("word,status", [("KILL", 137), ("SIGKILL", 137), ("9", 137)])
def test_killed(life, subreaper, word, status):
    life.create()
    life.ok("start", life.id)
    life.ok("kill", life.id, word)
    assert life.wait() == status - 128
    assert "container not running" in life.error("kill", life.id, "TERM")


def test_killed_while_paused(life, subreaper):
    life.create()
    life.ok("start", life.id)
    life.ok("pause", life.id)
    state = life.state()
    assert (state["status"], state["pid"]) == ("paused", life.pid())
    assert f"cannot delete container {life.id} that is not stopped: paused" in life.error("delete", life.id)
    life.ok("kill", life.id, "KILL")
    assert life.wait() == signal.SIGKILL
    assert life.state()["status"] == "stopped"
    life.ok("delete", life.id)


def test_deleted_with_force_while_paused(life):
    life.create()
    life.ok("start", life.id)
    life.ok("pause", life.id)
    life.ok("delete", "--force", life.id)
    life.assert_gone()


def test_created_container_killed(life, subreaper):
    life.create()
    life.ok("kill", life.id, "KILL")
    assert life.wait() == signal.SIGKILL
    assert life.state()["status"] == "stopped"
    assert "cannot start a container that has stopped" in life.error("start", life.id)


def test_created_container_terminated(life, subreaper):
    life.create()
    life.ok("kill", life.id, "TERM")
    status = os.waitstatus_to_exitcode(life.wait())
    assert status == (2 if life.runtime == "runc" else 128 + signal.SIGTERM)  # 2: runc's init is a Go program


TRAPS = "for s in USR1 USR2 HUP INT QUIT WINCH RTMIN RTMIN+5 RTMAX CONT URG; do trap \"echo got $s\" $s; done; " \
        "trap 'echo end; exit 9' TERM; echo up; while :; do sleep 0.02; done"


@pytest.mark.parametrize("name", ["USR1", "SIGUSR2", "hup", "2", "SIGQUIT", "WINCH", "RTMIN", "SIGRTMIN+5", "RTMAX",
                                  "CONT", "URG"])
def test_signal_names(life, subreaper, name):
    if life.runtime == "runc":  # which does not know these by name
        name = {"RTMIN": "34", "SIGRTMIN+5": "39", "RTMAX": "64"}.get(name, name)
    output = life.create("/bin/bash", "-c", TRAPS, pipes=True)
    life.ok("start", life.id)
    assert output.readline() == b"up\n"
    life.ok("kill", life.id, name)
    assert output.readline().startswith(b"got ")
    life.ok("kill", life.id)
    assert output.readline() == b"end\n"
    assert os.waitstatus_to_exitcode(life.wait()) == 9


def test_signal_without_a_handler_spares_pid_1(life, subreaper):
    life.create("/bin/sleep", "1000")
    life.ok("start", life.id)
    life.ok("kill", life.id, "TERM")
    time.sleep(0.3)
    assert life.state()["status"] == "running"


def test_signal_to_all(life, subreaper):
    output = life.create("/bin/bash", "-c", "trap 'echo init; sleep 2; exit 0' USR1; (trap 'echo child' USR1; echo a; "
                         "while :; do sleep 0.02; done) & echo b; while :; do wait; done", pipes=True)
    life.ok("start", life.id)
    assert {output.readline(), output.readline()} == {b"a\n", b"b\n"}
    life.ok("kill", "--all", life.id, "USR1")
    life.wait()
    text = output.read()
    assert b"init" in text and (b"child" in text or life.runtime == "runc"), text


def test_stopped_and_continued(life, subreaper):
    output = life.create("/bin/bash", "-c", "trap 'echo continued; exit 4' CONT; echo up; n=0; "
                         "while :; do echo $((n++)) >/count; sleep 0.02; done", pipes=True)
    life.ok("start", life.id)
    assert output.readline() == b"up\n"
    life.ok("kill", life.id, "STOP")

    def count():
        path = life.bundle / "rootfs/count"
        return path.read_text() if path.exists() else None

    def still():
        first = count()
        time.sleep(0.3)
        return first is not None and first == count()
    wait_for(still, 20, "the stop of the container")
    life.ok("kill", life.id, "CONT")
    assert output.readline() == b"continued\n"
    assert os.waitstatus_to_exitcode(life.wait()) == 4


# ---- what callers get wrong ----

def test_errors_by_state(life, subreaper):
    for command in ("state", "start", "delete"):
        assert "does not exist" in life.error(command, life.id)
    assert "does not exist" in life.error("kill", life.id, "TERM")
    life.ok("delete", "--force", life.id)
    life.create()
    assert "already exists" in life.error("create", "--bundle", str(life.bundle), life.id)
    assert life.state()["status"] == "created"
    life.ok("start", life.id)
    assert "cannot start an already running container" in life.error("start", life.id)
    assert f"cannot delete container {life.id} that is not stopped: running" in life.error("delete", life.id)
    assert 'unknown signal "FOO"' in life.error("kill", life.id, "FOO")
    life.ok("kill", life.id, "KILL")
    life.wait()
    assert "cannot start a container that has stopped" in life.error("start", life.id)
    assert "container not running" in life.error("kill", life.id, "TERM")
    assert "already exists" in life.error("create", "--bundle", str(life.bundle), life.id)
    life.ok("delete", life.id)


def test_delete_of_a_created_container(life):
    life.create()
    life.ok("delete", life.id)
    life.assert_gone()


def test_delete_with_force(life):
    life.create()
    life.ok("start", life.id)
    life.ok("delete", "--force", life.id)
    life.assert_gone()
    life.ok("delete", "--force", life.id)


@pytest.mark.parametrize("command", [
    ("create",), ("create", "a", "b"), ("start",), ("state",), ("kill",), ("delete",), ("create", "--bad", "x"),
    ("nonsense",), ("list", "--format", "xml"), ("create", "x/y"), ("kill", "a/b", "9"),
])
def test_command_line_errors(life, command):
    assert life(*command).returncode != 0


@pytest.mark.parametrize("args,text", [
    (("/no/such",), "no such file or directory"),
    (("no-such-program",), "executable file not found in $PATH"),
    (("/etc/passwd",), "permission denied"),
])
def test_program_is_missing(life, args, text):
    life.prepare(*args)
    message = life.fail_create()
    assert text in message and args[0] in message


def set_in(*path, value):
    def change(data):
        for key in path[:-1]:
            data = data.setdefault(key, {})
        data[path[-1]] = value
    return change


PROC = [{"destination": "/proc", "type": "proc", "source": "proc"}]


@pytest.mark.parametrize("change,text", [
    (set_in("mounts", value=[{"destination": "/x", "type": "bind", "source": "/no/such", "options": ["bind"]}]),
     "/no/such"),
    (set_in("linux", "resources", value={"memory": {"limit": 1 << 62, "swap": 1}}), "memory"),
    (set_in("root", value={"path": "nothing"}), "nothing"),
    (set_in("linux", "namespaces", value=[{"type": "mount"}, {"type": "pid"}, {"type": "uts"}, {"type": "ipc"},
                                          {"type": "network", "path": "/no/net"}]), "/no/net"),
    (set_in("process", "cwd", value="relative"), "absolute path"),
    (set_in("process", "cwd", value="/etc/passwd"), "/etc/passwd"),
    (set_in("ociVersion", value="2.0.0"), ""),
])
def test_failed_create_leaves_nothing(life, change, text):
    life.prepare(change=change)
    if life.runtime == "runc" and not text:
        return
    assert text in life.fail_create()
    edit_config(life.bundle, lambda data: data.update(
        process=data["process"] | {"cwd": "/"}, mounts=PROC, root={"path": "rootfs"}, ociVersion="1.0.2",
        linux={"namespaces": [{"type": kind} for kind in ("mount", "pid", "uts", "ipc")]}))
    life.create_again()  # the ID is not spoiled


# ---- stdio ----

def test_output_ends_when_the_guest_closes_it(life, subreaper):
    output = life.create("/bin/sh", "-c", "echo up; exec >&- 2>&-; sleep 1000", pipes=True)
    life.ok("start", life.id)
    assert output.read() == b"up\n"
    assert life.state()["status"] == "running"


def test_output_ends_with_the_container(life, subreaper):
    output = life.create("/bin/sh", "-c", "(sleep 1000 &) ; echo up", pipes=True)
    life.ok("start", life.id)
    assert output.read() == b"up\n"


def test_input_is_the_creators(life, subreaper):
    life.prepare("/bin/cat")
    life.ids.append(life.id)
    ours, theirs = os.pipe()
    out, inner = os.pipe()
    subprocess.run(life.command("create", "--bundle", str(life.bundle), "--pid-file", str(life.pid_file), life.id),
                   stdin=ours, stdout=inner, stderr=inner, check=True, timeout=40)
    os.close(ours)
    os.close(inner)
    life.ok("start", life.id)
    os.write(theirs, b"through\n")
    os.close(theirs)
    with open(out, "rb") as output:
        assert output.read() == b"through\n"
    assert life.wait() == 0


def test_descriptors_are_preserved(life, subreaper):
    reader, writer = os.pipe()
    os.dup2(reader, 3)
    os.dup2(writer, 4)
    life.prepare("/bin/sh", "-c", "read x <&3; echo \"$x and back\" >&4; ls /proc/self/fd | wc -w; ")
    os.write(4, b"there\n")
    out = life.create_again(flags=["--preserve-fds", "2"], pipes=True, pass_fds=(3, 4))
    life.ok("start", life.id)
    assert life.wait() == 0
    assert os.read(3, 100) == b"there and back\n"
    assert out.read().strip() == b"6"  # and the folder itself
    for fd in (3, 4, reader, writer):
        if fd > 4:
            os.close(fd)


def test_socket_activation(life, subreaper):
    """LISTEN_FDS is for the runtime if LISTEN_PID says so, and then for the container."""
    reader, writer = os.pipe()
    os.write(writer, b"activated\n")
    out, inner = os.pipe()
    life.prepare("/bin/sh", "-c", "echo $LISTEN_FDS $LISTEN_PID; cat <&3")
    life.ids.append(life.id)
    script = f"exec 3<&{reader} {reader}<&- {writer}>&-; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\""
    subprocess.run(["/bin/bash", "-c", script, "bash", *life.command(
        "create", "--bundle", str(life.bundle), "--pid-file", str(life.pid_file), life.id)],
        stdin=subprocess.DEVNULL, stdout=inner, stderr=inner, pass_fds=(reader, writer), check=True, timeout=40)
    for fd in (reader, writer, inner):
        os.close(fd)
    life.ok("start", life.id)
    assert life.wait() == 0
    with open(out, "rb") as output:
        assert output.read() == b"1 1\nactivated\n"


def receive(server):
    connection, _ = server.accept()
    with connection:
        data, control, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(4))
        (_, _, payload), = control
        fds = array.array("i")
        fds.frombytes(payload[:4])
        return data, fds[0]


def listen(tmp_path, name):
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / name))
    server.listen()
    server.settimeout(30)
    return server


def test_console_socket(life, subreaper, tmp_path):
    server = listen(tmp_path, "console")
    life.prepare("/bin/sh", "-c", "tty >/dev/null && echo terminal; read x; echo got $x",
                 change=set_in("process", "terminal", value=True))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        received = pool.submit(receive, server)
        life.create_again(flags=["--console-socket", str(tmp_path / "console")])
        name, master = received.result(30)
    assert name
    life.ok("start", life.id)
    seen = os.read(master, 100)
    os.write(master, b"word\n")
    while b"got word" not in seen:
        seen += os.read(master, 100)
    assert b"terminal" in seen
    assert life.wait() == 0
    os.close(master)


def test_terminal_needs_a_console_socket(life):
    life.prepare(change=set_in("process", "terminal", value=True))
    assert "console socket" in life.fail_create()


@machine_only
def test_pidfd_socket(callgate_life, subreaper, tmp_path):
    life = callgate_life
    server = listen(tmp_path, "pidfd")
    life.prepare()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        received = pool.submit(receive, server)
        life.create_again(flags=["--pidfd-socket", str(tmp_path / "pidfd")])
        _, fd = received.result(30)
    text = pathlib.Path(f"/proc/self/fdinfo/{fd}").read_text()
    assert f"\nPid:\t{life.pid()}\n" in text
    os.close(fd)


# ---- hooks ----

KINDS = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]


def hook(kind, log, script=""):
    inside = kind == "startContainer"
    where = "/hooks" if inside else log
    return {"path": "/bin/sh", "args": ["sh", "-c", f"{script or ':'}; (echo {kind}; cat; echo; env) >>{where}"],
            "env": [f"KIND={kind}", "LC_ALL=C.UTF-8"]}


def with_hooks(log, **scripts):
    def change(data):
        data["hooks"] = {kind: [hook(kind, log, scripts.get(kind, ""))] for kind in KINDS}
    return change


def read_hooks(text):
    """[(kind, state, environment)]"""
    found = []
    for line in text.splitlines():
        if line in KINDS:
            found.append((line, {}, []))
        elif line.startswith("{"):
            found[-1][1].update(json.loads(line))
        elif line:
            found[-1][2].append(line)
    return found


def test_hooks(life, subreaper, tmp_path):
    log = tmp_path / "hooks"
    life.create("/bin/sh", "-c", "echo program >>/hooks", change=with_hooks(log), mounts=())
    made = read_hooks(log.read_text())
    early = KINDS[:3] + ["poststart"] * (life.runtime == "runc")  # whose 1.1 runs that one too early
    assert [kind for kind, _, _ in made] == early
    for kind, state, env in made[:3]:
        assert (state["id"], state["bundle"]) == (life.id, str(life.bundle))
        # runc's createContainer hook is in its pid namespace
        assert state["pid"] == life.pid() or (life.runtime, kind) == ("runc", "createContainer")
        assert state["status"] in ("creating", "created"), state
        assert f"KIND={kind}" in env
        assert not [entry for entry in env if entry.startswith("HOME=")]
    life.ok("start", life.id)
    life.wait()
    inside = (life.bundle / "rootfs/hooks").read_text()
    assert [kind for kind, _, _ in read_hooks(inside)] == ["startContainer"] and inside.endswith("program\n")
    assert read_hooks(inside)[0][1]["status"] == "created" or life.runtime == "runc"
    assert [kind for kind, _, _ in read_hooks(log.read_text())] == [*KINDS[:3], "poststart"]
    life.ok("delete", life.id)
    last = read_hooks(log.read_text())[-1]
    assert (last[0], last[1]["status"]) == ("poststop", "stopped")


@pytest.mark.parametrize("kind", KINDS[:3])
def test_failing_hook_fails_create(life, tmp_path, kind):
    life.prepare(change=with_hooks(tmp_path / "hooks", **{kind: "echo broken >&2; exit 7"}))
    message = life.fail_create()
    assert "error running hook #0" in message and "exit status 7" in message and "broken" in message
    ran = [name for name, _, _ in read_hooks((tmp_path / "hooks").read_text())]
    assert ran == KINDS[:KINDS.index(kind)] + ["poststop"]


def test_failing_start_container_hook(life, subreaper, tmp_path):
    life.create("/bin/touch", "/ran", change=with_hooks(tmp_path / "hooks", startContainer="echo broken; exit 7"))
    result = life("start", life.id)
    if life.runtime != "runc":  # which does not look
        assert result.returncode == 1
        assert "error running hook #0" in life.messages()[-1] and "broken" in life.messages()[-1]
    life.wait()
    assert life.state()["status"] == "stopped"
    assert not (life.bundle / "rootfs/ran").exists()


def test_failing_poststop_hook_is_logged(life, tmp_path):
    life.create(change=with_hooks(tmp_path / "hooks", poststop="exit 7"))
    life("delete", life.id)
    life.assert_gone()
    if life.runtime != "runc":
        assert "poststop" in life.messages()[-1]


@pytest.mark.parametrize("kind", ["prestart", "createContainer"])
def test_hook_time_out(life, tmp_path, kind):
    life.prepare(change=with_hooks(tmp_path / "hooks"))
    edit_config(life.bundle, lambda data: data["hooks"].update(
        {kind: [{"path": "/bin/sleep", "args": ["sleep", "1000"], "timeout": 1}]}))
    assert "ran past specified timeout" in life.fail_create()


@machine_only
def test_start_container_hook_time_out(callgate_life, subreaper, tmp_path):
    life = callgate_life
    life.create(change=lambda data: data.update(hooks={"startContainer": [
        {"path": "/bin/sleep", "args": ["sleep", "1000"], "timeout": 1}]}))
    assert "timeout" in life.error("start", life.id)
    life.wait()


def test_hook_does_not_exist(life):
    life.prepare(change=lambda data: data.update(hooks={"prestart": [{"path": "/no/hook"}]}))
    message = life.fail_create()
    assert "/no/hook" in message and "no such file or directory" in message


NEW_NETWORK = set_in("linux", "namespaces", value=[{"type": kind} for kind in ("pid", "ipc", "uts", "mount", "network")])


def test_network_made_by_a_hook(life, subreaper, tmp_path):
    """As Docker 20.10 does it: by the pid of the state, before create returns."""
    script = tmp_path / "net"
    script.write_text("#!/bin/sh\npid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/')\n"
                      "exec nsenter -n -t $pid ip link add hook0 type veth peer name hook1\n")
    script.chmod(0o755)

    def change(data):
        NEW_NETWORK(data)
        data["hooks"] = {"prestart": [{"path": str(script), "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}]}
    output = life.create("/bin/cat", "/proc/net/dev", change=change, pipes=True)
    life.ok("start", life.id)
    assert b"hook0" in output.read()


def test_network_made_between_create_and_start(life, subreaper):
    output = life.create("/bin/cat", "/proc/net/dev", change=NEW_NETWORK, pipes=True)
    subprocess.run(["nsenter", "-n", "-t", str(life.pid()), "ip", "link", "add", "late0", "type", "veth", "peer", "name", "late1"], check=True)
    life.ok("start", life.id)
    assert b"late0" in output.read()


# ---- many, and crashes ----

def test_twenty_at_once(life, subreaper, tmp_path):
    life.prepare("/bin/sh", "-c", "exit 3", change=lambda data: data["root"].update(readonly=True))
    ids = [f"{life.id}-{i}" for i in range(20)]
    life.ids += ids

    def one(ident):
        pid_file = tmp_path / f"pid-{ident}"
        done = subprocess.run(life.command("create", "--bundle", str(life.bundle), "--pid-file", str(pid_file), ident),
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              timeout=90, check=False)
        return done.returncode, pid_file
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        made = list(pool.map(one, ids))
    assert [status for status, _ in made] == [0] * 20, life.log.read_text()
    assert set(life.ok("list", "-q").split()) == set(ids)
    for ident, (_, pid_file) in zip(ids, made):
        life.ok("start", ident)
        life.pid_file = pid_file
        assert os.waitstatus_to_exitcode(life.wait()) == 3
        life.ok("delete", ident)
    assert life.ok("list", "-q") == ""


def test_same_id_at_once(life, subreaper):
    """One gets it."""
    life.prepare()
    life.ids.append(life.id)
    running = [subprocess.Popen(life.command("create", "--bundle", str(life.bundle), life.id), stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(6)]
    statuses = sorted(process.wait(60) for process in running)
    if life.runtime != "runc":  # whose 1.1 does not lock
        assert statuses == [0, 1, 1, 1, 1, 1], life.log.read_text()
        assert life.state()["status"] == "created"


def sleeping_hook(path):
    """A hook that writes its number on the host to path: some run in the container's pid namespace."""
    return {"path": "/bin/sh", "args": ["sh", "-c", f"read pid _ </proc/self/stat; echo $pid >{path}; exec sleep 1000"]}


@machine_only
@pytest.mark.parametrize("kind", ["prestart", "createContainer"])
def test_killed_create_does_not_spoil_the_id(callgate_life, tmp_path, kind):
    life = callgate_life
    life.prepare(change=lambda data: data.update(hooks={kind: [
        sleeping_hook(tmp_path / "hook")]}))
    with subprocess.Popen(life.command("create", "--bundle", str(life.bundle), life.id), stdin=subprocess.DEVNULL) as create:
        wait_for(lambda: (tmp_path / "hook").exists() and (tmp_path / "hook").read_text(), 20, "the hook")
        assert life.state()["status"] == "creating"
        create.kill()
    os.kill(int((tmp_path / "hook").read_text()), signal.SIGKILL)
    edit_config(life.bundle, lambda data: data.pop("hooks"))

    life.ids.append(life.id)

    def again():
        return not life("create", "--bundle", str(life.bundle), life.id, capture_output=False,
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
    wait_for(again, 20, "the ID")
    life.ok("delete", life.id)
    life.assert_gone()


def children(pid):
    """Names of a process's children, the dead ones too."""
    names = set()
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, _, fields = path.read_text().partition("(")[2].rpartition(")")
            if int(fields.split()[1]) == pid:
                names.add(name)
    return names


@machine_only
def test_orphans_of_hooks_are_reaped(callgate_life):
    """They are children of the namespace's pid 1."""
    life = callgate_life
    life.prepare(change=lambda data: data.update(hooks={"createContainer": [
        {"path": "/bin/sh", "args": ["sh", "-c", "sleep 0.5 >/dev/null 2>&1 &"], "env": ["PATH=/bin:/usr/bin"]}]}))
    life.ok("create", "--bundle", str(life.bundle), life.id, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, capture_output=False)
    pid = life.state()["pid"]
    wait_for(lambda: "sleep" not in children(pid), 20, "the end of the orphan")
    life.ok("delete", "--force", life.id)


@machine_only
def test_create_interrupted(callgate_life, tmp_path):
    life = callgate_life
    life.prepare(change=lambda data: data.update(hooks={"createContainer": [
        sleeping_hook(tmp_path / "hook")]}))
    with subprocess.Popen(life.command("create", "--bundle", str(life.bundle), life.id), stdin=subprocess.DEVNULL) as create:
        wait_for(lambda: (tmp_path / "hook").exists() and (tmp_path / "hook").read_text(), 20, "the hook")
        create.terminate()
        assert create.wait(30) == 1
    assert "interrupted by signal 15" in life.messages()[-1]
    life.assert_gone()
    assert not alive(int((tmp_path / "hook").read_text()))


def running_in_foreground(life):
    """`run`, and the hypervisor's number."""
    life.prepare("/bin/sleep", "1000")
    life.ids.append(life.id)
    run = subprocess.Popen(life.command("run", "--bundle", str(life.bundle), "--pid-file", str(life.pid_file), life.id),
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    wait_for(lambda: life("state", life.id).returncode == 0 and life.state()["status"] == "running", 20, "start")
    return run, life.pid()


def kill_at_once(run, hypervisor):
    for number in (signal.SIGSTOP, signal.SIGKILL):
        os.kill(run.pid, number)
        os.kill(hypervisor, number)
    run.wait(20)


@machine_only
def test_run_and_hypervisor_killed_at_once(callgate_life):
    life = callgate_life
    run, hypervisor = running_in_foreground(life)
    kill_at_once(run, hypervisor)
    life.until_stopped()
    assert life.state()["status"] == "stopped"
    life.ok("delete", life.id)
    life.assert_gone()


@machine_only
@pytest.mark.parametrize("word", ["list", "run"])
def test_what_both_left_goes_with_the_next_command(callgate_life, word):
    """Neither the folder nor the cgroup waits until somebody takes the ID again."""
    life = callgate_life
    run, hypervisor = running_in_foreground(life)
    kill_at_once(run, hypervisor)
    life.until_stopped()
    (life.root / "~1").mkdir()  # a folder that somebody was about to make who was killed
    if word == "list":
        listed = life("list", "-q")
        assert (listed.returncode, listed.stdout) == (0, "")
        assert f"container {life.id}: whoever ran it was killed together with its hypervisor" in listed.stderr
    else:
        edit_config(life.bundle, lambda data: data["process"].update(args=["/bin/true"]))
        life.ok("run", "--bundle", str(life.bundle), life.id + "-other")
    assert not (life.root / "~1").exists()
    life.assert_gone()


@machine_only
def test_what_lives_elsewhere_is_left_alone(callgate_life):
    """In another pid namespace the numbers of its processes mean nothing; it must not be taken for dead."""
    life = callgate_life
    run, _ = running_in_foreground(life)
    listed = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", *life.command("list", "-q")], stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, timeout=20, check=True)
    assert listed.stdout.split() == [life.id] and life.state()["status"] == "running"
    life.ok("kill", life.id, "KILL")
    assert run.wait(20) == 137


def test_process_of_another_container_is_not_this_one(life, subreaper):
    """A pid may be used again: then the container has stopped all the same."""
    life.create()
    os.kill(life.pid(), signal.SIGKILL)
    life.wait()
    assert life.state()["status"] == "stopped"


# ---- list, run ----

def test_list(life, subreaper):
    assert life.ok("list", "--format", "json").strip() == "null" and life.ok("list", "-q") == ""
    life.create()
    table = life.ok("list").splitlines()
    assert re.split(r" {3,}", table[0]) == ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
    assert re.split(r" {3,}", table[1])[:4] == [life.id, str(life.pid()), "created", str(life.bundle)]
    (entry,) = json.loads(life.ok("list", "-f", "json"))
    assert {"id": life.id, "pid": life.pid(), "status": "created", "bundle": str(life.bundle), "owner": "root",
            "rootfs": f"{life.bundle}/rootfs"}.items() <= entry.items()
    assert life.ok("list", "--quiet") == life.id + "\n"


@machine_only
def test_list_is_formatted_alike(bundles, tmp_path):
    lines = []
    for runtime in ("runc", RUNTIME):
        life = Life(runtime, tmp_path / runtime / "state", bundles)
        (tmp_path / runtime).mkdir()
        life.id = f"l-{os.getpid():07d}"
        life.create()
        text = life.ok("list").replace(str(life.bundle), "BUNDLE").replace(str(life.pid()), "PID")
        lines.append(re.sub(r"\d{4}-\S+Z *", "WHEN ", text))
        life.close()
    width = [re.sub(r" {2,}", "  ", text) for text in lines]
    assert width[0] == width[1]


def test_run_detached(life, subreaper):
    life.prepare("/bin/sh", "-c", "trap 'exit 6' TERM; echo up >/up; while :; do sleep 0.05; done")
    life.ids.append(life.id)
    life.ok("run", "-d", "--bundle", str(life.bundle), "--pid-file", str(life.pid_file), life.id,
            capture_output=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: (life.bundle / "rootfs/up").exists(), 20, "start")
    assert parent_of(life.pid()) == os.getpid() and life.state()["status"] == "running"
    life.ok("kill", life.id)
    assert os.waitstatus_to_exitcode(life.wait()) == 6
    assert life.state()["status"] == "stopped"
    life.ok("delete", life.id)
    life.assert_gone()


def test_run_in_the_foreground(life):
    life.prepare("/bin/sh", "-c", "echo out; echo err >&2; exit 5")
    result = life("run", "--bundle", str(life.bundle), life.id)
    assert (result.returncode, result.stdout, result.stderr) == (5, "out\n", "err\n")
    life.assert_gone()


@machine_only
def test_run_and_keep(callgate_life):
    life = callgate_life
    life.prepare("/bin/sh", "-c", "exit 5")
    life.ids.append(life.id)
    assert life("run", "--keep", "--bundle", str(life.bundle), life.id).returncode == 5
    assert life.state()["status"] == "stopped"
    life.ok("delete", life.id)
    life.assert_gone()


# ---- the end of the machine ----

@machine_only
@pytest.mark.parametrize("victim,status", [("guest", 137), ("vm0", 137)])
def test_host_process_killed(callgate_life, subreaper, victim, status):
    """A VM crash, for the caller: as if somebody had killed the container. The log says why."""
    life = callgate_life
    output = life.create("/bin/sh", "-c", "sleep 1000 & echo up; wait", pipes=True)
    life.ok("start", life.id)
    assert output.readline() == b"up\n"
    children = pathlib.Path(f"/proc/{life.pid()}/task/{life.pid()}/children").read_text().split()
    assert len(children) == 1
    target = int(children[0])
    if victim == "guest":
        target = int(pathlib.Path(f"/proc/{target}/task/{target}/children").read_text().split()[-1])
    os.kill(target, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(life.wait()) == status
    assert "was killed" in life.messages()[-1]
    assert life.state()["status"] == "stopped"


@machine_only
def test_out_of_memory(callgate_life, subreaper):
    life = callgate_life
    life.create("/usr/bin/python3", "-c", "x = []\nwhile True: x.append(b'x' * 1000000)",
                change=set_in("linux", "resources", value={"memory": {"limit": 100 << 20, "swap": 100 << 20}}))
    life.ok("start", life.id)
    assert os.waitstatus_to_exitcode(life.wait(60)) in (137, -9)
    assert life.state()["status"] == "stopped"


# ---- what it can do ----

@machine_only
def test_features(callgate_life):
    life = callgate_life
    result = life("features")
    assert result.returncode == 0 and result.stderr == ""
    features = json.loads(result.stdout)
    assert (features["ociVersionMin"], features["ociVersionMax"]) == ("1.0.0", "1.3.0")
    assert features["hooks"] == KINDS
    assert {"bind", "rbind", "ro", "rro", "nosuid", "shared", "rslave"} <= set(features["mountOptions"])
    linux = features["linux"]
    assert {"cgroup", "ipc", "mount", "network", "pid", "uts"} <= set(linux["namespaces"])
    assert "CAP_SYS_ADMIN" in linux["capabilities"] and linux["cgroup"]["v1"] and linux["cgroup"]["v2"]
    assert linux["seccomp"]["enabled"] and "SCMP_ACT_ERRNO" in linux["seccomp"]["actions"]
    assert linux["intelRdt"] == {"enabled": False} and linux["netDevices"] == {"enabled": True}


@machine_only
def test_version(callgate_life):
    lines = callgate_life("--version").stdout.splitlines()
    assert re.match(r"callgate version \d+\.\d+\.\d+$", lines[0]) and lines[1].startswith("commit: ")
    assert lines[2] == "spec: 1.3.0"


@machine_only
@pytest.mark.parametrize("command", ["checkpoint", "restore"])
def test_no_checkpoints(callgate_life, command):
    assert "not supported yet" in callgate_life.error(command, "--image-path", "/x", "some-id")


@machine_only
def test_too_many_groups_are_refused(callgate_life):
    life = callgate_life
    life.prepare(change=set_in("process", "user", value={"uid": 0, "gid": 0, "additionalGids": list(range(1025))}))
    assert "process.user.additionalGids" in life.fail_create()
    edit_config(life.bundle, set_in("process", "user", value={"uid": 0, "gid": 0, "additionalGids": list(range(1024))}))
    life.create_again()


def test_program_of_no_known_format(life, subreaper):
    """It can be found, and not be executed: known at the start alone."""
    life.prepare("/garbage")
    program = life.bundle / "rootfs/garbage"
    program.write_bytes(b"\x01\x02garbage")
    program.chmod(0o755)
    output = life.create_again(pipes=True)
    life("start", life.id)
    assert os.waitstatus_to_exitcode(life.wait()) in ((255,) if life.runtime != "runc" else (1, 255))
    assert b"exec format error" in output.read()
    assert life.state()["status"] == "stopped"


@machine_only
def test_forbidden_host_call(callgate_life, subreaper):
    life = callgate_life
    names = subprocess.run(["nm", str(BUILD / "guest-pv.elf")], capture_output=True, text=True, check=True).stdout
    site = next(line.split()[0] for line in names.splitlines() if line.endswith(" hostcall_site_plain"))
    life.create("/t/bad_hostcall", f"0x{site}", "231", "0")
    life.ok("start", life.id)
    assert os.waitstatus_to_exitcode(life.wait()) == 134
    assert "forbidden host call" in life.messages()[-1]

"""exec with a terminal, into a paused and into a created container."""

import array
import fcntl
import os
import signal
import socket
import struct
import subprocess
import termios
import time

import pytest
from box import both
from bundle import RUNTIME, TIMEOUT, runtime_command, wait_for
from terminal import Terminal

callgate_only = pytest.mark.skipif(RUNTIME == "runc", reason="known: about callgate's own processes")

SHELL = ("/bin/bash", "--norc", "--noprofile")
ENV = ["TERM=xterm", "PS1=$ ", "HISTFILE="]


@pytest.fixture
def at_terminal():
    """at_terminal(box, args..., **options): exec -t, on a terminal of the test's."""
    made = []

    def go(box, *args, rows=24, columns=80, **options):
        made.append(Terminal(box.command(*args, tty=True, env=ENV, **options), rows=rows, columns=columns))
        return made[-1]
    yield go
    for each in made:
        each.close()


class ConsoleSocket:
    """Where an engine waits for a terminal."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(str(path))
        self.socket.listen()
        self.socket.settimeout(TIMEOUT)

    def receive(self):
        """(name, descriptor)"""
        connection, _ = self.socket.accept()
        connection.settimeout(TIMEOUT)
        fds = array.array("i")
        name, control, _, _ = connection.recvmsg(200, socket.CMSG_LEN(fds.itemsize))
        fds.frombytes(control[0][2])
        connection.close()
        return name, fds[0]


@pytest.fixture
def console_socket(tmp_path):
    made = ConsoleSocket(tmp_path / "console.sock")
    yield made
    made.socket.close()


def read_until(fd, text, seconds=TIMEOUT):
    """What the terminal shows, up to the text or the terminal's end."""
    seen, deadline = b"", time.monotonic() + seconds
    os.set_blocking(fd, False)
    while text not in seen and time.monotonic() < deadline:
        try:
            data = os.read(fd, 4096)
        except BlockingIOError:
            time.sleep(0.02)
            continue
        except OSError:
            break
        if not data:
            break
        seen += data
    return seen


# ---- attached ----

@both
def test_shell(box, at_terminal, runtime):
    sh = at_terminal(box(runtime), *SHELL, rows=31, columns=97)
    sh.wait_for("$")
    sh.line("tty; stty size; test -t 0 -a -t 1 -a -t 2 && echo t''ty; echo he''re >/dev/tty; ps -o tty= $$")
    text = sh.wait_for("here\npts/")
    assert "/dev/pts/0\n31 97\ntty" in text
    sh.line("exit 7")
    assert sh.end() == 7


@both
def test_keys(box, at_terminal, runtime):
    """^C, ^\\ and ^Z are for the foreground job."""
    sh = at_terminal(box(runtime), *SHELL)
    sh.wait_for("$")
    sh.line("sleep 100; echo status $?")
    time.sleep(0.4)
    sh.type("\x03")
    sh.wait_for("^C")
    sh.line("echo status $?")
    sh.wait_for("\nstatus 130")
    sh.line("clear; sleep 101")
    time.sleep(0.4)
    sh.type("\x1a")
    sh.wait_for("Stopped")
    sh.line("jobs; fg")
    sh.wait_for(lambda text: text.count("sleep 101") >= 3)
    sh.type("\x1c")
    sh.wait_for("Quit")
    sh.line("echo status $?")
    sh.wait_for("\nstatus 131\n$")  # a ^D before the prompt is a character: readline was not yet asked
    sh.type("\x04")
    assert sh.end() == 0


@both
def test_resize(box, at_terminal, runtime):
    sh = at_terminal(box(runtime), *SHELL)
    sh.wait_for("$")
    sh.line("trap 'echo now $(stty size)' WINCH")
    sh.quiet()
    sh.resize(40, 90)
    sh.wait_for(lambda text: "now 40 90" in text or sh.line("") or False)
    sh.line("exit")
    assert sh.end() == 0


@both
def test_two_terminals(box, at_terminal, runtime):
    """What is typed at one does not disturb the other."""
    b = box(runtime)
    one = at_terminal(b, *SHELL)
    one.wait_for("$")
    one.line("tty; exec sleep 200")
    one.wait_for("/dev/pts/0")
    two = at_terminal(b, *SHELL)
    two.wait_for("$")
    two.line("tty")
    two.wait_for("/dev/pts/1")
    two.line("sleep 201; echo status $?")
    time.sleep(0.4)
    two.type("\x03")
    two.line("exit 3")
    assert two.end() == 3
    assert "sleep 200" in b.processes()
    one.type("\x03")
    assert one.end() == 130


@both
def test_terminal_belongs_to_the_user(box, at_terminal, runtime):
    sh = at_terminal(box(runtime), "/bin/sh", "-c", "id -u; stat -c %u $(tty); echo fine >$(tty); echo all >/dev/tty",
                     user="1000")
    sh.wait_for("1000\n1000\nfine\nall")
    assert sh.end() == 0


@both
def test_own_terminal_is_given_back(box, at_terminal, runtime):
    """The caller's terminal is raw meanwhile, and then as it was."""
    sh = at_terminal(box(runtime), "/bin/cat")
    wait_for(lambda: not termios.tcgetattr(sh.master)[3] & termios.ECHO)
    sh.line("echoed")
    sh.wait_for("echoed\nechoed")
    sh.type("\x04")
    assert sh.end() == 0
    assert termios.tcgetattr(sh.master)[3] & (termios.ECHO | termios.ICANON) == termios.ECHO | termios.ICANON


@callgate_only
def test_input_that_is_no_terminal(box):
    """runc wants a terminal of its own then."""
    b = box()
    done = subprocess.run(b.command("/bin/sh", "-c", "test -t 0 && read x && echo \"<$x>\"", tty=True), input=b"typed\n",
                          capture_output=True, timeout=TIMEOUT, check=False)
    assert done.returncode == 0 and b"<typed>\r\n" in done.stdout, done


# ---- a terminal that is sent to an engine ----

@both
def test_console_socket(box, runtime, console_socket, tmp_path):
    b, pid_file = box(runtime), tmp_path / "pid"
    assert b.start(*SHELL, tty=True, detach=True, pid_file=pid_file, console_socket=console_socket.path,
                   env=ENV).wait(TIMEOUT) == 0
    name, master = console_socket.receive()
    assert name
    read_until(master, b"$ ")
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 60, 0, 0))
    os.write(master, b"stty size; tty\n")
    seen = read_until(master, b"/dev/pts/0\r\n")
    assert b"50 60\r\n/dev/pts/0" in seen, seen
    os.write(master, b"sleep 100\n")
    time.sleep(0.4)
    os.write(master, b"\x03")
    os.write(master, b"echo status $?\n")
    assert b"status 130" in read_until(master, b"status 130")
    # the user goes away
    assert b.processes() == ["/bin/bash --norc --noprofile", "/bin/sleep 1000"]
    os.close(master)
    wait_for(lambda: b.processes() == ["/bin/sleep 1000"])
    wait_for(lambda: not alive(int(pid_file.read_text())))


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@callgate_only
def test_signals_by_hand_are_not_the_terminals(box, console_socket, tmp_path):
    """kill(pid, SIGINT) is for the process itself, whatever is in the foreground."""
    b, pid_file = box(), tmp_path / "pid"
    script = "trap 'echo got it' INT; sleep 100 & echo up; wait; echo interrupted; wait"
    assert b.start("/bin/bash", "-c", script, tty=True, detach=True, pid_file=pid_file,
                   console_socket=console_socket.path).wait(TIMEOUT) == 0
    _, master = console_socket.receive()
    read_until(master, b"up")
    os.kill(int(pid_file.read_text()), signal.SIGINT)
    assert b"got it" in read_until(master, b"interrupted")
    assert "sleep 100" in b.processes()
    os.kill(int(pid_file.read_text()), signal.SIGKILL)
    os.close(master)


@callgate_only
def test_pidfd_socket(box, tmp_path):
    b, pidfds = box(), ConsoleSocket(tmp_path / "pidfd.sock")
    pid_file = tmp_path / "pid"
    assert b.start("/bin/sleep", "100", detach=True, pid_file=pid_file, pidfd_socket=pidfds.path,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).wait(TIMEOUT) == 0
    _, pidfd = pidfds.receive()
    with open(f"/proc/self/fdinfo/{pidfd}", encoding="utf-8") as info:
        assert f"Pid:\t{pid_file.read_text()}\n" in info.read()
    signal.pidfd_send_signal(pidfd, signal.SIGTERM)
    wait_for(lambda: not alive(int(pid_file.read_text())))
    os.close(pidfd)
    pidfds.socket.close()


# ---- containers that do not run ----

def runtime_does(runtime, *args):
    return subprocess.run([*runtime_command(runtime), *args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=TIMEOUT, check=False)


@both
def test_paused(box, runtime):
    b = box(runtime)
    assert runtime_does(runtime, "pause", b.id).returncode == 0
    try:
        result = b.exec("/bin/true")
        assert result.returncode == 255, result
        assert "exec failed: cannot exec in a paused container (use --ignore-paused to override)" in result.stderr
        waits = b.start("/bin/echo", "later", ignore_paused=True)
        time.sleep(0.3)
        assert waits.poll() is None
    finally:
        assert runtime_does(runtime, "resume", b.id).returncode == 0
    out, _ = waits.communicate(timeout=TIMEOUT)
    assert (waits.returncode, out) == (0, b"later\n")


@pytest.fixture
def created(bundles):
    """created(runtime): the ID of a container that is created."""
    made = []

    def go(runtime, *args):
        made.append((runtime, f"created-{os.getpid()}-{runtime}"))
        done = subprocess.run([*runtime_command(runtime), "create", "--bundle", str(bundles.make(args)), made[-1][1]],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=TIMEOUT, check=False)
        assert done.returncode == 0
        return made[-1][1]
    yield go
    for runtime, ident in made:
        runtime_does(runtime, "delete", "--force", ident)


@both
def test_created_and_stopped(created, runtime):
    ident = created(runtime, "/bin/sh", "-c", "until [ -e /end ]; do sleep 0.05; done")
    result = runtime_does(runtime, "exec", ident, "/bin/sh", "-c", "echo before; cat /proc/1/cmdline | wc -c; exit 4")
    assert (result.returncode, result.stdout.splitlines()[0]) == (4, "before"), result
    assert runtime_does(runtime, "start", ident).returncode == 0
    result = runtime_does(runtime, "exec", ident, "/bin/sh", "-c", "echo after; touch /end")
    assert (result.returncode, result.stdout) == (0, "after\n"), result
    wait_for(lambda: '"stopped"' in runtime_does(runtime, "state", ident).stdout)
    result = runtime_does(runtime, "exec", ident, "/bin/true")
    assert result.returncode == 255 and "exec failed: cannot exec in a stopped container" in result.stderr, result


@both
def test_end_of_a_created_containers_exec(created, runtime):
    """kill ends both."""
    ident = created(runtime, "/bin/sleep", "1000")
    assert runtime_does(runtime, "start", ident).returncode == 0
    running = subprocess.Popen([*runtime_command(runtime), "exec", ident, "/bin/sh", "-c", "echo up; exec sleep 500"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert running.stdout.readline() == "up\n"
    assert runtime_does(runtime, "kill", ident, "KILL").returncode == 0
    assert running.wait(TIMEOUT) == 137

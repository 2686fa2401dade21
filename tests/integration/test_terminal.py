"""Programs at a terminal, driven by keys. CALLGATE_TEST_RUNTIME=runc: the same under runc."""

import os
import re
import time

import pytest
from bundle import RUNTIME, edit_config
from terminal import ContainerTerminal

@pytest.fixture
def terminal(bundles):
    """terminal(args..., rows=, columns=): a container on a terminal."""
    made = []

    def go(*args, rows=24, columns=80, **options):
        options.setdefault("env", ["TERM=xterm", "PS1=$ ", "HISTFILE="])
        bundle = bundles.make(args, **options)

        def with_terminal(config):
            config["process"]["terminal"] = True
        edit_config(bundle, with_terminal)
        made.append(ContainerTerminal(RUNTIME, bundle, rows=rows, columns=columns))
        return made[-1]

    yield go
    for each in made:
        each.close()


@pytest.fixture
def shell(terminal):
    def go(**options):
        sh = terminal("/bin/bash", "--norc", "--noprofile", **options)
        sh.wait_for("$")
        return sh
    return go


def test_names_and_size(shell):
    sh = shell(rows=31, columns=97)
    sh.line("tty; stty size; ls -l /proc/self/fd/0 | sed 's/.*-> //'; test -t 0 -a -t 1 -a -t 2 && echo tt''y")
    text = sh.wait_for("\ntty\n")
    assert "/dev/pts/0\n31 97\n/dev/pts/0\ntty" in text
    sh.line("clear; echo hello >/dev/tty; echo to the con''sole >/dev/console; ps -o tty= -p $$; echo e''nd")
    text = sh.wait_for("\nend")
    assert "hello\nto the console\npts/0\nend" in text
    sh.line("exit 7")
    assert sh.end() == 7


def test_line_editing(shell):
    sh = shell()
    sh.type("echo helo wrld\x02\x02\x02o\x1b[D\x01\x1b[C\x05\r")  # ^B thrice, ^A, right, ^E
    sh.wait_for("\nhelo world")
    sh.type("false\x15echo $((6*7))\r")  # ^U
    sh.wait_for("\n42")
    sh.type("\x12helo\r")  # ^R: searched in the history
    sh.wait_for(lambda t: t.count("\nhelo world") == 2)
    sh.type("ls /usr/sh\t")
    sh.wait_for("/usr/share/")
    sh.type("\x03")
    sh.wait_for(lambda t: t.endswith("\n$"))
    sh.type("\x04")
    assert sh.end() == 130


def test_canonical_mode(terminal):
    cat = terminal("/bin/sh", "-c", "echo up; exec cat")
    cat.wait_for("up")
    cat.type("abx\x7fc\r")  # erase
    cat.wait_for("abc\nabc")
    cat.type("kill this\x15kept words\x17line\r")  # kill, word erase
    cat.wait_for("kept line\nkept line")
    cat.type("\x16\x03\r")  # quoted ^C
    cat.wait_for(lambda t: b"\n\x03" in cat.raw)
    cat.type("no newline\x04")
    cat.wait_for("no newlineno newline")
    cat.type("\r\x04")
    assert cat.end() == 0


@pytest.mark.parametrize("keys, status, end", [("\x03", 130, 130), ("\x1c", 131, 0)])
def test_signals_by_keys(terminal, keys, status, end):
    # a shell leaves at the end of a command by SIGINT, after which it is pid 1 that goes on
    sh = terminal("/bin/sh", "-c", "echo up; sleep 100; echo status $?")
    sh.wait_for("up")
    sh.quiet()
    sh.type(keys)
    assert sh.end() == end
    assert end or f"status {status}" in sh.text()


def test_job_control(shell):
    sh = shell()
    sh.line("sleep 1000")
    sh.quiet()
    sh.type("\x1a")
    sh.wait_for("Stopped")
    sh.line("clear; jobs; bg; jobs")
    sh.wait_for(re.compile(r"Running +sleep 1000").search)
    sh.line("clear; fg")
    sh.wait_for(lambda t: t.startswith("sleep 1000"))
    sh.quiet()  # it is told before it is put into the foreground
    sh.type("\x03")
    sh.line("echo status $?")
    sh.wait_for("status 130")
    sh.line("clear; cat & wait %1; jobs")  # reading in the background stops it
    sh.wait_for("Stopped")
    sh.line("kill %1; stty tostop; (echo fro''m) & wait; stty -tostop; kill -CONT %2; wait; clear; echo ready")
    sh.wait_for("ready")
    sh.line("exit 3")
    sh.quiet()
    if sh.process.poll() is None:
        sh.line("exit 3")  # "There are stopped jobs."
    assert sh.end() == 3


def test_resize(shell):
    sh = shell()
    sh.line("trap 'stty size' WINCH; echo set")
    sh.wait_for("\nset")
    sh.resize(40, 120)
    sh.process.send_signal(28)  # the kernel tells the foreground group: the runtime
    sh.quiet()
    sh.line("")
    sh.wait_for("40 120")


def test_flow_control(shell):
    sh = shell()
    sh.line("for i in 1 2 3 4 5 6 7 8; do echo n$i; sleep 0.2; done; echo do''ne")
    sh.wait_for("n1")
    sh.type("\x13")
    sh.quiet(1)
    assert "done" not in sh.text().split("\n", 1)[1]
    sh.type("\x11")
    sh.wait_for("\ndone")


def test_raw_mode_and_password(shell):
    sh = shell()
    sh.line("python3 -c 'import getpass; print(getpass.getpass()[::-1])'")
    sh.wait_for("Password:")
    sh.line("terces")
    text = sh.wait_for("\nsecret")
    assert "terces" not in text
    sh.line("clear; stty -icanon -echo min 3 time 0; head -c 3; stty sane; echo; echo ba''ck")
    sh.quiet()
    sh.type("xyz")
    assert "xyz\nback" in sh.wait_for("back\n")


def test_vim(shell):
    sh = shell(rows=20, columns=60)
    sh.line("vim.tiny -u NONE -N /tmp/file")
    sh.wait_for("[New]")
    sh.type("ifirst line\rsecond line\rthird\x1b")
    sh.type("ggyyp:s/first/copied/\r")
    sh.wait_for("copied line")
    assert sh.lines()[:4] == ["first line", "copied line", "second line", "third"]
    sh.type(":vsplit\r")
    sh.wait_for(re.compile(r"^first line +\|first line", re.M).search)
    sh.type(":wqa\r")
    sh.wait_for("$")
    sh.line("clear; cat /tmp/file")
    sh.wait_for("first line\ncopied line\nsecond line\nthird")


def test_less(shell):
    sh = shell(rows=10)
    sh.line("seq 1000 | less")
    sh.wait_for("\n9")
    sh.type(" ")
    sh.wait_for("\n18")
    sh.type("G")
    sh.wait_for("1000")
    sh.type("?^500$\r")
    sh.wait_for(re.compile(r"^500$", re.M).search)
    sh.type("q")
    sh.quiet()
    sh.line("clear; echo out")
    sh.wait_for(lambda t: t.startswith("out"))


def test_top(shell):
    sh = shell(rows=24)
    sh.line("top -d 0.5")
    sh.wait_for("load average")
    sh.wait_for(re.compile(r"\d+ root .* top", re.M).search)
    sh.type("q")
    sh.quiet()
    sh.line("clear; echo out")
    sh.wait_for(lambda t: t.startswith("out"))


def test_script(shell):
    sh = shell()
    sh.line("script -q /tmp/typescript")
    sh.quiet()
    sh.line("tty; echo in''side; stty size")
    assert "/dev/pts/1" in sh.wait_for("inside\n24 80\n$")
    sh.type("\x04")
    sh.quiet()
    sh.line("clear; grep -c inside /tmp/typescript; tty")
    assert "\n1\n/dev/pts/0" in "\n" + sh.wait_for("/dev/pts/0")


def test_tmux(shell):
    sh = shell(rows=30, columns=100)
    sh.line("tmux -f /dev/null")
    sh.wait_for("[0]")
    sh.line("echo first pa''ne; tty")
    sh.wait_for("first pane")
    sh.type('\x02"')  # a second pane below
    time.sleep(0.5)
    sh.line("echo second pa''ne; tty")
    sh.wait_for("second pane")
    sh.type("\x02c")  # a window
    sh.wait_for("1:")
    sh.line("tmux list-panes -a | wc -l")
    sh.wait_for("\n3")
    sh.type("\x02d")
    sh.wait_for("[detached")
    sh.line("clear; tmux attach")
    sh.wait_for("1:")
    sh.type("\x02&")  # the window is killed
    sh.wait_for("kill-window")
    sh.type("y")
    sh.wait_for("second pane")
    sh.line("tmux kill-server")
    sh.wait_for("exited")


def test_hangup(terminal):
    """The user's terminal goes away: so does the container."""
    sh = terminal("/bin/bash", "--norc", "--noprofile")
    sh.wait_for("$")
    os.close(sh.master)
    sh.master = os.open("/dev/null", os.O_RDWR)
    assert sh.process.wait(20) is not None

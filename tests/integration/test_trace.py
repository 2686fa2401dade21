"""callgate trace: what it shows is what programs did."""

import re
import signal
import subprocess
import uuid

import pytest
from bundle import BUILD, RUNTIME, wait_for

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: of callgate alone")

CALLGATE = str(BUILD / "callgate")
LINE = re.compile(r"^(\d+) +(\w+)\((.*)\) = (.*?)(?: \{pv (\d+), host (\d+)\})?(?: <[\d.]+>)?$")

RESUMED = re.compile(r"^(\d+ +)<\.\.\. (\w+) resumed>(.*)")


def callgate(*args):
    return subprocess.run([CALLGATE, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30,
                          check=False)


class Traced:
    """A created container; traced() runs it and has the lines."""

    def __init__(self, bundle, output):
        self.bundle, self.output = bundle, output
        self.id = f"tr-{uuid.uuid4().hex[:10]}"
        subprocess.run([CALLGATE, "create", "-b", str(bundle), self.id], stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=30, check=True)
        self.tracer = None

    def trace(self, *options):
        self.tracer = subprocess.Popen([CALLGATE, "trace", "-o", str(self.output), *options, self.id],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                       text=True)
        assert self.tracer.stderr.readline() == f"tracing {self.id}\n"
        return self

    def start(self):
        assert callgate("start", self.id).returncode == 0
        return self

    def lines(self):
        _, errors = self.tracer.communicate(timeout=30)
        assert self.tracer.returncode == 0, errors
        return self.output.read_text().splitlines()

    def close(self):
        if self.tracer and self.tracer.poll() is None:
            self.tracer.kill()
            self.tracer.wait()
        callgate("delete", "--force", self.id)


@pytest.fixture
def traced(bundles, tmp_path):
    made = []

    def make(*args, **options):
        made.append(Traced(bundles.make(args, **options), tmp_path / f"trace{len(made)}"))
        return made[-1]
    yield make
    for one in made:
        one.close()


def parse(lines):
    """[(tid, name, arguments, result, pv calls, host calls)]"""
    found = [LINE.match(RESUMED.sub(r"\1\2(\3", line)) for line in lines]
    return [(int(m[1]), m[2], m[3], m[4], int(m[5] or 0), int(m[6] or 0)) for m in found if m]


def test_calls_from_the_first_instruction(traced):
    script = "cat /etc/hostname >/dev/null; echo -e 'a\\x1bb' >/tmp/f; ls /none; sh -c 'kill -TERM $$'; :"
    lines = traced("/bin/bash", "-c", script).trace("--no-loss").start().lines()
    calls = parse(lines)
    assert calls[0][1] == "execve" and calls[0][3] == "0"
    assert calls[0][2].startswith('"/bin/bash", ["/bin/bash", "-c", "cat /etc/hostname'), calls[0]
    assert calls[1][:2] == (1, "brk")
    assert not [line for line in lines if "lost" in line]
    execs = [args for _, name, args, result, *_ in calls if name == "execve" and result == "0"]
    assert re.match(r'"/(usr/)?bin/cat", \["cat", "/etc/hostname"\], 0x', execs[1]), execs
    assert ('AT_FDCWD, "/etc/hostname", O_RDONLY' in [args for _, name, args, *_ in calls if name == "openat"])
    assert any(name == "write" and args == '1, "a\\33b\\n", 4' and result == "4" for _, name, args, result, *_ in calls)
    assert any('"/none"' in args and result == "-1 ENOENT (No such file or directory)"
               for _, _, args, result, *_ in calls)
    assert any(line.endswith("+++ killed by SIGTERM +++") for line in lines), lines[-3:]
    assert any(re.match(r"1 +--- SIGCHLD \{si_code=1, si_pid=\d+\} ---", line) for line in lines)


def test_costs(traced):
    calls = parse(traced("/bin/sh", "-c", "cat /bin/sh >/dev/null; :").trace().start().lines())  # small files come with the open
    cost = {name: (pv, host) for _, name, _, _, pv, host in calls}
    assert cost["getppid"] == (0, 0)
    opened = next(call for call in calls if call[1] == "openat" and "/bin/sh" in call[2])
    assert opened[4] == 1 and opened[5] >= 1
    read = next(call for call in calls if call[1] == "read" and call[3] != "0")
    assert read[4:] == (0, 1), read


def test_network(traced):
    script = ("import socket; s = socket.create_server(('127.0.0.1', 0)); c = socket.socket();"
              "c.connect(s.getsockname()); a, _ = s.accept(); c.sendall(b'hi\\r\\n'); a.recv(9)")
    calls = parse(traced("/usr/bin/python3", "-c", script).trace("-e", "network").start().lines())
    assert {"socket", "bind", "listen", "connect", "accept4", "sendto", "recvfrom"} <= {name for _, name, *_ in calls}
    assert not {"openat", "read", "mmap"} & {name for _, name, *_ in calls}
    by_name = {name: args for _, name, args, *_ in calls}
    assert by_name["socket"].startswith("AF_INET, SOCK_STREAM|SOCK_CLOEXEC")
    assert re.fullmatch(r"\d+, \{AF_INET, 127\.0\.0\.1:\d+\}, 16", by_name["connect"])
    assert re.fullmatch(r"\d+, \{AF_INET, 127\.0\.0\.1:\d+\}, 0x\w+, SOCK_STREAM.*|"
                        r"\d+, \{AF_INET, 127\.0\.0\.1:\d+\}, 0x\w+, .*", by_name["accept4"])
    assert '"hi\\r\\n", 4' in by_name["sendto"] and '"hi\\r\\n", 9' in by_name["recvfrom"]


@pytest.mark.parametrize("expr, yes, no", [
    ("trace=%process,read", {"execve", "wait4", "read"}, {"openat", "mmap"}),
    ("!file", {"mmap", "read"}, {"openat", "execve"}),
])
def test_expressions(traced, expr, yes, no):
    names = {name for _, name, *_ in parse(traced("/bin/sh", "-c", "cat /etc/hostname; :").trace("-e", expr)
                                           .start().lines())}
    assert yes <= names and not names & no


def test_unknown_expression():
    result = callgate("trace", "-e", "netwrok", "nobody")
    assert result.returncode == 1 and "'netwrok' is neither a system call nor a set" in result.stderr


def test_one_process_of_two(traced):
    box = traced("/bin/sh", "-c", "sh -c 'cat /etc/hostname'; cat /etc/hostname; :").trace("-p", "1").start()
    assert {tid for tid, *_ in parse(box.lines())} == {1}


def test_strings_and_times(traced):
    box = traced("/bin/echo", "0123456789").trace("-s", "4", "-T", "-t").start()
    lines = [line for line in box.lines() if "write(1" in line]
    assert re.fullmatch(r'1 +\d\d:\d\d:\d\d\.\d{6} write\(1, "0123"\.\.\., 11\) = 11 \{pv 0, host 1\} <0\.\d{6}>', lines[0])


def test_summary_is_complete(traced):
    script = "import os\nfor i in range(20000): os.getppid()\nfor i in range(50):\n try: os.stat('/none')\n except OSError: pass"
    lines = traced("/usr/bin/python3", "-c", script).trace("-c").start().lines()
    rows = {line.split()[-1]: line.split() for line in lines[2:]}
    calls, errors, pv = (int(rows["getppid"][k]) for k in (3, 4, 5))
    assert calls == 20000 and errors == 0 and pv == 0
    calls, errors, pv = (int(rows["newfstatat"][k]) for k in (3, 4, 5))
    assert calls >= 50 and errors >= 50 and pv >= 50
    assert int(rows["total"][3]) > 20050


def test_losses_are_counted(traced):
    """Every record is there or is spoken of."""
    script = "import os, time\nfor i in range(200000): os.getppid()\ntime.sleep(1000)"
    box = traced("/usr/bin/python3", "-c", script).trace("-e", "getppid")
    box.tracer.send_signal(signal.SIGSTOP)
    box.start()
    wait_for(lambda: re.search(r"^getppid +200000 ", callgate("debug", "syscalls", box.id).stdout, re.M), what="calls")
    box.tracer.send_signal(signal.SIGCONT)
    box.tracer.send_signal(signal.SIGINT)
    lines = box.lines()
    shown = sum(1 for line in lines if "getppid() = " in line)
    lost = re.fullmatch(r"--- (\d+) records were lost in all ---", lines[-1])
    assert lost and shown + int(lost[1]) == 200000, (shown, lines[-1])
    assert 10000 < shown < 200000


def test_no_loss(traced):
    script = "import os\nfor i in range(60000): os.getppid()"
    lines = traced("/usr/bin/python3", "-c", script).trace("--no-loss", "-e", "getppid").start().lines()
    assert sum(1 for line in lines if "getppid() = " in line) == 60000


def test_stopped_by_a_signal_and_again(traced):
    box = traced("/bin/sh", "-c", "while :; do cat /etc/hostname >/dev/null; done").start().trace()
    for _ in range(2):
        wait_for(lambda: box.output.exists() and "execve(" in box.output.read_text(), what="calls")
        box.tracer.send_signal(signal.SIGINT)
        assert any("hostname" in line for line in box.lines())
        box.output.unlink()
        box.trace("-e", "file")
    box.tracer.kill()  # and one that is killed leaves nothing behind
    box.tracer.wait()
    box.trace("-c").tracer.send_signal(signal.SIGINT)
    assert "total" in box.lines()[-1]


def test_calls_that_last(traced):
    """They are shown while they sleep, and again when they end; those that end soon are one line."""
    script = """
import os, select, socket, threading, time
a, b = socket.socketpair()
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname()); peer, _ = server.accept()
threading.Thread(target=lambda: (b.recv(100), peer.recv(100), select.select([b], [], [], 60))).start()
while not os.path.exists("/tmp/go"): time.sleep(0.01)
a.send(b"guest"); time.sleep(1); client.send(b"host"); time.sleep(1); a.send(b"x")
"""
    box = traced("/usr/bin/python3", "-c", script).trace("-e", "recvfrom,select,pselect6").start()
    wait_for(lambda: "unfinished" in box.output.read_text(), 30, "the call that sleeps")
    assert re.search(r"^\d+ +recvfrom\(\d+, <unfinished \.\.\.>$", box.output.read_text(), re.M), box.output.read_text()
    assert callgate("exec", box.id, "touch", "/tmp/go").returncode == 0
    text = "\n".join(box.lines())
    assert len(re.findall(r'^\d+ +<\.\.\. recvfrom resumed>"(guest|host)", 100, .* = [45]\b', text, re.M)) == 2, text
    assert re.search(r"<\.\.\. p?select6? resumed>.* = 1", text), text


def test_what_never_ended(traced):
    box = traced("/bin/sleep", "1000").trace("-e", "clock_nanosleep").start()
    wait_for(lambda: "unfinished" in box.output.read_text(), 30, "the call that sleeps")
    box.tracer.send_signal(signal.SIGINT)
    assert sum("clock_nanosleep(" in line and line.endswith("<unfinished ...>") for line in box.lines()) == 1


@pytest.mark.parametrize("options", [[], ["--no-loss"], ["-T"]])
def test_records_of_a_task_are_in_order(traced, options):
    """Those of calls that are the caller's own matter wait with it (without options), but stand before all that it did after them."""
    script = "import os\nfor i in range(5000):\n    os.umask(i % 512)\n    if i % 700 < 5: os.getpgid(0), os.access(f'/none{i}', os.F_OK)"
    calls = parse(traced("/usr/bin/python3", "-c", script).trace(*options, "-e", "umask,getpgid,access").start().lines())
    found = [(name, int(args, 8) if name == "umask" else args) for _, name, args, *_ in calls]
    expected = []
    for i in range(5000):
        expected.append(("umask", i % 512))
        if i % 700 < 5:
            expected += [("getpgid", "0"), ("access", f'"/none{i}", F_OK')]
    assert found[-len(expected):] == expected


@pytest.mark.parametrize("stop", [signal.SIGINT, None])
def test_short_records_do_not_wait_for_another_call(traced, stop):
    """A program that calls a few times, then never again: they are shown, and the last ones when the trace is stopped."""
    box = traced("/bin/bash", "-c", "umask 0123; while :; do :; done").trace("-e", "umask").start()
    if stop:
        wait_for(lambda: re.search(r"^umask +[1-9]", callgate("debug", "syscalls", box.id).stdout, re.M), what="calls")
        box.tracer.send_signal(stop)
        lines = box.lines()
        assert not [line for line in lines if "missing" in line or "lost" in line]
        assert any("umask(0123)" in line for line in lines), lines
    else:
        wait_for(lambda: "umask(0123)" in box.output.read_text(), what="record")

"""What a call on a socket costs: exactly so many host calls, by the guest kernel's own count."""

import pytest
from bundle import RUNTIME
from test_trace import parse, traced  # noqa: F401

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: of callgate alone")

# What is counted is between two calls of getsid, which nothing else makes.
PRELUDE = """
import os, select, signal, socket, struct, time
from socket import *
listener = create_server(("127.0.0.1", 0))
c = create_connection(listener.getsockname())
s, _ = listener.accept()
u, v = socket(AF_INET, SOCK_DGRAM), socket(AF_INET, SOCK_DGRAM)
u.bind(("127.0.0.1", 0)); v.connect(u.getsockname())
ep = select.epoll(); ep.register(s, select.EPOLLIN)
p = select.poll(); p.register(s, select.POLLIN)
pipe_r, pipe_w = os.pipe()
file = os.open("/etc/passwd", os.O_RDONLY | os.O_NONBLOCK)
room = bytearray(1 << 20)
names = iter(["/etc/group", "/etc/shells", "/etc/profile"])
"""

# scenario: (before, what is counted, {call: host calls}); no PV call in any
ONE = {
    "send": ("", "c.send(b'x')", {"sendto": 1}),
    "recv": ("c.send(b'x')", "s.recv(10)", {"recvfrom": 1}),
    "write-read": ("", "os.write(c.fileno(), b'x'); os.read(s.fileno(), 10)", {"write": 1, "read": 1}),
    "blocking-recv": ("if not os.fork():\n    import time; time.sleep(0.3); c.send(b'x'); os._exit(0)", "s.recv(10)", {"recvfrom": 1}),
    "writev": ("", "os.writev(c.fileno(), [b'x', b'y'])", {"writev": 1}),
    "sendmsg": ("", "c.sendmsg([b'x'])", {"sendmsg": 1}),
    "sendmsg-of-pieces": ("", "c.sendmsg([b'x', b'y'])", {"sendmsg": 1}),
    "recvmsg": ("c.send(b'x')", "s.recvmsg_into([room])", {"recvmsg": 1}),
    "nowait": ("s.setblocking(False)", "try: s.recv(1)\nexcept BlockingIOError: pass", {"recvfrom": 1}),
    "epoll": ("c.send(b'x')", "ep.poll(); s.recv(10)", {"epoll_wait": 1, "recvfrom": 1}),
    "epoll-with-timeout": ("c.send(b'x')", "ep.poll(10); s.recv(10)", {"epoll_wait": 1, "recvfrom": 1}),
    "epoll-in-vain": ("", "ep.poll(0.05)", {"epoll_wait": 1}),
    "epoll-look": ("", "ep.poll(0)", {"epoll_wait": 1}),
    "epoll-that-waits": ("if not os.fork():\n    import time; time.sleep(0.3); c.send(b'x'); os._exit(0)", "ep.poll(10)", {"epoll_wait": 1}),
    "poll": ("c.send(b'x')", "p.poll(10000)", {"poll": 1}),
    "poll-in-vain": ("", "p.poll(50)", {"poll": 1}),
    "poll-with-pipe-in-vain": ("p.register(pipe_r, select.POLLIN)", "p.poll(50)", {"poll": 1}),
    "select-in-vain": ("", "select.select([s], [], [], 0.05)", {"pselect6": 1}),
    "receive-timeout": ("s.setsockopt(SOL_SOCKET, SO_RCVTIMEO, struct.pack('ll', 0, 50000))",
                        "try: s.recv(1)\nexcept BlockingIOError: pass", {"recvfrom": 2}),
    "datagram": ("", "v.send(b'x'); u.recv(10)", {"sendto": 1, "recvfrom": 1}),
    "datagram-and-sender": ("v.send(b'x')", "u.recvfrom(10)", {"recvfrom": 1}),
    "sendfile": ("", "os.sendfile(c.fileno(), file, 0, 100)", {"sendfile": 2}),  # a read and a write
    # the timers' thread sleeps for the first one, and sees then that it is later
    "timer-set-later": ("signal.setitimer(signal.ITIMER_REAL, 1000)\ntime.sleep(0.3)", "signal.setitimer(signal.ITIMER_REAL, 2000)", {"setitimer": 0}),
    "close-of-a-copy": ("d = s.dup()", "d.close()", {"close": 0}),
}
IGNORED = {"mmap", "munmap", "brk", "rt_sigreturn", "wait4", "madvise"}


def counted(traced, before, what):  # noqa: F811
    """[(name, pv calls, host calls)] of `what`, the third time that it is done."""
    drain = "s.setblocking(False)\ntry: s.recv(1 << 20)\nexcept BlockingIOError: pass\ns.setblocking(True)\n"
    lines = f"{before}\nos.getsid(0)\n{what}\nos.getsid(0)\n{drain}" * 3
    calls = parse(traced("/usr/bin/python3", "-c", PRELUDE + lines).trace("--no-loss", "-p", "1").start().lines())
    marks = [i for i, call in enumerate(calls) if call[1] == "getsid"]
    assert len(marks) == 6, calls[-20:]
    return [(name, pv, host) for _, name, _, _, pv, host in calls[marks[4] + 1:marks[5]] if name not in IGNORED]


@pytest.mark.parametrize("name", ONE)
def test_data(traced, name):  # noqa: F811
    before, what, expected = ONE[name]
    got = counted(traced, before, what)
    expected = expected.items() if isinstance(expected, dict) else expected
    assert got == [(call, 0, host) for call, host in expected], got


# What the hypervisor has to do: so many PV calls; the host calls are those that bring a descriptor (recvmsg, dup3,
# close) or close it, a look at readiness (accept: a PV call in vain costs more; a blocking connect: until it is there), and two
# at most that wake the hypervisor and wait for it.
MEDIATED = {
    "accept4": ("d = create_connection(listener.getsockname())", "listener.accept()[0].detach()", {"accept4": (1, 4)}),
    "socket": ("", "socket().detach()", {"socket": (1, 3)}),
    "connect": ("d = socket()", "d.connect(listener.getsockname())", {"connect": (1, 1)}),
    "sendto": ("", "socket.sendto(w, b'x', u.getsockname())", {"sendto": (1, 0)}),
    "setsockopt": ("", "s.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)", {"setsockopt": (1, 0)}),
    "close": ("d = create_connection(listener.getsockname())", "d.close()", {"close": (1, 1)}),
    "open": ("", "os.open(next(names), os.O_RDWR)", {"openat": (1, 3)}),
}


@pytest.mark.parametrize("name", MEDIATED)
def test_mediated(traced, name):  # noqa: F811
    before, what, expected = MEDIATED[name]
    setup = "w = socket(AF_INET, SOCK_DGRAM)\n" if name == "sendto" else ""
    got = {call: (pv, host) for call, pv, host in counted(traced, setup + before, what) if call in expected}
    assert got.keys() == expected.keys()
    for call, (pv, host) in expected.items():
        assert got[call][0] == pv and host <= got[call][1] <= host + 2, got


@pytest.mark.parametrize("change", ["", "os.unlink(mapped[3])", "os.rename(mapped[3], '/tmp/other')"])
def test_names_of_mapped_files(traced, change):  # noqa: F811
    """Twelve of them for each PV call, as they are called now."""
    script = f"""
import mmap, os
mapped = [f"/tmp/mapped{{i:02}}" for i in range(36)]
for name in mapped:
    with open(name, "wb") as f: f.write(bytes(4096))
maps = [mmap.mmap(os.open(name, os.O_RDONLY), 0, mmap.MAP_PRIVATE, mmap.PROT_READ) for name in mapped]
{change}
f = os.open("/proc/self/maps", os.O_RDONLY)
os.getsid(0)
text = os.read(f, 100000)
os.getsid(0)
names = [line.split(None, 5)[5] for line in text.decode().splitlines() if " /" in line]
told = sorted(name for name in set(names) if name.startswith(("/tmp/mapped", "/tmp/other")))
right = sorted(["/tmp/other" if "rename" in {change!r} and i == 3 else name + " (deleted)" * ("unlink" in {change!r} and i == 3)
                for i, name in enumerate(mapped)])
os.access("right" if told == right else f"wrong {{told}}", 0)
os.access(str(len(set(names))), 0)
"""
    calls = parse(traced("/usr/bin/python3", "-c", script).trace("--no-loss", "-p", "1", "-e", "getsid,read,access").start().lines())
    begin, end = [i for i, call in enumerate(calls) if call[1] == "getsid"]
    assert calls[end + 1][2].startswith('"right"'), calls[end + 1]
    files = int(calls[end + 2][2].split('"')[1])
    (read,) = calls[begin + 1:end]
    assert 36 < files and read[4] <= files // 12 + 2, (files, read)


def opens_again(traced, use, name="/etc/passwd", count=20, before="", **options):  # noqa: F811
    """[[(name, pv calls, host calls)]] of each of many uses of a file that is kept open; they begin with its open."""
    lines = [PRELUDE, before, "time.sleep(1.1)", f"name = '{name}'", "for i in range(4):", f"    {use}", "os.getsid(0)",
             f"for i in range({count}):", f"    {use}", "os.getsid(0)", ""]
    calls = parse(traced("/usr/bin/python3", "-c", "\n".join(lines), **options).trace("--no-loss", "-p", "1").start().lines())
    begin, end = [i for i, call in enumerate(calls) if call[1] == "getsid"]
    calls = [call for call in calls[begin + 1:end] if call[1] not in IGNORED]
    starts = [i for i, call in enumerate(calls) if call[1] == "openat" and f'"{name}"' in call[2]]
    assert len(starts) == count, calls
    return [[(call[1], *call[4:]) for call in calls[i:j]] for i, j in zip(starts, starts[1:] + [None])]


def test_open_again(traced):  # noqa: F811
    """In the root file system a look at /, /etc and the file serves for a millisecond."""
    each = opens_again(traced, "os.close(os.open(name, os.O_RDONLY))")
    for opened, closed in each:
        assert opened in (("openat", 0, 3), ("openat", 0, 0)) and closed == ("close", 0, 0), each
    assert any(calls[0][2] == 0 for calls in each), each


def test_open_again_after_read(traced):  # noqa: F811
    """The position is set back."""
    each = opens_again(traced, "f = os.open(name, os.O_RDONLY); os.read(f, 5); os.close(f)")
    for opened, read, closed in each[1:]:
        assert opened in (("openat", 0, 4), ("openat", 0, 1)) and read == ("read", 0, 1) and closed == ("close", 0, 0), each
    assert any(calls[0][2] == 1 for calls in each), each


def test_open_and_sendfile_again(traced):  # noqa: F811
    """nginx: a sendfile at a position of its own leaves the file's where it is."""
    each = opens_again(traced, "f = os.open(name, os.O_RDONLY); os.fstat(f); os.sendfile(c.fileno(), f, 0, 9); os.close(f)")
    for opened, *others in each:
        assert opened in (("openat", 0, 3), ("openat", 0, 0)), each
        assert others == [("newfstatat", 0, 1), ("sendfile", 0, 2), ("close", 0, 0)], each
    assert any(calls[0][2] == 0 for calls in each), each


OTHER = """
open("/tmp/other", "w").close()
go, done = os.pipe(), os.pipe()
if not os.fork():
    os.close(go[1])
    while os.read(go[0], 1):
        os.chmod("/tmp/other", 0o600)
        os.write(done[1], b"x")
    os._exit(0)
"""
CHANGES = {
    "mode": "os.chmod('/tmp/other', 0o600)",
    "owner": "os.chown('/tmp/other', 5, 5)",
    "rename": "os.rename('/tmp/other', '/tmp/other2'); os.rename('/tmp/other2', '/tmp/other')",
    "link": "os.link('/tmp/other', f'/tmp/link{i}-{time.monotonic_ns()}')",
    "another-process": "os.write(go[1], b'x'); os.read(done[0], 1)",
}


NEW = {
    "file": "os.close(os.open(f'/tmp/new{i}-{time.monotonic_ns()}', os.O_CREAT | os.O_WRONLY))",
    "folder": "os.mkdir(f'/tmp/folder{i}-{time.monotonic_ns()}')",
    "link": "os.symlink('x', f'/tmp/link{i}-{time.monotonic_ns()}')",
}


@pytest.mark.parametrize("new", NEW)
def test_open_again_after_a_new_name(traced, new):  # noqa: F811
    """What was there is not another for it."""
    each = opens_again(traced, f"os.close(os.open(name, os.O_RDONLY)); {NEW[new]}", before=OTHER)
    assert all(calls[0] in (("openat", 0, 3), ("openat", 0, 0)) for calls in each), each
    assert any(calls[0][2] == 0 for calls in each), each


@pytest.mark.parametrize("change", CHANGES)
def test_open_again_looks_after_each_change(traced, change):  # noqa: F811
    """... unless anybody in the container changes names, modes or owners meanwhile: then each open looks."""
    each = opens_again(traced, f"os.close(os.open(name, os.O_RDONLY)); {CHANGES[change]}", before=OTHER)
    assert [calls[0] for calls in each] == [("openat", 0, 3)] * 20, each


def test_open_again_on_a_volume(traced, tmp_path):  # noqa: F811
    """Others may change it at any time: each open looks."""
    (tmp_path / "file").write_text("text")
    each = opens_again(traced, "os.close(os.open(name, os.O_RDONLY))", "/v/file",
                       mounts=[("/v", "bind", str(tmp_path), ["bind"])])
    assert each == [[("openat", 0, 3), ("close", 0, 0)]] * 20


# Files that nobody has opened, and whose times of last access a read does not change.
FRESH = """
fresh = [f"/tmp/{time.monotonic_ns()}-{i}" for i in range(20)]
for name in fresh:
    with open(name, "w") as f: f.write("text")
    os.utime(name, (time.time() + 60, 1))
"""
USE = ("for name in fresh: f = os.open(name, os.O_RDONLY); os.fstat(f); os.read(f, 100); os.lseek(f, 0, os.SEEK_CUR); "
       "os.read(f, 100); os.close(f)")


def uses(traced, before, what):  # noqa: F811
    """[[(name, pv calls, host calls)]] of each file."""
    each = []
    for call in counted(traced, before, what):
        if call[0] == "openat":
            each.append([])
        each[-1].append(call)
    assert len(each) == 20
    return each


def test_small_files(traced):  # noqa: F811
    """One PV call for open, fstat, read and close of a small file; what waits for the CPU in between asks anew, so it is the best one."""
    each = uses(traced, FRESH, USE)
    best = min(each, key=lambda calls: sum(pv * 10 + host for _, pv, host in calls))
    assert [name for name, _, _ in best] == ["openat", "newfstatat", "read", "lseek", "read", "close"]
    assert [pv for _, pv, _ in best] == [1, 0, 0, 0, 0, 0], best
    assert [host for _, _, host in best][1:] == [0] * 5, best
    assert best[0][2] <= 2, best  # none but to wake the hypervisor and to wait for it


def test_small_files_that_are_mapped(traced):  # noqa: F811
    """Two of them come with their content, which is not what a mapping needs; those that follow come with their descriptors."""
    script = ("import mmap, os\nos.getpid(); kept = []\nfor i in range(12):\n    f = os.open('/etc/debian_version', os.O_RDONLY)\n"
              "    kept.append(mmap.mmap(f, 0, mmap.MAP_PRIVATE, mmap.PROT_READ)); os.close(f)")
    calls = parse(traced("/usr/bin/python3", "-c", script).trace("--no-loss", "-p", "1", "-e", "mmap").start().lines())
    asked = [call[4] for call in calls if "MAP_PRIVATE, " in call[2] and "PROT_READ, " in call[2]][-12:]
    assert len(asked) == 12 and sum(asked) <= 3, asked


def test_small_file_that_is_not_read_at_once(traced):  # noqa: F811
    """A system call in between may have brought word of a change: the descriptor is fetched, by one PV call."""
    each = uses(traced, FRESH, USE.replace("os.fstat(f);", "os.getppid();"))
    for calls in each:
        if calls[0][2] <= 2:  # the open brought no descriptor
            assert calls[2][:2] == ("read", 1), calls

"""Unix sockets on volumes: between the container and the host, and between containers, where a mount says so."""

import contextlib
import errno
import json
import os
import socket
import struct
import subprocess
import threading

import pytest
from bundle import BUILD, RUNTIME, edit_config, wait_for

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: callgate's own")
OURS = "callgate.unix="


@pytest.fixture
def volume(scratch):
    """volume(word, at="/vol"): that mount of the scratch folder."""
    def go(word=None, at="/vol", options=()):
        return (at, "bind", str(scratch), ["bind", *options, *([OURS + word] if word else [])])
    return go


@contextlib.contextmanager
def server(path, kind=socket.SOCK_STREAM, serve=None):
    """A server of the host's: serve(connection) for each, in a thread of its own; an echo."""
    def echo(connection):
        while data := connection.recv(100000):
            connection.sendall(data)

    sock = socket.socket(socket.AF_UNIX, kind)
    sock.bind(str(path))
    os.chmod(path, 0o777)
    sock.listen(50)
    threads = []

    def one(connection):
        with connection, contextlib.suppress(OSError):
            (serve or echo)(connection)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = sock.accept()
                threads.append(threading.Thread(target=one, args=(connection,)))
                threads[-1].start()

    thread = threading.Thread(target=accept)
    thread.start()
    yield sock
    sock.shutdown(socket.SHUT_RDWR)
    sock.close()
    for t in [thread, *threads]:
        t.join(20)


def client(path, kind=socket.SOCK_STREAM):
    """The host's end of a connection to a server in a container, as soon as there is one."""
    sock = socket.socket(socket.AF_UNIX, kind)
    sock.settimeout(30)

    def connected():
        with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
            sock.connect(str(path))
            return True
        return False
    wait_for(connected, 30, f"a server at {path}")
    return sock


PRELUDE = """
import array, errno, json, os, select, socket, struct, sys
from socket import *
def attempt(fn):
    try:
        return fn() or "ok"
    except OSError as e:
        return errno.errorcode[e.errno]
def connect(path, kind=SOCK_STREAM):
    s = socket(AF_UNIX, kind)
    s.settimeout(20)
    s.connect(path)
    return s
def listen(path, kind=SOCK_STREAM):
    s = socket(AF_UNIX, kind)
    s.bind(path)
    if kind != SOCK_DGRAM:
        s.listen(50)
    return s
def echo(s, data=b"hello"):
    s.sendall(data)
    got = b""
    while len(got) < len(data) and (more := s.recv(100000)):
        got += more
    return "ok" if got == data else repr(got[:100])
out = {}
"""


@pytest.fixture
def python(run):
    """python(script, ...): what the script, in a container, has put into `out`."""
    def go(script, **options):
        result = run("/usr/bin/python3", "-c", PRELUDE + script + "\nprint(json.dumps(out))", **options)
        assert result.status == 0, str(result)
        return json.loads(result.stdout)
    return go


# --- to the host ---------------------------------------------------------------------------

def test_nothing_without_the_option(python, volume, scratch):
    with server(scratch / "host"):
        for word in (None, "none", "listen"):
            assert python('out["connect"] = attempt(lambda: connect("/vol/host"))', mounts=[volume(word)]) == {
                "connect": "ECONNREFUSED"}
    # what it binds there without the option is its own, and works within
    out = python("""
s = listen("/vol/own")
out["inside"] = attempt(lambda: connect("/vol/own") and None)
""", mounts=[volume("connect")])
    assert out == {"inside": "ok"}
    with pytest.raises(ConnectionRefusedError):
        socket.socket(socket.AF_UNIX).connect(str(scratch / "own"))


def test_stream(python, volume, scratch):
    with server(scratch / "host"):
        out = python("""
s = connect("/vol/host")
out["echo"] = echo(s)
out["much"] = echo(s, b"x" * 50000)
out["names"] = [s.getsockname(), s.getpeername()]
out["again"] = attempt(lambda: s.connect("/vol/host"))
out["pid, uid, gid"] = struct.unpack("3i", s.getsockopt(SOL_SOCKET, SO_PEERCRED, 12))
s.sendall(b"tail")
s.shutdown(SHUT_WR)
out["rest"] = (s.recv(4, MSG_PEEK) + s.recv(4) + s.recv(4)).decode()
os.symlink("host", "/vol/link")
out["link"] = echo(connect("/vol/link"))
os.chdir("/vol")
out["relative"] = echo(connect("host"))
out["file"] = attempt(lambda: connect("/etc/passwd"))
out["missing"] = attempt(lambda: connect("/vol/missing"))
out["type"] = attempt(lambda: connect("/vol/host", SOCK_SEQPACKET))
out["datagram"] = attempt(lambda: connect("/vol/host", SOCK_DGRAM))
out["abstract"] = attempt(lambda: connect("\\0host"))
""", mounts=[volume("connect")])
    assert out == {"echo": "ok", "much": "ok", "names": ["", "/vol/host"], "again": "EISCONN", "pid, uid, gid": [0, 0, 0],
                   "rest": "tailtail", "link": "ok", "relative": "ok", "file": "ECONNREFUSED", "missing": "ENOENT",
                   "type": "EPROTOTYPE", "datagram": "EPROTOTYPE", "abstract": "ECONNREFUSED"}


def test_a_socket_as_a_volume(python, scratch):
    """As with docker.sock: the mount is the socket itself, also where the guest has a file system of its own."""
    with server(scratch / "host"):
        for place in ("/run/host.sock", "/dev/host.sock"):
            mount = (place, "bind", str(scratch / "host"), ["bind", "ro", OURS + "connect"])
            assert python(f'out["echo"] = echo(connect("{place}"))', mounts=[mount]) == {"echo": "ok"}


def test_seqpacket(python, volume, scratch):
    def serve(connection):
        while data := connection.recv(1000):
            connection.send(data[::-1])

    with server(scratch / "host", socket.SOCK_SEQPACKET, serve):
        out = python("""
s = connect("/vol/host", SOCK_SEQPACKET)
for text in b"one", b"second":
    s.send(text)
out["messages"] = [s.recv(100).decode(), s.recv(100).decode()]
s.sendmsg([b"pie", b"ces"])
n = s.recvmsg_into([bytearray(4), memoryview(b := bytearray(4))])[0]
out["pieces"] = [n, bytes(b[:2]).decode()]
s.send(b"truncated")
data, _, flags, _ = s.recvmsg(4)
out["cut"] = [data.decode(), bool(flags & MSG_TRUNC), bool(flags & MSG_EOR)]
""", mounts=[volume("connect")])
    assert out == {"messages": ["eno", "dnoces"], "pieces": [6, "ip"], "cut": ["deta", True, True]}


def test_datagrams(python, volume, scratch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        for s, name in (sock, "host"), (other, "other"):
            s.bind(str(scratch / name))
            s.settimeout(20)
        out = python("""
s = connect("/vol/host", SOCK_DGRAM)
s.send(b"connected")
t = socket(AF_UNIX, SOCK_DGRAM)
for i in range(3):
    t.sendto(b"sent %d" % i, "/vol/host")
t.sendto(b"elsewhere", "/vol/other")
s.connect("/vol/other")
s.send(b"reconnected")
out["missing"] = attempt(lambda: t.sendto(b"x", "/vol/missing"))
own = listen("/tmp/own", SOCK_DGRAM)
t.sendto(b"inside", "/tmp/own")
out["inside"] = own.recv(100).decode()
s.connect("/tmp/own")
s.send(b"back inside")
out["back"] = own.recv(100).decode()
out["stream"] = attempt(lambda: connect("/vol/host"))
""", mounts=[volume("connect")])
        assert out == {"missing": "ENOENT", "inside": "inside", "back": "back inside", "stream": "EPROTOTYPE"}
        assert [sock.recv(100) for _ in range(4)] == [b"connected", b"sent 0", b"sent 1", b"sent 2"]
        assert [other.recv(100) for _ in range(2)] == [b"elsewhere", b"reconnected"]


def test_waiting(python, volume, scratch):
    """poll, epoll before and after connect(), time-outs, and signals on a socket of the host's."""
    def serve(connection):
        while data := connection.recv(100):
            if data == b"end":
                return
            connection.sendall(data)

    with server(scratch / "host", serve=serve):
        out = python("""
import fcntl, signal, time
ep = select.epoll()
s = socket(AF_UNIX)
s.setblocking(False)
ep.register(s, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET | select.EPOLLRDHUP)
ep.poll(0)
out["connect"] = s.connect_ex("/vol/host")
out["writable"] = [e & select.EPOLLOUT for _, e in ep.poll(20)]
s.send(b"x")
while not (ready := [e for _, e in ep.poll(20) if e & select.EPOLLIN]): pass  # it becomes writable again, too
out["readable"] = [e & select.EPOLLIN for e in ready]
out["got"] = s.recv(10).decode()
out["empty"] = attempt(lambda: s.recv(10))
s.setblocking(True)
s.setsockopt(SOL_SOCKET, SO_RCVTIMEO, struct.pack("ll", 0, 20000))
out["time-out"] = attempt(lambda: s.recv(10))
signal.signal(signal.SIGALRM, lambda *a: s.send(b"signal"))
signal.setitimer(signal.ITIMER_REAL, 0.05)
s.setsockopt(SOL_SOCKET, SO_RCVTIMEO, struct.pack("ll", 0, 0))
out["signal"] = s.recv(10).decode()
p = select.poll()
p.register(s, select.POLLIN)
out["idle"] = p.poll(0)
s.send(b"end")
out["end"] = [e & (select.POLLIN | select.POLLHUP) for _, e in p.poll(20000)]
out["eof"] = s.recv(10).decode()
out["pipe"] = attempt(lambda: s.send(b"x"))
""", mounts=[volume("connect")])
    assert out == {"connect": 0, "writable": [4], "readable": [1], "got": "x", "empty": "EAGAIN", "time-out": "EAGAIN",
                   "signal": "signal", "idle": [], "end": [17], "eof": "", "pipe": "EPIPE"}


def test_descriptors_stay_on_their_side(python, volume, scratch):
    """Neither way: what the host sends is dropped, what the container sends is refused."""
    got = []

    def serve(connection):
        with open("/etc/hostname") as secret:
            socket.send_fds(connection, [b"take this"], [secret.fileno()])
        got.append(connection.recv(100))

    with server(scratch / "host", serve=serve):
        out = python("""
s = connect("/vol/host")
before = os.listdir("/proc/self/fd")
data, control, flags, _ = s.recvmsg(100, CMSG_SPACE(64))
out["received"] = [data.decode(), len(control), len(os.listdir("/proc/self/fd")) - len(before)]
out["sent"] = attempt(lambda: send_fds(s, [b"x"], [0]))
s.sendmsg([b"plain"])
""", mounts=[volume("connect")])
    assert out == {"received": ["take this", 0, 0], "sent": errno.errorcode[errno.EOPNOTSUPP]} and got == [b"plain"]


def test_whom_the_host_sees(python, volume, scratch):
    """SO_PEERCRED has the ids of the process in the container, and file permissions count by them."""
    seen = []

    def serve(connection):
        seen.append(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[4:])
        connection.sendall(b"x")

    with server(scratch / "host", serve=serve), server(scratch / "root", serve=serve):
        os.chmod(scratch / "root", 0o700)
        out = python("""
def try_all():
    s = connect("/vol/host")
    s.recv(1)
    return attempt(lambda: connect("/vol/root") and None)
out["root"] = try_all()
os.setresgid(5, 6, 7)
os.setresuid(1000, 1001, 1000)
out["user"] = try_all()
""", mounts=[volume("connect")])
    assert out == {"root": "ok", "user": "EACCES"}
    assert b"\0" * 8 in seen and (1001).to_bytes(4, "little") + (6).to_bytes(4, "little") in seen


# --- from the host -------------------------------------------------------------------------

SERVE = """
import os, threading
def serve(c):
    c.sendall(("%d %d %d;" % struct.unpack("3i", c.getsockopt(SOL_SOCKET, SO_PEERCRED, 12))).encode())
    c.sendall(("%s %s;" % (c.getsockname(), c.getpeername())).encode())
    while data := c.recv(1000):
        c.sendall(data)
    c.close()
os.umask(0o027)
s = listen("/vol/guest")
os.chmod("/vol/guest", 0o770)
while True:
    c, _ = s.accept()
    threading.Thread(target=serve, args=(c,)).start()
"""


def test_host_connects(start, volume, scratch):
    start("/usr/bin/python3", "-c", PRELUDE + SERVE, mounts=[volume("listen")])
    sock = client(scratch / "guest")
    assert os.stat(scratch / "guest").st_mode & 0o777 == 0o770
    expected = b"0 0 0;/vol/guest ;"
    got = b""
    while len(got) < len(expected):
        got += sock.recv(100)
    assert got == expected
    for text in b"a", b"b" * 900:
        sock.sendall(text)
        assert sock.recv(1000, socket.MSG_WAITALL if len(text) > 1 else 0)[:len(text)] == text[:1000]
    many = [client(scratch / "guest") for _ in range(40)]
    for s in many:
        s.sendall(b"!")
    for s in [sock, *many]:
        s.shutdown(socket.SHUT_WR)
        while data := s.recv(1000):
            last = data
        assert s is sock or last.endswith(b"!")
        s.close()


def test_datagrams_from_the_host(start, volume, scratch):
    process = start("/usr/bin/python3", "-u", "-c", PRELUDE + """
s = listen("/vol/guest", SOCK_DGRAM)
p = select.poll()
p.register(s, select.POLLIN)
p.poll(30000)
data, who = s.recvfrom(100)
print(data.decode(), os.path.basename(who))
""", mounts=[volume("both")])
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(scratch / "me"))

        def sent():
            with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
                return sock.sendto(b"hello", str(scratch / "guest"))
        wait_for(sent, 30)
    result = process.wait(30)
    assert (result.status, result.stdout) == (0, "hello me\n"), str(result)


def test_two_containers(start, python, volume, scratch):
    start("/usr/bin/python3", "-c", PRELUDE + SERVE, mounts=[volume("listen")])
    wait_for((scratch / "guest").exists, 30)
    wait_for(lambda: os.stat(scratch / "guest").st_mode & 0o777 == 0o770, 30)
    out = python("""
s = connect("/elsewhere/guest")
want = b"0 0 0;/vol/guest ;"
got = b""
while len(got) < len(want):
    got += s.recv(100)
out["greeting"] = got.decode()
out["echo"] = echo(s)
""", mounts=[volume("connect", at="/elsewhere")])
    assert out == {"greeting": "0 0 0;/vol/guest ;", "echo": "ok"}


def test_in_one_container(python, volume):
    """A container's own processes find each other there, too; and a name can be used again."""
    out = python("""
for i in range(2):
    s = listen("/vol/guest")
    out["in use"] = attempt(lambda: listen("/vol/guest"))
    if os.fork() == 0:
        echo(connect("/vol/guest"), b"from the child")
        os._exit(0)
    c, _ = s.accept()
    c.sendall(c.recv(100))
    c.close()
    out[str(i)] = os.wait()[1]
    s.close()
    out["closed"] = attempt(lambda: connect("/vol/guest"))
    os.unlink("/vol/guest")
""", mounts=[volume("both")])
    assert out == {"in use": "EADDRINUSE", "0": 0, "1": 0, "closed": "ECONNREFUSED"}


def test_mount_below_does_not_count(python, volume, scratch, tmp_path):
    """The option is of the mount itself, not of one that lies in it; nor of the place that a link leads to."""
    (scratch / "inner").mkdir()
    with server(tmp_path / "host"):
        inner = ("/vol/inner", "bind", str(tmp_path), ["bind"])
        out = python("""
os.symlink("/vol/inner/host", "/vol/link")
out["inner"] = attempt(lambda: connect("/vol/inner/host"))
out["link"] = attempt(lambda: connect("/vol/link"))
""", mounts=[volume("both"), inner])
    assert out == {"inner": "ECONNREFUSED", "link": "ECONNREFUSED"}


# --- configuration -------------------------------------------------------------------------

def annotate(text):
    return lambda bundle: edit_config(bundle, lambda c: c.update(annotations={"org.callgate.unix-sockets": text}))


def test_annotation(python, volume, scratch):
    with server(scratch / "host"):
        out = python('out["echo"] = echo(connect("/vol/host"))', mounts=[volume()], prepare=annotate("/vol=connect"))
        assert out == {"echo": "ok"}
        out = python('out["connect"] = attempt(lambda: connect("/vol/host"))', mounts=[volume("both")],
                     prepare=annotate("/vol/=none"))
        assert out == {"connect": "ECONNREFUSED"}


@pytest.mark.parametrize("mount, note, message", [
    (["callgate.unix=yes"], None, "mounts[6]: option 'callgate.unix=yes': expected callgate.unix=connect, listen, both or none"),
    ([], "/vol", "annotations.org.callgate.unix-sockets: '/vol': expected DESTINATION=connect, listen, both or none"),
    ([], "/vol=connect,/tmp=both", "annotations.org.callgate.unix-sockets: '/tmp' is not the destination of a bind mount"),
    ([], "/dev=both", "annotations.org.callgate.unix-sockets: '/dev' is not the destination of a bind mount"),
])
def test_mistakes(run, scratch, mount, note, message):
    result = run("/bin/true", mounts=[("/vol", "bind", str(scratch), ["bind", *mount])],
                 prepare=annotate(note) if note else None)
    assert result.status == 1 and message in result.stderr, str(result)


def test_not_of_a_tmpfs(run):
    result = run("/bin/true", mounts=[("/vol", "tmpfs", "tmpfs", [OURS + "both"])])
    assert result.status == 1 and "only a bind mount has sockets of others" in result.stderr, str(result)


def test_not_with_data_rings(run, volume, monkeypatch):
    monkeypatch.setenv("CALLGATE_DATA_PLANE", "ring")
    result = run("/bin/true", mounts=[volume("both")])
    assert result.status == 1 and "'callgate.unix' needs --data-plane=donate" in result.stderr, str(result)


# --- real software -------------------------------------------------------------------------

def test_redis_for_another_container(start, run, volume, scratch):
    start("/usr/bin/redis-server", "--port", "0", "--unixsocket", "/vol/redis.sock", "--unixsocketperm", "777",
          "--save", "", mounts=[volume("listen")])
    sock = client(scratch / "redis.sock")
    sock.sendall(b"SET key of-the-host\r\n")
    assert sock.recv(100) == b"+OK\r\n"
    result = run("/bin/bash", "-c", "redis-cli -s /sock/redis.sock get key; "
                 "redis-benchmark -s /sock/redis.sock -q -n 2000 -c 20 -P 4 -t set | tr '\\r' '\\n' | grep -c 'SET: .* requests per second'",
                 mounts=[volume("connect", at="/sock")], timeout=60)
    assert (result.status, result.stdout) == (0, "of-the-host\n1\n"), str(result)


POSTGRES = """
set -e
export PATH=$PATH:$(echo /usr/lib/postgresql/*/bin) PGDATA=/tmp/data
initdb -A peer -N -U postgres >/tmp/log
exec postgres -k /vol -c listen_addresses= -c fsync=off
"""


def test_postgresql_by_peer_credentials(start, run, volume, scratch):
    """PostgreSQL believes a unix socket's peer: the same user in the other container gets in, another does not."""
    start("/bin/bash", "-c", f"""
        chown postgres /vol
        exec setpriv --reuid postgres --regid postgres --clear-groups bash -c '{POSTGRES}'""", mounts=[volume("listen")])
    wait_for((scratch / ".s.PGSQL.5432").exists, 90)
    result = run("/bin/bash", "-c", """
        for i in {1..200}; do
            setpriv --reuid postgres --regid postgres --clear-groups psql -h /vol -Atc 'select 6 * 7' 2>/tmp/err && break
            sleep 0.1
        done
        psql -h /vol -U postgres -Atc 'select 1' 2>&1 | grep -o 'Peer authentication failed'""",
                 mounts=[volume("connect")], timeout=90)
    assert result.stdout == "42\nPeer authentication failed\n", str(result)


def test_nginx_before_a_server_of_the_host(run, volume, scratch):
    """It puts sockets into its epoll before it connects them."""
    def serve(connection):
        request = b""
        while b"\r\n\r\n" not in request:
            request += connection.recv(1000)
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100000)

    with server(scratch / "app.sock", serve=serve):
        result = run("/bin/bash", "-c", """
            echo 'daemon off; pid /tmp/pid; error_log /tmp/error.log; events {}
                http { access_log off; upstream app { server unix:/vol/app.sock; }
                    server { listen unix:/vol/front.sock; location / { proxy_pass http://app; } } }' >/tmp/conf
            nginx -c /tmp/conf &
            for i in {1..100}; do test -S /vol/front.sock && break; sleep 0.1; done
            for i in 1 2 3; do curl -s --retry 20 --retry-all-errors --unix-socket /vol/front.sock http://x/ | wc -c; done
            kill $!; wait""", mounts=[volume("both")], timeout=60)
    assert result.stdout == "100000\n" * 3, str(result)


# --- elsewhere -----------------------------------------------------------------------------

def test_connections_show_them(start, volume, scratch):
    """callgate connections has them with the container's names for them, and whose they are."""
    with server(scratch / "host"):
        container = start("/usr/bin/python3", "-u", "-c", PRELUDE + """
s = connect("/vol/host")
l = listen("/vol/guest")
print("up")
c, _ = l.accept()
print("accepted")
import time; time.sleep(1000)""", mounts=[volume("both")])
        assert container.process.stdout.readline() == b"up\n"
        with client(scratch / "guest"):
            assert container.process.stdout.readline() == b"accepted\n"
            shown = subprocess.run([BUILD / "callgate", "connections", "--format", "json", container.id],
                                   capture_output=True, text=True, timeout=30, check=True).stdout
    rows = {(row["state"], row["accepted"]): row for row in json.loads(shown)}
    assert all(row["protocol"] == "unix" and row["pid"] == 1 and row["program"].startswith("/usr/bin/python3")
               for row in rows.values()) and len(rows) == 3, rows
    assert rows["connected", False]["remote"] == "/vol/host" and "local" not in rows["connected", False]
    assert rows["listening", False]["local"] == rows["connected", True]["local"] == "/vol/guest"


def test_in_a_user_namespace(python, volume, scratch):
    """The other end sees the host's ids, as with files."""
    from test_userns import BASE, shift, user_namespace
    seen = []

    def serve(connection):
        seen.append(struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1:])
        connection.sendall(b"x")

    with server(scratch / "host", serve=serve):
        out = python("""
os.setresgid(5, 5, 5)
os.setresuid(1000, 1000, 1000)
s = connect("/vol/host")
out["got"] = s.recv(1).decode()
out["peer"] = struct.unpack("3i", s.getsockopt(SOL_SOCKET, SO_PEERCRED, 12))
""", mounts=[volume("connect")], prepare=lambda b: (shift(b), user_namespace()(b)))
    assert out == {"got": "x", "peer": [0, 65534, 65534]} and seen == [(BASE + 1000, BASE + 5)]

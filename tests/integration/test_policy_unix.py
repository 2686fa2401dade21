"""Connection policies for unix sockets on volumes."""

import os
import socket
import subprocess

import pytest
from bundle import BUILD, RUNTIME
from policy_site import python, site  # noqa: F401

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: callgate's own")


@pytest.fixture
def sockets(tmp_path):
    """Servers of the host's in a folder that a container has as /vol: (its mount, the folder)."""
    servers = []
    for name in ("a.sock", "b.sock"):
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(tmp_path / name))
        server.listen(10)
        servers.append(server)
    (tmp_path / "dgram").unlink(missing_ok=True)
    servers.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    servers[-1].bind(str(tmp_path / "dgram"))
    yield ("/vol", "bind", str(tmp_path), ["bind", "callgate.unix=both"]), tmp_path
    for server in servers:
        server.close()


UNIX = """
def connect(path, kind=SOCK_STREAM):
    socket(AF_UNIX, kind).connect(path)
def listen(path):
    s = socket(AF_UNIX)
    s.bind(path)
    s.listen()
"""


def test_unix(site, python, sockets):
    mount, _ = sockets
    site.config("p")
    site.policy("""
        default = "deny"
        refuse = "EPERM"
        [[rule]]
        name = "a"
        action = "allow"
        operation = "connect"
        path = ["/vol/a.*", "/x"]
        [[rule]]
        action = "allow"
        operation = "listen"
        path = "/vol/own"
        [[rule]]
        action = "allow"
        address = ["0.0.0.0/0", "::/0"]
    """)
    result = python(UNIX + """
attempt("a", lambda: connect("/vol/a.sock"))
attempt("b", lambda: connect("/vol/b.sock"))
os.symlink("b.sock", "/vol/a.link")
attempt("link", lambda: connect("/vol/a.link"))
os.symlink("a.sock", "/vol/to-a")
attempt("to-a", lambda: connect("/vol/to-a"))
attempt("datagram", lambda: connect("/vol/dgram", SOCK_DGRAM))
attempt("sendto", lambda: socket(AF_UNIX, SOCK_DGRAM).sendto(b"x", "/vol/dgram"))
attempt("own", lambda: listen("/vol/own"))
attempt("other", lambda: listen("/vol/other"))
attempt("inside", lambda: listen("/tmp/other"))
""", mounts=[mount])
    assert result == {"a": "ok", "b": "EPERM", "link": "EPERM", "to-a": "ok", "datagram": "EPERM", "sendto": "EPERM",
                      "own": "ok", "other": "EPERM", "inside": "ok"}
    told = [(e["operation"], e["protocol"], e["path"], e["rule"], "address" in e) for e in site.events()]
    assert told == [("connect", "unix", "/vol/b.sock", "default", False)] * 2 + \
        [("connect", "unix", "/vol/dgram", "default", False)] * 2 + [("listen", "unix", "/vol/other", "default", False)]


def test_unix_by_executable(site, run, sockets):
    """As with addresses: what the program is, not what it is called."""
    mount, _ = sockets
    site.config("p")
    site.policy("""
        default = "deny"
        [executable.py]
        path = "/usr/bin/python3"
        [[rule]]
        action = "allow"
        protocol = "unix"
        executable = "py"
    """)
    script = "python3 -c 'from socket import *; socket(AF_UNIX).connect(\"/vol/a.sock\")' 2>&1 | tail -1; " \
        "perl -MSocket -e 'socket(S,AF_UNIX,SOCK_STREAM,0); connect(S, sockaddr_un(\"/vol/a.sock\")) or print \"$!\\n\"'; " \
        "LD_PRELOAD=libm.so.6 python3 -c 'from socket import *; socket(AF_UNIX).connect(\"/vol/a.sock\")' 2>&1 | tail -1"
    result = run("/bin/bash", "-c", script, mounts=[mount])
    assert result.stdout.splitlines() == ["Permission denied", "PermissionError: [Errno 13] Permission denied"], str(result)
    assert {e["executable"] for e in site.events()} == {"/usr/bin/perl", os.path.realpath("/usr/bin/python3")} or \
        len(site.events()) == 2


def test_unix_learned(site, run, sockets):
    mount, _ = sockets
    site.config("p")
    site.policy('mode = "learn"\ndefault = "deny"\n')
    script = "from socket import *; [socket(AF_UNIX).connect('/vol/' + n) for n in ('a.sock', 'b.sock', 'a.sock')]"
    assert run("/usr/bin/python3", "-c", script, mounts=[mount]).status == 0
    learned = subprocess.run([BUILD / "callgate", "policy", "learn", "p"], capture_output=True, text=True, check=True).stdout
    assert [line for line in learned.splitlines() if line.startswith("path = \"/vol")] == \
        ['path = "/vol/a.sock"', 'path = "/vol/b.sock"']
    site.policy(learned)
    assert run("/usr/bin/python3", "-c", script, mounts=[mount]).status == 0
    result = run("/usr/bin/python3", "-c", "from socket import *; socket(AF_UNIX).bind('/vol/new')", mounts=[mount])
    assert "PermissionError" in result.stderr, str(result)


@pytest.mark.parametrize("text, message", [
    ('path = "relative"', "expected an absolute path in the container"),
    ('path = "/x"\nport = 80', "instead of address, host and port"),
    ('path = "/x"\nprotocol = "tcp"', "is about protocol \"unix\""),
    ('protocol = "unix"\naddress = "10.0.0.1"', "unix sockets have a path, no address"),
])
def test_mistakes_with_paths(site, text, message):
    path = site.policy(f'default = "deny"\n[[rule]]\naction = "allow"\n{text}\n')
    result = subprocess.run([BUILD / "callgate", "policy", "check", path], capture_output=True, text=True, check=False)
    assert result.returncode == 1 and message in result.stderr, result.stderr

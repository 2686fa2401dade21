"""What tests of connection policies share: the administrator's folder, a peer on the host, attempts in a container."""

import json
import socket
import subprocess
import threading

import pytest
from bundle import BUILD

RULE = 'default = "deny"\n[[rule]]\naction = "allow"\n'


class Site:
    """A configuration folder of the administrator's."""

    def __init__(self, path):
        self.path, self.log = path, path / "policy.log"
        (path / "policy.d").mkdir()
        self.config()

    def config(self, default=None, annotation=()):
        lines = ["[policy]", f'log = "{self.log}"', f"annotation = {json.dumps(list(annotation))}"]
        if default:
            lines.append(f'default = "{default}"')
        (self.path / "config.toml").write_text("\n".join(lines))

    def policy(self, text, name="p"):
        path = self.path / "policy.d" / f"{name}.toml"
        path.write_text(text)
        return path

    def events(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []


@pytest.fixture
def site(scratch, monkeypatch):
    monkeypatch.setenv("CALLGATE_CONFIG_DIR", str(scratch))
    return Site(scratch)


@pytest.fixture
def peer():
    """A TCP server and a UDP sink on one port of the host's loopback, v4 and v6: (port, what UDP has got)."""
    tcp = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    port = tcp.getsockname()[1]
    udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    udp.bind(("::", port))
    got = []

    def accept():
        while True:
            try:
                connection, _ = tcp.accept()
            except OSError:
                return
            connection.sendall(b"peer")
            connection.close()

    def receive():
        while (data := udp.recv(100)) != b"end":
            got.append(data.decode())

    threads = [threading.Thread(target=accept), threading.Thread(target=receive)]
    for thread in threads:
        thread.start()
    yield port, got
    socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b"end", ("::1", port))
    tcp.shutdown(socket.SHUT_RDWR)
    tcp.close()
    for thread in threads:
        thread.join()
    udp.close()


PRELUDE = """
import ctypes, errno, os, socket, struct, sys
from socket import *
def attempt(what, fn):
    try:
        fn()
        print(what, "ok")
    except OSError as e:
        print(what, errno.errorcode[e.errno])
def tcp(address, family=AF_INET):
    s = socket(family, SOCK_STREAM)
    s.settimeout(10)
    s.connect(address)
    assert s.recv(10) == b"peer"
def bind(address, kind=SOCK_STREAM, family=AF_INET):
    s = socket(family, kind)
    s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    s.bind(address)
    if kind == SOCK_STREAM:
        s.listen()
def v4(host, port, family=AF_INET):
    return struct.pack("=HH4s8x", family, htons(port), inet_aton(host))
libc = ctypes.CDLL(None, use_errno=True)
def raw_call(name, sock, *args):
    if getattr(libc, name)(sock.fileno(), *args) < 0:
        raise OSError(ctypes.get_errno(), name)
"""


@pytest.fixture
def python(run, site):
    """python(script): {what: outcome} of its attempts, in a container under the site's default policy "p"."""
    def go(script, **options):
        result = run("/usr/bin/python3", "-c", PRELUDE + script, **options)
        assert result.status == 0, str(result)
        return dict(line.split(" ", 1) for line in result.stdout.splitlines())
    return go


def command(*args):
    return subprocess.run([BUILD / "callgate", "policy", *args], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=20, check=False)


def outcomes(run, script, **options):
    """{name: word} of a bash script's lines "name word"."""
    result = run("/bin/bash", "-c", script, **options)
    assert result.status == 0, str(result)
    return dict(line.split() for line in result.stdout.splitlines())


def fetch(program="curl", port=0):
    return f"$({program} -s -m 5 telnet://127.0.0.1:{port} </dev/null | grep -q peer && echo ok || echo no)"

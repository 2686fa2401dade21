"""callgate connections and callgate events --connections: what the host's kernel knows, and whose sockets they are."""

import json
import re
import socket
import subprocess

import pytest
from bundle import BUILD, RUNTIME, wait_for

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: of callgate alone")

CALLGATE = str(BUILD / "callgate")
SERVER = """
import os, socket, sys
server = socket.create_server(("127.0.0.1", 0))
udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); udp.bind(("::1", 0))
os.setgid(4321); os.setuid(4321)
print(server.getsockname()[1], flush=True)
while True:
    peer, _ = server.accept()
    data = peer.recv(100)
    peer.sendall(data * 3)
    while peer.recv(100): pass
    peer.close()
"""


def callgate(*args):
    return subprocess.run([CALLGATE, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30,
                          check=False)


def rows(container):
    result = callgate("connections", "--format", "json", container.id)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def server(start):
    container = start("/usr/bin/python3", "-c", SERVER)
    container.port = int(container.process.stdout.readline())
    return container


def talk(port):
    peer = socket.create_connection(("127.0.0.1", port), timeout=10)
    peer.sendall(b"0123456789")
    assert peer.recv(100)
    return peer


def test_rows_are_the_host_kernels(server):
    with talk(server.port) as peer:
        found = wait_for(lambda: [r for r in rows(server) if r["state"] == "established" and r["sent"] == 30],
                         what="connection")
        by_state = {(row["protocol"], row["state"]): row for row in rows(server)}
        row, = found
        assert row["local"] == f"127.0.0.1:{server.port}"
        assert row["remote"] == "127.0.0.1:%d" % peer.getsockname()[1]
        assert row["received"] == 10 and row["accepted"] is True
        assert re.fullmatch(r"/usr/bin/python3[.\d]*", row["program"]) and row["pid"] == 1
        assert row["uid"] == 4321 and 0 <= row["age"] < 30 and row["container"] == server.id
        listening = by_state["tcp", "listening"]
        assert listening["local"] == f"127.0.0.1:{server.port}" and listening["uid"] == 0
        assert by_state["udp6", "unconnected"]["local"].startswith("[::1]:")
    wait_for(lambda: len(rows(server)) == 2, what="end of the connection")


def test_table(server):
    with talk(server.port):
        lines = callgate("connections", server.id).stdout.splitlines()
        assert lines[0].split() == ["CONTAINER", "EXECUTABLE", "PID", "USER", "PROTO", "LOCAL", "REMOTE", "STATE",
                                    "RECEIVED", "SENT", "AGE"]
        assert len(lines) == 4
        assert sum(server.id in line for line in callgate("connections").stdout.splitlines()) == 3
    assert callgate("connections", "nobody").returncode == 1
    assert "'xml' is neither table nor json" in callgate("connections", "--format", "xml").stderr


def test_watch(server):
    watch = subprocess.Popen([CALLGATE, "connections", "--watch", "--format", "json", server.id],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        assert len(json.loads(watch.stdout.readline())) == 2
        with talk(server.port):
            wait_for(lambda: len(json.loads(watch.stdout.readline())) == 3, what="the connection")
    finally:
        watch.kill()
        watch.communicate()


def test_many_connections_come_in_pages(start):
    script = ("import resource, socket; resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))\n"
              "all = [socket.socket() for _ in range(2300)]\nprint('up', flush=True)\n__import__('time').sleep(100)")
    container = start("/usr/bin/python3", "-c", script)
    assert container.process.stdout.readline() == b"up\n"
    assert len(rows(container)) == 2300


def test_events(server):
    watch = subprocess.Popen([CALLGATE, "events", "--connections", "--format", "json", server.id],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert watch.stderr.readline() == f"watching {server.id}\n"
    talk(server.port).close()
    seen = [json.loads(watch.stdout.readline()) for _ in range(2)]
    assert [(e["type"], e["id"], e["data"]["event"]) for e in seen] == \
        [("connection", server.id, "accepted"), ("connection", server.id, "closed")]
    assert seen[1]["data"]["received"] in (10, 11) and seen[1]["data"]["sent"] >= 30
    script = f"import socket; socket.create_connection(('127.0.0.1', {server.port})); socket.create_server(('', 0))"
    assert callgate("exec", server.id, "/usr/bin/python3", "-c", script).returncode == 0
    seen = [json.loads(watch.stdout.readline())["data"] for _ in range(6)]
    assert sorted(e["event"] for e in seen) == ["accepted", "closed", "closed", "closed", "listening", "opened"]
    opened = next(e for e in seen if e["event"] == "opened")
    assert opened["remote"] == f"127.0.0.1:{server.port}" and opened["pid"] > 1 and not opened["accepted"]
    server.kill()
    watch.communicate(timeout=20)
    assert watch.returncode == 0

"""Stream sockets whose data goes through data rings (--data-plane=ring): the tests of networks once more, and the
programs of tests/guest that use sockets."""

import pathlib
import subprocess

import pytest
from bundle import BUILD, edit_config
from test_network import *  # noqa: F401,F403: all of them are run in this module, too

GUEST = pathlib.Path(__file__).parent.parent / "guest"
PROGRAMS = sorted(path.stem for pattern in ("net_*.c", "sock_*.c", "stress_sockets.c", "io_poll.c")
                  for path in GUEST.glob(pattern))


@pytest.fixture(autouse=True)
def ring(monkeypatch):
    monkeypatch.setenv("CALLGATE_DATA_PLANE", "ring")


UP = ("/bin/sh", "-c", "echo up; exec sleep 100")


def has_rings(container):
    """Does the hypervisor, a child of `run`, have the thread that serves them?"""
    assert container.process.stdout.readline() == b"up\n"
    children = pathlib.Path(f"/proc/{container.pid}/task/{container.pid}/children").read_text().split()
    threads = [path.read_text().strip() for child in children for path in pathlib.Path(f"/proc/{child}/task").glob("*/comm")]
    assert "pv-server" in threads
    return "pv-streams" in threads


@pytest.mark.parametrize("program", PROGRAMS)
def test_guest_program(run, program):
    result = run("/t/" + program, cwd="/var/tmp", timeout=60)
    assert (result.status, result.stdout) == (0, ""), str(result)


def test_chosen_by_the_administrator(start):
    assert has_rings(start(*UP))


def test_not_chosen_by_an_image(start, monkeypatch):
    monkeypatch.delenv("CALLGATE_DATA_PLANE")

    def ask(config):
        config["process"]["env"].append("CALLGATE_DATA_PLANE=ring")
        config["annotations"] = {"data-plane": "ring", "io.callgate.data-plane": "ring"}

    container = start(*UP, prepare=lambda bundle: edit_config(bundle, ask))
    assert not has_rings(container)


@pytest.mark.parametrize("option,env,message", [
    ("--data-plane=tube", "", "--data-plane: 'tube' is neither donate nor ring"),
    ("--debug", "pipe", "CALLGATE_DATA_PLANE: 'pipe' is neither donate nor ring"),
])
def test_unknown_names(monkeypatch, option, env, message):
    monkeypatch.setenv("CALLGATE_DATA_PLANE", env)
    done = subprocess.run([BUILD / "callgate", option, "list"], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1 and message in done.stderr


def test_option_beats_environment():
    done = subprocess.run([BUILD / "callgate", "--data-plane=donate", "do", "--", "/bin/true"], capture_output=True,
                          text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr


def test_much_data_both_ways(run_both):
    """More than rings and sockets hold, in both directions at once, by several processes that share one socket."""
    result = run_both("/usr/bin/python3", "-c", """
import hashlib, os, socket, threading
N = 8 << 20
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
peer, _ = server.accept()
data = os.urandom(1 << 20) * (N >> 20)
got = {}
def reader(name, sock):
    h, left = hashlib.sha256(), N
    while left:
        piece = sock.recv(min(left, 100001))
        assert piece
        h.update(piece)
        left -= len(piece)
    got[name] = h.hexdigest()
def writer(sock):
    if os.fork() == 0:
        sock.sendall(data)
        os._exit(0)
for sock in client, peer:
    writer(sock)
readers = [threading.Thread(target=reader, args=(n, s)) for n, s in (("c", client), ("p", peer))]
for t in readers: t.start()
for t in readers: t.join()
want = hashlib.sha256(data).hexdigest()
assert got == {"c": want, "p": want}
for _ in range(2): assert os.wait()[1] == 0
peer.close()
assert client.recv(1) == b""
print("done")
""")
    assert result.stdout == "done\n"


def test_many_connections(run_both):
    """Rings are used again; an asyncio server with 500 clients at once."""
    result = run_both("/usr/bin/python3", "-c", """
import asyncio
async def serve(r, w):
    while line := await r.readline():
        w.write(line.upper()); await w.drain()
    w.close()
async def client(port, n):
    r, w = await asyncio.open_connection("127.0.0.1", port)
    for i in range(4):
        w.write(b"line %d %d\\n" % (n, i))
        assert await r.readline() == b"LINE %d %d\\n" % (n, i)
    w.close(); await w.wait_closed()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1000)
    port = server.sockets[0].getsockname()[1]
    for _ in range(6):
        await asyncio.gather(*(client(port, n) for n in range(500)))
    print("done")
asyncio.run(main())
""", timeout=60)
    assert result.stdout == "done\n"

"""The control socket, and exec: who may use them, and what wrong words on either side take down: themselves."""

import array
import json
import os
import pathlib
import signal
import socket
import stat
import subprocess
import time

import pytest
from bundle import RUNTIME, TIMEOUT, descriptors, runtime_command, wait_for

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: runc has no control socket")


def state_dir(box):
    return pathlib.Path("/run/callgate") / box.id


class Client:
    def __init__(self, box):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(str(state_dir(box) / "control.sock"))
        self.socket.settimeout(TIMEOUT)

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.socket.close()

    def send(self, data, fds=()):
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        return self.socket.sendmsg([data], control)

    def ask(self, **request):
        self.send(json.dumps(request).encode() + b"\n")
        return json.loads(self.line())

    def line(self):
        data = b""
        while not data.endswith(b"\n"):
            more = self.socket.recv(1)
            assert more, f"the end, after {data!r}"
            data += more
        return data


def callgate(*args):
    return subprocess.run([*runtime_command(RUNTIME), *args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=2 * TIMEOUT, check=False)


def lives(box):
    result = box.exec("/bin/echo", "fine")
    assert (result.returncode, result.stdout) == (0, "fine\n"), result


def test_only_for_its_owner(box):
    b = box()
    folder = state_dir(b)
    assert stat.S_IMODE((folder / "control.sock").stat().st_mode) & 0o077 == 0
    assert stat.S_IMODE(folder.stat().st_mode) & 0o077 == 0
    script = f"import socket; socket.socket(socket.AF_UNIX).connect('{folder}/control.sock')"
    stranger = subprocess.run(["/usr/bin/python3", "-c", script], user=65534, group=65534, extra_groups=[],
                              capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert "PermissionError" in stranger.stderr
    lives(b)


def test_the_guest_does_not_see_it(box):
    b = box(mounts=[("/host-run", "bind", "/run", ["rbind", "rw"])])
    # even where the administrator has mounted the folder: the guest's sockets are its own kernel's
    script = ("import socket, sys; s = socket.socket(socket.AF_UNIX)\n"
              f"print(s.connect_ex('/host-run/callgate/{b.id}/control.sock'))")
    assert b.exec("/usr/bin/python3", "-c", script).stdout.strip() in ("111", "13", "2")
    assert b.sh("grep -c control.sock /proc/net/unix; true").strip() == "0"


@pytest.mark.parametrize("words", [
    b"\n", b"\0\0\0\n", b"hello\n", b"{}\n", b"[" * 100000 + b"\n", b'{"cmd":"exec"}\n', b'{"cmd":"exec","process":7}\n',
    b'{"cmd":"signal","signal":99999999999999999999}\n', b'{"cmd":"signal","signal":"TERM"}\n', b'{"cmd":"start","x":[]}\n',
    b'{"cmd":"' + b"x" * 5000 + b'"}\n', b'{"cmd":"exec","process":{"args":["a\\u0000b"],"cwd":"/"}}\n',
], ids=lambda w: repr(w[:40]))
def test_malformed_messages(box, words):
    b = box()
    with Client(b) as client:
        client.send(words, fds=[0, 0, 0])
        assert "error" in json.loads(client.line())
        assert client.ask(cmd="status")["status"] == "running"
    lives(b)


def test_rude_clients(box):
    """That never read, never speak, never end a line, or send more descriptors than there are."""
    b = box()
    silent = [Client(b) for _ in range(1200)]
    deaf, endless, rich = Client(b), Client(b), Client(b)
    for client, words in ((deaf, b'{"cmd":"syscalls"}\n' * 500), (endless, b"x" * 65536)):
        client.socket.settimeout(0.2)
        try:
            for _ in range(1000):
                client.send(words)
        except OSError:
            pass
    try:
        for _ in range(3):
            rich.send(b"x", fds=[0] * 200)
    except OSError:
        pass
    lives(b)
    with Client(b) as client:
        assert client.ask(cmd="status")["execs"] == 0
    for client in (*silent, deaf, endless, rich):
        client.socket.close()
    lives(b)


def test_descriptors_do_not_pile_up(box):
    b = box()
    pid = json.loads((state_dir(b) / "state.json").read_text())["init_process_pid"]
    lives(b)

    def sockets():
        return sum(target.startswith(("pipe:", "socket:")) for target in descriptors(pid))
    before = wait_for(lambda: (n := sockets()) == (time.sleep(0.2), sockets())[1] and n)
    reader, writer = os.pipe()
    for _ in range(20):
        with Client(b) as client:
            client.send(b'{"cmd":"status"}\n{"cmd":', fds=[reader] * 50)
            client.line()
        with Client(b) as client:
            client.send(b'{"cmd":"exec","process":{"args":["nosuch"],"cwd":"/"}}\n', fds=[reader] * 50)
            client.line()
    os.close(reader)
    os.close(writer)
    wait_for(lambda: sockets() == before)


@pytest.mark.parametrize("words", [("done", "9999", "0"), ("exited", "9999", "0"), ("take", "9999", "0"),
                                   ("done", "0", "0"), ("exited", "0", "0"), ("take", "1", "0")], ids=" ".join)
def test_guest_that_answers_wrongly(box, words):
    """Its VM ends, and says why; who waits for its processes is told; others do not notice."""
    b, other = box(), box()
    waits = b.start("/bin/sh", "-c", "echo up; exec sleep 300")
    assert waits.stdout.readline() == b"up\n"
    attacker = b.exec("/t/bad_answer", *words)
    assert attacker.stdout == "up\n" and attacker.returncode == 137, attacker
    assert waits.wait(TIMEOUT) == 137
    result = b.container.wait()
    assert result.status != 0 and "broke the PV call protocol" in result.stderr, result
    lives(other)


def test_a_guest_that_does_not_answer(box):
    """Its limits are changed, and it is told that it can't be told; then it is killed. An engine that waits could not do that."""
    b = box()
    hypervisor = json.loads((state_dir(b) / "state.json").read_text())["init_process_pid"]
    vm0 = pathlib.Path(f"/proc/{hypervisor}/task/{hypervisor}/children").read_text().split()
    assert len(vm0) == 1
    os.kill(int(vm0[0]), signal.SIGSTOP)  # who takes events
    assert callgate("update", "--pids-limit", "300", b.id).returncode == 0
    result = callgate("kill", "--all", b.id, "TERM")
    assert result.returncode != 0 and "its guest kernel does not answer" in result.stderr, result
    assert callgate("kill", b.id, "KILL").returncode == 0
    assert b.container.wait().status == 137

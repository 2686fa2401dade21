"""sd_notify(3): a container tells the service manager of the host that it is ready."""

import contextlib
import json
import os
import socket
import subprocess

import pytest
from bundle import TIMEOUT, runtime_command

NOTIFY = r"""
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(os.environ["NOTIFY_SOCKET"])
for text in sys.argv[1:]:
    s.send(text.encode())
if "-" in sys.argv:  # systemd-notify waits until the descriptor that it sends is closed
    r, w = os.pipe()
    socket.send_fds(s, [b"BARRIER=1"], [w])
    os.close(w)
    os.read(r, 1)
print(os.environ["NOTIFY_SOCKET"], flush=True)
"""


@pytest.fixture
def manager(scratch):
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as s:
        s.bind(str(scratch / "host"))
        s.settimeout(TIMEOUT)
        yield s


def call(runtime, *args, **env):
    return subprocess.run([*runtime_command(runtime), *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=TIMEOUT, check=False, text=True, env={**os.environ, **env})


def until_ready(manager):
    """What came up to READY=1 and the main process, in however many datagrams; those for barriers are left out."""
    text = ""
    while "READY=1" not in text or "MAINPID=" not in text:
        text += manager.recv(4096).decode() + "\n"
    return [line for line in text.split() if not line.startswith("BARRIER")]


@pytest.mark.parametrize("runtime", ["callgate", "runc"])
def test_ready_of_a_detached_container(bundles, manager, runtime):
    """Only that it is ready is passed on, and who its main process is."""
    bundle = bundles.make(["/usr/bin/python3", "-c", NOTIFY + "import time; time.sleep(1000)", "STATUS=x\nMAINPID=1",
                           "STOPPING=1", "READY=1"])
    name = f"t-notify-{os.getpid()}"
    try:
        with open(bundle / "out", "wb") as out:
            done = subprocess.run([*runtime_command(runtime), "run", "-d", "-b", bundle, name], stdin=subprocess.DEVNULL,
                                  stdout=out, stderr=out, timeout=TIMEOUT, check=False,
                                  env={**os.environ, "NOTIFY_SOCKET": manager.getsockname()})
        assert done.returncode == 0, (bundle / "out").read_text()
        pid = json.loads(call(runtime, "state", name).stdout)["pid"]
        assert sorted(until_ready(manager)) == [f"MAINPID={pid}", "READY=1"]
    finally:
        call(runtime, "delete", "--force", name)


@pytest.mark.parametrize("uid", [0, 1000])
def test_ready_in_the_foreground(bundles, manager, uid):
    """Any user of the container may tell; a sender of BARRIER=1 does not wait for ever; an abstract name will do."""
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as s:
        s.bind(b"\0callgate-notify-%d" % os.getpid())
        s.settimeout(TIMEOUT)
        bundle = bundles.make(["/usr/bin/python3", "-c", NOTIFY, "READY=1", "READY=1", "-"], uid=uid, gid=uid)
        result = call("callgate", "run", "-b", bundle, f"t-notify-{os.getpid()}",
                      NOTIFY_SOCKET=f"@callgate-notify-{os.getpid()}")
        assert (result.returncode, result.stdout, result.stderr) == (0, "/run/notify/notify.sock\n", "")
        assert s.recv(4096) == b"READY=1\n"
        s.setblocking(False)
        with pytest.raises(BlockingIOError):
            s.recv(4096)


def test_no_manager(bundles):
    """A variable that leads nowhere is warned of: the container runs without one."""
    bundle = bundles.make(["/bin/sh", "-c", "echo ${NOTIFY_SOCKET-none}; ls /run/notify 2>/dev/null"])
    result = call("callgate", "run", "-b", bundle, f"t-notify-{os.getpid()}", NOTIFY_SOCKET="/no/such")
    assert result.stdout == "none\n" and "NOTIFY_SOCKET: /no/such" in result.stderr

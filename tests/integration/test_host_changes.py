"""What is changed from outside in a volume: the guest's inotify reports it as under runc, and its calls see it at once."""

import os

import pytest
from bundle import RUNTIME, wait_for

# Watches directories and a file, and prints what comes until a name `end` is made. Equal events in a row are one: Linux merges them if nobody has read.
WATCH = r"""
import ctypes, os, select, struct
libc = ctypes.CDLL(None, use_errno=True)
names = {0x1: "ACCESS", 0x2: "MODIFY", 0x4: "ATTRIB", 0x8: "CLOSE_WRITE", 0x10: "CLOSE_NOWRITE", 0x20: "OPEN", 0x40: "MOVED_FROM", 0x80: "MOVED_TO",
         0x100: "CREATE", 0x200: "DELETE", 0x400: "DELETE_SELF", 0x800: "MOVE_SELF", 0x2000: "UNMOUNT", 0x8000: "IGNORED", 0x40000000: "ISDIR"}
fd = libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
watched = {}
for path in ("/vol", "/vol/sub", "/vol/old"):
    wd = libc.inotify_add_watch(fd, path.encode(), 0xfff)
    assert wd > 0, path
    watched[wd] = path
ready = select.poll() if POLLED else select.epoll()
ready.register(fd, select.POLLIN)
open("/sync/ready", "w").close()
cookies, last, ended = {}, None, False
while not ended:
    ready.poll()
    data = os.read(fd, 65536)
    while data:
        wd, mask, cookie, size = struct.unpack("iIII", data[:16])
        name, data = data[16:16 + size].rstrip(b"\0").decode(), data[16 + size:]
        if cookie:
            cookie = cookies.setdefault(cookie, len(cookies) + 1)
        line = (watched[wd], " ".join(text for bit, text in names.items() if mask & bit), name, cookie)
        if line != last:
            print(*line, flush=True)
        last, ended = line, ended or (name == "end" and mask & 8)
        if name == "new" and mask & 8:
            print(open("/vol/new").read(), os.stat("/vol/new").st_size)
            open("/sync/read", "w").close()
print(sorted(os.listdir("/vol")), sorted(os.listdir("/vol/sub")), os.stat("/vol/sub/old").st_mode & 0o777)
"""


def change(vol):
    """All kinds of changes by somebody on the host."""
    (vol / "old").write_text("other")
    with open(vol / "old", "a", encoding="ascii") as f:
        f.write("more")
        f.truncate(2)
    (vol / "old").read_bytes()
    (vol / "old").chmod(0o604)
    os.utime(vol / "old", (1, 2))
    (vol / "old").rename(vol / "sub/old")
    (vol / "new").rename(vol / "newer")
    os.link(vol / "newer", vol / "second")
    os.symlink("newer", vol / "link")
    os.mkfifo(vol / "sub/fifo")
    (vol / "dir").mkdir()
    (vol / "dir").rename(vol / "sub/dir")
    (vol / "replaced").write_text("")
    (vol / "newer").rename(vol / "replaced")
    (vol / "sub/dir").rmdir()
    (vol / "second").unlink()
    (vol / "link").unlink()
    (vol / "end").touch()


def watched(start, directory, runtime, polled):
    vol, sync = directory / "vol", directory / "sync"
    sync.mkdir(parents=True)
    (vol / "sub").mkdir(parents=True)
    (vol / "old").write_text("old")
    container = start("/usr/bin/python3", "-c", WATCH.replace("POLLED", str(polled)), runtime=runtime,
                      mounts=[("/vol", "bind", str(vol), ["bind", "rw"]), ("/sync", "bind", str(sync), ["bind", "rw"])])
    wait_for((sync / "ready").exists, 60)
    (vol / "new").write_text("made outside")
    wait_for((sync / "read").exists, 60)
    change(vol)
    return container.wait(60)


@pytest.mark.parametrize("polled", [True, False], ids=["poll", "epoll"])
def test_inotify(start, scratch, polled):
    expected = watched(start, scratch / "runc", "runc", polled)
    actual = watched(start, scratch / "here", RUNTIME, polled)
    assert expected.status == 0 and "/vol CREATE new 0" in expected.stdout, str(expected)
    assert (actual.stdout, actual.status) == (expected.stdout, 0), f"{actual}\n=== runc: {expected}"

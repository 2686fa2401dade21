#!/usr/bin/python3
"""seeds.py FOLDER: writes the first inputs of the fuzz targets, one for each PV command and some for the rest, to
FOLDER/call, FOLDER/netlink and FOLDER/control. The commands are those of abi/pvcall.h."""

import os
import re
import struct
import sys

HEADER = os.path.join(os.path.dirname(__file__), "../../abi/pvcall.h")
FILE, DIR, TCP, NETLINK, MEMFD, INOTIFY, UDP, NEW = range(1, 9)
LOOPBACK = struct.pack("<HH4s8x", 2, 0, b"\x7f\0\0\1")


def commands():
    with open(HEADER, encoding="utf-8") as file:
        body = re.search(r"^enum pv_cmd {(.*?)^};", file.read(), re.M | re.S).group(1)
    return {name: int(number, 0) for name, number in re.findall(r"^\tPV_(\w+) = (\w+),", body, re.M)}


def request(cmd, fields, data=b"", slot=0):
    fields = fields.ljust(56, b"\0")
    return struct.pack("<HII", len(data), slot, cmd) + fields + data


def path(first, second=b"", more=b"", **f):
    """struct pv_req_path"""
    fields = struct.pack("<IIHHIIIQIIII", f.get("dir", 0), f.get("cred", 0), len(first), len(second), f.get("flags", 0),
                         f.get("mode", 0), f.get("dir2", 0), f.get("arg", 0), 0, f.get("resolve", 0), 1, 0)
    return fields, first + second + more


def handle(ident, data=b"", **f):
    """struct pv_req_handle"""
    return struct.pack("<IIIIQQQII", ident, f.get("id2", 0), 0, f.get("flags", 0), f.get("off", 0), f.get("off2", 0),
                       f.get("len", len(data)), 1, 0), data


def sock(ident, data=b"", **f):
    """struct pv_req_sock"""
    return struct.pack("<IIIIIHHII", ident, f.get("level", 0), f.get("name", 0), f.get("flags", 0),
                       f.get("len", len(data)), f.get("addr_len", 0), f.get("ctl_len", 0), 0, 1), data


def ctl(data=b"", **f):
    """struct pv_req_ctl"""
    return struct.pack("<QIIII", f.get("arg", 0), f.get("len", len(data)), f.get("pid", 0), 0, 0), data


GETLINK = struct.pack("<IHHIIB15x", 32, 18, 0x301, 1, 0, 0)
GETADDR = struct.pack("<IHHIIB15x", 32, 22, 0x301, 2, 0, 2)
NEWLINK = struct.pack("<IHHIIB15x", 32, 16, 5, 3, 0, 0)

CALLS = {
    "SOCKET": (struct.pack("<QIIII", NEW, 2, 1, 6, 0), b""),
    "CONNECT": (struct.pack("<Q28sII", UDP, LOOPBACK, 16, 0), b""),
    "RELEASE": (struct.pack("<QBBHI", FILE, 0, 1, 0, DIR), b""),
    "BIND": (struct.pack("<Q28sI", TCP, LOOPBACK, 16), b""),
    "LISTEN": (struct.pack("<QI", TCP, 5), b""),
    "ACCEPT": (struct.pack("<QQII", TCP, NEW, 0, 0), b""),
    "POLL": (struct.pack("<Q", TCP), b""),
    "OPEN": path(b"/etc/passwd", arg=NEW, resolve=0x80000000),
    "STAT": path(b"dir/topasswd", dir=DIR, flags=0x100),
    "READLINK": path(b"/dir/escape"),
    "MKDIR": path(b"/tmp/d", mode=0o755),
    "MKNOD": path(b"/tmp/fifo", mode=0o10644),
    "UNLINK": path(b"/tmp/d", flags=0x200),
    "RENAME": path(b"/tmp/file", b"/tmp/other"),
    "LINK": path(b"/tmp/file", b"/tmp/hard", dir2=DIR),
    "SYMLINK": path(b"/tmp/soft", b"../proc/self"),
    "CHMOD": path(b"/tmp/file", mode=0o644),
    "CHOWN": path(b"/tmp/file", arg=1000 | 1000 << 32),
    "UTIMES": path(b"/tmp/file", more=struct.pack("<4q", 1, 2, 3, 4)),
    "TRUNCATE": path(b"/tmp/file", arg=100),
    "ACCESS": path(b"/etc/run/x", mode=4, cred=1),
    "STATFS": path(b"/tmp"),
    "GETXATTR": path(b"/tmp/file", b"user.x", arg=100),
    "SETXATTR": path(b"/tmp/file", b"user.x", b"value", arg=5),
    "LISTXATTR": path(b"/tmp/file", arg=100),
    "REMOVEXATTR": path(b"/tmp/file", b"user.x"),
    "PATHOF": path(b"", dir=DIR, flags=0x1000),
    "INOTIFY_ADD": path(b"/tmp", arg=INOTIFY, mode=0xfff),
    "RESOLVE": path(b"dir/../etc/run", flags=0x100),
    "UNIX_CONNECT": path(b"/tmp/own.sock", arg=NEW + 1, flags=2),
    "UNIX_BIND": path(b"/tmp/own.sock", arg=NEW, flags=2, mode=0o755),
    "GETDENTS": handle(DIR, len=4096),
    "SEEKDIR": handle(DIR),
    "FSYNC": handle(FILE, flags=1),
    "FALLOCATE": handle(FILE, len=4096),
    "FLOCK": handle(FILE, flags=2),
    "LOCK": handle(FILE, flags=0x101, len=10),
    "SETFL": handle(FILE, flags=0o2000),
    "COPY_RANGE": handle(FILE, id2=MEMFD, len=100),
    "READ": handle(FILE, len=100),
    "WRITE": handle(FILE, b"some data"),
    "IOCTL": handle(TCP, b"lo".ljust(40, b"\0"), flags=0x8913),
    "FADVISE": handle(FILE, len=4096, flags=3),
    "DONATE": handle(MEMFD),
    "INOTIFY_RM": handle(INOTIFY, off=1),
    "TAKE_FD": handle(NEW, off=0, len=0),
    "GETSOCKNAME": sock(TCP),
    "GETPEERNAME": sock(UDP),
    "GETSOCKOPT": sock(TCP, level=1, name=4, len=4),
    "SETSOCKOPT": sock(TCP, struct.pack("<I", 1), level=6, name=1),
    "SHUTDOWN": sock(TCP, name=2),
    "SENDTO": sock(UDP, struct.pack("<HHI16sI", 10, 7, 0, b"\0" * 15 + b"\1", 0) + struct.pack("<Qiii4x", 20, 41, 67, 1)
                   + b"data", addr_len=28, ctl_len=24, len=4),
    "RECVFROM": sock(UDP, flags=0x40, ctl_len=64, len=100),
    "MEMFD": handle(NEW, len=8192),
    "WATCH": handle(NEW),
    "INOTIFY": handle(NEW),
    "TRUNC_OBJ": handle(MEMFD, len=100),
    "DEVICE": handle(NEW),
    "CRED_NEW": ctl(struct.pack("<IIQII", 1, 2, 0xff, 1, 7), arg=2),
    "CRED_FREE": ctl(arg=1),
    "POWEROFF": ctl(arg=0x100),
    "PANIC": ctl(b"oops"),
    "LOG": ctl(b"\x1b[1mtext\n", arg=3),
    "MEM_READ": ctl(pid=1, arg=0x10000, len=16),
    "MEM_WRITE": ctl(b"bytes", pid=1, arg=0x10000),
    "DECODE": ctl(b"\x90" * 64 + b"\xb8\x27\0\0\0\x0f\x05\xc3" + b"\x90" * 64, arg=69),
    "SYSCTL": ctl(b"net.ipv4.ip_forward"),
    "NETFILE": ctl(b"dev"),
    "HOST_STAT": ctl(),
    "SETHOSTNAME": ctl(b"box"),
    "PROC_STAT": ctl(pid=1),
    "EVENT": ctl(),
    "EVENT_DONE": ctl(b"why", arg=0, pid=0),
    "EXITED": ctl(arg=1),
    "CGROUP": ctl(arg=3),
    "EXEC_ID": handle(FILE, off=1),
    "NOTIFY": ctl(b"READY=1"),
}

# What one request alone does not reach.
SEQUENCES = {
    "unix": ["UNIX_BIND", "UNIX_CONNECT"],
    "tcp": ["BIND", "LISTEN", "ACCEPT", "POLL", "GETSOCKNAME", "SHUTDOWN", "RELEASE"],
    "xattr": ["SETXATTR", "LISTXATTR", "GETXATTR", "REMOVEXATTR"],
    "file": ["WRITE", "READ", "LOCK", "FLOCK", "COPY_RANGE", "RELEASE"],
    "inotify": ["INOTIFY_ADD", "MKDIR", "RENAME", "INOTIFY_RM"],
}

def ring(ref, in_cons=0, out_prod=0):
    """What fuzz_call.c does to a data ring: the words of struct data_ring that are the guest's, and the others' zeros."""
    page = struct.pack("<4I48x4I", in_cons, 0, 0, 0, 0, out_prod, 0, 0)
    return struct.pack("<HII", len(page), ref, 0x474e4952).ljust(66, b"\0") + page


def ring_seeds(numbers):
    """A connection of the guest with itself, through data rings. Such inputs have an odd length."""
    here = struct.pack("<HH4s8x", 2, 0x9210, b"\x7f\0\0\1")
    begin = (request(numbers["BIND"], struct.pack("<Q28sI", TCP, here, 16))
             + request(numbers["LISTEN"], struct.pack("<QIIII", TCP, 5, 0, 0, 1))
             + request(numbers["SOCKET"], struct.pack("<QIII", NEW, 2, 1, 6))
             + request(numbers["CONNECT"], struct.pack("<Q28sIIII", NEW, here, 16, 0, 2, 0))
             + request(numbers["ACCEPT"], struct.pack("<QQII", TCP, NEW + 1, 3, 0)))
    shut = request(numbers["SHUTDOWN"], *sock(NEW, name=1))
    release = request(numbers["RELEASE"], struct.pack("<Q", NEW))
    return {
        "ring-begin": begin,
        "ring-send": begin + ring(2, out_prod=1000) + shut + ring(3, in_cons=1000) + release,
        "ring-full": begin + ring(2, out_prod=32768) + ring(2, out_prod=65536) + release,
        "ring-bad-out": begin + ring(2, out_prod=40000),
        "ring-bad-in": begin + ring(3, in_cons=7),
        "ring-listen": begin + ring(1, in_cons=1) + ring(1, in_cons=9),
        "ring-twice": begin + request(numbers["CONNECT"], struct.pack("<Q28sIIII", NEW, here, 16, 0, 3, 0)),
    }


CONTROL = {
    "status": ['{"cmd":"status"}\n'],
    "syscalls": ['{"cmd":"syscalls"}\n{"cmd":"status"}\n'],
    "signal": ['{"cmd":"signal","sig":15}\n', '{"cmd":"signal","sig":9,"all":true}\n'],
    "exec": ['{"cmd":"exec","process":{"args":["/bin/true"],"cwd":"/","env":["A=b"],', '"user":{"uid":1,"gid":2}}}\n'],
    "start": ['{"cmd":"start"}\n'],
    "limits": ['{"cmd":"limits"}\n'],
    "malformed": ["{\n", '{"cmd":7}\n', "\n", '{"cmd":"echo\\u0000"}\n'],
}


def netlink_seeds():
    return {"getlink": GETLINK, "two": GETLINK + GETADDR, "newlink": NEWLINK, "mixed": GETADDR + NEWLINK,
            "zeros": GETLINK + bytes(64), "short": GETLINK[:20], "long": struct.pack("<I", 4000) + GETLINK[4:]}


def call_seeds():
    numbers = commands()
    missing = numbers.keys() - CALLS.keys()
    if missing:
        sys.exit(f"seeds.py: no input for PV_{min(missing)}")
    requests = {name: request(numbers[name], *CALLS[name]) for name in numbers}
    seeds = {name.lower(): text for name, text in requests.items()}
    for name, steps in SEQUENCES.items():
        seeds[f"sequence-{name}"] = b"".join(requests[step] for step in steps)
    for name, text in netlink_seeds().items():
        seeds[f"netlink-{name}"] = request(numbers["SENDTO"], *sock(NETLINK, text))
    seeds |= {name: text + b"\0" * (1 - len(text) % 2) for name, text in ring_seeds(numbers).items()}
    return seeds


def control_seeds():
    return {name: b"".join(bytes([len(piece)]) + piece.encode() for piece in pieces)
            for name, pieces in CONTROL.items()}


def main():
    for target, seeds in ("call", call_seeds()), ("netlink", netlink_seeds()), ("control", control_seeds()):
        folder = os.path.join(sys.argv[1], target)
        os.makedirs(folder, exist_ok=True)
        for name, text in seeds.items():
            with open(os.path.join(folder, name), "wb") as file:
                file.write(text)


main()

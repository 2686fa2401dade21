#!/usr/bin/python3
"""seeds.py FOLDER: writes the first inputs of the fuzz targets to FOLDER/TARGET: one for each PV command (of
abi/pvcall.h) and for each system call (of kernel/sys/syscalls.tbl), and some for the rest."""

import hashlib
import os
import re
import struct
import sys

TABLE = os.path.join(os.path.dirname(__file__), "../../kernel/sys/syscalls.tbl")
HEADER = os.path.join(os.path.dirname(__file__), "../../abi/pvcall.h")
KVM_HEADER = os.path.join(os.path.dirname(__file__), "../../abi/kvm.h")
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
    "OPEN": path(b"/etc/passwd", arg=NEW, resolve=0xe0000000),
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
    "DIRSTAT": path(b"/dir", mode=64),
    "ABSENT_NAMES": path(b"/none\ndir/none"),
    "NAMESTAT": path(b"", more=struct.pack("<QqHB5s", 1, 1, 24, 8, b"file\0"), dir=DIR, mode=64, arg=24, flags=0x1000),
    "PATHS_OF": (struct.pack("<QBBHI", FILE, 0, 1, 0, DIR), b""),
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
    "NICE": ctl(pid=1, arg=19),
    "AFFINITY": ctl(b"\1" + bytes(7), pid=1, arg=2),
    "RESIDENT": ctl(pid=1, arg=0x10000, len=16),
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


def kvm_call(nr, text):
    return struct.pack("<BBH", nr, 0, len(text)) + text


def kvm_seeds():
    """What fuzz_kvm.c makes of them: calls by exit of abi/kvm.h, with the handles that it has."""
    with open(KVM_HEADER, encoding="utf-8") as opened:
        text = opened.read()
    numbers = {name: int(nr) for name, nr in re.findall(r"KVM_CALL_(\w+) = (\d+)", text)}
    page, ram, window = (int(re.search(rf"define KVM_{name}_GPA (\w+)", text)[1], 0) for name in ("CALLS", "RAM", "WINDOW"))
    file, folder, tcp, memfd, watch, udp, inotify = range(1, 8)

    def io(handle, flags, *extents, off=0, arm=0, addr=0):
        return struct.pack("<IIqIIII128x", handle, flags, off, len(extents), addr, arm, 0) + b"".join(struct.pack("<QQ", *e) for e in extents)

    calls = {
        "write": kvm_call(numbers["IO"], io(file, 1, (ram, 4096), (ram + 8192, 100))),
        "append": kvm_call(numbers["IO"], io(file, 5, (0, 4096), off=-1)),
        "read": kvm_call(numbers["IO"], io(file, 0, (ram, 1 << 20), off=3)),
        "read-page": kvm_call(numbers["IO"], io(file, 0, (page, 4096))),
        "read-memory": kvm_call(numbers["IO"], io(memfd, 0, (ram, 4096), (window, 4096))),
        "read-folder": kvm_call(numbers["IO"], io(folder, 0, (ram, 1))),
        "read-event": kvm_call(numbers["IO"], io(inotify, 0, (ram, 4096), arm=1)),
        "outside": kvm_call(numbers["IO"], io(file, 0, (ram, 1 << 40))),
        "send": kvm_call(numbers["SEND"], io(udp, 0, (ram, 10), arm=4)),
        "recv": kvm_call(numbers["RECV"], io(udp, 0x40, (ram, 100), arm=1, addr=128)),
        "send-tcp": kvm_call(numbers["SEND"], io(tcp, 0, (ram, 10))),
        "seek": kvm_call(numbers["SEEK"], struct.pack("<IIq", file, 2, -1)),
        "seek-hole": kvm_call(numbers["SEEK"], struct.pack("<IIq", memfd, 4, 0)),
        "fstat": kvm_call(numbers["FSTAT"], struct.pack("<IIq", tcp, 0, 0)),
        "poll": kvm_call(numbers["POLL"], struct.pack("<II", 4, 1) + b"".join(struct.pack("<IHH", h, 5, 0) for h in (0, file, tcp, udp))),
        "watch": kvm_call(numbers["WATCH"], struct.pack("<IIIIQQ", watch, tcp, 1, 5, 77, 0)),
        "watch-itself": kvm_call(numbers["WATCH"], struct.pack("<IIIIQQ", watch, watch, 1, 1, 77, 0)),
        "events": kvm_call(numbers["EVENTS"], struct.pack("<IIIIQQ", watch, 0, 1, 0, 0, 64)),
        "map": kvm_call(numbers["MAP"], struct.pack("<IIQQQQ", memfd, 1, 0, 8192, 0, 0)),
        "map-whole": kvm_call(numbers["MAP"], struct.pack("<IIQQQQ", file, 2, 0, 4096, 0, 0)),
        "map-large": kvm_call(numbers["MAP"], struct.pack("<IIQQQQ", memfd, 3, 1 << 62, 1 << 36, 0, 0)),
        "larger": kvm_call(numbers["LARGER"], struct.pack("<IIQQQQ", 0, 1, 0, 16384, window, 0)),
        "size": kvm_call(numbers["SIZE"], struct.pack("<IIQQQQ", 0, 0, 0, 0, window, 0)),
        "punch": kvm_call(numbers["PUNCH"], struct.pack("<IIQQQQ", 0, 0, 4096, 4096, window, 0)),
        "unmap": kvm_call(numbers["UNMAP"], struct.pack("<IIQQQQ", 0, 0, 0, 0, window, 0)),
        "give": kvm_call(numbers["GIVE"], io(0, 0, (ram, 2 << 20))),
        "give-low": kvm_call(numbers["GIVE"], io(0, 0, (0, 2 << 20))),
        "clocks": kvm_call(numbers["CLOCKS"], b""),
        "booted": kvm_call(numbers["BOOTED"], b"") * 2,
        "start": kvm_call(numbers["START"], b""),
        "panic": kvm_call(numbers["PANIC"], b"x" * 4096),
        "none": kvm_call(200, b""),
    }
    sequences = {"file": ("write", "append", "read", "seek", "fstat"), "window": ("map", "read-memory", "size", "larger", "punch", "unmap", "unmap"),
                 "events": ("watch", "events", "poll", "events"), "into-the-call": ("write", "read-page", "read-page")}
    return calls | {f"sequence-{name}": b"".join(calls[step] for step in steps) for name, steps in sequences.items()}


def control_seeds():
    return {name: b"".join(bytes([len(piece)]) + piece.encode() for piece in pieces)
            for name, pieces in CONTROL.items()}


PROCESS = '{"ociVersion":"1.0.2","process":{"args":["sh"],"cwd":"/"},"root":{"path":"rootfs"}'
SPECS = {
    "minimal": '{"ociVersion":"1.0.2","process":{"args":["sh"],"cwd":"/"},"root":{"path":"rootfs"}}',
    "process": '{"ociVersion":"1.2.0","root":{"path":"r","readonly":true},"process":{"terminal":true,"consoleSize":'
               '{"height":1,"width":2},"user":{"uid":1,"gid":2,"umask":18,"additionalGids":[3]},"args":["a"],"env":["A=b"],'
               '"cwd":"/","capabilities":{"bounding":["CAP_KILL"]},"rlimits":[{"type":"RLIMIT_NOFILE","hard":9,"soft":8}],'
               '"noNewPrivileges":true,"oomScoreAdj":5,"apparmorProfile":"p","scheduler":{"policy":"SCHED_BATCH"}}}',
    "mounts": PROCESS + ',"mounts":[{"destination":"/p","type":"proc","source":"proc"},{"destination":"/t",'
              '"type":"tmpfs","options":["nosuid","size=65536k","mode=1777"]},{"destination":"/b","source":"/b","options":'
              '["rbind","ro","idmap"],"uidMappings":[{"containerID":0,"hostID":1,"size":2}]}],"hostname":"h",'
              '"annotations":{"a":"b"}}',
    "linux": PROCESS + ',"linux":{"namespaces":[{"type":"pid"},{"type":"network","path":"/n"}],"uidMappings":'
             '[{"containerID":0,"hostID":1000,"size":1}],"devices":[{"path":"/dev/x","type":"c","major":1,"minor":3,'
             '"fileMode":438}],"cgroupsPath":"/c","sysctl":{"net.ipv4.ip_forward":"1"},"maskedPaths":["/m"],'
             '"readonlyPaths":["/r"],"rootfsPropagation":"slave","resources":{"memory":{"limit":1048576,"swap":-1},"cpu":'
             '{"shares":2,"quota":-1,"period":100000,"cpus":"0-1"},"pids":{"limit":5},"unified":{"memory.high":"max"},'
             '"hugepageLimits":[{"pageSize":"2MB","limit":1}],"blockIO":{"weight":10},"devices":[{"allow":false,'
             '"access":"rwm"}]}}}',
    "hooks": PROCESS + ',"hooks":{"prestart":[{"path":"/h","args":["h"],"env":["A=b"],"timeout":1}],'
             '"poststop":[{"path":"/p"}]}}',
    "seccomp": PROCESS + ',"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,'
               '"architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X32"],"flags":["SECCOMP_FILTER_FLAG_LOG"],"syscalls":['
               '{"names":["read","write"],"action":"SCMP_ACT_ALLOW"},{"names":["clone"],"action":"SCMP_ACT_TRAP","args":'
               '[{"index":0,"value":2114060288,"valueTwo":0,"op":"SCMP_CMP_MASKED_EQ"}]}]}}}',
}

POLICIES = {
    "all": 'mode = "audit"\ndefault = "deny"\nrefuse = "EPERM"\n[[rule]]\nname = "n"\naction = "allow"\noperation = "connect"\n'
           'protocol = ["tcp","udp"]\naddress = ["10.0.0.0/8","::1","2001:db8::/32"]\nport = [80,"8000-8100"]\n',
    "unix": '[[rule]]\naction = "deny"\noperation = "connect"\nprotocol = "unix"\npath = "/run/*.sock"\n',
    "names": 'resolver = "10.0.0.1"\n[[rule]]\naction = "allow"\nhost = ["example.org","*.example.net"]\n',
    "program": '[executable.web]\npath = "/bin/sh"\n[[rule]]\naction = "allow"\nexecutable = "web"\n',
    "wrong": 'mode = 7\n',
    "syntax": '[[rule\n',
}

STATS = {"number": b"4096\n", "max": b"max\n", "table": b"anon 4096\nfile 12\nkernel_stack 0\n", "list": b"0-3,7\n",
         "wide": b"0-18446744073709551615\n", "pairs": b"8:0 Read 4096\n8:0 Write 1\nTotal 4097\n"}


def trace_record(kind, nr, items=b"", tid=7, flags=0, result=0):
    """struct trace_record"""
    size = 104 + len(items)
    fill = -size % 8
    items += b"\xff\0" + struct.pack("<H", fill - 4) + bytes(fill - 4) if fill >= 4 else b""
    return struct.pack("<IHHiiIIQQ6QqII", 104 + len(items), kind, nr, 5, tid, 0, flags, 10**9, 1000, 1, 2, 3, 4, 5, 6, result,
                       1, 2) + items


def trace_seeds():
    def item(arg, data, flags=0):
        return struct.pack("<BBH", arg, flags, len(data)) + data + bytes(-len(data) % 4)

    name = item(1, b"/etc/\x1b[31mpasswd\0")
    address = item(1, struct.pack("<HH4s8x", 2, 0x5000, b"\x7f\0\0\1"))
    every = {f"call-{nr}": trace_record(1, nr, item(0, bytes(range(32))) + item(1, bytes(32), 1)) for nr in range(0, 460, 4)}
    return {name: b"\xff" + text for name, text in (every | {
        "openat": trace_record(1, 257, name, result=3), "connect": trace_record(1, 42, address, result=-111),
        "sleeps": trace_record(4, 0) + trace_record(1, 0, item(1, b"data")), "signal": trace_record(2, 15),
        "exited": trace_record(3, 0, result=9), "started": trace_record(4, 202, tid=8) + trace_record(3, 0, tid=8),
        "huge": struct.pack("<IHH", 4096, 1, 1) + bytes(200), "odd": struct.pack("<I", 105) + bytes(200)}).items()}


def syscall_numbers():
    with open(TABLE, encoding="utf-8") as file:
        return {line.split()[1]: int(line.split()[0]) for line in file if line[:1].isdigit() and line.split()[2] != "-"}


def syscall_seeds():
    """Each call by one process, and by two at once; what calls.c makes of the bytes behind its number is arbitrary."""
    seeds = {}
    for name, nr in syscall_numbers().items():
        arguments = hashlib.sha512(name.encode()).digest()
        calls = struct.pack(">H", nr) + arguments[:24] + struct.pack(">H", nr) + arguments[24:48]
        seeds[name] = bytes([nr & 1 or 2]) + calls
    return seeds


def elf(phdrs, body=b"", kind=3):
    head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", kind, 62, 1, 0x1000, 64, 0, 0, 64, 56, len(phdrs), 0, 0, 0)
    return (head + b"".join(struct.pack("<IIQQQQQQ", *p) for p in phdrs)).ljust(512, b"\0") + body


def exec_seeds():
    load = (1, 5, 0, 0, 0, 512, 512, 4096)
    data = (1, 6, 0, 0x400000, 0, 512, 0x9000, 4096)
    return {"script": b"#!/tmp/program -x\necho\n", "loop": b"#! /tmp/program\n", "long": b"#!" + b"a" * 300, "bare": b"#!",
            "blanks": b"#! \t \n", "pie": elf([load]), "static": elf([data], kind=2), "stack": elf([load, (0x6474e551, 7) + (0,) * 6]),
            "interp": elf([load, (3, 4, 300, 300, 0, 13, 13, 1)])[:300] + b"/tmp/program\0" + bytes(300),
            "itself": elf([load, (3, 4, 300, 300, 0, 8, 8, 1)])[:300] + b"/static\0" + bytes(300),
            "many": elf([(1, 4, 0, n << 13, 0, 16, 16, 4096) for n in range(8)]),
            "high": elf([(1, 5, 0, 0x7fffffffe000, 0, 512, 0x5000, 4096)], kind=2),
            "phdr": elf([(6, 4, 64, 64, 0, 112, 112, 8), load])}


def bpf(*insns, nr=1, arch=0xc000003e):
    data = struct.pack("<iIQ6Q", nr, arch, 0x400000, 1, 2, 3, 4, 5, 6)
    return data + b"".join(struct.pack("<HBBI", *i) for i in insns)


def bpf_seeds():
    allow, kill = (6, 0, 0, 0x7fff0000), (6, 0, 0, 0)
    return {"allow": bpf(allow), "number": bpf((0x20, 0, 0, 0), (0x15, 0, 1, 1), allow, kill),
            "arch": bpf((0x20, 0, 0, 4), (0x15, 1, 0, 0xc000003e), kill, (0x20, 0, 0, 0), (0x35, 0, 1, 0x40000000), kill, allow),
            "memory": bpf((0, 0, 0, 7), (2, 0, 0, 15), (1, 0, 0, 2), (0x60, 0, 0, 15), (0x0c, 0, 0, 0), (0x16, 0, 0, 0)),
            "unwritten": bpf((0x60, 0, 0, 3), (0x16, 0, 0, 0)), "divide": bpf((0, 0, 0, 7), (0x3c, 0, 0, 0), (0x16, 0, 0, 0)),
            "alu": bpf((0x20, 0, 0, 16), (0x54, 0, 0, 255), (0x64, 0, 0, 31), (0x84, 0, 0, 0), (0xa4, 0, 0, 5), (0x16, 0, 0, 0)),
            "jump": bpf((5, 0, 0, 1), kill, (0x45, 1, 0, 2), kill, allow), "outside": bpf((5, 0, 0, 1), allow)}


def piece(text):
    return bytes([len(text)]) + text


def tty_seeds():
    master, slave = 0, 1
    keys = [b"ls\r", b"ab\x7f\x08c\x17d\x15e\n", b"\x16\x03\x04", b"\x13out\x11", b"\x03\x1a\x1c", "\u00e9\t".encode(), b"x" * 255]
    typed = {f"keys-{n}": b"\0" + bytes([master]) + piece(text) + bytes([slave | 2]) + b"\xff\1" for n, text in enumerate(keys)}
    written = {f"out-{n}": b"\1" + bytes([slave]) + piece(text) + bytes([master | 2]) + b"\xff\1" for n, text in
               enumerate([b"a\tb\r\n\x08c", b"\n" * 200])}
    changed = {f"mode-{n}": b"\0" + bytes([slave | 6, n]) + b"\xff\x0f" + bytes([master]) + piece(b"ab\x7f\r\x04\x03") +
               bytes([slave | 2]) + b"\xff\1" for n in range(22)}
    asked = {f"ioctl-{n}": b"\0" + bytes([slave | 4, n]) + bytes(64) + bytes([master | 4, n]) + b"\1" * 64 for n in range(34)}
    return typed | written | changed | asked


INET = struct.pack("<HH4s8x", 2, 0x9210, b"\x7f\0\0\1")
INET6 = struct.pack("<HHI16sI", 10, 0x9210, 0, b"\0" * 15 + b"\1", 0)
SUN = struct.pack("<H", 1) + b"/tmp/s\0"
ABSTRACT = struct.pack("<H", 1) + b"\0name"


def socket_seeds():
    """Six sockets, then steps: which of them (64: the other call of two), what, and its pieces."""
    def kinds(own, *which):
        return bytes([own]) + bytes((which * 6)[:6])

    rights = struct.pack("<QIIi4x", 20, 1, 1, 0)
    seeds = {
        "unix": kinds(0, 0) + b"\x40\0" + piece(SUN) + b"\0\6\5" + b"\1\0" + piece(SUN) + b"\0\7\x6e" + b"\1\x48\x40",
        "abstract": kinds(0, 1) + b"\x40\0" + piece(ABSTRACT) + b"\1\4" + piece(ABSTRACT) + piece(rights) + piece(b"hi") + b"\0\0",
        "seqpacket": kinds(0, 2) + b"\x40\0" + piece(ABSTRACT[:2]) + b"\0\6\1",
        "inet": kinds(0, 3) + b"\x40\0" + piece(INET) + b"\0\6\5" + b"\1\0" + piece(INET) + b"\0\7\x10",
        "udp6": kinds(0, 7) + b"\x40\0" + piece(INET6) + b"\1\4" + piece(INET6) + piece(b"") + piece(b"data") + b"\0\0",
        "short": kinds(0, 3, 0, 7) + b"".join(b"\x40\0" + piece(INET[:n]) for n in range(0, 17)),
    }
    for own in 0, 1:
        for name, text in netlink_seeds().items():
            seeds[f"netlink-{own}-{name}"] = (kinds(own, 9, 10, 11) + b"\0\4" + piece(struct.pack("<HHII", 16, 0, 0, 0)) + piece(b"") +
                                             piece(text) + b"\0\0" + b"\0\5" + piece(b"x" * 12) + piece(b"") + piece(b"x" * 200) + b"\0\0")
    for level in range(9):
        for get in 2, 3:
            seeds[f"option-{level}-{get}"] = kinds(0, 0, 3, 4, 6, 7, 9) + b"".join(
                bytes([sock, get, level, name]) + piece(struct.pack("<II", 1, 1)) for sock in range(6) for name in range(1, 60, 9))
    for code in range(0x10, 0x60, 5):
        seeds[f"ioctl-{code:x}"] = kinds(code & 1, 3, 0) + bytes([0, 9]) + piece(b"lo".ljust(40, b"\0")) + bytes([code])
    return seeds


def path_seeds():
    def name(what, text, more=b""):
        return bytes([8 + what]) + piece(text) + more

    def two(what, a, b, more=b""):
        return bytes([what]) + piece(a) + piece(b) + more

    def mount(source, target, kind, flags=0, data=b""):
        return b"\x12" + b"".join(map(piece, (source, target, kind, data))) + bytes([flags])

    make = name(0, b"a", b"\x42\0\0") + name(1, b"d")
    seeds = {
        "make": make + two(0, b"a", b"d/b") + two(1, b"d/b", b"c") + two(2, b"d", b"l") + name(3, b"l", b"\xff\0") + name(9, b"l/b"),
        "loop": two(2, b"x", b"y") + two(2, b"y", b"x") + name(0, b"x", b"\0\0\0") + name(9, b"x/.."),
        "dots": make + name(4, b"d/../d/./", b"\xff\0") + name(9, b"../../../../tmp//d/.."), "long": name(1, b"n" * 255),
        "remove": make + name(2, b"a", b"\0") + name(2, b"d", b"\1"), "exchange": make + two(4, b"a", b"d", b"\2"),
        "whiteout": make + two(4, b"a", b"w", b"\4"), "chroot": make + name(7, b"d") + name(9, b"/../.."),
        "resolve": make + b"".join(name(5, b"/tmp/../tmp/a", bytes([0, 0, 0, how, 7])) for how in (1, 2, 4, 8, 16, 32)),
        "xattr": make + two(6, b"a", b"user.x", b"\5\0") + two(7, b"a", b"user.x", b"\x40\0"),
        "bind": make + mount(b"d", b"d", b"", 1) + mount(b"", b"d", b"", 5) + name(6, b"d", b"\2"),
        "pivot": make + mount(b"none", b"d", b"tmpfs") + name(1, b"d/old") + two(5, b"d", b"d/old") + name(9, b"/old"),
        "proc": name(0, b"/proc/self/root/tmp", b"\0\0\0") + name(9, b"/proc/self/fd/0") + name(3, b"/proc/self/exe", b"\xff\0"),
        "nodes": name(8, b"f", b"\1\0\0") + name(0, b"f", b"\2\0\0") + name(8, b"s", b"\x0c\0\0"),
    }
    for n, options in enumerate([b"size=1m,mode=700,uid=1", b"nr_inodes=5", b"size=50%", b"lowerdir=/,upperdir=/tmp/d,workdir=/tmp/w",
                                 b"hidepid=2,gid=3", b"newinstance,ptmxmode=0666,max=5", b"none,name=x", b"size=", b",,="]):
        for kind in b"tmpfs", b"overlay", b"proc", b"devpts", b"mqueue", b"cgroup2":
            seeds[f"mount-{n}-{kind.decode()}"] = make + name(1, b"w") + mount(b"none", b"d", kind, 0, options) + name(9, b"d/x")
    return seeds


def text_seeds():
    texts = [b"0 0 1", b"0 1000 1\n1 2000 5\n", b"deny", b"-5\n", b"name", b"99999999999999999999", b"1 2 3 4", b"core.%p.%e", b"0x7f",
             b"32768\t60999", b"max"]
    cgroups = [b"0", b"1\n", b"max", b"+cpu +pids\n", b"-cpu", b"100", b"50000 100000", b"0x10"]
    return {f"{file}-{n}": bytes([file, 2 | (file < 3)]) + struct.pack("<H", len(text)) + text
            for first, last, some in ((0, 28, texts), (28, 37, cgroups)) for file in range(first, last) for n, text in enumerate(some)}


def encoded(texts):
    return {name: text.encode() for name, text in texts.items()}


def main():
    targets = {"call": call_seeds(), "kvm": kvm_seeds(), "netlink": netlink_seeds(), "control": control_seeds(), "spec": encoded(SPECS),
               "policy": encoded(POLICIES), "stats": STATS, "trace": trace_seeds(), "syscalls": syscall_seeds(),
               "exec": exec_seeds(), "bpf": bpf_seeds(), "tty": tty_seeds(), "sockets": socket_seeds(), "paths": path_seeds(),
               "texts": text_seeds()}
    for target, seeds in targets.items():
        folder = os.path.join(sys.argv[1], target)
        os.makedirs(folder, exist_ok=True)
        for name, text in seeds.items():
            with open(os.path.join(folder, name), "wb") as file:
                file.write(text)


main()

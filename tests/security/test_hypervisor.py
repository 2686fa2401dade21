"""What a hypervisor could do that a guest has taken over: what is left to each of its threads."""

import contextlib
import ctypes
import errno
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess

import pytest
from bundle import RUNTIME, runtime_command, wait_for

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: runc has no hypervisor")

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
CONT, SETREGS, GETREGS, DETACH, SINGLESTEP, SEIZE, INTERRUPT = 7, 13, 12, 17, 9, 0x4206, 0x4207
CLOSE, SOCKET, CONNECT, FCNTL, OPENAT = 3, 41, 42, 72, 257
REGISTERS = ["r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi",
             "orig_rax", "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs"]

# x86-64 numbers and arguments. What would be harmless if it worked, or fails with another error then.
CALLS = {
    "execve": (59, 0, 0, 0), "execveat": (322, -1, 0, 0, 0, 0), "fork": (57,), "vfork": (58,),
    "clone of a namespace": (56, 0x10000000, 0, 0, 0, 0), "unshare": (272, 0x10000000), "setns": (308, -1, 0),
    "mount": (165, 0, 0, 0, 0, 0), "move_mount": (429, -1, 0, -1, 0, 0), "pivot_root": (155, 0, 0),
    "ptrace": (101, 16, 1, 0, 0), "process_vm_readv": (310, 1, 0, 0, 0, 0, 0),
    "pidfd_open": (434, 1, 0), "pidfd_send_signal": (424, -1, 0, 0, 0), "kill itself": (62, 1, 0), "kill all": (62, -1, 0),
    "tkill": (200, 1, 0), "owner of a descriptor": (72, 0, 8, 1), "owner, extended": (72, 0, 15, 0), "signal of a descriptor": (72, 0, 10, 9),
    "owner by ioctl": (16, 0, 0x8901, 0), "keys typed": (16, 0, 0x5412, 0), "mmap of code": (9, 0, 4096, 5, 0x22, -1, 0), "mprotect to code": (10, 0, 0, 5),
    "bpf": (321, -1, 0, 0), "perf_event_open": (298, 0, 0, -1, -1, 0), "userfaultfd": (323, 0),
    "io_uring_setup": (425, 0, 0), "keyctl": (250, 0, 0), "init_module": (175, 0, 0, 0), "seccomp": (317, 9, 0, 0),
}


class Registers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in REGISTERS]


def ptrace(request, tid, data=None):
    if LIBC.ptrace(request, tid, None, data) < 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request}")


def at_system_call(tid, registers):
    with open(f"/proc/{tid}/mem", "rb") as memory:
        memory.seek(registers.rip - 2)
        return memory.read(2) == b"\x0f\x05"


def stop_in_call(tid, registers):
    """False: it runs, as one that polls for requests does."""
    ptrace(INTERRUPT, tid)
    os.waitpid(tid, 0x40000000)
    ptrace(GETREGS, tid, ctypes.byref(registers))
    if at_system_call(tid, registers):
        return True
    ptrace(CONT, tid)
    return False


@contextlib.contextmanager
def stopped(tid):
    """The thread's registers, while it waits in a system call."""
    registers = Registers()
    ptrace(SEIZE, tid)
    try:
        wait_for(lambda: stop_in_call(tid, registers), 20, f"thread {tid} in a system call")
        yield registers
        ptrace(SETREGS, tid, ctypes.byref(registers))
    finally:
        ptrace(DETACH, tid)


def call(tid, registers, number, *args):
    """Have the stopped thread make a call; its result."""
    own = Registers.from_buffer_copy(registers)
    own.rip -= 2  # the instruction that it waits in
    own.rax, own.orig_rax = number, 2 ** 64 - 1
    for name, value in zip(("rdi", "rsi", "rdx", "r10", "r8", "r9"), (*args, 0, 0, 0, 0, 0, 0)):
        setattr(own, name, value % 2 ** 64)
    ptrace(SETREGS, tid, ctypes.byref(own))
    ptrace(SINGLESTEP, tid)
    _, status = os.waitpid(tid, 0x40000000)
    assert os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGTRAP, (tid, hex(status))
    ptrace(GETREGS, tid, ctypes.byref(own))
    return ctypes.c_int64(own.rax).value


def hypervisor(container):
    return next(int(child) for child in
                pathlib.Path(f"/proc/{container.process.pid}/task/{container.process.pid}/children").read_text().split())


def status_of(path):
    return dict(line.split(":\t", 1) for line in (path / "status").read_text().splitlines() if ":\t" in line)


@pytest.fixture
def running(start):
    """A container that idles, and its hypervisor's pid."""
    container = start("/bin/sh", "-c", "echo up; exec sleep 1000")
    assert container.process.stdout.readline() == b"up\n"
    return hypervisor(container)


def test_no_thread_can_leave(running):
    tasks = list(pathlib.Path(f"/proc/{running}/task").iterdir())
    assert len(tasks) >= 2
    for task in tasks:
        status = status_of(task)
        assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1"), status["Name"]
        with stopped(int(task.name)) as registers:
            results = {name: call(int(task.name), registers, *words) for name, words in CALLS.items()}
        allowed = {name: result for name, result in results.items() if result != -errno.EPERM}
        assert not allowed, f"{status['Name']}: {allowed}"


def test_capabilities_reach_no_process_of_the_host(running):
    """None to trace, to load, to mount, to set clocks, networks or limits of the host."""
    forbidden = {"SYS_MODULE": 16, "SYS_RAWIO": 17, "SYS_PTRACE": 19, "SYS_ADMIN": 21, "SYS_BOOT": 22, "SYS_TIME": 25,
                 "NET_ADMIN": 12, "BPF": 39, "PERFMON": 38, "CHECKPOINT_RESTORE": 40}
    for task in pathlib.Path(f"/proc/{running}/task").iterdir():
        permitted = int(status_of(task)["CapPrm"], 16)
        assert not [name for name, bit in forbidden.items() if permitted >> bit & 1]


def test_sees_only_its_own_processes(running):
    """Its pid namespace, and the file systems that it holds, know no other process than its own and the guest's."""
    assert os.readlink(f"/proc/{running}/ns/pid") != os.readlink("/proc/self/ns/pid")
    assert status_of(pathlib.Path(f"/proc/{running}"))["NSpid"].split()[-1] == "1"
    procs = [fd for fd in pathlib.Path(f"/proc/{running}/fd").iterdir() if (fd / "1/stat").exists()]
    assert procs
    for fd in procs:
        for name in filter(str.isdigit, os.listdir(fd)):
            with contextlib.suppress(FileNotFoundError):
                inside = (fd / name / "status").read_text()
                assert "\nNSpid:\t" + name in inside
                assert os.readlink(fd / name / "exe").split("/")[-1].split(" ")[0] in ("callgate", "guest-pv.elf"), inside


def put(tid, registers, text):
    """The address of a string, or of bytes, in the stopped thread, below its stack."""
    address = (registers.rsp - 4096) & ~7
    with open(f"/proc/{tid}/mem", "r+b", buffering=0) as memory:
        memory.seek(address)
        memory.write(text if isinstance(text, bytes) else text.encode() + b"\0")
    return address


def lead_up(tid, registers, fd, steps=16):
    """Descriptors of the directories that are found by ".." from one, up to where it goes no further."""
    address = put(tid, registers, "..")
    found, last = [], None
    while len(found) < steps:
        fd = call(tid, registers, OPENAT, fd, address, os.O_PATH | os.O_DIRECTORY, 0)
        if fd < 0:
            break
        st = os.stat(f"/proc/{tid}/fd/{fd}")
        if (st.st_dev, st.st_ino) == last:
            break
        last = (st.st_dev, st.st_ino)
        found.append(fd)
    return found


def can_write(tid, registers, fd, name):
    return call(tid, registers, OPENAT, fd, put(tid, registers, name), os.O_WRONLY, 0)


@pytest.fixture
def detached(bundles, scratch):
    """The hypervisor of a container as engines start it, with a folder of states of its own; and that folder."""
    states = scratch / "above" / "states"
    states.mkdir(parents=True)
    bundle, name = bundles.make(["/bin/sleep", "1000"]), f"t-climb-{os.getpid()}"

    def callgate(*args):
        subprocess.run([*runtime_command(RUNTIME), "--root", str(states), *args], stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, check=True, timeout=30)
    callgate("create", "-b", str(bundle), name)
    callgate("start", name)
    yield pid_of(states, name), states / name
    callgate("delete", "--force", name)


def pid_of(states, name):
    out = subprocess.run([*runtime_command(RUNTIME), "--root", str(states), "state", name], stdin=subprocess.DEVNULL,
                         capture_output=True, check=True, timeout=30).stdout
    return json.loads(out)["pid"]


def host_directories(pid, registers):
    """{directory of the hypervisor's descriptor: the names that are seen on the way up from it}"""
    seen = {}
    for entry in list(pathlib.Path(f"/proc/{pid}/fd").iterdir()):
        if entry.is_dir():
            for fd in lead_up(pid, registers, int(entry.name)):
                seen.setdefault(f"{entry.name} {os.readlink(entry)}", set()).update(os.listdir(f"/proc/{pid}/fd/{fd}"))
                call(pid, registers, CLOSE, fd)
    return seen


def test_no_descriptor_leads_to_the_hosts_files(detached):
    """Of the folders of the host's that it holds, ".." shows nothing more: neither the states of other containers nor the host's root."""
    pid, own = detached
    (own.parent / "others-state").mkdir()
    (own.parent.parent / "above-mark").mkdir()
    host = set(os.listdir("/")) - {"bin", "boot", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "media", "mnt", "opt", "proc",
                                   "root", "run", "sbin", "srv", "sys", "tmp", "usr", "var"}
    with stopped(pid) as registers:
        seen = host_directories(pid, registers)
    assert any("control.sock" in names for names in seen.values()), seen  # it does hold its own
    for place, names in seen.items():
        assert not names & {"others-state", "above-mark", *host}, (place, names)


def test_cgroups_are_for_reading(detached):
    """Those of other containers as well as its own: limits and members are the administrator's to change."""
    pid, _ = detached
    tried = 0
    with stopped(pid) as registers:
        for entry in list(pathlib.Path(f"/proc/{pid}/fd").iterdir()):
            if entry.is_dir() and (entry / "cgroup.procs").exists():
                tried += 1
                assert can_write(pid, registers, int(entry.name), "cgroup.procs") == -errno.EROFS, os.readlink(entry)
    assert tried


def landlock_version():
    return LIBC.syscall(444, None, 0, 1)


@pytest.mark.skipif(landlock_version() < 6, reason="known: this host's Landlock has no scopes (Linux 6.12)")
def test_abstract_sockets_of_the_host(running):
    """With the host's network namespace: what a shim or a session bus listens at (CVE-2020-15257) is not for a thread of it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        listener.bind(f"\0callgate-test-{os.getpid()}")
        listener.listen()
        receiver.bind(f"\0callgate-test-d-{os.getpid()}")
        assert os.readlink(f"/proc/{running}/ns/net") == os.readlink("/proc/self/ns/net")
        for kind, to in ((socket.SOCK_STREAM, listener), (socket.SOCK_DGRAM, receiver)):
            with stopped(running) as registers:
                fd = call(running, registers, SOCKET, socket.AF_UNIX, kind, 0)
                assert fd >= 0
                name = struct.pack("H", socket.AF_UNIX) + to.getsockname()
                address = put(running, registers, name)
                assert call(running, registers, CONNECT, fd, address, len(name)) == -errno.EPERM
                assert call(running, registers, CLOSE, fd) == 0

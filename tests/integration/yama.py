"""For test_yama.py, in a container: attaches in several ways under each ptrace_scope, and says what was allowed."""

import ctypes
import json
import os
import signal

SCOPE = "/proc/sys/kernel/yama/ptrace_scope"
ATTACH, DETACH, TRACEME = 16, 17, 0
PR_SET_PTRACER = 0x59616d61
libc = ctypes.CDLL(None, use_errno=True)
word = bytes(b"root")


def call(name, *args):
    """The call's value, or None and errno."""
    value = getattr(libc, name)(*(ctypes.c_long(a) if isinstance(a, int) else a for a in args))
    return None if value == -1 else value


def set_scope(value):
    with open(SCOPE, "w", encoding="ascii") as f:
        f.write(str(value))


def attaches(pid):
    if call("ptrace", ATTACH, pid, 0, 0) is None:
        return False
    os.waitpid(pid, 0x40000000)  # __WALL
    call("ptrace", DETACH, pid, 0, 0)
    return True


class Iov(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]


def reads(pid):
    """By process_vm_readv: after a fork, the other's memory is where ours is."""
    room = ctypes.create_string_buffer(4)
    own, others = Iov(ctypes.addressof(room), 4), Iov(ctypes.cast(word, ctypes.c_void_p).value, 4)
    return call("process_vm_readv", pid, ctypes.byref(own), 1, ctypes.byref(others), 1, 0) is not None and room.raw == word


def opens_mem(pid):
    try:
        os.close(os.open(f"/proc/{pid}/mem", os.O_RDONLY))
        return True
    except PermissionError:
        return False


def gets_descriptor(pid):
    pidfd = os.pidfd_open(pid)
    fd = call("syscall", 438, pidfd, 0, 0)
    os.close(pidfd)
    return fd is not None and os.close(fd) is None


def spawn(*named):
    """A process of its own that names its tracers, and waits. Its memory and descriptors are as ours."""
    ready, is_ready = os.pipe()
    pid = os.fork()
    if not pid:
        for tracer in named:
            assert call("prctl", PR_SET_PTRACER, tracer, 0, 0, 0) == 0
        os.write(is_ready, b"x")
        signal.pause()
    os.close(is_ready)
    assert os.read(ready, 1) == b"x"
    os.close(ready)
    return pid


def traces_itself():
    pid = os.fork()
    if not pid:
        os._exit(call("ptrace", TRACEME, 0, 0, 0) is None)
    return os.waitpid(pid, 0)[1] == 0


def be_user():
    os.setresgid(1000, 1000, 1000)
    os.setresuid(1000, 1000, 1000)
    call("prctl", 4, 1, 0, 0, 0)  # PR_SET_DUMPABLE, which a change of ids takes away


def attach_to_all(others):
    """In a process below the one that made the others."""
    said = {"child": attaches(spawn())}
    said.update((name, attaches(pid)) for name, pid in others.items())
    other = others["other"]
    said.update(mem=opens_mem(other), vm=reads(other), getfd=gets_descriptor(other), traceme=traces_itself())
    return " ".join(f"{name} {'+' if ok else '-'}" for name, ok in said.items())


def of_user(scope):
    """What a user may, in a process group that ends with it."""
    be_user()
    go, come = os.pipe()
    attacher = os.fork()
    if not attacher:
        others = json.loads(os.read(go, 1000))
        os.write(1, f"scope {scope}: {attach_to_all(others)}".encode())
        os._exit(0)
    any_one = 2 ** 64 - 1
    others = {"other": spawn(), "named": spawn(attacher), "above": spawn(os.getpid()), "anybody": spawn(any_one),
              "taken-back": spawn(any_one, 0)}
    os.write(come, json.dumps(others).encode())
    status = os.waitpid(attacher, 0)[1]
    for pid in others.values():
        os.kill(pid, signal.SIGKILL)
    os._exit(status >> 8)


def main():
    for scope in range(4):
        set_scope(scope)
        pid = os.fork()
        if not pid:
            of_user(scope)
        assert os.waitpid(pid, 0)[1] == 0
        os.write(1, f" capable {'+' if attaches(spawn()) else '-'}\n".encode())
    try:
        set_scope(1)
    except OSError as e:
        print("lower:", "EINVAL" if e.errno == 22 else e, open(SCOPE, encoding="ascii").read().strip())
    print("nobody:", "EINVAL" if call("prctl", PR_SET_PTRACER, 30000, 0, 0, 0) is None and ctypes.get_errno() == 22 else "?")


main()

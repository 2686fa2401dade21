"""Attacks on other containers and on processes of the host: memory, signals, names that are shared by accident, file systems that hang."""

import contextlib
import ctypes
import os
import pathlib
import select
import socket
import struct
import subprocess
import sys
import threading

import pytest
from box import both
from bundle import BUILD, RUNTIME, TIMEOUT, edit_config, runtime_command, wait_for

LIBC = ctypes.CDLL(None, use_errno=True)
ADMIN = ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_IPC_OWNER", "CAP_IPC_LOCK", "CAP_DAC_OVERRIDE"]
own = pytest.mark.skipif(RUNTIME == "runc", reason="known: about callgate's own boundary")


def privileged(bundle):
    edit_config(bundle, lambda config: [names.extend(ADMIN) for names in config["process"]["capabilities"].values()])


def lives(box):
    result = box.exec("/bin/echo", "fine")
    assert (result.returncode, result.stdout) == (0, "fine\n"), result


# ---- memory of other processes ----

CANARY = """
import ctypes, signal, sys
libc = ctypes.CDLL(None)
libc.mmap.restype, libc.mmap.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
# at an address that a guest process could have, too: private, anonymous, fixed
text = (ctypes.c_char * 64).from_address(libc.mmap(0x210000000, 4096, 3, 0x100022, -1, 0))
text.value = b"untouched"
caught = []
signal.signal(signal.SIGUSR1, lambda *_: caught.append(1))
print(ctypes.addressof(text), flush=True)
for line in sys.stdin:
    print(text.raw[:9].decode(), len(caught), flush=True)
"""


class Canary:
    """A process of the host that tells what it has in its memory, and how many signals came."""

    def __enter__(self):
        self.process = subprocess.Popen([sys.executable, "-c", CANARY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.address = int(self.process.stdout.readline())
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(TIMEOUT)
        self.process.stdout.close()

    @property
    def pid(self):
        return self.process.pid

    def state(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


def descendants(pid):
    children = [int(child) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
                for child in (task / "children").read_text().split()]
    return children + [deeper for child in children for deeper in descendants(child)]


def processes_of(box):
    """The hypervisor, vm0 and pid 1, as the host numbers them."""
    return wait_for(lambda: len(found := descendants(box.container.pid)) >= 3 and found, what="host processes")


def test_the_attack_on_memory_is_one():
    """On the host, where nothing is between them, the same program does it."""
    with Canary() as canary:
        done = subprocess.run([str(BUILD / "tests/security/attack_process"), str(canary.address), str(canary.pid)],
                              capture_output=True, text=True, timeout=TIMEOUT, check=True)
        assert int(done.stdout.split()[-2]) > 3, done
        text, signals = canary.state().split()
        assert text == "ATTACKEDd" and int(signals) > 0


@own
def test_memory_of_neighbours(box, run):
    """By the numbers that the host knows them by: of a process of the host's, of a hypervisor, of another container's processes."""
    neighbour = box()
    with Canary() as canary:
        victims = [canary.pid, neighbour.container.pid, *processes_of(neighbour)]
        result = run("/t/attack_process", str(canary.address), *map(str, victims), prepare=privileged)
        assert result.stdout == "0 done\n", str(result)
        assert canary.state() == "untouched 0"
    lives(neighbour)


@own
def test_memory_of_neighbours_by_pv_calls(box, run):
    """As code that has taken over its guest kernel would ask the hypervisor for it (PV_MEM_WRITE): numbers are the VM's own."""
    neighbour = box()
    with Canary() as canary:
        victims = [canary.pid, neighbour.container.pid, *processes_of(neighbour), 0, 0x7fffffff, 0xffffffff]
        result = run("/t/attack_ring", "mem", str(canary.address), *map(str, victims))
        assert result.status == 0 and set(result.stdout.split()) == {"-3"}, str(result)  # ESRCH
        assert canary.state() == "untouched 0"
    lives(neighbour)


# ---- names ----

def test_shared_memory_by_name(box, scratch):
    """/dev/shm of containers and of the host, with the host's network namespace."""
    name = f"callgate-canary-{os.getpid()}"
    host = pathlib.Path("/dev/shm") / name
    host.write_text("the host's")
    try:
        one, other = box(), box()
        assert one.sh(f"ls /dev/shm; echo one >/dev/shm/{name}; echo one >/dev/shm/{name}-one") == ""
        assert other.sh("ls /dev/shm") == ""
        assert host.read_text() == "the host's" and not host.with_name(name + "-one").exists()
    finally:
        host.unlink()


SYSV = """
import ctypes
libc = ctypes.CDLL(None)
for key in range(0x43470001, 0x43470004):
    print(libc.shmget(key, 4096, {flags}), libc.semget(key, 1, {flags}), libc.msgget(key, {flags}))
"""


@own
def test_system_v_objects(box):
    """Also where the configuration has no ipc namespace: each guest kernel has its own."""
    def shared(bundle):
        edit_config(bundle, lambda config: config["linux"].update(
            namespaces=[ns for ns in config["linux"]["namespaces"] if ns["type"] != "ipc"]))
    one, other = box(prepare=shared), box(prepare=shared)
    assert "-1" not in one.exec("/usr/bin/python3", "-c", SYSV.format(flags=0o1666)).stdout.split()
    for output in (other.exec("/usr/bin/python3", "-c", SYSV.format(flags=0o666)).stdout,
                   subprocess.run([sys.executable, "-c", SYSV.format(flags=0o666)], capture_output=True, text=True, check=True).stdout):
        assert set(output.split()) == {"-1"}, output


LISTEN = "import socket, time\ns = socket.socket(socket.AF_UNIX)\ns.bind('\\0{name}')\ns.listen()\nprint('up', flush=True)\ntime.sleep(1000)"
CONNECT = "import socket\nprint(socket.socket(socket.AF_UNIX).connect_ex('\\0{name}'))"


@both
def test_abstract_sockets(runtime, start, box):
    """With the host's network namespace, of which they are under runc (CVE-2020-15257): so this test can fail."""
    name = f"callgate-abstract-{os.getpid()}"
    listener = start("/usr/bin/python3", "-c", LISTEN.format(name=name), runtime=runtime)
    assert listener.process.stdout.readline() == b"up\n", str(listener.wait(5))
    with socket.socket(socket.AF_UNIX) as client:
        host = client.connect_ex("\0" + name)
    other = box(runtime).exec("/usr/bin/python3", "-c", CONNECT.format(name=name)).stdout.strip()
    assert (host, other) == ((0, "0") if runtime == "runc" else (111, "111"))


# ---- keys ----

ADD_KEY, REQUEST_KEY, KEYCTL = 248, 249, 250
SESSION = -3
KEYS = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def call(*args):
    result = libc.syscall(*args)
    return result if result >= 0 else -ctypes.get_errno()
room = ctypes.create_string_buffer(64)
print(call(249, b"user", b"{name}", None, 0))
print(*[call(250, 11, ctypes.c_long(serial), room, 64) for serial in (-1, -2, -3, -4, -5, {serial})])
print(*[call(250, 10, ctypes.c_long(ring), b"user", b"{name}", 0) for ring in (-3, -4, -5)])
print(call(250, 8, ctypes.c_long({serial}), ctypes.c_long(-3)), room.raw.count(b"SECRET"))
"""


@own
def test_keys_of_the_host(run):
    """A key in the session keyring that the container was started with: neither found, read nor linked."""
    name = f"callgate-key-{os.getpid()}"
    serial = LIBC.syscall(ADD_KEY, b"user", name.encode(), b"SECRET", 6, SESSION)
    if serial < 0:
        pytest.skip("known: a host without keyrings")
    try:
        room = ctypes.create_string_buffer(64)
        assert LIBC.syscall(KEYCTL, 11, serial, room, 64) == 6 and room.value == b"SECRET"
        result = run("/usr/bin/python3", "-c", KEYS.format(name=name, serial=serial))
        numbers = [int(word) for word in result.stdout.split()]
        assert len(numbers) == 12 and numbers.pop() == 0 and all(number < 0 for number in numbers), str(result)
    finally:
        LIBC.syscall(KEYCTL, 3, serial)  # revoked


# ---- things that make others wait ----

STALLS = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
print([libc.syscall(323, flags) for flags in (0, 1, 0o2000000)], ctypes.get_errno() in (1, 38), os.path.exists("/dev/userfaultfd"))
print(libc.mount(b"fuse", b"/mnt", b"fuse", 0, b"fd=0,rootmode=40000,user_id=0,group_id=0"), os.path.exists("/dev/fuse"))
"""


@own
def test_no_stalls_of_its_own_making(run):
    """No userfaultfd and no FUSE inside: page faults and file accesses of the hypervisor's cannot be held up by the guest."""
    result = run("/usr/bin/python3", "-c", STALLS, prepare=privileged)
    assert result.stdout == "[-1, -1, -1] True False\n-1 False\n", str(result)


class HangingFiles(threading.Thread):
    """A FUSE file system on the host. Its server answers for the root directory, until it is to be stuck: then it takes no request."""

    HEADER, INIT_OUT = struct.Struct("<IIQQIIII"), struct.Struct("<IIIIHHIIHHI7I")
    ATTR = struct.Struct("<QQQQQQIIIIIIIIII")
    GETATTR, STATFS, INIT = 3, 17, 26

    def __init__(self, place):
        super().__init__(daemon=True)
        self.place, self.stuck = place, threading.Event()
        self.fd = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={self.fd},rootmode=40000,user_id=0,group_id=0,allow_other"
        if LIBC.mount(b"callgate-hanging", os.fsencode(place), b"fuse", 0, options.encode()):
            raise OSError(ctypes.get_errno(), "mount")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stuck.set()
        LIBC.umount2(os.fsencode(self.place), 1 | 2)  # MNT_FORCE: who waits gets an error
        os.close(self.fd)
        self.join(TIMEOUT)

    def asked(self):
        """Is there a request that is not taken?"""
        return not self.is_alive() and select.select([self.fd], [], [], 0)[0]

    def answer(self, unique, data=b"", error=0):
        os.write(self.fd, struct.pack("<IiQ", 16 + len(data), error, unique) + data)

    def run(self):
        with contextlib.suppress(OSError):  # unmounted
            while True:
                while not select.select([self.fd], [], [], 0.05)[0] and not self.stuck.is_set():
                    pass
                if self.stuck.is_set():
                    return
                request = os.read(self.fd, 1 << 17)
                _, code, unique, node, *_ = self.HEADER.unpack_from(request)
                self.serve(code, unique, node)

    def serve(self, code, unique, node):
        if code == self.INIT:
            self.answer(unique, self.INIT_OUT.pack(7, 19, 4096, 0, 0, 0, 4096, 0, 0, 0, 0, *[0] * 7)[:24])
        elif code == self.GETATTR:
            attr = self.ATTR.pack(node, 0, 0, 0, 0, 0, 0, 0, 0, 0o40755, 2, 0, 0, 0, 4096, 0)
            self.answer(unique, struct.pack("<QII", 0, 0, 0) + attr)
        elif code == self.STATFS:
            self.answer(unique, bytes(80))
        else:
            self.answer(unique, error=-38)


def callgate(*args):
    return subprocess.run([*runtime_command(RUNTIME), *args], capture_output=True, text=True, timeout=TIMEOUT, check=False)


@own
@pytest.mark.skipif(not os.path.exists("/dev/fuse"), reason="known: a host without FUSE")
@pytest.mark.parametrize("end", ["killed", "its guest dies"])
def test_a_file_system_that_hangs(start, box, scratch, end):
    """The host's own, in one container: others are served, and this one can be asked and ended."""
    place = scratch / "fuse"
    place.mkdir()
    with HangingFiles(place) as files:
        victim = start("/bin/sh", "-c", "echo up; until [ -e /tmp/go ]; do sleep 0.05; done; read x </data/file",
                       mounts=[("/data", "bind", str(place), ["bind"])])
        hypervisor = wait_for(lambda: descendants(victim.pid), what="hypervisor")[0]
        assert victim.process.stdout.readline() == b"up\n", str(victim.wait(5))
        files.stuck.set()
        (victim.bundle / "rootfs/tmp/go").write_text("")
        wait_for(files.asked, what="a call that hangs")
        neighbour = box()
        lives(neighbour)
        assert '"running"' in callgate("state", victim.id).stdout
        if end == "killed":
            assert callgate("kill", victim.id, "KILL").returncode == 0
        else:
            os.kill(descendants(hypervisor)[0], 9)
        assert victim.process.wait(TIMEOUT) == 137
        lives(neighbour)

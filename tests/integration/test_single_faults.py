"""One host call of the hypervisor's fails while it serves a guest, the first, second, third ... of its kind: the guest gets that error
from its own call, or none at all, or the container ends and says why. Nothing leaks, and afterwards all goes on.

CALLGATE_FAULT_NUMBERS says how many of each kind are failed in turn (a few here).
"""

import collections
import os
import pathlib
import subprocess

import pytest
from bundle import RUNTIME, TIMEOUT, descriptors, wait_for
from test_fault_injection import guest, strace  # noqa: F401
from test_faults import neighbour  # noqa: F401

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: it is the hypervisor's calls that fail")

NUMBERS = int(os.environ.get("CALLGATE_FAULT_NUMBERS", "1"))

# What a round of everyday work does; the first error of each kind of work is told. "wrong" is what must never be.
WORK = r"""
import errno, mmap, os, select, shutil, socket, subprocess
def files(d):
    with open(d + '/a', 'wb') as f:
        f.write(b'x' * 5000); f.flush(); os.fsync(f.fileno()); os.fdatasync(f.fileno())
    os.rename(d + '/a', d + '/b')
    with open(d + '/b', 'rb') as f:
        assert f.read() == b'x' * 5000
    os.truncate(d + '/b', 100); assert os.stat(d + '/b').st_size == 100
    with open(d + '/b', 'r+b') as f:
        f.truncate(4096); m = mmap.mmap(f.fileno(), 4096); m[5] = 65; m.flush(); m.close()
        os.posix_fallocate(f.fileno(), 0, 8192); os.pwrite(f.fileno(), b'y', 4000); assert os.pread(f.fileno(), 1, 5) == b'A'
    os.unlink(d + '/b')
def names(d):
    os.mkdir(d + '/sub'); os.symlink('sub', d + '/link'); assert os.readlink(d + '/link') == 'sub'
    open(d + '/sub/one', 'w').close(); os.link(d + '/sub/one', d + '/sub/two')
    os.chmod(d + '/sub/one', 0o600); os.chown(d + '/sub/one', 1, 1); os.utime(d + '/sub/one', (1, 2)); os.access(d + '/sub/one', os.R_OK)
    os.setxattr(d + '/sub/one', 'user.x', b'y'); assert os.listxattr(d + '/sub/one') == ['user.x']; assert os.getxattr(d + '/sub/one', 'user.x') == b'y'
    os.removexattr(d + '/sub/one', 'user.x')
    assert sorted(os.listdir(d + '/sub')) == ['one', 'two']; assert os.statvfs(d).f_bsize; os.mkfifo(d + '/fifo')
    shutil.copyfile(d + '/sub/one', d + '/copy'); shutil.rmtree(d)
def streams(d):
    with socket.create_server(('127.0.0.1', 0)) as listener:
        listener.settimeout(20)
        with socket.create_connection(listener.getsockname(), 20) as one, listener.accept()[0] as two:
            one.settimeout(20); two.settimeout(20)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1); assert one.getpeername() == listener.getsockname()
            one.sendall(b'z' * 3000); assert two.recv(3000, socket.MSG_WAITALL) == b'z' * 3000
            assert select.select([one], [one], [], 5)[1] == [one]
            two.shutdown(socket.SHUT_WR); assert one.recv(1) == b''
def datagrams(d):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as two:
        one.bind(('127.0.0.1', 0)); one.settimeout(20); two.sendto(b'hello', one.getsockname()); assert one.recvfrom(9)[0] == b'hello'
def processes(d):
    pid = os.fork()
    if not pid:
        try:
            open(d + '/child', 'w').close(); os._exit(0)
        except OSError as error:
            os._exit(error.errno)
        except BaseException:
            os._exit(255)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if 0 < status < 255:
        raise OSError(status, 'in the child')
    assert status == 0, status
    done = subprocess.run(['/bin/cat', d + '/child'], stderr=subprocess.PIPE)
    if done.returncode:
        raise OSError(0, done.stderr.decode()) # a program's own words
WORKS = [files, names, streams, datagrams, processes]
def work():
    said = []
    for number, each in enumerate(WORKS):
        d = '/tmp/work%d' % number
        try:
            os.makedirs(d, exist_ok=True); each(d)
        except OSError as error:
            said.append(each.__name__ + ' ' + (errno.errorcode.get(error.errno) or str(error)))
        except BaseException as error:
            said.append(each.__name__ + ' wrong: ' + repr(error))
        try:
            shutil.rmtree(d, ignore_errors=True)
        except OSError:
            pass
    return '; '.join(said)
"""

# The calls that are failed, and how; of each the first ones. Not close: what is not closed stays open, here.
KINDS = {"openat2": "EMFILE", "statx": "EIO", "mkdirat": "ENOSPC", "sendmsg": "ENOMEM", "socket": "EMFILE", "fcntl": "EMFILE", "accept4": "EMFILE",
         "renameat2": "EIO", "fsync": "EIO", "fstatfs": "EIO", "readlinkat": "EIO", "getdents64": "EIO"}
FURTHER = {"newfstatat": "EIO", "mknodat": "ENOSPC", "unlinkat": "EIO", "linkat": "ENOSPC", "symlinkat": "ENOSPC", "fchmodat": "EIO",
           "fchownat": "EIO", "utimensat": "EIO", "truncate": "EIO", "faccessat2": "EIO", "getxattr": "EIO", "setxattr": "ENOSPC",
           "listxattr": "EIO", "removexattr": "EIO", "fdatasync": "EIO", "fallocate": "ENOSPC", "ftruncate": "EIO", "connect": "ENOMEM",
           "bind": "ENOMEM", "listen": "ENOMEM", "getsockname": "ENOMEM", "getpeername": "ENOMEM", "getsockopt": "ENOMEM",
           "setsockopt": "ENOMEM", "shutdown": "ENOMEM", "lseek": "EIO", "copy_file_range": "EIO"}


def work(box):
    """What has gone wrong in a round."""
    said = box.do("print(work() or 'nothing', flush=True)")
    assert said and box.process.stdout.readline() == "ok\n", (said, box.process.communicate(timeout=TIMEOUT))
    return said


def held(box):
    """What the hypervisor has open, but for the directories that its threads keep for a while."""
    return collections.Counter(name for name in descriptors(box.hypervisor()) if name == "/dev/null" or not os.path.isdir(name))


def wait_for_held(box, before, what):
    """Descriptors are released when the process that had them has ended."""
    try:
        wait_for(lambda: held(box) == before, TIMEOUT, "descriptors")
    except TimeoutError as error:
        raise AssertionError(f"{what}: {held(box) - before} are left, {before - held(box)} are gone") from error


def fail_one(box, log, kind, error, number):
    """Was there such a call, and what came of it."""
    with strace("-o", str(log), "-e", f"trace={kind}", "-e", f"inject={kind}:error={error}:when={number}", pids=[box.hypervisor()]):
        said = work(box)
    return log.read_text().count("(INJECTED)"), said


def test_one_call_fails(guest, neighbour, tmp_path):  # noqa: F811
    box, seen = guest(), collections.Counter()
    assert box.do(f"exec({WORK!r})") == "ok"
    for _ in range(3):  # fills caches
        assert work(box) == "nothing"
    before = held(box)
    for kind, error in {**KINDS, **(FURTHER if NUMBERS > 1 else {})}.items():
        for number in range(1, NUMBERS + 1):
            injected, said = fail_one(box, tmp_path / "log", kind, error, number)
            seen[kind] += injected
            assert said == "nothing" or injected and set(word.split()[1] for word in said.split("; ")) == {error}, (kind, number, said)
            assert work(box) == "nothing", (kind, number)
            wait_for_held(box, before, (kind, number))
        neighbour.check()
        assert seen[kind], f"{kind} is not called any more"
    box.end()


# --- limits of the host's, in a guest process ----------------------------------------------------------

def descendants(pid):
    for child in map(int, pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
        yield child
        yield from descendants(child)


def python(box):
    """The host process that the guest's Python is: the last to be started."""
    return max(descendants(box.hypervisor()))


def limit(pid, what, value):
    """Sets a limit of the host process to what it should not go beyond; as its own user, whom that is never refused."""
    user = os.stat(f"/proc/{pid}/stat").st_uid or int(pathlib.Path(f"/proc/{pid}/status").read_text().split("Uid:")[1].split()[0])
    subprocess.run(["setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups", "prlimit", "--pid", str(pid), f"--{what}={value}:"],
                   check=True, timeout=TIMEOUT)


def test_no_more_memory_for_a_process(guest, neighbour):  # noqa: F811
    """The host refuses its process pages: the program hears of it, and goes on."""
    box = guest()
    pid = python(box)
    assert box.do("import mmap; m = mmap.mmap(-1, 1 << 24); m.close()") == "ok"
    limit(pid, "as", 1 << 20)
    assert box.do("m = mmap.mmap(-1, 1 << 24)") == "ENOMEM"
    assert box.do("pid = os.fork(); pid or os._exit(3); assert os.wait()[1] == 3 << 8") in ("ok", "ENOMEM")
    limit(pid, "as", "unlimited")
    assert box.do("m = mmap.mmap(-1, 1 << 24); m[5] = 1; m.close()") == "ok"
    neighbour.check()
    box.end()


def test_no_more_descriptors_for_a_process(guest, neighbour):  # noqa: F811
    """It can be given none (an ordinary user may be unable to raise that limit): the program hears of it by name, and goes on."""
    box, use = guest(), "g = os.open('/tmp/another', os.O_CREAT | os.O_RDWR); os.write(g, b'x'); assert os.pread(g, 1, 0) == b'x'; os.close(g)"
    pid = python(box)
    limit(pid, "nofile", 64)
    assert box.do(use) in ("ok", "EMFILE")
    assert box.do("s = socket.create_server(('127.0.0.1', 0)); s.close()") in ("ok", "EMFILE")
    limit(pid, "nofile", 4096)
    assert box.do(use) == "ok"
    neighbour.check()
    box.end()


# --- a disk that dies ------------------------------------------------------------------------------------

@pytest.fixture
def dying(scratch):
    """An ext4, and what takes the greater part of its disk away from it: what is there is an I/O error from then on."""
    image, place = scratch / "image", scratch / "mnt"
    place.mkdir()
    image.touch()
    os.truncate(image, 64 << 20)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-E", "lazy_itable_init=1", image], check=True)
    device = subprocess.run(["losetup", "-f", "--show", image], check=True, capture_output=True, text=True).stdout.strip()

    def die():
        os.truncate(image, 8 << 20)
        subprocess.run(["losetup", "-c", device], check=True)
    try:
        subprocess.run(["mount", device, place], check=True)
        yield place, die
        subprocess.run(["umount", place], check=True)
    finally:
        subprocess.run(["losetup", "-d", device], check=True)


def test_a_dying_disk(guest, neighbour, dying):  # noqa: F811
    """What the disk does not take any more is an error of fsync or of the write itself; all other files are as they were."""
    place, die = dying
    box = guest(mounts=[("/data", "bind", str(place), ["rbind"])])
    assert box.do("g = open('/data/good', 'wb', 0); g.write(b'x' * 5000); os.fsync(g.fileno())") == "ok"
    assert box.do("b = open('/data/bad', 'wb', 0); [b.write(bytes(1 << 20)) for _ in range(32)]; os.fsync(b.fileno())") == "ok"
    die()
    assert box.do("[os.pwrite(b.fileno(), b'y' * 4096, offset << 20) for offset in range(32)]") in ("ok", "EIO")
    assert box.do("os.fsync(b.fileno())") == "EIO"
    assert box.do("assert open('/data/good', 'rb').read() == b'x' * 5000") == "ok"
    assert box.do("f2 = open('/tmp/else', 'w+'); f2.write('x'); f2.flush(); os.fsync(f2.fileno())") == "ok"
    neighbour.check()
    box.end()

"""Host calls of the runtime and the hypervisor fail: by strace, by file systems that are full or gone, by a hypervisor that
is stopped. A container that cannot be made says which step it was and leaves nothing; a guest gets the error, and goes on."""

import contextlib
import errno
import json
import os
import pathlib
import re
import signal
import subprocess

import pytest
from bundle import RUNTIME, TIMEOUT, runtime_command, wait_for

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: it is the hypervisor's calls that fail")

# calls on the way to a container, how they fail, and which of a process's calls of that name (the others of its calls succeed)
STEPS = [("unshare", "ENOSPC", (1, 2)), ("mkdir", "ENOSPC", (1, 2)), ("mkdirat", "ENOSPC", (1, 2, 4)), ("write", "ENOSPC", (1, 2)),
         ("renameat2", "EIO", (1,)), ("ftruncate", "ENOSPC", (1, 2)), ("memfd_create", "EMFILE", (1, 2)), ("openat2", "ENOMEM", (1, 3, 9)),
         ("socketpair", "EMFILE", (1,)), ("pipe2", "EMFILE", (1,)), ("eventfd2", "EMFILE", (1, 3)), ("epoll_create1", "EMFILE", (1,)),
         ("fsopen", "EMFILE", (1, 3)), ("fsconfig", "ENOMEM", (2, 7)), ("fsmount", "ENOMEM", (1, 4)), ("move_mount", "ENOMEM", (1, 3)),
         ("open_tree", "EMFILE", (1,)), ("mount_setattr", "ENOMEM", (1,)), ("pivot_root", "ENOMEM", (1,)), ("socket", "EMFILE", (1,)),
         ("bind", "ENOSPC", (1,)), ("clone3", "EAGAIN", (2,)), ("pidfd_open", "EMFILE", (1, 2)), ("execveat", "ENOMEM", (1,)),
         ("setgroups", "ENOMEM", (1,)), ("capset", "EPERM", (1,)), ("sethostname", "EPERM", (1,))]


def failing_run(bundle, root, call, error, number, log):
    command = ["strace", "-f", "-o", str(log), "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={number}",
               *runtime_command(RUNTIME), "--root", str(root), "run", "-b", str(bundle), f"t-inject-{os.getpid()}"]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, check=False)


@pytest.mark.parametrize("call,error,numbers", STEPS, ids=[step[0] for step in STEPS])
def test_a_step_of_creation_fails(bundles, tmp_path, call, error, numbers):
    """It says what failed, and nothing is left; or the container runs all the same."""
    bundle, injected = bundles.make(["/bin/echo", "up"]), 0
    for number in numbers:
        done = failing_run(bundle, tmp_path / "root", call, error, number, tmp_path / "log")
        injected += (tmp_path / "log").read_text().count("(INJECTED)")
        assert (done.returncode, done.stdout) in ((0, "up\n"), (1, "")), done
        if done.returncode:
            reasons = (os.strerror(getattr(errno, error)).lower(), "wait status", "/proc does not tell the number")
            assert any(reason in done.stderr for reason in reasons), done.stderr
            assert re.fullmatch(r"callgate: [^\n]{12,}\n", done.stderr), done.stderr
        assert not (tmp_path / "root").exists() or os.listdir(tmp_path / "root") == []
        places = [pathlib.Path("/sys/fs/cgroup"), *pathlib.Path("/sys/fs/cgroup").iterdir()]
        assert not [place for place in places if (place / f"callgate/t-inject-{os.getpid()}").exists()]
    assert injected, f"{call} is not called any more"


# --- a running guest ---------------------------------------------------------------------------------

SERVER = """import errno, os, socket, sys
open('/tmp/there', 'w').write('x'); os.makedirs('/tmp/dir/below', exist_ok=True)
f = os.open('/tmp/file', os.O_CREAT | os.O_RDWR)
print('up', flush=True)
for line in sys.stdin:
    try:
        exec(line)
        print('ok', flush=True)
    except OSError as error:
        print(errno.errorcode[error.errno], flush=True)"""


class Guest:
    """A Python in a container, which does what it is told and says how it went."""

    def __init__(self, bundle):
        self.id = f"t-guest-{os.getpid()}"
        self.process = subprocess.Popen([*runtime_command(RUNTIME), "run", "-b", str(bundle), self.id], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
        assert self.process.stdout.readline() == "up\n", self.process.communicate(timeout=5)

    def do(self, statement):
        self.process.stdin.write(statement + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def hypervisor(self):
        return json.loads(pathlib.Path(f"/run/callgate/{self.id}/state.json").read_text())["init_process_pid"]

    def end(self):
        """It has noticed nothing but the errors."""
        out, err = self.process.communicate(timeout=TIMEOUT)
        assert (self.process.returncode, out, err) == (0, "", "")


@pytest.fixture
def guest(bundles):
    made = []

    def go(**options):
        made.append(Guest(bundles.make(["/usr/bin/python3", "-u", "-c", SERVER], **options)))
        return made[-1]
    yield go
    for each in made:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(each.process.pid, signal.SIGKILL)
        each.process.communicate(timeout=TIMEOUT)


def is_traced(pid):
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            if "TracerPid:\t0\n" in (task / "status").read_text():
                return False
    return True


@contextlib.contextmanager
def strace(*args, pids):
    attach = [word for pid in pids for word in ("-p", str(pid))]
    with subprocess.Popen(["strace", "-f", *args, *attach], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as tracer:
        try:
            wait_for(lambda: all(map(is_traced, pids)), 30, "strace")
            yield
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.wait(TIMEOUT)


SERVED = [("openat2", "EMFILE", "os.open('/tmp/new', os.O_CREAT | os.O_RDWR)"), ("openat2", "EIO", "open('/tmp/there')"),
          ("openat2", "ENOSPC", "open('/tmp/new', 'w')"), ("mkdirat", "ENOSPC", "os.mkdir('/tmp/d2')"),
          ("renameat2", "EIO", "os.rename('/tmp/there', '/tmp/here')"), ("unlinkat", "EIO", "os.unlink('/tmp/there')"),
          ("symlinkat", "ENOSPC", "os.symlink('x', '/tmp/link')"), ("fsync", "EIO", "os.fsync(f)"),
          ("fdatasync", "EIO", "os.fdatasync(f)"), ("ftruncate", "ENOSPC", "os.ftruncate(f, 100)"),
          ("fallocate", "ENOSPC", "os.posix_fallocate(f, 0, 100)"), ("getdents64", "EIO", "os.listdir('/tmp/dir')"),
          ("socket", "EMFILE", "socket.socket(socket.AF_INET, socket.SOCK_STREAM)"), ("socket", "ENOMEM", "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)")]


def test_the_guest_gets_the_error(guest):
    """What fails for the hypervisor fails for the guest, as that; when it does not fail any more all goes on."""
    box = guest()
    for call, error, statement in SERVED:
        with strace("-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:error={error}", pids=[box.hypervisor()]):
            assert box.do(statement) == error, (call, statement)
    for _, _, statement in SERVED:
        assert box.do(statement) in ("ok", "ENOENT"), statement  # renamed, and so not there to be removed
    box.end()


def test_a_full_disk(guest, scratch):
    """A volume without space left: the guest hears of it, and can make room."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "callgate-test", scratch], check=True)
    try:
        box = guest(mounts=[("/data", "bind", str(scratch), ["rbind"])])
        assert box.do("b = open('/data/big', 'wb', 0)") == "ok"
        assert box.do("[b.write(bytes(65536)) for _ in range(64)]") == "ENOSPC"
        assert box.do("os.mkdir('/data/d'); open('/data/d/x', 'w').write('x' * 9000)") == "ENOSPC"
        assert box.do("b.truncate(0); open('/data/d/x', 'w').write('x' * 9000)") == "ok"
        assert (scratch / "d/x").read_text() == "x" * 9000
        box.end()
    finally:
        subprocess.run(["umount", "-l", scratch], check=True)


def test_a_full_disk_for_the_state(bundles, scratch):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "callgate-test", scratch], check=True)
    try:
        with contextlib.suppress(OSError):
            (scratch / "big").write_bytes(bytes(65536))
        done = subprocess.run([*runtime_command(RUNTIME), "--root", f"{scratch}/state", "run", "-b",
                               str(bundles.make(["/bin/true"])), "t-full"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=TIMEOUT, check=False)
        assert done.returncode == 1 and str(scratch) in done.stderr and "no space left on device" in done.stderr, done
        assert not os.path.exists(f"{scratch}/state") or os.listdir(f"{scratch}/state") == []
    finally:
        subprocess.run(["umount", "-l", scratch], check=True)


def test_a_volume_vanishes(guest, scratch):
    """Its folder is removed on the host, another one's file system unmounted: the container keeps what it has."""
    (scratch / "removed").mkdir()
    (scratch / "unmounted").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "callgate-test", scratch / "unmounted"], check=True)
    box = guest(mounts=[(f"/{name}", "bind", str(scratch / name), ["rbind"]) for name in ("removed", "unmounted")])
    assert box.do("g = open('/removed/file', 'w+'); g.write('x'); g.flush()") == "ok"
    (scratch / "removed/file").unlink()
    (scratch / "removed").rmdir()
    subprocess.run(["umount", "-l", scratch / "unmounted"], check=True)
    assert box.do("g.write('y'); g.seek(0); assert g.read() == 'xy'") == "ok"
    assert box.do("open('/removed/new', 'w')") == "ENOENT"
    assert box.do("os.mkdir('/unmounted/d'); assert os.listdir('/unmounted') == ['d']") == "ok"
    box.end()


def test_a_stopped_hypervisor(guest, tmp_path):
    """What has to ask it says why it gets no answer; the rest works, and it can be killed."""
    box = guest()
    command = [*runtime_command(RUNTIME)]
    hypervisor = box.hypervisor()
    os.kill(hypervisor, signal.SIGSTOP)
    try:
        def run(*args):
            return subprocess.run([*command, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        assert json.loads(run("state", box.id).stdout)["status"] == "running"
        with open(tmp_path / "out", "w+", encoding="utf-8") as out:  # no pipe: the hypervisor has been sent what it is to read
            asked = subprocess.run([*command, "exec", box.id, "/bin/true"], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                   timeout=60, check=False)
        assert asked.returncode
        assert f"the hypervisor (process {hypervisor}) does not answer: it is stopped" in (tmp_path / "out").read_text()
        assert run("delete", "--force", box.id).returncode == 0
        box.process.wait(TIMEOUT)
        assert run("state", box.id).returncode == 1
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(hypervisor, signal.SIGCONT)


SYNCS = [("os.fsync(f)", r"fsync\(\d+<[^>]*/data/file>\)"), ("os.fdatasync(f)", r"fdatasync\(\d+<[^>]*/data/file>\)"),
         ("import ctypes; assert ctypes.CDLL(None).sync_file_range(f, 0, 0, 7) == 0", r"(sync_file_range|fsync|fdatasync)\(\d+<[^>]*/data/file>"),
         ("import mmap; m = mmap.mmap(f, 4096); m[0] = 65; m.flush()", r"fdatasync\(\d+<[^>]*/data/file>"),
         ("s = os.open('/data/s', os.O_CREAT | os.O_WRONLY | os.O_SYNC); os.write(s, b'x')", r"/s\".*O_SYNC|RWF_SYNC"),
         ("os.rename('/data/s', '/data/t'); d = os.open('/data', os.O_RDONLY); os.fsync(d)", r"fsync\(\d+<[^>]*/data>\)"),
         ("ctypes.CDLL(None).syncfs(f)", r"syncfs\(\d+<[^>]*/data/file>\)"), ("os.sync()", r"(?s)(?=.*syncfs\(\d+<[^>]*/data>\))(?=.*syncfs\(\d+<[^>]*/other>\)).*syncfs\(\d+</>\)")]


@pytest.fixture
def other(tmp_path):
    """A directory with a file system of its own."""
    place = tmp_path / "other"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "other", place], check=True)
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_what_is_synced_is_synced_on_the_host(guest, scratch, tmp_path, other):
    """Each of them leads to the host's call for that very file before it returns; sync(2) is for all file systems."""
    box = guest(mounts=[("/data", "bind", str(scratch), ["rbind"]), ("/other", "bind", str(other), ["bind"])])
    assert box.do("f = os.open('/data/file', os.O_CREAT | os.O_RDWR); os.write(f, bytes(4096))") == "ok"
    hypervisor = box.hypervisor()
    children = descendants(hypervisor)
    for number, (statement, expected) in enumerate(SYNCS):
        log = tmp_path / f"log{number}"
        with strace("-y", "-o", str(log), "-e", "trace=fsync,fdatasync,sync_file_range,syncfs,sync,openat2,pwritev2",
                    pids=[hypervisor, *children]):
            assert box.do(statement) == "ok", statement
            assert re.search(expected, log.read_text()), (statement, log.read_text())
    box.end()


def descendants(pid):
    found = set()
    for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found |= {int(child)} | descendants(int(child))
    return found

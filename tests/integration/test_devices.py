"""linux.devices: nodes with their mode and owner, and devices of the host behind them, as under runc."""

import contextlib
import os
import subprocess

import pytest
from bundle import edit_config

MIB = 1 << 20


@pytest.fixture
def disk(scratch):
    """A loop device of 1 MiB."""
    image = scratch / "disk"
    image.write_bytes(b"first".ljust(512, b".") + bytes(MIB - 512))
    device = subprocess.run(["losetup", "-f", "--show", str(image)], check=True, capture_output=True,
                            text=True).stdout.strip()
    yield image, device, os.minor(os.stat(device).st_rdev)
    with contextlib.suppress(subprocess.CalledProcessError):
        subprocess.run(["losetup", "-d", device], check=True)


def devices(*nodes, rules=()):
    def prepare(bundle):
        def change(config):
            config["linux"]["devices"] = list(nodes)
            config["linux"]["resources"] = {"devices": [{"allow": False, "access": "rwm"}, *rules]}
        edit_config(bundle, change)
    return prepare


def loop(minor, path="/dev/disk/test"):
    return {"path": path, "type": "b", "major": 7, "minor": minor, "fileMode": 0o660, "uid": 3, "gid": 6}


def allow(minor, access="rwm"):
    return {"allow": True, "type": "b", "major": 7, "minor": minor, "access": access}


def test_nodes(run_both):
    """runc makes parents, modes and owners so; a node of its own is replaced by the configuration's."""
    nodes = [{"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o622, "uid": 7, "gid": 8},
             {"path": "/dev/a/b/c", "type": "c", "major": 89, "minor": 5},
             {"path": "/dev/pipe", "type": "p", "fileMode": 0o640, "gid": 5},
             {"path": "/dev/unbuffered", "type": "u", "major": 1, "minor": 5, "fileMode": 0o604}]
    rules = [{"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"}]
    result = run_both("/bin/bash", "-c", "stat -c '%n %A %u %g %t,%T' /dev/null /dev/a /dev/a/b/c /dev/pipe /dev/unbuffered;"
                      "echo x >/dev/null; (echo through > /dev/pipe &) ; cat /dev/pipe; cat /dev/a/b/c 2>&1",
                      prepare=devices(*nodes, rules=rules))
    assert "/dev/null crw--w--w- 7 8 1,3" in result.stdout and "through\n" in result.stdout


def test_a_disk(run_both, disk):
    image, _, minor = disk
    script = """
import fcntl, mmap, os, struct
fd = os.open("/dev/disk/test", os.O_RDWR)
print(os.read(fd, 5), os.lseek(fd, 0, os.SEEK_END), os.fstat(fd).st_rdev)
print(struct.unpack("Q", fcntl.ioctl(fd, 0x80081272, bytes(8))), struct.unpack("i", fcntl.ioctl(fd, 0x1268, bytes(4))))
print(os.pwrite(fd, b"written", 4096), os.pread(fd, 7, 4096))
view = mmap.mmap(fd, 8192)
view[4096:4098] = b"WR"
view.flush()
print(os.pread(fd, 7, 4096), os.fsync(fd))
pid = os.fork()
if not pid:
    print(os.pread(fd, 5, 0), flush=True)
    os._exit(0)
os.waitpid(pid, 0)
print(os.read(os.open("/proc/self/fd/%d" % fd, os.O_RDONLY), 5))
"""
    result = run_both("/usr/bin/python3", "-c", script, prepare=devices(loop(minor), rules=[allow(minor)]))
    assert result.status == 0, str(result)
    subprocess.run(["sync"], check=True)
    assert image.read_bytes()[4096:4103] == b"WRitten"


def test_rules(run_both, disk):
    """What the rules do not allow is EPERM; reading allows no writing, neither by another name of the open file."""
    _, _, minor = disk
    script = """
import os
def attempt(path, flags):
    try:
        return os.open(path, flags)
    except OSError as error:
        return error.strerror
fd = attempt("/dev/disk/test", os.O_RDONLY)
print(fd, attempt("/dev/disk/test", os.O_WRONLY), attempt("/dev/disk/test", os.O_RDWR), attempt("/dev/none", os.O_RDONLY))
print(attempt("/proc/self/fd/%d" % fd, os.O_RDWR))
"""
    nodes = [loop(minor), {"path": "/dev/none", "type": "b", "major": 7, "minor": 250}]
    result = run_both("/usr/bin/python3", "-c", script, prepare=devices(*nodes, rules=[allow(minor, "r")]))
    assert result.stdout.count("Operation not permitted") == 4


def test_the_nodes_mode_counts(run_both, disk):
    _, _, minor = disk
    result = run_both("/bin/cat", "/dev/disk/test", uid=1000, gid=1000,
                      prepare=devices(loop(minor), rules=[allow(minor)]))
    assert result.status == 1


def test_privileged(run):
    """An engine lists all devices of the host then: nothing fails, and memory and machines stay closed."""
    nodes = []
    for directory, _, names in os.walk("/dev"):
        for name in names:
            path = os.path.join(directory, name)
            info = os.lstat(path)
            kind = {0o020000: "c", 0o060000: "b"}.get(info.st_mode & 0o170000)
            if kind and not path.startswith(("/dev/pts/", "/dev/console")):
                nodes.append({"path": path, "type": kind, "major": os.major(info.st_rdev),
                              "minor": os.minor(info.st_rdev), "fileMode": info.st_mode & 0o777})
    nodes += [{"path": "/dev/" + name, "type": "c", "major": major, "minor": minor}
              for name, major, minor in (("t-mem", 1, 1), ("t-port", 1, 4), ("t-kvm", 10, 232), ("t-vfio", 10, 196))]
    everything = [{"allow": True, "access": "rwm"}]
    result = run("/bin/bash", "-c", "for d in t-mem t-port t-kvm t-vfio; do cat /dev/$d; done 2>&1; find /dev -type c -o -type b | wc -l",
                 prepare=devices(*nodes, rules=everything))
    assert result.stdout.count("Operation not permitted") == 4, str(result)
    assert int(result.stdout.split()[-1]) >= len(nodes), str(result)

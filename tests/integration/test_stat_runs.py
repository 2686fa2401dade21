"""Attributes that a task has before it asks for them (kernel/fs/stat_run.c): how few calls, and what the host changes is seen."""

import os
import pathlib
import subprocess

import pytest
from bundle import RUNTIME, runtime_command
from test_trace import parse, traced  # noqa: F401

FILES = 100

# Between the first byte of a mapped file and the next stat there is no system call, and no output either.
WATCHER = f"""
import mmap, os, sys, time
def names(place):
    return [place + "/f%03d" % i for i in range({FILES})]
flag = mmap.mmap(os.open("/volume/flag", os.O_RDONLY), 1, mmap.MAP_SHARED, mmap.PROT_READ)
for place, late in (("/volume/files", 0), ("/var/files", 0.001)):
    names_here, stat, clock = names(place), os.lstat, time.monotonic
    go = flag[0] + 1
    sys.stdin.readline()
    for name in names_here[:50]:
        first = stat(name)
    old = stat(names_here[90])
    os.write(1, b"watching\\n")
    for name in names_here[:50]:
        first = stat(name)
    old = stat(names_here[90])
    while flag[0] != go:
        stat(names_here[3])
    end = clock() + late
    while clock() < end:
        stat(names_here[3])
    new, other = stat(names_here[90]), stat(names_here[91])
    os.write(1, b"%d %d %d\\n" % (old.st_size, new.st_size, other.st_mode & 0o777))
"""


@pytest.fixture
def watcher(bundles):
    volume = bundles.directory / "volume"
    volume.mkdir()
    (volume / "flag").write_bytes(b"\0")
    bundle = bundles.make(["/usr/bin/python3", "-c", WATCHER], mounts=[("/volume", "bind", str(volume), ["bind"])])
    folders = [volume / "files", bundle / "rootfs/var/files"]
    for folder in folders:
        folder.mkdir()
        for i in range(FILES):
            (folder / f"f{i:03}").write_text("12345")
    process = subprocess.Popen([*runtime_command(RUNTIME), "run", "--bundle", str(bundle), f"runs-{os.getpid()}"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield process, volume / "flag", folders
    process.stdin.close()
    process.stdout.close()
    assert process.wait(20) == 0


def test_what_the_host_changes(watcher):
    """On a volume by the next call; in the root file system a millisecond later at most."""
    process, flag, folders = watcher
    for number, folder in enumerate(folders, 1):
        process.stdin.write("go\n")
        process.stdin.flush()
        assert process.stdout.readline() == "watching\n"
        with open(folder / "f090", "a", encoding="ascii") as file:
            file.write("67")
        (folder / "new").write_text("")
        (folder / "new").chmod(0o601)
        (folder / "new").rename(folder / "f091")
        with open(flag, "r+b") as file:
            file.write(bytes([number]))
        old, new, mode = process.stdout.readline().split()
        assert old in ("5", "7") and (new, mode) == ("7", str(0o601)), folder


SCRIPT = f"""
import os, sys
os.chdir(sys.argv[1])
def make():
    os.mkdir("files")
    for i in range({FILES}):
        os.close(os.open("files/f%03d" % i, os.O_WRONLY | os.O_CREAT))
if not os.path.exists("files"):
    make()
names = ["files/f%03d" % i for i in range({FILES})]
for i in range(20):
    os.getsid(0)
    for name in names:
        os.lstat(name)
os.getsid(0)
"""


def rounds(traced, place, **options):  # noqa: F811
    """The PV calls of each time that all files were asked for."""
    lines = traced("/usr/bin/python3", "-c", SCRIPT, place, **options).trace("--no-loss", "-p", "1").start().lines()
    counts = []
    for _, name, _, _, pv, _ in parse(lines):
        if name == "getsid":
            counts.append(0)
        elif counts and name == "newfstatat":
            counts[-1] += pv
    return counts[:-1]


@pytest.mark.skipif(RUNTIME == "runc", reason="known: of callgate alone")
def test_calls(traced, tmp_path):  # noqa: F811
    """Three that ask for a file, one for the folder. (On a busy machine answers get too old: hence the best of 20.)"""
    assert min(rounds(traced, "/var/tmp")) == 4
    volume = pathlib.Path(tmp_path, "volume")
    volume.mkdir()
    assert min(rounds(traced, "/volume", mounts=[("/volume", "bind", str(volume), ["bind"])])) >= FILES


WALK = "cd /var/tmp; for i in $(seq 20); do mkdir -p tree/$i; done; for i in tree/*; do touch $i/f{1..60}; done; exec find tree -size -9 -printf '%200p\n' >/dev/null"


def walk(traced):  # noqa: F811
    """Of each folder that find has read: the PV calls of the reading, how many files it asked for, their PV calls, has it written between them."""
    lines = traced("/bin/bash", "-c", WALK).trace("--no-loss").start().lines()
    folders = []
    for _, name, args, result, pv, _ in parse(lines):
        if name == "getdents64" and result != "0":
            folders.append([pv, 0, 0, False])
        elif folders and name == "newfstatat" and '"f' in args:
            folders[-1][1] += 1
            folders[-1][2] += pv
        elif folders and name == "write":
            folders[-1][3] |= 0 < folders[-1][1] < 60
    return [tuple(folder) for folder in folders if folder[1]]


@pytest.mark.skipif(RUNTIME == "runc", reason="known: of callgate alone")
def test_calls_of_a_walk(traced):  # noqa: F811
    """Who has read directories and asked for their files has the next one's attributes with its names: one PV call more."""
    for _ in range(10):  # on a busy machine answers get too old
        folders = walk(traced)
        assert len(folders) == 20 and {stats for _, stats, *_ in folders} == {60}
        assert folders[0][0] == 1 and folders[0][2] >= 4, folders  # nobody knows yet that this is a walk
        if (2, 60, 0, True) in folders:
            return
    assert False, folders

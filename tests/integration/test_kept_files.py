"""Files that the guest kernel keeps open for the next open: what the host or another container changes is seen by it."""

import os
import pathlib
import subprocess
import time

import pytest
from bundle import RUNTIME, descriptors, runtime_command, wait_for

# A line "USER NAME" opens and reads a file; "do CODE" does something.
SERVER = """
import os, sys
print("up", flush=True)
for line in sys.stdin:
    first, rest = line.rstrip().split(" ", 1)
    try:
        if first == "do":
            text = exec(rest) or "done"
        else:
            os.setresuid(int(first), int(first), 0)
            with open(rest, "rb", 0) as f:
                text = f.read().decode()
    except OSError as e:
        text = "errno %d" % e.errno
    os.setresuid(0, 0, 0)
    print(text or "empty", flush=True)
"""
ENOENT, EACCES = "errno 2", "errno 13"


class Opener:
    def __init__(self, bundle):
        self.root = bundle / "rootfs"
        self.id = f"kept-{bundle.parent.name}-{bundle.name}"
        self.process = subprocess.Popen([*runtime_command(RUNTIME), "run", "--bundle", str(bundle), self.id],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "up\n"

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def open(self, name, user=0):
        return self.say(f"{user} {name}")

    def keeps(self, name):
        """Is it open in some guest process, as the host sees it? The hypervisor, their parent, lets go later."""
        pids, new = set(), {grandchild for child in children(self.process.pid) for grandchild in children(child)}
        while new:
            pids |= new
            new = {child for pid in new for child in children(pid)} - pids
        return any(link.endswith(name) for pid in pids for link in present(pid))

    def keep(self, name, text, user=0):
        """Open it until it is kept."""
        def kept():
            assert self.open(name, user) == text
            return self.keeps(name)
        if RUNTIME == "callgate":
            wait_for(kept, what=f"{name} stays open")

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


def children(pid):
    try:
        return [word for task in os.listdir(f"/proc/{pid}/task")
                for word in pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split()]
    except OSError:
        return []


def present(pid):
    try:
        return list(descriptors(pid))
    except OSError:
        return []


@pytest.fixture
def opener(bundles):
    made = []

    def make(mounts=()):
        made.append(Opener(bundles.make(["/usr/bin/python3", "-c", SERVER], mounts=mounts)))
        return made[-1]
    yield make
    for one in made:
        one.close()


def volume(directory):
    return [("/v", "bind", str(directory), ["bind"])]


@pytest.fixture(params=["root", "volume"])
def place(request, opener, bundles):
    """A container, a folder as the host has it, and its name inside."""
    if request.param == "root":
        box = opener()
        outside = box.root / "v"
        outside.mkdir(exist_ok=True)
    else:
        outside = bundles.directory / "volume"
        outside.mkdir()
        box = opener(volume(outside))
    return box, outside


def settle(box, outside):
    """What the host changes in the root file system, which is the container's own, is seen a millisecond later."""
    if box.root in outside.parents:
        time.sleep(0.01)


CHANGES = {  # what the host does to v/a/b/file, and what the next open finds
    "rename-over": (lambda b: ((b / "new").write_text("2"), (b / "new").rename(b / "file")), "2"),
    "unlink": (lambda b: (b / "file").unlink(), ENOENT),
    "other-folder": (lambda b: (b.rename(b.parent / "old"), b.mkdir(), (b / "file").write_text("2")), "2"),
    "other-folder-above": (lambda b: (b.parent.rename(b.parents[1] / "old"), b.mkdir(parents=True),
                                      (b / "file").write_text("2")), "2"),
    "folder-is-a-link": (lambda b: (b.rename(b.parent / "old"), (b.parent / "c").mkdir(),
                                    (b.parent / "c/file").write_text("2"), b.symlink_to("c")), "2"),
    "exchange-of-links": (lambda b: ((b / "file").rename(b / "f1"), (b / "f2").write_text("2"),
                                     (b / "file").symlink_to("f2")), "2"),
    "no-right-to-read": (lambda b: (b / "file").chmod(0), EACCES),
    "no-right-to-search": (lambda b: b.chmod(0o700), EACCES),
    "no-right-to-search-above": (lambda b: b.parent.chmod(0o700), EACCES),
    "other-owner": (lambda b: os.chown(b / "file", 0, 0), EACCES),
    "written-to": (lambda b: (b / "file").write_text("longer"), "longer"),
    "cut": (lambda b: os.truncate(b / "file", 0), "empty"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_the_host_changes(place, name):
    box, outside = place
    change, expected = CHANGES[name]
    folder = outside / "a/b"
    folder.mkdir(parents=True)
    (folder / "file").write_text("1")
    (folder / "file").chmod(0o600)
    os.chown(folder / "file", 1000, 1000)
    box.keep("/v/a/b/file", "1", user=1000)
    change(folder)
    settle(box, outside)
    assert box.open("/v/a/b/file", user=1000) == expected
    assert box.open("/v/a/b/file", user=1000) == expected


def test_what_another_container_changes(opener, bundles):
    shared = bundles.directory / "shared"
    shared.mkdir()
    reader, writer = opener(volume(shared)), opener(volume(shared))
    for i in range(20):
        name = f"/v/file{i % 2}"
        assert writer.say(f"do open('/v/new', 'w').write('{i}'); os.rename('/v/new', '{name}')") == "done"
        assert reader.open(name) == str(i)
        if i in (5, 15):
            reader.keep(name, str(i))
    (shared / "file0").unlink()
    assert reader.open("/v/file0") == ENOENT


def test_deleted_files_do_not_stay(place):
    """The next open of the name, an unlink inside, and the end of the program let go of a file that was deleted."""
    box, outside = place
    for name in ("one", "two"):
        (outside / name).write_text(name)
    box.keep("/v/one", "one")
    box.keep("/v/two", "two")
    (outside / "one").unlink()
    settle(box, outside)
    assert box.open("/v/one") == ENOENT
    assert not box.keeps("/v/one (deleted)") and not box.keeps("/v/one")
    assert box.say("do os.unlink('/v/two')") == "done"
    assert not box.keeps("/v/two (deleted)")


@pytest.mark.skipif(RUNTIME == "runc", reason="known: about callgate's own descriptors")
def test_few_files_are_kept(place):
    box, outside = place
    for i in range(80):
        (outside / f"f{i}").write_text(str(i))
    (outside / "big").write_text("x" * 300000)
    time.sleep(0.1)
    for i in range(160):
        assert box.open(f"/v/f{i // 2}") == str(i // 2)
    assert 0 < sum(box.keeps(f"/v/f{i}") for i in range(80)) <= 32
    for _ in range(4):
        box.open("/v/big")
    assert not box.keeps("/v/big")


@pytest.mark.skipif(RUNTIME == "runc", reason="known: about callgate's own descriptors")
def test_nothing_is_kept_where_mounts_may_appear(opener, bundles):
    """A volume into which the host's mounts propagate: a mount over a folder changes no times."""
    shared = bundles.directory / "shared"
    (shared / "sub").mkdir(parents=True)
    (shared / "sub/file").write_text("1")
    subprocess.run(["mount", "--bind", shared, shared], check=True)
    try:
        subprocess.run(["mount", "--make-shared", shared], check=True)
        box = opener([("/v", "bind", str(shared), ["bind", "rslave"])])
        time.sleep(0.1)
        for _ in range(5):
            assert box.open("/v/sub/file") == "1"
        subprocess.run(["mount", "-t", "tmpfs", "kept", shared / "sub"], check=True)
        (shared / "sub/file").write_text("2")
        assert box.open("/v/sub/file") == "2"
        box.close()
    finally:
        subprocess.run(["umount", "-R", shared], check=True)

"""Attacks on files that are open, mapped or executed: what is read-only stays so, and no descriptor leads outside."""

import hashlib
import os
import pathlib
import re
import subprocess

import pytest
from bundle import BUILD, RUNTIME, TIMEOUT, edit_config, wait_for

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: about callgate's own boundary")

GUEST = BUILD / "guest-pv.elf"
TEXT = "canary: an ordinary file\n" * 20


def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


@pytest.fixture
def canary(scratch):
    path = scratch / "canary"
    path.write_text(TEXT)
    path.chmod(0o666)
    return path


def attack(run, scratch, how, options, path="/data/canary"):
    result = run("/t/attack_write", how, path, mounts=[("/data", "bind", str(scratch), ["rbind", *options])], timeout=60)
    writes, verdict = re.fullmatch(r"(-?\d+) writes\n(\w+)\n", result.stdout).groups()
    return int(writes), verdict


@pytest.mark.parametrize("how", ["cow", "pipe"])
def test_a_read_only_volume_is_not_written(run, scratch, canary, how):
    writes, verdict = attack(run, scratch, how, ["ro"])
    assert writes > 0 and verdict == "unchanged"
    assert canary.read_text() == TEXT


@pytest.mark.parametrize("how", ["cow", "pipe"])
def test_a_file_open_for_reading_is_not_written(run, scratch, canary, how):
    """Where the volume could be written: the mapping is private, the splice a copy."""
    writes, verdict = attack(run, scratch, how, ["rw"])
    assert writes > 0 and verdict == "unchanged"
    assert canary.read_text() == TEXT


def test_the_attack_is_one(run, scratch, canary):
    """The same writes through a mapping that is shared and writable are seen by the program and by us."""
    writes, verdict = attack(run, scratch, "cow-shared", ["rw"])
    assert writes > 0 and verdict == "CHANGED"
    assert canary.read_text().startswith("ATTACKED")


@pytest.mark.parametrize("how", ["cow", "pipe"])
def test_a_lower_layer_is_not_written(run, scratch, rootfs, how):
    """Files that all containers of an image share, programs among them."""
    lower = pathlib.Path(rootfs) / "usr/bin/env"
    before = digest(lower)
    _, verdict = attack(run, scratch, how, [], "/usr/bin/env")
    assert verdict == "unchanged" and digest(lower) == before


# ---- the runtime's own executable (CVE-2019-5736) ----

HUNT = """
import os, sys, time
end, seen = time.monotonic() + 60, set()
print("up", flush=True)
while time.monotonic() < end and not os.path.exists("/data/stop"):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            link = f"/proc/{pid}/exe"
            path = os.readlink(link)
            st = os.stat(link)
            seen.add((path, st.st_dev, st.st_ino))
            if not path.startswith("/usr/bin/"):
                fd = os.open(f"/proc/self/fd/{os.open(link, os.O_PATH)}", os.O_WRONLY)
                os.write(fd, b"#!/bin/sh\\n")
        except OSError:
            pass
for path, dev, inode in sorted(seen):
    print(path, dev, inode)
"""


def put(root, name, text):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def test_the_runtime_is_not_executed_inside(run):
    """An entry point that names the process's own executable: at that moment, of the runtime."""
    before = digest(BUILD / "callgate"), digest(GUEST)
    result = run("/evil", "--version", prepare=lambda bundle: put(bundle / "rootfs", "evil", "#!/proc/self/exe\n"))
    assert result.status != 0 and result.stdout == "" and "callgate version" not in result.stderr, str(result)
    assert "/evil" in result.stderr, str(result)
    assert (digest(BUILD / "callgate"), digest(GUEST)) == before


def test_the_runtime_cannot_be_opened_from_inside(box, scratch):
    """While further processes are started, over and over, by a name that leads to /proc/self/exe."""
    before = digest(BUILD / "callgate"), digest(GUEST)
    b = box(args=("/usr/bin/python3", "-c", HUNT), mounts=[("/data", "bind", str(scratch), ["rbind"])])
    root = b.container.bundle / "rootfs"
    put(root, "evil", "#!/proc/self/exe\n")
    for i in range(10):
        result = b.exec("/evil", "--version")
        assert result.returncode != 0 and "callgate version" not in result.stdout + result.stderr, result
        assert b.exec("/usr/bin/env", "true").returncode == 0
    (scratch / "stop").write_text("")
    seen = b.container.wait().stdout.splitlines()[1:]
    assert any("/usr/bin/python3" in line for line in seen), seen
    own = {(st.st_dev, st.st_ino) for st in map(os.stat, (BUILD / "callgate", GUEST))}
    for line in seen:
        path, dev, inode = line.rsplit(" ", 2)
        assert "callgate" not in path and "guest-pv" not in path
        assert inode not in {str(i) for _, i in own}, line
    assert (digest(BUILD / "callgate"), digest(GUEST)) == before


# ---- descriptors and the working directory (CVE-2024-21626) ----

LOOK = "pwd -P; cat callgate-secret ../callgate-secret ../../../../../../../../../../..{secret}; echo end"


@pytest.fixture
def lent():
    """A directory of the host's, open and inheritable in who starts a container: (descriptor, its secret's path)."""
    folder = pathlib.Path(os.path.realpath("/var/tmp")) / f"callgate-lent-{os.getpid()}"
    folder.mkdir()
    (folder / "callgate-secret").write_text("SECRET\n")
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    yield fd, folder / "callgate-secret"
    os.close(fd)
    (folder / "callgate-secret").unlink()
    folder.rmdir()


def places(fd):
    return [f"/proc/self/fd/{n}" for n in sorted({*range(12), fd})] + ["/proc/1/cwd", f"/proc/1/fd/{fd}", "/proc/self/root/.."]


def test_working_directories_are_inside(bundles, lent):
    """process.cwd by way of each descriptor that the runtime could have open."""
    fd, secret = lent
    bundle = bundles.make(["/bin/sh", "-c", LOOK.format(secret=secret)])
    for i, cwd in enumerate(places(fd)):
        edit_config(bundle, lambda data, cwd=cwd: data["process"].update(cwd=cwd))
        done = subprocess.run([str(BUILD / "callgate"), "run", "-b", str(bundle), f"t-cwd-{os.getpid()}-{i}"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, check=False,
                              pass_fds=[fd])
        assert "SECRET" not in done.stdout, (cwd, done)
        assert done.returncode != 0 or done.stdout.splitlines()[0] in ("/", "/proc"), (cwd, done)


def test_working_directories_of_exec_are_inside(box, lent):
    fd, secret = lent
    b = box()
    for cwd in places(fd):
        done = b.exec("/bin/sh", "-c", LOOK.format(secret=secret), cwd=cwd, pass_fds=[fd])
        assert "SECRET" not in done.stdout, (cwd, done)
        assert done.returncode != 0 or done.stdout.splitlines()[0] in ("/", "/proc"), (cwd, done)


FDS = """
import os
for n in sorted(map(int, os.listdir("/proc/self/fd"))):
    try:
        print(n, os.readlink(f"/proc/self/fd/{n}"), os.fstat(n).st_ino)
    except OSError:
        pass  # the listing's own
print(flush=True)
"""


def test_no_descriptor_of_the_host_is_inside(start, lent):
    """Neither in what the guest sees, nor in what its host processes hold."""
    fd, _ = lent
    os.set_inheritable(fd, True)
    container = start("/usr/bin/python3", "-c", FDS + "import time; time.sleep(1000)")
    seen = []
    while not seen or seen[-1]:
        seen.append(container.process.stdout.readline().decode().strip())
    assert [line.split()[0] for line in seen[:-1]] == ["0", "1", "2"], seen
    held = wait_for(lambda: host_descriptors(container), what="guest processes")
    allowed = re.compile(r"socket:\[\d+\]|pipe:\[\d+\]|/dev/null|/memfd:[\w-]+ \(deleted\)|anon_inode:.*|/(usr/.*|lib.*)|" + str(GUEST))
    for pid, number, target, is_dir in held:
        assert not is_dir, (pid, number, target)
        assert allowed.fullmatch(target), (pid, number, target)
        if number >= 64:  # donated: the guest's own files and standard streams
            assert "callgate" not in target and "guest-pv" not in target, (pid, number, target)


def host_descriptors(container):
    """[(pid, number, target, is a directory)] of the host processes of a container's guest."""
    hypervisor = int(pathlib.Path(f"/proc/{container.pid}/task/{container.pid}/children").read_text().split()[0])
    found = []
    for child in descendants(hypervisor):
        folder = pathlib.Path(f"/proc/{child}/fd")
        for entry in folder.iterdir():
            found.append((child, int(entry.name), os.readlink(entry), entry.is_dir()))
    return found


def descendants(pid):
    children = [int(child) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
                for child in (task / "children").read_text().split()]
    return children + [deeper for child in children for deeper in descendants(child)]

"""Mounts of config.json: options, propagation, places, as under runc."""

import contextlib
import os
import pathlib
import subprocess
import tempfile
import time

import pytest
from bundle import BUILD, CAPABILITIES, RUNTIME, TIMEOUT, edit_config

CALLGATE_ONLY = pytest.mark.skipif(RUNTIME == "runc", reason="known: runc of Debian 12 can't, or says it otherwise")

SHOW = "awk '$5 == \"/data\" { print $6 }' /proc/self/mountinfo"


@pytest.fixture
def tree():
    """A folder with a file, and a tmpfs mounted below it; attached where only this test looks."""
    base = pathlib.Path(tempfile.mkdtemp(prefix="callgate-tree-", dir="/var/tmp"))
    base.chmod(0o755)
    (base / "sub").mkdir()
    (base / "file").write_text("top\n")
    subprocess.run(["mount", "-t", "tmpfs", "callgate-test", str(base / "sub")], check=True)
    (base / "sub/file").write_text("sub\n")
    yield base
    subprocess.run(["umount", "-R", str(base / "sub")], check=True)
    subprocess.run(["rm", "-r", str(base)], check=True)


def bind(source, *options, destination="/data"):
    return (destination, "bind", str(source), list(options))


@pytest.mark.parametrize("options", [
    ["bind", "ro"], ["bind", "nosuid", "noexec"], ["rbind", "rro"], ["bind", "ro", "rw"],
    ["bind", "noatime"], ["bind", "nodiratime", "relatime"], ["bind", "strictatime"], ["rbind", "rnosuid", "rnoexec"],
    ["bind", "rprivate", "ro"], ["rbind", "rslave"], ["rbind", "rshared"], ["bind", "unbindable"],
], ids=",".join)
def test_flags_of_bind_mounts(run_both, tree, options):
    result = run_both("/bin/sh", "-c", f"{SHOW}; cat /data/file; touch /data/new; echo $?; rm -f /data/new",
                      mounts=[bind(tree, "nodev", *options)])
    assert "nodev" in result.stdout


@pytest.mark.parametrize("options,top,below", [
    (["rbind", "ro"], 1, 0), (["rbind", "rro"], 1, 1), (["rbind", "rro", "rw"], 1, 1), (["rbind", "rw"], 0, 0),
], ids=lambda v: ",".join(v) if isinstance(v, list) else "")
def test_read_only_and_what_is_below(run_both, tree, options, top, below):
    result = run_both("/bin/sh", "-c", "touch /data/n 2>/dev/null; echo $?; touch /data/sub/n 2>/dev/null; echo $?",
                      mounts=[bind(tree, *options)])
    assert result.stdout == f"{top}\n{below}\n"


def test_what_is_below_stays_away_without_rbind(run_both, tree):
    result = run_both("/bin/sh", "-c", "ls /data /data/sub", mounts=[bind(tree, "bind")])
    assert "file\nsub\n\n/data/sub:\n" in result.stdout


def test_mounts_below_mounts(run_both, tree, scratch):
    (scratch / "x").write_text("innermost\n")
    result = run_both("/bin/sh", "-c", "cat /data/sub/deep/x; ls /data; stat -f -c %T /data/sub/deep/t", mounts=[
        ("/data", "tmpfs", "tmpfs", ["mode=0755"]), bind(tree / "sub", "bind", destination="/data/sub"),
        bind(scratch, "bind", destination="/data/sub/deep"), ("/data/sub/deep/t", "tmpfs", "tmpfs", [])])
    assert result.stdout.startswith("innermost\n")


def test_later_mounts_of_the_host(start, tree):
    """rslave: what the host mounts below the source appears; rprivate: it does not."""
    seen = {}
    for options in ("rslave", "rprivate"):
        subprocess.run(["mount", "--bind", str(tree), str(tree)], check=True)
        try:
            subprocess.run(["mount", "--make-shared", str(tree)], check=True)
            container = start("/bin/sh", "-c", "echo up; while [ ! -e /data/go ]; do sleep 0.05; done; "
                              "cat /data/late/file 2>/dev/null; echo end", mounts=[bind(tree, "rbind", options)])
            assert container.process.stdout.readline() == b"up\n", str(container.wait(5))
            (tree / "late").mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "callgate-test", str(tree / "late")], check=True)
            (tree / "late/file").write_text("late\n")
            (tree / "go").write_text("")
            seen[options] = container.wait().stdout
        finally:
            for name in ("late", ""):
                subprocess.run(["umount", "-l", str(tree / name)], check=False, capture_output=True)
            with contextlib.suppress(FileNotFoundError):
                (tree / "go").unlink()
            with contextlib.suppress(FileNotFoundError):
                (tree / "late").rmdir()
    assert seen == {"rslave": "late\nend\n", "rprivate": "end\n"}


TMPFS = "stat -f -c '%T %b' /data; stat -c '%a' /data; ls -lnA --time-style=+ /data; cat /data/f 2>/dev/null; " \
        "touch /data/new 2>/dev/null; echo $?"


@pytest.mark.parametrize("options", [
    [], ["size=64k"], ["ro"], ["tmpcopyup"], ["size=1m", "tmpcopyup", "nosuid", "noexec"],
    ["tmpcopyup", "ro"], ["nr_inodes=10"],
], ids=lambda v: ",".join(v) or "none")
def test_tmpfs(run_both, options):
    def content(bundle):
        folder = bundle / "rootfs/data"
        (folder / "d").mkdir(parents=True)
        folder.chmod(0o2751)
        (folder / "f").write_text("copied\n")
        (folder / "d/g").write_text("")
        os.chown(folder / "f", 12, 34)
        (folder / "f").chmod(0o4640)
        (folder / "link").symlink_to("/etc/passwd")
    result = run_both("/bin/sh", "-c", TMPFS, mounts=[("/data", "tmpfs", "tmpfs", options)], prepare=content)
    assert ("copied" in result.stdout) == ("tmpcopyup" in options)


@pytest.mark.parametrize("options", [["mode=1777", "size=64k"], ["mode=700"], []], ids=lambda v: ",".join(v) or "none")
def test_mode_of_a_tmpfs_on_a_new_folder(run_both, options):
    run_both("/bin/sh", "-c", "stat -f -c '%T %b' /fresh; stat -c '%a' /fresh", mounts=[("/fresh", "tmpfs", "tmpfs", options)])


def test_size_of_dev_shm(run_both):
    def change(data):
        for mount in data["mounts"]:
            if mount["destination"] == "/dev/shm":
                mount["options"] = ["nosuid", "noexec", "nodev", "mode=1777", "size=1048576"]
    result = run_both("/bin/sh", "-c", "stat -f -c '%S %b' /dev/shm; head -c 2000000 /dev/zero >/dev/shm/x 2>/dev/null; echo $?",
                      prepare=lambda bundle: edit_config(bundle, change))
    assert result.stdout == "4096 256\n1\n"


def test_remount(run_both, tree):
    result = run_both("/bin/sh", "-c", f"{SHOW}; touch /data/new 2>/dev/null; echo $?; cat /data/file",
                      mounts=[bind(tree, "bind", "nodev", "nosuid"), bind(tree, "bind", "remount", "nodev", "nosuid", "ro")])
    assert "ro,nosuid,nodev" in result.stdout and "\n1\ntop\n" in result.stdout


@pytest.mark.parametrize("destination", ["/new/folder/deep", "/link/below", "/absolute/x", "/up/../up/z", "rel"])
def test_places(run_both, tree, destination):
    """Links lead to places in the root file system; what is missing is made."""
    def links(bundle):
        root = bundle / "rootfs"
        (root / "link").symlink_to("var/lib")
        (root / "absolute").symlink_to("/srv/made")
        (root / "up").symlink_to("../../../../../../opt")
    result = run_both("/bin/sh", "-c", f"cat /{destination}/file; awk '/{tree.name}/ {{ print $5 }}' /proc/self/mountinfo",
                      mounts=[bind(tree, "bind", destination=destination)], prepare=links)
    assert result.stdout.startswith("top\n")


def test_files(run_both, tree):
    """Over a file, over a new file, over a link to one, over a device of the guest."""
    result = run_both("/bin/sh", "-c", "cat /etc/hostname /new/file /etc/mylink /dev/mine; readlink /etc/mylink",
                      prepare=lambda bundle: (bundle / "rootfs/etc/mylink").symlink_to("/etc/issue"),
                      mounts=[bind(tree / "file", "bind", destination=where)
                              for where in ("/etc/hostname", "/new/file", "/etc/mylink", "/dev/mine")])
    assert result.stdout == "top\n" * 4 + "/etc/issue\n"


@CALLGATE_ONLY
@pytest.mark.parametrize("mounts,text", [
    ([bind("/no/such", "bind")], "mounts[6]: /no/such: no such file or directory"),
    ([bind("/etc", "bind", "idmap")], "mounts[6]: option 'idmap': needs uidMappings"),
    ([bind("/etc", "bind", "idmap=uids=0-0-1")], "mounts[6]: option 'idmap=uids=0-0-1'"),
    ([bind("/etc", "bind", "size=1")], "mounts[6]: option 'size=1' means nothing to a bind mount"),
    ([("/data", "tmpfs", "tmpfs", ["nonsense=1"])], "mounts[6]: mount option 'nonsense'"),
    ([bind("/etc/hostname", "bind", destination="/etc")], "mounts[6]: cannot mount on /etc: not a directory"),
    ([bind("/proc", "rbind", destination="/host")], "mounts[6]: source: the host's /proc can't be given to a guest"),
    ([bind("/etc", "bind", destination="/etc/passwd/x")], "mounts[6]: destination: /etc/passwd/x"),
    ([bind("/etc", "bind", "remount", destination="/nowhere")], "mounts[6]: destination: /nowhere"),
], ids=lambda v: v.split(": ", 1)[1][:30] if isinstance(v, str) else "")
def test_errors_name_the_mount(run, mounts, text):
    result = run("/bin/true", mounts=mounts)
    assert result.status == 1 and text in result.stderr, str(result)


@CALLGATE_ONLY
def test_missing_place_in_a_read_only_root_file_system(run, tree, scratch):
    """One that is read-only on the host as well: nothing can be made there."""
    def readonly(bundle):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(bundle / "rootfs")], check=True)
    result = run("/bin/true", mounts=[bind(tree, "bind", destination="/missing")], prepare=readonly)
    assert result.status == 1 and "mounts[6]: destination: /missing in the root file system: read-only" in result.stderr


def test_root_readonly_makes_places_first(run_both, tree):
    result = run_both("/bin/sh", "-c", "cat /new/file; touch /x 2>/dev/null; echo $?; touch /new/y; echo $?; rm /new/y",
                      mounts=[bind(tree, "bind", destination="/new")],
                      prepare=lambda bundle: edit_config(bundle, lambda data: data["root"].update(readonly=True)))
    assert result.stdout == "top\n1\n0\n"


@CALLGATE_ONLY
@pytest.mark.parametrize("option", ["idmap", "ridmap", None])
def test_idmapped(run, tree, option):
    """The files of user 0 are shown as those of 1000, and what 1000 makes is 0's on the disk."""
    def mappings(data):
        data["mounts"][-1].update(uidMappings=[{"containerID": 0, "hostID": 1000, "size": 10}],
                                  gidMappings=[{"containerID": 0, "hostID": 1000, "size": 10}])
    result = run("/bin/bash", "-c", "stat -c '%u %g' /data /data/sub /data/file; touch /data/root 2>&1; "
                 "chmod 755 /data; su tester -c 'echo x >/data/new; stat -c %u /data/new'",
                 mounts=[bind(tree, "rbind", *([option] if option else []))],
                 prepare=lambda bundle: edit_config(bundle, mappings))
    below = "1000 1000" if option == "ridmap" else "0 0"
    assert result.stdout.splitlines()[:3] == ["1000 1000", below, "1000 1000"], str(result)
    assert "Value too large" in result.stdout and result.stdout.endswith("1000\n"), str(result)
    assert (tree / "new").stat().st_uid == 0


@CALLGATE_ONLY
def test_idmapped_for_the_container(run, tree):
    """Without mappings of its own: those of the user namespace; what is root's on the disk is root's inside."""
    mapping = [{"containerID": 0, "hostID": 300000, "size": 65536}]

    def change(data):
        data["linux"].update(uidMappings=mapping, gidMappings=mapping)
        data["linux"]["namespaces"].append({"type": "user"})
    result = run("/bin/sh", "-c", "stat -c '%u %g' /data /data/file; echo x >/data/new; chown 5 /data/new",
                 mounts=[bind(tree, "rbind", "idmap")],
                 prepare=lambda bundle: (edit_config(bundle, change), os.chown(bundle / "rootfs", 300000, 300000)))
    assert result.stdout == "0 0\n0 0\n" and result.status == 0, str(result)
    assert (tree / "new").stat().st_uid == 5


@CALLGATE_ONLY
def test_idmap_that_a_file_system_refuses(run):
    def mappings(data):
        data["mounts"][-1].update(uidMappings=[{"containerID": 0, "hostID": 1, "size": 1}],
                                  gidMappings=[{"containerID": 0, "hostID": 1, "size": 1}])
    result = run("/bin/true", mounts=[bind("/sys/kernel", "bind", "idmap")],
                 prepare=lambda bundle: edit_config(bundle, mappings))
    assert result.status == 1
    assert "mounts[6]: /sys/kernel: the file system can't be mounted with mapped ids" in result.stderr, str(result)


@CALLGATE_ONLY
def test_the_hosts_own_folders_are_the_guests(run, tree):
    """/sys and /dev of the host on their own places, as engines make them with the host's network: a guest has its own."""
    def change(data):
        data["mounts"] = [m for m in data["mounts"] if not m["destination"].startswith(("/sys", "/dev"))]
        for path in ("/sys", "/dev", "/dev/mqueue"):
            data["mounts"].append({"destination": path, "type": "bind", "source": path, "options": ["rbind", "ro", "nosuid"]})
    result = run("/bin/sh", "-c", "ls /sys; echo x >/dev/null; head -c 4 /dev/zero | wc -c; ls /dev; "
                 "awk '$5 ~ /^.(sys|dev)/ { print $5, $9 }' /proc/self/mountinfo",
                 prepare=lambda bundle: edit_config(bundle, change))
    assert result.status == 0 and "kernel" in result.stdout and "\n4\n" in result.stdout, str(result)
    assert "/sys sysfs" in result.stdout
    for device in pathlib.Path("/dev").glob("vd*"):
        assert device.name not in result.stdout.split()


@CALLGATE_ONLY
@pytest.mark.parametrize("namespace", [None, "/proc/1/ns/pid"])
def test_the_hosts_processes_are_refused(run, namespace):
    def change(data):
        spaces = data["linux"]["namespaces"]
        spaces[:] = [n for n in spaces if n["type"] != "pid"] + ([{"type": "pid", "path": namespace}] if namespace else [])
    result = run("/bin/true", prepare=lambda bundle: edit_config(bundle, change))
    assert result.status == 1 and "linux.namespaces: pid: " in result.stderr


def test_shared_dev_shm_of_a_pod(bundles, start, scratch):
    """Two containers with one ipc and uts namespace by path, and /dev/shm of the pod: POSIX shared memory works."""
    holder = subprocess.Popen(["unshare", "--ipc", "--uts", "sh", "-c", "hostname pod-name; exec sleep 100"],
                              stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while pathlib.Path(f"/proc/{holder.pid}/comm").read_text() != "sleep\n" and time.monotonic() < deadline:
            time.sleep(0.02)

        def join(data):
            data.pop("hostname")
            for entry in data["linux"]["namespaces"]:
                if entry["type"] in ("ipc", "uts"):
                    entry["path"] = f"/proc/{holder.pid}/ns/{entry['type']}"
            for mount in data["mounts"]:
                if mount["destination"] == "/dev/shm":
                    mount.update(type="bind", source=str(scratch), options=["rbind", "nosuid", "noexec", "nodev"])
        script = """
import sys, time
from multiprocessing import shared_memory, resource_tracker
name, peer = sys.argv[1:]
mine = shared_memory.SharedMemory(name, create=True, size=4096)
mine.buf[:5] = name.encode()
while True:
    try:
        other = shared_memory.SharedMemory(peer)
        if bytes(other.buf[:5]) == peer.encode():
            break
    except (FileNotFoundError, ValueError):
        pass
    time.sleep(0.02)
mine.buf[5] = 1
while not other.buf[5]:
    time.sleep(0.02)
print(open('/proc/sys/kernel/hostname').read().strip(), flush=True)
"""
        pair = [start("/usr/bin/python3", "-W", "ignore", "-c", script, *names,
                      prepare=lambda bundle: edit_config(bundle, join))
                for names in (("alpha", "beta1"), ("beta1", "alpha"))]
        for container in pair:
            result = container.wait(40)
            assert (result.status, result.stdout) == (0, "pod-name\n"), str(result)
    finally:
        holder.kill()
        holder.wait()


def test_set_hostname(run_both):
    """The container's own name changes, whatever the host's namespace may be told."""
    def allow(data):
        data["process"]["capabilities"] = {kind: [*CAPABILITIES, "CAP_SYS_ADMIN"]
                                           for kind in ("bounding", "effective", "permitted")}
    result = run_both("/bin/sh", "-c", "hostname other; echo $?; hostname; uname -n; cat /proc/sys/kernel/hostname",
                      prepare=lambda bundle: edit_config(bundle, allow))
    assert result.stdout == "0\nother\nother\nother\n"


@CALLGATE_ONLY
def test_no_pivot(bundles, tree):
    """The root file system is moved over the old one: nothing of the host is to be seen, not by ".." either."""
    bundle = bundles.make(["/bin/sh", "-c", "cat /data/sub/file; ls /../../.. | tr '\\n' ' '; echo; ls -d /work /var/tmp/*; "
                           "cut -d' ' -f5 /proc/self/mountinfo | tr '\\n' ' '"], mounts=[bind(tree, "rbind")])
    done = subprocess.run([str(BUILD / "callgate"), "run", "--no-pivot", "-b", str(bundle), f"t-{tree.name}"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and lines[0] == "sub", done
    assert sorted(lines[1].split()) == sorted({*os.listdir(bundle / "rootfs"), "data", "t"}), done
    assert lines[2].split() == ["/", "/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/data"], done


@CALLGATE_ONLY
def test_what_engines_see_by_entering_the_mount_namespace(start, tree):
    """docker cp and podman cp: the root file system and the volumes are there, and nothing else."""
    container = start("/bin/sh", "-c", "echo inside >/made; echo up; exec sleep 100",
                      mounts=[bind(tree, "rbind"), ("/scratch", "tmpfs", "tmpfs", [])])
    assert container.process.stdout.readline() == b"up\n", str(container.wait(5))
    children = pathlib.Path(f"/proc/{container.pid}/task/{container.pid}/children").read_text().split()
    found = subprocess.run(["nsenter", "-t", children[0], "-m", "--", "/bin/sh", "-c",
                            "cat /made /data/sub/file; echo out >/scratch/x; ls /scratch"],
                           capture_output=True, text=True, check=False)
    assert found.stdout == "inside\nsub\nx\n", found

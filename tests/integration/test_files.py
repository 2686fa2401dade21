"""What a container writes is on the host's disk, with the right owner and mode; and mounts."""

import os
import stat

import pytest
from bundle import edit_config, wait_for


def describe(path):
    info = os.lstat(path)
    return stat.S_IFMT(info.st_mode) >> 12, oct(stat.S_IMODE(info.st_mode)), info.st_uid, info.st_gid


def bind(source, where, *options):
    return (where, "bind", str(source), ["rbind", *options])


WRITE = """
set -e; cd /data
echo content >file; chmod 640 file; chown 1000:1000 file
mkdir -m 2775 dir; ln -s file link; ln file hard; mkfifo -m 600 fifo
touch -d '2001-02-03 04:05:06 UTC' dated
(umask 077; echo private >private)
head -c 3000000 /dev/zero >big; truncate -s 100M sparse
cp -p file copy; mv big renamed
"""


def test_written_files_on_host(run, scratch):
    results = {}
    for runtime in ("runc", None):
        place = scratch / (runtime or "tested")
        place.mkdir()
        options = {"runtime": runtime} if runtime else {}
        result = run("/bin/sh", "-c", WRITE, mounts=[bind(place, "/data")], **options)
        assert result.status == 0, str(result)
        results[runtime] = {name: describe(place / name) for name in sorted(os.listdir(place))}
        assert (place / "file").read_text() == "content\n"
        assert (place / "renamed").stat().st_size == 3000000
        assert (place / "sparse").stat().st_blocks == 0
        assert (place / "dated").stat().st_mtime == 981173106
        assert os.readlink(place / "link") == "file"
        assert (place / "file").stat().st_nlink == 2
    assert results[None] == results["runc"]


def test_written_in_root(start):
    bundles = []
    container = start("/bin/sh", "-c", "echo x >/root/new; rm /etc/hostname; chown 7:8 /root/new",
                      prepare=bundles.append)
    result = container.wait()
    assert result.status == 0, str(result)
    assert (bundles[0] / "upper/root/new").read_text() == "x\n"
    assert describe(bundles[0] / "upper/root/new")[1:] == ("0o644", 7, 8)


def test_user_writes_as_user(run_both, scratch):
    result = run_both("/bin/sh", "-c", "id -u; id -g; echo x >/data/f$$; stat -c '%u %g' /data/f$$; "
                      "echo y >/etc/passwd; echo $?; rm -f /data/*", uid=1000, gid=1000,
                      mounts=[bind(scratch, "/data")])
    assert result.stdout.startswith("1000\n1000\n1000 1000\n")


def test_host_changes_are_seen(start, scratch):
    """No stale cache: the host writes, truncates, renames and removes; the container sees it."""
    (scratch / "f").write_text("one")
    watcher = start("/bin/bash", "-c",
                    "cd /data; cat f; echo; touch ready; until [ -e go ]; do sleep 0.02; done; "
                    "cat f; echo; [ -e gone ]; echo $?; cat moved", mounts=[bind(scratch, "/data")])
    (scratch / "gone").write_text("")
    wait_for((scratch / "ready").exists, 20, "the container")
    (scratch / "f").write_text("two, and longer")
    (scratch / "gone").unlink()
    (scratch / "old").write_text("renamed\n")
    (scratch / "old").rename(scratch / "moved")
    (scratch / "go").write_text("")
    result = watcher.wait()
    assert result.stdout == "one\ntwo, and longer\n1\nrenamed\n", str(result)


def test_read_only_bind(run_both, scratch):
    (scratch / "f").write_text("data\n")
    result = run_both("/bin/sh", "-c", "cat /data/f; echo x >/data/f; echo $?; rm /data/f; echo $?; touch /data/n; echo $?",
                      mounts=[bind(scratch, "/data", "ro")])
    assert (scratch / "f").read_text() == "data\n"
    assert result.stdout == "data\n2\n1\n1\n" or "data" in result.stdout


def test_single_file_bind(run_both, scratch):
    (scratch / "hosts").write_text("10.9.8.7 elsewhere\n")
    result = run_both("/bin/cat", "/etc/hosts", mounts=[bind(scratch / "hosts", "/etc/hosts")])
    assert result.stdout == "10.9.8.7 elsewhere\n"


def test_tmpfs_mount(run_script):
    run_script("cd /scratch; stat -f -c %T .; stat -c %a .; echo x >f; mkdir d; mv f d/; cat d/f; "
               "head -c 2000000 /dev/zero >g; stat -c %s g; ln -s g l; ls -l l | wc -l; rm -r d; ls; "
               "mkfifo p; stat -c %F p; dd if=/dev/zero of=h bs=1M count=20 2>/dev/null; stat -c '%s' h",
               mounts=[("/scratch", "tmpfs", "tmpfs", ["mode=1777", "size=8m"])])


def test_read_only_root(run_both):
    def config_change(data):
        data["root"]["readonly"] = True
    result = run_both("/bin/sh", "-c", "echo x >/f; echo $?; echo y >/dev/shm/f; cat /dev/shm/f; mkdir /d; echo $?",
                      prepare=lambda bundle: edit_config(bundle, config_change))
    assert "y\n" in result.stdout


def change_process(**values):
    return lambda bundle: edit_config(bundle, lambda data: data["process"].update(values))


def test_additional_gids_and_umask(run_both):
    result = run_both("/bin/sh", "-c", "id -G; umask; touch /dev/shm/f; stat -c %a /dev/shm/f",
                      prepare=change_process(
                          user={"uid": 1000, "gid": 1000, "additionalGids": [5, 77], "umask": 0o027}))
    assert result.stdout == "1000 5 77\n0027\n640\n"


def test_rlimits(run_both):
    result = run_both("/bin/bash", "-c", "ulimit -n; ulimit -Hn; ulimit -c",
                      prepare=change_process(rlimits=[
                          {"type": "RLIMIT_NOFILE", "soft": 99, "hard": 200},
                          {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]))
    assert result.stdout == "99\n200\n0\n"


def test_capabilities(run_both):
    caps = {kind: ["CAP_CHOWN", "CAP_KILL"] for kind in ("bounding", "effective", "permitted")}
    result = run_both("/bin/sh", "-c", "grep -E '^Cap(Prm|Eff|Bnd)' /proc/self/status; "
                      "touch /tmp/f; chown 5 /tmp/f; echo $?; su tester -c id 2>/dev/null; echo $?",
                      prepare=change_process(capabilities=caps))
    assert "0000000000000021" in result.stdout


def test_unknown_property_fails_by_name(run):
    def change(data):
        data["linux"]["namespaces"].append({"type": "nonsense"})
    result = run("/bin/true", prepare=lambda bundle: edit_config(bundle, change))
    assert result.status != 0 and "nonsense" in result.stderr


PSEUDO_FILES = {
    "proc-self": "cat /proc/self/comm; readlink /proc/self/exe; tr '\\0' ' ' </proc/self/cmdline; readlink /proc/self/cwd; ls /proc/self/fd | wc -l",
    "proc-status": "grep -E '^(Name|Uid|Gid|Pid|PPid|Threads|State)' /proc/self/status",
    "proc-maps": "grep -c -E 'r-xp .*/usr/bin/' /proc/self/maps; grep -o -E '\\[(heap|stack)\\]' /proc/self/maps",
    "proc-global": "grep -c ^MemTotal /proc/meminfo; grep -c ^cpu\\  /proc/stat; wc -w </proc/loadavg; wc -w </proc/uptime; grep -c ^processor /proc/cpuinfo; cat /proc/sys/kernel/ostype; cat /proc/filesystems | grep -c proc",
    "proc-pid-1": "cat /proc/1/comm; cut -d' ' -f1-4 /proc/1/stat; tr '\\0' '\\n' </proc/1/environ | head -1",
    "dev": "for f in null zero full random urandom tty ptmx; do stat -L -c '%F %t %T' /dev/$f; done; readlink /dev/fd /dev/stdin /dev/stdout /dev/stderr; ls -d /dev/pts /dev/shm /dev/mqueue",
    "sys": "ls -d /sys/class /sys/devices /sys/fs; cat /sys/devices/system/cpu/online; ls /sys/class/net | grep -x lo",
}


@pytest.mark.parametrize("name", PSEUDO_FILES)
def test_pseudo_files(run_script, name):
    run_script(PSEUDO_FILES[name])


@pytest.mark.parametrize("propagation", ["rprivate", "rslave"])
def test_real_paths(run_both, propagation):
    """realpath() asks of each name whether it is a link; with rslave, mounts of the host may appear in the tree."""
    def propagate(bundle):
        edit_config(bundle, lambda data: data["linux"].update(rootfsPropagation=propagation))
    result = run_both("/bin/sh", "-c", "realpath /bin/sh /usr/share/doc; readlink /etc/passwd; echo $?; "
                      "perl -e 'print readlink(\"/etc\") // \"no link: $!\"'", prepare=propagate)
    assert result.stdout == "/usr/bin/dash\n/usr/share/doc\n1\nno link: Invalid argument"

"""What a container mounts is its own: the host sees nothing of it, and what the host forbids stays forbidden."""

import pathlib
import shutil

import pytest
from bundle import edit_config, wait_for


def change(*, admin=True, masked=(), read_only=()):
    def edit(config):
        if admin:
            for names in config["process"]["capabilities"].values():
                names.append("CAP_SYS_ADMIN")
        config["linux"]["maskedPaths"] = list(masked)
        config["linux"]["readonlyPaths"] = list(read_only)

    return lambda bundle: edit_config(bundle, edit)


def host_mounts():
    """mountinfo of each mount namespace that there is."""
    seen = {}
    for process in pathlib.Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                seen[(process / "ns/mnt").readlink()] = (process / "mountinfo").read_text()
            except OSError:
                continue
    return "\n".join(seen.values())


def test_mounts_are_the_guests_own(start, scratch):
    """Neither the files nor the mounts appear outside, in any mount namespace of the host."""
    script = """mount -t tmpfs callgate-guest-mark /shared/place && echo secret > /shared/place/file &&
                mount --bind /etc /shared/bound && touch /shared/done && sleep 100"""
    for name in ("place", "bound"):
        (scratch / name).mkdir()
    start("/bin/sh", "-c", script, prepare=change(),
          mounts=[("/shared", "bind", str(scratch), ["rbind", "rw"])])
    wait_for((scratch / "done").exists, what="the mounts inside")
    assert not list((scratch / "place").iterdir()) and not list((scratch / "bound").iterdir())
    assert "callgate-guest-mark" not in host_mounts()
    shutil.rmtree(scratch / "place")  # nothing is mounted there


def test_covered_paths_stay_without_the_capability(run):
    script = """umount /proc/timer_list; mount -t proc none /proc; mount -o remount,rw,bind /proc/sys; mount --move /proc /mnt
                unshare -m true; cat /proc/timer_list | wc -c; echo x > /proc/sys/kernel/domainname; echo "rc $?"; ls -A /mnt"""
    result = run("/bin/sh", "-c", script,
                 prepare=change(admin=False, masked=["/proc/timer_list"], read_only=["/proc/sys"]))
    assert result.stdout.split() == ["0", "rc", "2"], str(result)


@pytest.mark.parametrize("read_only", ["volume", "path"])
def test_what_the_host_mounts_read_only_stays_so(run, scratch, read_only):
    """By remounting, a bind mount, a namespace or a new root directory: no way to write."""
    (scratch / "f").write_text("old")
    script = """for d in /data /data2 /new/data; do
                  case $d in /data2) mkdir $d; mount --bind /data $d;; /new/data) mkdir /new; mount --rbind / /new;; esac
                  mount -o remount,rw,bind $d; mount -o remount,rw $d; echo new > $d/f; touch $d/g
                done
                umount /data; umount -l /data
                unshare -m sh -c 'umount -l /data; cd /new && pivot_root . mnt && mount -o remount,rw,bind /data; echo new > /data/f'
                cat /data/f; echo end"""
    options = ["rbind", "ro"] if read_only == "volume" else ["rbind"]
    result = run("/bin/sh", "-c", script, mounts=[("/data", "bind", str(scratch), options)],
                 prepare=change(read_only=["/data"] if read_only == "path" else []))
    assert (scratch / "f").read_text() == "old" and not (scratch / "g").exists(), str(result)
    assert result.stdout.splitlines()[-2:] == ["old", "end"] or "oldend" in result.stdout, str(result)

"""Ways in that the host itself might leave open: descriptors it hands over, mounts it makes later."""

import contextlib
import os
import subprocess

import pytest
from bundle import RUNTIME, runtime_command

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: runc hands such things on")


def test_directory_as_stdio_is_refused(bundles):
    """A directory of the host's would lead by ".." to all of it."""
    bundle = bundles.make(["/usr/bin/python3", "-c", "import os\nos.fchdir(0)\nprint(os.listdir('..'))"])
    place = os.open("/var", os.O_RDONLY | os.O_DIRECTORY)
    try:
        done = subprocess.run(runtime_command(RUNTIME) + ["run", "-b", str(bundle), "t-stdio-dir"], stdin=place,
                              capture_output=True, text=True, timeout=20, check=False)
    finally:
        os.close(place)
    assert done.returncode != 0 and done.stdout == "", done.stdout
    assert "directory" in done.stderr, done.stderr


@contextlib.contextmanager
def mounted(place, *args):
    subprocess.run(["mount", *args, str(place)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_procfs_that_appears_later(start, scratch):
    """The host mounts a procfs in a tree that it shares: its magic links lead nowhere."""
    (scratch / "proc").mkdir()
    script = """
        echo up
        until [ -e /data/proc/1/status ]; do sleep 0.1; done
        echo seen
        for l in /data/proc/1/root /data/proc/1/cwd /data/proc/self/root; do
            stat -L -c %n:%i $l/. $l/etc
            cat $l/etc/passwd | head -1
            chmod 700 $l/tmp && echo changed
            mkdir $l/tmp/callgate-escaped
        done 2>/dev/null"""
    with mounted(scratch, "--bind", str(scratch)):
        subprocess.run(["mount", "--make-shared", str(scratch)], check=True)
        container = start("/bin/bash", "-c", script, mounts=[("/data", "bind", str(scratch), ["rbind", "rslave"])])
        assert container.process.stdout.readline() == b"up\n", str(container.wait(5))
        with mounted(scratch / "proc", "-t", "proc", "proc"):
            result = container.wait(10)
    assert result.stdout == "seen\n", str(result)


SHARED = """
umount -l /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup && mount --make-rshared / || exit 99
cat /proc/self/mountinfo >{scratch}/before
{run} >{scratch}/out || exit
cat /proc/self/mountinfo >{scratch}/after
"""


def test_mounts_of_a_host_that_shares_them(bundles, scratch):
    """As systemd mounts everything: what is mounted for a container does not appear on the host's, of cgroups say."""
    bundle = bundles.make(["/bin/sh", "-c", "grep -c . /proc/self/mountinfo; ls /sys/fs/cgroup >/dev/null"])
    run = " ".join(map(str, [*runtime_command(RUNTIME), "run", "--bundle", bundle, "t-shared"]))
    subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-c", SHARED.format(scratch=scratch, run=run)],
                   stdin=subprocess.DEVNULL, timeout=60, check=True)
    assert int((scratch / "out").read_text()) > 3
    assert (scratch / "after").read_text() == (scratch / "before").read_text()

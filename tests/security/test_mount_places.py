"""Places of mounts while names change, and the boundary of a container in a user namespace."""

import ctypes
import os
import subprocess
import threading

import pytest
from bundle import BUILD, RUNTIME, edit_config

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: about callgate's own boundary")

MAPPING = [{"containerID": 0, "hostID": 200000, "size": 65536}]


class Swapper:
    """Exchanges a folder of the root file system and a link to the host's folder, over and over (CVE-2021-30465)."""

    def __init__(self, root, target):
        self.root, self.done = root, threading.Event()
        (root / "swap").mkdir()
        (root / "other").symlink_to(target)
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        libc, at_fdcwd, exchange = ctypes.CDLL(None, use_errno=True), -100, 2
        names = [os.fsencode(self.root / name) for name in ("swap", "other")]
        while not self.done.is_set():
            assert not libc.renameat2(at_fdcwd, names[0], at_fdcwd, names[1], exchange), os.strerror(ctypes.get_errno())

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


def test_a_place_never_leads_outside(bundles, scratch):
    """Missing places would be made on the host, and its files be mounted upon or shown."""
    (scratch / "secret").write_text("the host's\n")
    bundle = bundles.make(["/bin/sh", "-c", "cat /swap/secret /other/secret /swap/in/../secret 2>/dev/null; echo ran"],
                          mounts=[("/swap/in", "tmpfs", "tmpfs", []), ("/swap/file", "bind", "/etc/hostname", ["bind"]),
                                  ("/swap/deep/er", "bind", "/etc", ["rbind"])])
    ran = 0
    with Swapper(bundle / "rootfs", scratch):
        for i in range(40):
            done = subprocess.run([str(BUILD / "callgate"), "run", "-b", str(bundle), f"t-swap-{os.getpid()}-{i}"],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
            assert "the host's" not in done.stdout, done
            assert done.returncode == 0 or "mounts[" in done.stderr, done
            ran += done.stdout == "ran\n"
    assert os.listdir(scratch) == ["secret"]
    assert ran


def mapped(bundle):
    edit_config(bundle, lambda data: (data["linux"].update(uidMappings=MAPPING, gidMappings=MAPPING),
                                      data["linux"]["namespaces"].append({"type": "user"})))
    os.chown(bundle / "rootfs", 200000, 200000)


def test_the_hosts_root_is_nobody_in_a_user_namespace(run, scratch):
    """Not even root with all capabilities in there can read or change what is the host's root's alone."""
    secret = scratch / "secret"
    secret.write_text("the host's\n")
    secret.chmod(0o600)
    scratch.chmod(0o755)
    capabilities = [f"CAP_{name}" for name in ("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "MKNOD",
                                               "SETFCAP", "SETUID", "SETGID", "SYS_ADMIN", "SYS_RESOURCE", "LINUX_IMMUTABLE")]

    def prepare(bundle):
        mapped(bundle)
        edit_config(bundle, lambda data: data["process"].update(
            capabilities={kind: capabilities for kind in ("bounding", "effective", "permitted")}))
    result = run("/bin/sh", "-c", "cd /data; cat secret; chmod 666 secret; chown 0 secret; mv secret x; rm -f secret; "
                 "ln secret hard; echo x >new; mknod node b 7 0; chattr +i secret; echo done",
                 mounts=[("/data", "bind", str(scratch), ["rbind"])], prepare=prepare)
    assert result.stdout == "done\n", str(result)
    assert os.listdir(scratch) == ["secret"] and secret.read_text() == "the host's\n"
    assert secret.stat().st_uid == 0 and secret.stat().st_mode & 0o777 == 0o600


def test_forbidden_call_in_a_user_namespace(run):
    names = subprocess.run(["nm", str(BUILD / "guest-pv.elf")], capture_output=True, text=True, check=True).stdout
    site = next(line.split()[0] for line in names.splitlines() if line.endswith(" hostcall_site_plain"))
    result = run("/bin/sh", "-c", '"$@"; echo survived', "-", "/t/bad_hostcall", f"0x{site}", "62", "1", "9", prepare=mapped)
    assert result.stdout == "up\n" and "forbidden host call 62 (kill" in result.stderr, str(result)

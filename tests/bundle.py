"""OCI bundles for tests: a config.json from a template, over a throw-away overlay of the
cached root file system, and runtimes to run them with."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
import uuid
from dataclasses import dataclass

TESTS = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("CALLGATE_BUILD", TESTS.parent / "build")).resolve()
# The runtime under test. CALLGATE_TEST_RUNTIME=runc checks the tests themselves.
RUNTIME = os.environ.get("CALLGATE_TEST_RUNTIME", "callgate")
TIMEOUT = float(os.environ.get("CALLGATE_TEST_TIMEOUT", "20"))

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CAPABILITIES = ["CAP_" + name for name in (
    "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP "
    "SETGID SETPCAP SETUID SYS_CHROOT").split()]
MOUNTS = [
    ("/proc", "proc", "proc", []),
    ("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
    ("/dev/pts", "devpts", "devpts",
     ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
    ("/dev/shm", "tmpfs", "shm", ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
    ("/dev/mqueue", "mqueue", "mqueue", ["nosuid", "noexec", "nodev"]),
    ("/sys", "sysfs", "sysfs", ["nosuid", "noexec", "nodev", "ro"]),
]


def config(args, *, env=(), cwd="/", uid=0, gid=0, mounts=(), network=None, hostname="box"):
    """What `runc spec` says, less the terminal; network: a namespace's path, None: the host's."""
    namespaces = [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")]
    if network:
        namespaces.append({"type": "network", "path": network})
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": uid, "gid": gid},
            "args": list(args),
            "env": [f"PATH={PATH}", "HOME=/root", "LC_ALL=C.UTF-8", *env],
            "cwd": cwd,
            "capabilities": {kind: CAPABILITIES for kind in ("bounding", "effective", "permitted")},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 4096, "soft": 4096}],
            "noNewPrivileges": False,
        },
        "root": {"path": "rootfs", "readonly": False},
        "hostname": hostname,
        "mounts": [{"destination": where, "type": kind, "source": source, "options": options}
                   for where, kind, source, options in [*MOUNTS, *mounts]],
        "linux": {"namespaces": namespaces},
    }


@dataclass
class Result:
    status: int
    stdout: str
    stderr: str
    timed_out: bool = False

    def __str__(self):
        return (f"status {self.status}{' (timed out)' if self.timed_out else ''}\n"
                f"--- stdout\n{self.stdout[-4000:]}\n--- stderr\n{self.stderr[-4000:]}")


def wait_for(condition, seconds=20, what="condition"):
    """Call condition() until it is true; returns what it returned."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.02)


def descriptors(pid):
    """What a process has open."""
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            yield os.readlink(f"/proc/{pid}/fd/{name}")


class Container:
    """A running `RUNTIME run`: a process of its own session on the host."""

    started = []  # the ids of all there ever were

    def __init__(self, runtime, bundle):
        self.runtime, self.bundle = runtime, bundle
        self.id = f"t-{uuid.uuid4().hex[:10]}"
        Container.started.append(self.id)
        self.process = subprocess.Popen(
            runtime_command(runtime) + ["run", "--bundle", str(bundle), self.id],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True)

    @property
    def pid(self):
        return self.process.pid

    def wait(self, timeout=TIMEOUT):
        timed_out = False
        try:
            out, err = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            timed_out = True
            self.kill()
            out, err = self._drain()
        return Result(self.process.returncode, out.decode(errors="replace"),
                      err.decode(errors="replace"), timed_out)

    def _drain(self):
        try:
            return self.process.communicate(timeout=5)
        except subprocess.TimeoutExpired as late:  # someone still holds the pipes
            return late.stdout or b"", late.stderr or b""

    def terminate(self, timeout=20):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill(self):
        """End the session that was started, then what the runtime knows of the container."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        if self.runtime == "runc":
            subprocess.run(runtime_command("runc") + ["delete", "--force", self.id],
                           stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)


def runtime_command(runtime):
    return ["/usr/sbin/runc"] if runtime == "runc" else [str(BUILD / runtime)]


class Bundles:
    """Makes bundles under one directory and takes their overlays away again."""

    def __init__(self, directory, layers):
        self.directory, self.layers = pathlib.Path(directory), layers  # uppermost layer first
        self.mounted = []

    def make(self, args, **options):
        """A new bundle's path. Its root file system is fresh and may be written to."""
        path = self.directory / f"b{len(list(self.directory.iterdir()))}"
        for name in ("rootfs", "upper", "work"):
            (path / name).mkdir(parents=True)
        self._root(path)
        (path / "config.json").write_text(json.dumps(config(args, **options), indent=1))
        return path

    def _root(self, path):
        overlay = f"lowerdir={':'.join(self.layers)},upperdir={path}/upper,workdir={path}/work"
        mount = subprocess.run(["mount", "-t", "overlay", "callgate-test", "-o", overlay,
                                str(path / "rootfs")], capture_output=True, check=False)
        if mount.returncode == 0:
            self.mounted.append(path)
        else:  # the directory is on a file system that cannot carry an overlay
            for layer in reversed(self.layers):
                subprocess.run(["cp", "-a", "--reflink=auto", layer + "/.", str(path / "rootfs")],
                               check=True)

    def close(self):
        for path in self.mounted:
            if subprocess.run(["umount", str(path / "rootfs")], check=False).returncode:
                subprocess.run(["umount", "-l", str(path / "rootfs")], check=True)
        shutil.rmtree(self.directory, ignore_errors=True)


def edit_config(bundle, change):
    """Apply change(config) to a bundle's config.json."""
    path = bundle / "config.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data, indent=1))

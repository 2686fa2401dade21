"""A cell: private namespaces, cgroups and files for an engine under test. See cell.sh."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from dataclasses import dataclass

from bundle import BUILD, wait_for

HERE = pathlib.Path(__file__).resolve().parent
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"  # Debian's engines, not what a developer put in /usr/local


@dataclass
class Output:
    """What a command did. str() is its standard output without the last newline."""
    args: list
    status: int
    stdout: str
    stderr: str

    def __str__(self):
        return self.stdout.rstrip("\n")

    def describe(self):
        return (f"{' '.join(map(str, self.args))}\nstatus {self.status}\n"
                f"--- stdout\n{self.stdout[-3000:]}\n--- stderr\n{self.stderr[-3000:]}")


def hierarchies():
    """Mount points of the host's cgroup hierarchies."""
    lines = pathlib.Path("/proc/self/mounts").read_text().splitlines()
    return [pathlib.Path(line.split()[1]) for line in lines
            if line.split()[2] in ("cgroup", "cgroup2")]


def signal_all(pids, number):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


class Cell:
    def __init__(self, user=None, uid=None):
        self.name = f"callgate-cell-{uuid.uuid4().hex[:8]}"
        self.state = pathlib.Path(tempfile.mkdtemp(prefix="callgate-engine-", dir="/var/tmp"))
        self.state.chmod(0o755)
        self.user, self.uid = user, uid
        self.daemons = []
        self._install()
        args = [HERE / "cell.sh", self.name, self.state, *([user, str(uid)] if user else [])]
        self.leader = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                       env={"PATH": PATH}, start_new_session=True)
        if self.leader.stdout.readline() != "ready\n":
            raise RuntimeError(f"cell.sh failed with {self.leader.wait()}")
        self.enter = self._enter_script()

    def _install(self):
        """The runtime where any user can reach it: the build may be below somebody's home."""
        self.bin = self.state / "bin"
        self.bin.mkdir(mode=0o755)
        for name in ("callgate", "guest-pv.elf"):
            if (BUILD / name).exists():
                shutil.copy(BUILD / name, self.bin)

    def _enter_script(self):
        script = self.state / "enter"
        joins = [f"echo 0 >{mount}/{self.name}/engine/cgroup.procs" for mount in hierarchies()]
        script.write_text("\n".join([
            "#!/bin/sh", *joins,
            f'exec nsenter --target {self.leader.pid} --mount --net --cgroup -- "$@"', ""]))
        script.chmod(0o755)
        return script

    def command(self, *args, env=None, as_user=False):
        """The command line that runs args inside, as root or the cell's user."""
        env = {"PATH": PATH, "LC_ALL": "C.UTF-8", **(env or {})}
        drop = []
        if as_user:
            env |= {"HOME": f"{self.state}/home", "USER": self.user,
                    "XDG_RUNTIME_DIR": f"/run/user/{self.uid}"}
            drop = ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups"]
        settings = [f"{name}={value}" for name, value in {"HOME": "/root", **env}.items()]
        return [str(self.enter), *drop, "env", "-i", *settings, *map(str, args)]

    def run(self, *args, check=True, timeout=60, stdin=None, **options):
        done = subprocess.run(self.command(*args, **options), timeout=timeout, check=False,
                              text=True, errors="replace", capture_output=True,
                              **({"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}))
        output = Output(list(args), done.returncode, done.stdout, done.stderr)
        assert not check or done.returncode == 0, output.describe()
        return output

    def popen(self, *args, env=None, as_user=False, **options):
        return subprocess.Popen(self.command(*args, env=env, as_user=as_user),
                                **{"stdin": subprocess.DEVNULL, **options})

    def daemon(self, *args):
        """Start a long-running program; its output goes to STATE/<name>.log."""
        name = pathlib.Path(args[0]).name
        with open(self.state / f"{name}.log", "ab") as log:
            self.daemons.append(self.popen(*args, stdout=log, stderr=log, start_new_session=True))
        return self.daemons[-1]

    def log(self, name, lines=30):
        text = (self.state / f"{name}.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def file(self, path):
        """A path inside the cell, as seen from outside."""
        return pathlib.Path(f"/proc/{self.leader.pid}/root{path}")

    def cgroups(self):
        """Its cgroups as {path inside: [directory in each hierarchy]}."""
        found = {}
        for mount in hierarchies():
            top = mount / self.name
            for directory, _, _ in os.walk(top):
                inside = "/" + str(pathlib.Path(directory).relative_to(top)).removeprefix(".")
                found.setdefault(inside, []).append(pathlib.Path(directory))
        return found

    def processes(self):
        """Pids of all its processes: by cgroup, and whatever runs a file of its bin."""
        pids = set()
        for directories in self.cgroups().values():
            for directory in directories:
                with contextlib.suppress(OSError):
                    pids |= set(map(int, (directory / "cgroup.procs").read_text().split()))
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if os.readlink(entry / "exe").startswith(str(self.bin)):
                    pids.add(int(entry.name))
        return pids

    def traces(self):
        """What containers can leave behind, as a set of words."""
        own = {process.pid for process in self.daemons}
        found = {f"process {pid}: {command_line(pid)}" for pid in self.processes() - own if alive(pid)}
        found |= {f"cgroup {path}" for path in self.cgroups()}
        mounts = pathlib.Path(f"/proc/{self.leader.pid}/mountinfo").read_text()
        found |= {f"mount {line.split()[4]}" for line in mounts.splitlines()}
        links = self.run("ip", "-o", "link").stdout
        found |= {f"link {name}" for name in re.findall(r"^\d+: ([^:@]+)", links, re.M)}
        for place in ("/run/callgate", "/run/runc", "/run/docker/runtime*/moby",
                      "/run/containerd/runc/*", "/run/netns", f"/run/user/{self.uid}/callgate"):
            base = self.file("/")
            found |= {f"state {path}" for path in base.glob(place.lstrip("/") + "/*")}
        return found

    def settle(self, before, harmless="", seconds=20):
        """Wait until nothing is there that was not before nor matches harmless; what still is."""
        left = set()

        def clean():
            left.clear()
            left.update(trace for trace in self.traces() - before if not re.fullmatch(harmless, trace))
            return not left
        with contextlib.suppress(TimeoutError):
            wait_for(clean, seconds)
        return left

    def close(self):
        for process in reversed(self.daemons):
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
        deadline = time.monotonic() + 30
        while (pids := self.processes()) and time.monotonic() < deadline:
            signal_all(pids, signal.SIGKILL)
            time.sleep(0.05)
            for process in (*self.daemons, self.leader):
                process.poll()
        self.leader.stdin.close()
        self.leader.wait()
        for directories in sorted(self.cgroups().items(), reverse=True):
            for directory in directories[1]:
                with contextlib.suppress(OSError):
                    directory.rmdir()
        shutil.rmtree(self.state, ignore_errors=True)


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def command_line(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()[:120]
    return ""

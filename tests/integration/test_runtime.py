"""The command itself: options, errors in the form callers parse, state, mounts, cgroups, terminals."""

import fcntl
import json
import os
import pathlib
import pty
import select
import signal
import struct
import subprocess
import termios
import time

import pytest
from bundle import BUILD, RUNTIME, edit_config, wait_for

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: about callgate's own command line")

CALLGATE = str(BUILD / "callgate")
STATE = pathlib.Path("/run/callgate")


def callgate(*args, **options):
    return subprocess.run([CALLGATE, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=30, check=False, **options)


def setting(*path, value):
    """An edit of config.json: setting("linux", "resources", value={...})."""
    def change(data):
        for key in path[:-1]:
            data = data.setdefault(key, {})
        data[path[-1]] = value
    return lambda bundle: edit_config(bundle, change)


def cgroup_of(pid, controller):
    """The path of a process's cgroup, below the mount, and where that is mounted."""
    for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(",") or (not names and not pathlib.Path("/sys/fs/cgroup/memory").is_dir()):
            return path, pathlib.Path("/sys/fs/cgroup") / names
    raise LookupError(controller)


def test_version_and_help():
    result = callgate("--version")
    lines = result.stdout.splitlines()
    assert lines[0].startswith("callgate version ") and lines[1].startswith("commit: ")
    assert lines[2].startswith("spec: ") and result.returncode == 0
    assert "usage: callgate run" in callgate("help", "run").stdout


@pytest.mark.parametrize("args,text", [
    (["nonsense"], "unknown command 'nonsense'"),
    (["run"], "too few arguments"),
    (["run", "--nonsense", "x"], "unknown option --nonsense"),
    (["run", "-b", "/no/such/bundle", "x"], "/no/such/bundle: no such file or directory"),
    (["run", "-b", "/", "x"], "/config.json: no such file or directory"),
    (["debug", "syscalls", "nobody"], "container does not exist: nobody"),
])
def test_usage_errors(args, text):
    result = callgate(*args)
    assert result.returncode == 1
    assert text in result.stderr


def test_error_is_one_json_line(bundles, tmp_path):
    bundle = bundles.make(["/bin/true"])
    setting("process", "args", value=[])(bundle)
    log = tmp_path / "log.json"
    result = callgate("--log", str(log), "--log-format", "json", "run", "-b", str(bundle), "t-json")
    lines = log.read_text().splitlines()
    assert result.returncode == 1 and len(lines) == 1
    entry = json.loads(lines[0])
    assert entry["level"] == "error" and entry["time"].endswith("Z")
    assert entry["msg"].endswith("process.args: expected a non-empty array of strings")
    assert entry["msg"] in result.stderr


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "a b", "x" * 2000])
def test_bad_ids(bundles, name):
    result = callgate("run", "-b", str(bundles.make(["/bin/true"])), name)
    assert result.returncode == 1 and "invalid container ID" in result.stderr


def test_spec(tmp_path):
    assert callgate("spec", "-b", str(tmp_path)).returncode == 0
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["process"]["args"] == ["sh"] and config["root"]["path"] == "rootfs"
    again = callgate("spec", "-b", str(tmp_path))
    assert again.returncode == 1 and "exists" in again.stderr


def test_default_spec_runs_under_both(run_both):
    """With another program: the default one is a shell at a terminal."""
    def use_default(bundle):
        args = json.loads((bundle / "config.json").read_text())["process"]["args"]
        (bundle / "config.json").unlink()
        assert callgate("spec", "-b", str(bundle)).returncode == 0
        edit_config(bundle, lambda data: data["process"].update(args=args, terminal=False))
    result = run_both("/bin/sh", "-c", "hostname; id -u; touch /x 2>/dev/null; echo $?", prepare=use_default)
    assert result.stdout == "callgate\n0\n1\n"


@pytest.mark.parametrize("path,value,text", [
    (("linux", "intelRdt"), {"closID": "x"}, "linux.intelRdt"),
    (("linux", "netDevices"), {"eth9": {}}, "linux.netDevices"),
    (("linux", "sysctl"), {"kernel.shmmax": "1", "vm.swappiness": "1"},
     "linux.sysctl.vm.swappiness: not in a separate kernel namespace"),
    (("linux", "sysctl"), {"kernel.shmmni": "-5"}, "linux.sysctl.kernel.shmmni: invalid argument"),
    (("mounts",), [{"destination": "/x", "type": "debugfs", "source": "x"}], "mounts[0]: type"),
    (("mounts",), [{"destination": "/x", "type": "bind", "source": "/no/such", "options": ["bind"]}],
     "mounts[0]: /no/such: no such file or directory"),
    (("mounts",), [{"destination": "/x", "type": "bind", "source": "/proc", "options": ["bind"]}],
     "mounts[0]: source: the host's /proc"),
    (("mounts",), [{"destination": "/x", "type": "tmpfs", "source": "x", "options": ["nonsense=1"]}],
     "mounts[0]: mount option 'nonsense'"),
    (("linux", "resources"), {"memory": {"limit": "much"}}, "linux.resources.memory.limit"),
])
def test_what_cannot_be_applied_is_named(run, path, value, text):
    result = run("/bin/true", prepare=setting(*path, value=value))
    assert result.status == 1 and text in result.stderr, str(result)


def test_second_container_with_the_same_id(start):
    container = start("/bin/sh", "-c", "echo up; sleep 100")
    container.process.stdout.read(3)
    state = json.loads((STATE / container.id / "state.json").read_text())
    assert state["id"] == container.id and os.path.exists(f"/proc/{state['init_process_pid']}")
    second = callgate("run", "-b", str(container.bundle), container.id)
    assert second.returncode == 1 and "container with given ID already exists" in second.stderr
    assert container.process.poll() is None


def test_pid_file_and_cgroup(bundles, tmp_path):
    bundle = bundles.make(["/bin/sh", "-c", "echo up; sleep 100"])
    setting("linux", "resources", value={"memory": {"limit": 512 << 20}, "pids": {"limit": 200}})(bundle)
    setting("linux", "cgroupsPath", value="/callgate-test/t-cgroup")(bundle)
    pid_file = tmp_path / "pid"
    with subprocess.Popen([CALLGATE, "run", "-b", str(bundle), "--pid-file", str(pid_file), "t-cgroup"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        try:
            process.stdout.read(3)
            text = pid_file.read_text()
            assert text.isdigit()
            path, mount = cgroup_of(int(text), "memory")
            assert path == "/callgate-test/t-cgroup"
            limit = mount / path[1:] / "memory.limit_in_bytes"
            if not limit.exists():
                limit = mount / path[1:] / "memory.max"
            assert int(limit.read_text()) == 512 << 20
            # every host process of the VM is in it
            members = set((mount / path[1:] / "cgroup.procs").read_text().split())
            children = pathlib.Path(f"/proc/{text}/task/{text}/children").read_text().split()
            assert {text, *children} <= members
        finally:
            process.kill()
    wait_for(lambda: not (mount / path[1:]).exists(), 10, "removal of the cgroup")
    for parent in pathlib.Path("/sys/fs/cgroup").glob("**/callgate-test"):
        parent.rmdir()


def test_hypervisor_killed_is_reported(bundles, tmp_path):
    bundle = bundles.make(["/bin/sh", "-c", "echo up; sleep 100"])
    pid_file = tmp_path / "pid"
    with subprocess.Popen([CALLGATE, "run", "-b", str(bundle), "--pid-file", str(pid_file), "t-killed"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.read(3)
        os.kill(int(pid_file.read_text()), signal.SIGKILL)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 137 and b"killed by signal 9" in err
    assert not (STATE / "t-killed").exists()


def test_mounts_cannot_leave_the_root(run, scratch):
    """Links of the image lead to places inside it, wherever they point to."""
    (scratch / "f").write_text("data\n")
    target = scratch / "target"
    target.mkdir()

    def traps(bundle):
        root = bundle / "rootfs"
        (root / "escape").symlink_to(target)
        (root / "up").symlink_to("../../../../../../.." + str(target))
    result = run("/bin/sh", "-c", "cat /escape/a/f /up/b/f /new/deep/f", prepare=traps, mounts=[
        (where, "bind", str(scratch), ["bind", "ro"]) for where in ("/escape/a", "/up/b", "/new/deep")])
    assert result.stdout == "data\n" * 3, str(result)
    assert not list(target.iterdir())


def test_file_bind_over_dangling_link(run, scratch):
    (scratch / "resolv").write_text("nameserver 192.0.2.1\n")

    def dangle(bundle):
        link = bundle / "rootfs/etc/resolv.conf"
        link.unlink(missing_ok=True)
        link.symlink_to("../run/nowhere/stub.conf")
    result = run("/bin/cat", "/etc/resolv.conf", prepare=dangle,
                 mounts=[("/etc/resolv.conf", "bind", str(scratch / "resolv"), ["rbind", "ro"])])
    assert result.stdout == "nameserver 192.0.2.1\n", str(result)


def test_bind_below_guest_mount(run, scratch):
    (scratch / "log").write_text("host\n")
    result = run("/bin/sh", "-c", "cat /dev/termination-log; echo guest >/dev/termination-log",
                 mounts=[("/dev/termination-log", "bind", str(scratch / "log"), ["bind"])])
    assert result.stdout == "host\n", str(result)
    assert (scratch / "log").read_text() == "guest\n"


def test_masked_and_readonly_paths(run_both):
    def change(data):
        data["linux"]["maskedPaths"] = ["/etc/hostname", "/etc/default", "/proc/acpi", "/no/such"]
        data["linux"]["readonlyPaths"] = ["/etc/security", "/proc/sys"]
    run_both("/bin/sh", "-c", "wc -c </etc/hostname; ls /etc/default | wc -l; "
             "touch /etc/security/x 2>/dev/null; echo $?; touch /etc/x; echo $?",
             prepare=lambda bundle: edit_config(bundle, change))


def test_host_proc_is_not_handed_on(run):
    """It would show the hypervisor's memory."""
    result = run("/bin/sh", "-c", "ls /host/etc >/dev/null && ls /host/proc | wc -l",
                 mounts=[("/host", "bind", "/", ["rbind", "rro"])])
    assert result.stdout == "0\n", str(result)


def test_do(tmp_path):
    marker = pathlib.Path("/etc/callgate-do-test")
    result = callgate("do", "--", "/bin/sh", "-c", "hostname; pwd; id -u; echo $KEPT; echo x >/etc/callgate-do-test; "
                      "cat /etc/callgate-do-test; exit 7", cwd=tmp_path, env={**os.environ, "KEPT": "yes"})
    assert result.stdout == f"callgate\n{tmp_path}\n0\nyes\nx\n", result.stderr
    assert result.returncode == 7 and not marker.exists()


class Terminal:
    """A process at a pseudo-terminal of its own."""

    def __init__(self, *args):
        self.master, self.slave = pty.openpty()
        self.resize(30, 100)
        self.before = termios.tcgetattr(self.slave)
        self.text = ""
        self.process = subprocess.Popen(
            args, stdin=self.slave, stdout=self.slave, stderr=self.slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def resize(self, rows, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def expect(self, text, seconds=20):
        end = time.monotonic() + seconds
        while text not in self.text:
            assert time.monotonic() < end, f"no {text!r} in {self.text!r}"
            if select.select([self.master], [], [], 0.1)[0]:
                self.text += os.read(self.master, 65536).decode(errors="replace")
        self.text = self.text.partition(text)[2]

    def send(self, text):
        os.write(self.master, text.encode())


def test_terminal():
    t = Terminal(CALLGATE, "do", "/bin/sh", "-c", "stty size; read x; stty size; echo got $x; exit 4")
    t.expect("30 100")
    t.resize(50, 120)
    t.process.send_signal(signal.SIGWINCH)
    time.sleep(0.2)
    t.send("line\n")
    t.expect("50 120")
    t.expect("got line")
    assert t.process.wait(20) == 4
    assert termios.tcgetattr(t.slave) == t.before

"""exec and ps, under callgate and runc alike where both have the same idea of it."""

import concurrent.futures
import difflib
import hashlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest
from box import RUNTIMES, both
from bundle import PATH, RUNTIME, TIMEOUT, descriptors, runtime_command, wait_for

callgate_only = pytest.mark.skipif(RUNTIME == "runc", reason="known: about callgate's own processes")

# Runs `exec --detach` as a subreaper, as a shim does, and tells how the process named by the pid file ended.
SUBREAPER = """
import ctypes, json, os, pathlib, signal, subprocess, sys, time
ctypes.CDLL(None).prctl(36, 1)
pid_file, signals, *command = sys.argv[1:]
done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=20)
text = pathlib.Path(pid_file).read_text()
pid = int(text)
parent = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
print(json.dumps({"exec": done.returncode, "pid_file": text, "ours": parent == os.getpid()}), flush=True)
sys.stdin.readline()
for number in signals.split():
    os.kill(pid, int(number))
reaped, status = os.waitpid(pid, 0)
try:
    others = os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    others = None
print(json.dumps({"status": os.waitstatus_to_exitcode(status), "others": others}), flush=True)
"""


@pytest.fixture
def both_say(box):
    """both_say(args..., **options): the same output and status in both."""
    boxes = [box(runtime) for runtime in RUNTIMES]

    def go(*args, **options):
        results = [b.exec(*args, **options) for b in boxes]
        said = [[f"status {r.returncode}", *r.stdout.splitlines()] for r in results]
        assert said[0] == said[-1], "\n".join(difflib.unified_diff(said[-1], said[0], "runc", "callgate", lineterm=""))
        return results[0]
    return go


# ---- what runs, and as what ----

@both
@pytest.mark.parametrize("script,status", [
    ("exit 0", 0), ("exit 3", 3), ("exit 255", 255), ("kill -9 $$", 137), ("kill -TERM $$", 143),
])
def test_exit_status(box, runtime, script, status):
    assert box(runtime).exec("/bin/sh", "-c", script).returncode == status


SHOW = """
id; pwd; umask; env | sort
grep -E '^(Cap|NoNewPrivs|Groups|Uid|Gid)' /proc/self/status; ls /proc/self/fd | wc -l; ulimit -n
"""


@pytest.mark.parametrize("options", [
    {},
    {"user": "1000"},
    {"user": "1000:1001", "additional_gids": [7, 2000]},
    {"cwd": "/usr/share"},
    {"env": ["A=b", "EMPTY=", "PATH=/bin:/usr/bin", "A=c d"]},
    {"cap": ["CAP_SYS_ADMIN"]},
    {"no_new_privs": True, "user": "0:0"},
], ids=str)
def test_who_it_is(both_say, options):
    assert both_say("/bin/sh", "-c", SHOW, **options).returncode == 0


def test_process_file(both_say, tmp_path):
    process = {
        "terminal": False, "user": {"uid": 5, "gid": 6, "additionalGids": [1, 2]},
        "args": ["/bin/sh", "-c", SHOW + "echo \"$0\"; grep ^NoNew /proc/self/status; ulimit -Hn; ulimit -c", "zero"],
        "env": [f"PATH={PATH}", "X=y"], "cwd": "/var/lib",
        "capabilities": {kind: ["CAP_NET_RAW", "CAP_KILL"] for kind in ("bounding", "permitted", "effective")},
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 99, "soft": 99},
                    {"type": "RLIMIT_CORE", "hard": 18446744073709551615, "soft": 18446744073709551615}],
        "noNewPrivileges": True,
    }
    path = tmp_path / "process.json"
    path.write_text(json.dumps(process))
    result = both_say(process=path)
    assert result.returncode == 0 and "\nzero\n" in result.stdout, result


@both
def test_parent_and_session(box, runtime):
    """Nobody in the container is its parent, and its session is its own."""
    fields = box(runtime).sh("cat /proc/$$/stat; echo $$").split()
    pid = fields[-1]
    assert fields[0] == pid and fields[3:6] == ["0", pid, pid], fields


@both
def test_environment_of_the_container_is_the_base(box, runtime):
    b = box(runtime, env=["BASE=1", "OVER=old"])
    assert b.sh("echo $BASE $OVER $NEW; env | grep -c OVER=", env=["OVER=new", "NEW=2"]) == "1 new 2\n1\n"


@callgate_only
def test_container_without_a_bundle():
    run = subprocess.Popen([*runtime_command("callgate"), "do", "/bin/sleep", "100"], stdin=subprocess.DEVNULL)
    try:
        command = [*runtime_command("callgate"), "exec", f"do-{run.pid}", "/bin/sh", "-c", "cat /proc/1/cmdline"]
        result = wait_for(lambda: (r := subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT,
                                                       check=False)).returncode == 0 and r)
        assert result.stdout == "/bin/sleep\x00100\x00"
    finally:
        run.kill()
        run.wait()


# ---- errors ----

@both
@pytest.mark.parametrize("args,options,text", [
    (["nosuch"], {}, 'exec: "nosuch": executable file not found in $PATH'),
    (["/no/such"], {}, "no such file or directory"),
    (["/etc/passwd"], {}, 'exec: "/etc/passwd": permission denied'),
    (["/etc"], {}, "permission denied"),
    (["true"], {"cwd": "/nosuch"}, 'chdir to cwd ("/nosuch") set in config.json failed: no such file or directory'),
    ([], {}, "process args cannot be empty"),
    (["true"], {"tty": True, "detach": True}, "without setting console socket"),
    (["true"], {"console_socket": "/x"}, "cannot use console socket if"),
    ([], {"process": "/no/such.json"}, "no such file or directory"),
    (["true"], {"user": "daemon"}, "daemon"),
    (["true"], {"cgroup": "nosuch"}, "cgroups"),
], ids=str)
def test_errors(box, runtime, tmp_path, args, options, text):
    b = box(runtime)
    log, pid_file = tmp_path / "log.json", tmp_path / "pid"
    command = b.command(*args, **options, pid_file=pid_file)
    command[1:1] = ["--log", str(log), "--log-format", "json"]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT,
                            check=False)
    assert result.returncode == 255 and result.stdout == "", result
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(lines) == 1 and lines[0]["level"] == "error", lines
    assert lines[0]["msg"].startswith("exec failed: ") and text in lines[0]["msg"], lines
    assert lines[0]["msg"] in result.stderr
    assert not pid_file.exists()
    assert b.processes() == ["/bin/sleep 1000"]


@both
def test_not_running(bundles, start, runtime):
    def attempt(ident):
        return subprocess.run([*runtime_command(runtime), "exec", ident, "true"], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=TIMEOUT, check=False)
    result = attempt("nobody-is-here")
    assert result.returncode == 255 and "exec failed: container does not exist" in result.stderr, result


@callgate_only
@pytest.mark.parametrize("args,options,text", [
    (["true"], {"preserve_fds": 1}, "unable to stat preserved-fd 1 (of 1)"),
    (["true"], {"preserve_fds": "many"}, "--preserve-fds"),
    (["true"], {"preserve_fds": 9999}, "at most"),
    (["true"], {"additional_gids": [-1]}, "--additional-gids"),
    (["true", "x" * 100000, "y" * 100000], {}, "process.args, process.env and process.rlimits are too long together"),
], ids=lambda v: str(v)[:40])
def test_own_errors(box, args, options, text):
    b = box()
    result = b.exec(*args, **options)
    assert result.returncode in (1, 255) and text in result.stderr, result
    assert b.processes() == ["/bin/sleep 1000"]


@callgate_only
@pytest.mark.parametrize("process,text", [
    ("{", "not valid JSON"),
    ("[]", "expected an object"),
    ('{"args": [], "cwd": "/"}', "args: expected a non-empty array"),
    ('{"args": ["x"], "cwd": "here"}', "cwd: expected an absolute path"),
    ('{"args": ["x"], "cwd": "/", "rlimits": [{"type": "RLIMIT_X", "soft": 1, "hard": 1}]}', "rlimits[0].type"),
])
def test_process_file_errors(box, tmp_path, process, text):
    path = tmp_path / "process.json"
    path.write_text(process)
    result = box().exec(process=path)
    assert result.returncode == 255 and text in result.stderr, result


# ---- detached ----

class Detached:
    """exec --detach under a subreaper of its own."""

    def __init__(self, box, tmp_path, *args, signals="", **options):
        self.pid_file = tmp_path / "pid"
        command = box.command(*args, detach=True, pid_file=self.pid_file, **options)
        self.process = subprocess.Popen([sys.executable, "-c", SUBREAPER, str(self.pid_file), signals, *command],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.first = json.loads(self.process.stdout.readline())
        self.pid = int(self.first["pid_file"])

    def end(self):
        out, _ = self.process.communicate("\n", timeout=TIMEOUT)
        return json.loads(out)


@both
def test_detached(box, runtime, tmp_path):
    b = box(runtime)
    d = Detached(b, tmp_path, "/bin/sh", "-c", "until [ -e /go ]; do sleep 0.05; done; exit 7")
    assert d.first["exec"] == 0 and d.first["ours"]
    assert re.fullmatch(r"\d+", d.first["pid_file"])
    b.sh("touch /go")
    assert d.end() == {"status": 7, "others": None}


@both
@pytest.mark.parametrize("number,script,status", [
    (signal.SIGTERM, "sleep 100", -signal.SIGTERM),
    (signal.SIGUSR1, "trap 'exit 5' USR1; touch /ready; while :; do sleep 0.05; done", 5),
    (signal.SIGRTMIN + 3, "trap 'exit 6' RTMIN+3; touch /ready; while :; do sleep 0.05; done", 6),
    (signal.SIGKILL, "sleep 100", -signal.SIGKILL),
])
def test_signals_to_its_pid(box, runtime, tmp_path, number, script, status):
    """What a shim does: kill(pid, SIG)."""
    b = box(runtime)
    d = Detached(b, tmp_path, "/bin/bash", "-c", "exec 2>/dev/null; " + script, signals=str(int(number)))
    if "/ready" in script:
        wait_for(lambda: "ready" in b.sh("ls /"))
    ended = d.end()["status"]
    # a host process that stands for another exits with 128 + n
    assert ended in (status, 128 - status), ended
    wait_for(lambda: b.processes() == ["/bin/sleep 1000"], 10, "end of the process in the container")


@both
def test_end_of_output(box, runtime):
    """Readers get the end of file when the process has closed its output, though it lives."""
    b = box(runtime)
    reader, writer = os.pipe()
    done = subprocess.run(b.command("/bin/sh", "-c", "echo out; exec >/dev/null 2>&1; sleep 300 & touch /closed; wait",
                                    detach=True),
                          stdin=subprocess.DEVNULL, stdout=writer, stderr=writer, timeout=TIMEOUT, check=False)
    os.close(writer)
    assert done.returncode == 0
    wait_for(lambda: "closed" in b.sh("ls /"))
    with open(reader, "rb") as out:
        assert out.read() == b"out\n"
    assert "sleep 300" in b.processes()


@both
def test_end_of_the_container(box, runtime, tmp_path):
    """Its processes are killed along with it."""
    b = box(runtime)
    attached = b.start("/bin/sleep", "200")
    detached = Detached(b, tmp_path, "/bin/sleep", "201")
    wait_for(lambda: {"/bin/sleep 200", "/bin/sleep 201"} <= set(b.processes()))
    if runtime == "runc":
        subprocess.run([*runtime_command("runc"), "kill", b.id, "KILL"], check=True)
    else:
        b.container.process.send_signal(signal.SIGKILL)
    assert attached.wait(TIMEOUT) == 137
    assert detached.end()["status"] in (137, -9)


@both
def test_attached_passes_signals_on(box, runtime):
    b = box(runtime)
    p = b.start("/bin/bash", "-c", "trap 'exit 9' TERM; echo up; while :; do sleep 0.05; done")
    assert p.stdout.readline() == b"up\n"
    p.terminate()
    assert p.wait(TIMEOUT) == 9


# ---- descriptors ----

@both
def test_ten_megabytes(box, runtime):
    b = box(runtime)
    data = os.urandom(10 << 20)
    command = b.command("/bin/sh", "-c", "tee /copy | md5sum >&2; cat /copy")
    done = subprocess.run(command, input=data, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0 and done.stderr.split()[0].decode() == hashlib.md5(data).hexdigest()
    assert done.stdout == data


@both
def test_input_ends(box, runtime):
    b = box(runtime)
    p = b.start("/bin/cat", stdin=subprocess.PIPE)
    out, _ = p.communicate(b"to the end", timeout=TIMEOUT)
    assert (p.returncode, out) == (0, b"to the end")


@both
def test_preserved_descriptors(box, runtime, tmp_path):
    (tmp_path / "file").write_text("content\n")
    file, (reader, writer) = os.open(tmp_path / "file", os.O_RDONLY), os.pipe()
    # as 3 and 4 of the command's process
    shell = f"exec 3<&{file} 4>&{writer} {file}<&- {writer}>&-; exec \"$@\""
    command = box(runtime).command("/bin/sh", "-c", "cat <&3; echo to the pipe >&4", preserve_fds=2)
    result = subprocess.run(["/bin/bash", "-c", shell, "-", *command], stdin=subprocess.DEVNULL, capture_output=True,
                            text=True, timeout=TIMEOUT, pass_fds=[file, writer], check=False)
    os.close(file)
    os.close(writer)
    assert (result.returncode, result.stdout) == (0, "content\n"), result
    with open(reader, "rb") as pipe:
        assert pipe.read() == b"to the pipe\n"


@callgate_only
@pytest.mark.parametrize("place", ["stdin", "preserved"])
def test_directories_of_the_host_are_refused(box, place):
    """They lead by ".." to all of the host's file system."""
    b = box()
    script = "exec 3</var; exec \"$@\"" if place == "preserved" else "exec 0</var; exec \"$@\""
    options = {"preserve_fds": 1} if place == "preserved" else {}
    result = subprocess.run(["/bin/bash", "-c", script, "-", *b.command("/bin/ls", "-l", "/proc/self/fd", **options)],
                            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert result.returncode == 255 and "is a directory of the host" in result.stderr, result


# ---- many ----

def hypervisor_of(b):
    """The hypervisor is whoever listens on the control socket."""
    state = json.loads(pathlib.Path(f"/run/callgate/{b.id}/state.json").read_text())
    return state["init_process_pid"]


@both
def test_thirty_at_once(box, runtime):
    b = box(runtime)
    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        results = list(pool.map(lambda i: b.exec("/bin/sh", "-c", f"echo {i}; sleep 0.1; exit {i}"), range(30)))
    assert [(r.returncode, r.stdout) for r in results] == [(i, f"{i}\n") for i in range(30)]
    assert b.processes() == ["/bin/sleep 1000"]


@callgate_only
def test_a_storm_leaves_nothing(box, tmp_path):
    """Processes that end, fail, are killed or given up: no descriptor, process or connection stays."""
    b = box()
    hypervisor = hypervisor_of(b)

    def left():
        cgroup = next(line.split(":", 2)[2] for line in pathlib.Path(f"/proc/{hypervisor}/cgroup").read_text().splitlines()
                      if ":pids:" in line or line.startswith("0::"))
        base = pathlib.Path("/sys/fs/cgroup/pids" if pathlib.Path("/sys/fs/cgroup/pids").is_dir() else "/sys/fs/cgroup")
        # but for files: the guest gives those back later, by the dozen
        return (sum(not target.startswith("/") or target.startswith("/dev/") for target in descriptors(hypervisor)),
                len((base / cgroup.lstrip("/") / "cgroup.procs").read_text().split()))

    def one(i):
        kind = i % 4
        if kind == 0:
            return b.exec("/bin/true").returncode
        if kind == 1:
            return b.exec("nosuch").returncode
        pid_file = tmp_path / str(i)
        result = b.start("/bin/sleep", "600", detach=True, pid_file=pid_file, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL).wait(TIMEOUT)
        os.kill(int(pid_file.read_text()), signal.SIGKILL if kind == 2 else signal.SIGTERM)
        return result
    one(0)
    before = wait_for(lambda: (x := left()) == (time.sleep(0.2), left())[1] and x)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(80))) == [0, 255, 0, 0] * 20
    wait_for(lambda: left() == before, 15, f"{before} descriptors and processes")
    wait_for(lambda: b.processes() == ["/bin/sleep 1000"], 15)


# ---- ps ----

@both
def test_ps(box, runtime):
    b = box(runtime)
    p = b.start("/bin/sleep", "77")
    wait_for(lambda: "/bin/sleep 77" in b.processes())

    def ps(*args):
        return subprocess.run([*runtime_command(runtime), "ps", *args], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=TIMEOUT, check=False)
    def pids_without_observer():  # that exec has answered before its host process is gone
        found = json.loads(ps("--format", "json", b.id).stdout)
        return found if len(found) == 2 else None
    pids = wait_for(pids_without_observer, what="two processes")
    assert all(os.path.exists(f"/proc/{pid}") for pid in pids)
    table = ps(b.id).stdout.splitlines()
    assert table[0].split()[:3] == ["UID", "PID", "PPID"]
    assert {int(line.split()[1]) for line in table[1:]} == set(pids)
    chosen = ps(b.id, "-e", "-o", "ppid,pid").stdout.splitlines()
    assert {int(line.split()[1]) for line in chosen[1:]} == set(pids)
    assert ps("nobody-is-here").returncode == 1 and "does not exist" in ps("nobody-is-here").stderr
    assert ps("-f", "xml", b.id).returncode == 1
    p.terminate()
    p.wait(TIMEOUT)
    wait_for(lambda: len(json.loads(ps("-f", "json", b.id).stdout)) == 1)


def test_any_bytes(box):
    """Arguments and variables need not be UTF-8 (runc puts U+FFFD in their place)."""
    here = box()
    words = [b"\xff\xfe", "gr\u00fc\u00df".encode(), b"\xc3", b"\xef\xb7\x90mark", "gr\u00fc".encode("latin-1")]
    done = subprocess.run([*here.command(env=["A=first"])[:-1], "--env", b"A=\xe9\xff", "--env", b"B=\xe9", "--env", b"B=last",
                           here.id, "/usr/bin/python3", "-c", "import os, sys; os.write(1, b'\\n'.join(map(os.fsencode, sys.argv[1:]))"
                           "+ b'\\n' + os.environb[b'A'] + b'\\n' + os.environb[b'B'])", *words], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=TIMEOUT, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.split(b"\n") == [*words, b"\xe9\xff", b"last"]

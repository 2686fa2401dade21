"""The command line: do, spec, debug, --version, and how errors are told."""

import json
import os
import pathlib
import re
import subprocess

import pytest
from bundle import BUILD, RUNTIME

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: callgate's own command line")


def callgate(*args, timeout=20, **options):
    if "input" not in options:
        options["stdin"] = subprocess.DEVNULL
    return subprocess.run([str(BUILD / "callgate"), *map(str, args)], capture_output=True,
                          text=True, timeout=timeout, check=False, **options)


def test_version():
    lines = callgate("--version").stdout.splitlines()
    assert lines[0].startswith("callgate version ")
    assert lines[1].startswith("commit: ") and lines[2].startswith("spec: 1.")


def test_help_names_every_command():
    text = callgate("--help").stdout
    for command in ("run", "do", "spec", "debug"):
        assert command in text


@pytest.mark.parametrize("command", ["state", "run", "exec", "features", "do", "install"])
def test_help_of_a_command(command):
    wanted = callgate("help", command).stdout
    for args in (["--help"], ["-h"]):
        result = callgate(command, *args)
        assert (result.returncode, result.stdout, result.stderr) == (0, wanted, "")
    assert wanted.startswith(f"usage: callgate {command} ")


@pytest.mark.parametrize("command", ["checkpoint", "restore"])
def test_help_does_not_pretend_support(command):
    """Podman takes success of `checkpoint --help` for support of checkpoints."""
    result = callgate(command, "--help")
    assert result.returncode != 0 and "not supported yet" in result.stderr and f"callgate {command}" in result.stdout


def test_help_of_the_program():
    """Options behind the program are its own."""
    assert "GNU coreutils" in callgate("do", "true", "--help").stdout


@pytest.mark.parametrize("args", [["nonsense"], ["run"], ["run", "--no-such-flag", "x"]])
def test_wrong_usage(args):
    result = callgate(*args)
    assert result.returncode != 0 and (result.stderr or result.stdout)


def test_do_status_and_output():
    result = callgate("do", "--", "/bin/sh", "-c", "echo out; echo err >&2; exit 5")
    assert (result.returncode, result.stdout, result.stderr) == (5, "out\n", "err\n")


def test_do_without_dashes_finds_programs():
    assert callgate("do", "uname").stdout == "Linux\n"


def test_do_reads_stdin():
    data = "line\n" * 50000
    assert callgate("do", "--", "wc", "-l", input=data).stdout.strip() == "50000"


def test_do_throws_away_what_is_written(tmp_path):
    path = pathlib.Path("/var/tmp") / f"callgate-do-{os.getpid()}"
    result = callgate("do", "--", "sh", "-c", f"echo x >{path} && cat {path} && rm /etc/passwd")
    assert result.stdout == "x\n" and result.returncode == 0, result.stderr
    assert not path.exists() and os.path.exists("/etc/passwd")


def test_do_missing_program():
    result = callgate("do", "--", "/no/such/program")
    assert result.returncode != 0 and "no such file or directory" in result.stderr.lower()


def test_do_sees_only_its_own_processes():
    pids = callgate("do", "--", "sh", "-c", "ls /proc | grep -c '^[0-9]'").stdout
    assert int(pids) <= 4


def test_spec(tmp_path):
    assert callgate("spec", cwd=tmp_path).returncode == 0
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["ociVersion"].startswith("1.") and config["process"]["args"]
    assert callgate("spec", cwd=tmp_path).returncode != 0, "it overwrote a file"


def test_error_in_log(tmp_path):
    log = tmp_path / "log.json"
    result = callgate("--log", log, "--log-format", "json", "run", "--bundle", tmp_path, "x1")
    assert result.returncode != 0
    entry = json.loads(log.read_text().splitlines()[0])
    assert entry["level"] == "error" and "config.json" in entry["msg"] and entry["time"]
    assert "config.json" in result.stderr


def test_bad_container_id(tmp_path, bundles):
    bundle = bundles.make(["/bin/true"])
    for ident in ("../up", "a/b", ""):
        assert callgate("run", "--bundle", bundle, ident).returncode != 0


def test_id_in_use(start):
    container = start("/bin/sh", "-c", "echo up; sleep 100")
    container.process.stdout.read(3)
    again = callgate("run", "--bundle", container.bundle, container.id)
    assert again.returncode != 0 and container.id in again.stderr
    assert container.process.poll() is None


def test_debug_syscalls(start):
    container = start("/bin/bash", "-c", "for i in 1 2 3; do /bin/true; done; echo up; sleep 100")
    container.process.stdout.read(3)
    result = callgate("debug", "syscalls", container.id)
    assert result.returncode == 0, result.stderr
    assert "execve" in result.stdout and "clone" in result.stdout


MANY_CALLERS = """
import ctypes, os, threading
syscall = ctypes.CDLL(None).syscall
def calls(n=6000):
    for i in range(n): syscall(147, 0)
for times in range(2):  # more threads at a time than there are rows of counters, then again with those given back
    threads = [threading.Thread(target=calls) for i in range(20)]
    for t in threads: t.start()
    for t in threads: t.join()
for i in range(3):
    if os.fork() == 0:
        calls(5000)
        os._exit(0)
    os.wait()
print("up", flush=True)
threading.Event().wait()
"""


def test_debug_counts_are_exact(start):
    """Of tasks that make so many calls that they count them apart, and of processes that have ended."""
    container = start("/usr/bin/python3", "-c", MANY_CALLERS)
    assert container.process.stdout.readline() == b"up\n"
    result = callgate("debug", "syscalls", container.id)
    row = next(line.split() for line in result.stdout.splitlines() if line.startswith("sched_get_priority_min"))
    assert row[1:] == [str(2 * 20 * 6000 + 3 * 5000), "0", "0"]


WRITER = """
import os, threading
f = os.open("/root/file", os.O_RDWR | os.O_CREAT)
for i in range(20000): os.pwrite(f, b"x", 0)
print("up", flush=True)
threading.Event().wait()
"""


def test_debug_counts_host_calls(start):
    """One for each write, and a few hundred of the start: most are counted in the task's own row."""
    container = start("/usr/bin/python3", "-c", WRITER)
    assert container.process.stdout.readline() == b"up\n"
    result = callgate("debug", "syscalls", container.id)
    total = int(re.search(r"^host calls: ([0-9]+)", result.stdout, re.M)[1])
    assert 20000 <= total < 25000

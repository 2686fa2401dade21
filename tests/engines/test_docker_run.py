"""docker run: what is asked for on the command line is what the container sees."""

import json

import pytest

from engine import RUNTIME
from engine_terminal import Terminal


def test_kernel(docker):
    """The runtime under test is the one that runs."""
    version = docker.script("uname -r; cat /proc/version").stdout
    assert ("callgate" in version) == (RUNTIME == "callgate")


SEEN = {
    "plain": ([], "echo hello; id -u; id -g; pwd", "hello\n0\n0\n/"),
    "workdir": (["-w", "/srv/made"], "pwd; stat -c %u /srv/made", "/srv/made\n0"),
    "user by name": (["-u", "tester"], "id -un; id -u; id -g", "tester\n1000\n1000"),
    "user by number": (["-u", "1234:4321"], "id -u; id -g", "1234\n4321"),
    "groups": (["-u", "1000", "--group-add", "77"], "id -G | tr ' ' '\\n' | grep 77", "77"),
    "env": (["-e", "A=1 2", "-e", "B="], 'echo "[$A][$B]"', "[1 2][]"),
    "hostname": (["--hostname", "ship"], "hostname; cat /etc/hostname", "ship\nship"),
    "add-host": (["--add-host", "db:10.9.8.7"], "getent hosts db | tr -s ' '", "10.9.8.7 db"),
    "dns": (["--dns", "10.1.2.3", "--dns-search", "x.test"], "grep -v '^#' /etc/resolv.conf | sort",
            "nameserver 10.1.2.3\nsearch x.test"),
    "entrypoint": (["--entrypoint", "/bin/echo"], None, "one two"),
    "tmpfs": (["--tmpfs", "/scratch:size=4m,mode=1777"],
              "stat -c %a /scratch; stat -f -c %T /scratch; df -k --output=size /scratch | tail -n 1 | tr -d ' '",
              "1777\ntmpfs\n4096"),
    "shm": (["--shm-size", "8m"], "df -k --output=size /dev/shm | tail -n 1 | tr -d ' '", "8192"),
    "read-only": (["--read-only", "--tmpfs", "/tmp"],
                  "touch /etc/x 2>&1 | grep -o 'Read-only file system'; touch /tmp/x && echo tmp",
                  "Read-only file system\ntmp"),
    "ulimit": (["--ulimit", "nofile=100:200", "--ulimit", "core=0"],
               "ulimit -Sn; ulimit -Hn; ulimit -c", "100\n200\n0"),
    "cap-drop": (["--cap-drop", "ALL"], "awk '/CapEff|CapBnd/ { print $2 }' /proc/self/status",
                 "0000000000000000\n0000000000000000"),
    "cap-add": (["--cap-drop", "ALL", "--cap-add", "NET_ADMIN", "--cap-add", "CHOWN"],
                "awk '/CapEff/ { print $2 }' /proc/self/status; chown 5 /srv && echo chown; "
                "mknod /null c 1 3 2>&1 | grep -o 'Operation not permitted'",
                "0000000000001001\nchown\nOperation not permitted"),
    "default capabilities": ([], "awk '/CapEff/ { print $2 }' /proc/self/status", "00000000a80425fb"),
    "no-new-privileges": (["--security-opt", "no-new-privileges"],
                          "awk '/NoNewPrivs/ { print $2 }' /proc/self/status", "1"),
    "seccomp unconfined": (["--security-opt", "seccomp=unconfined"],
                           "awk '/^Seccomp:/ { print $2 }' /proc/self/status", "0"),
    "seccomp default": ([], "awk '/^Seccomp:/ { print $2 }' /proc/self/status; "
                        "python3 -c 'import ctypes, errno; l = ctypes.CDLL(None, use_errno=True); "
                        "print(l.syscall(250, 0), errno.errorcode[ctypes.get_errno()])'",
                        "2\n-1 EPERM"),
    "sysctl": (["--sysctl", "net.ipv4.ip_unprivileged_port_start=81"],
               "cat /proc/sys/net/ipv4/ip_unprivileged_port_start", "81"),
    "init": (["--init"], "ps -o pid=,comm= -p 1 | tr -s ' '; (sleep 0.1 &) ; sleep 1; "
             "ps -e -o stat= | grep -c Z || true", " 1 docker-init\n0"),
    "device": (["--device", "/dev/zero:/dev/nought"],
               "head -c 3 /dev/nought | od -An -tx1; stat -c %t:%T /dev/nought", " 00 00 00\n1:5"),
    "default devices": ([], "cd /dev; ls -d full null random tty urandom zero fd stdin ptmx | wc -l; "
                        "head -c 1 zero | od -An -tx1", "9\n 00"),
    "masked": ([], "cat /proc/keys 2>/dev/null | wc -c; touch /proc/sys/kernel/hostname 2>&1 | grep -o 'Read-only.*'",
               "0\nRead-only file system"),
    "userns host": (["--userns", "host"], "head -n 1 /proc/self/uid_map | tr -s ' '",
                    " 0 0 4294967295"),
    "oom-score-adj": (["--oom-score-adj", "500"], "cat /proc/self/oom_score_adj", "500"),
    "many arguments": ([], "seq 1 20000 | xargs echo | wc -w", "20000"),
}


@pytest.mark.parametrize("name", SEEN)
def test_seen(docker, name):
    options, script, expected = SEEN[name]
    if script is None:
        output = docker("run", "--rm", *options, "box", *expected.split())
    else:
        output = docker("run", "--rm", *options, "box", "/bin/bash", "-c", script)
    assert str(output) == expected, output.describe()


def test_env_file(docker):
    path = docker.cell.state / "env"
    path.write_text("# a comment\nONE=1\nTWO=a b=c\n")
    assert str(docker.script('echo "$ONE/$TWO"', ["--env-file", path])) == "1/a b=c"


def test_seccomp_profile(docker):
    path = docker.cell.state / "seccomp.json"
    path.write_text(json.dumps({
        "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}))
    output = docker.script("mkdir /srv/x 2>&1; touch /srv/y && echo touched",
                           ["--security-opt", f"seccomp={path}"])
    assert "Operation not supported" in output.stdout and "touched" in output.stdout


def test_privileged(docker):
    output = docker.script("awk '/CapEff|^Seccomp:/ { print $2 }' /proc/self/status", ["--privileged"])
    capabilities, seccomp = output.stdout.split()
    all_known = (1 << 38) - 1  # to Debian's docker
    assert int(capabilities, 16) >= all_known and seccomp == "0", output.describe()


EXITS = {
    "true": (["/bin/true"], 0),
    "status": (["/bin/bash", "-c", "exit 3"], 3),
    "not executable": (["/etc/passwd"], 126),
    "directory": (["/etc"], 126),
    "not found": (["no-such-program"], 127),
    "no such path": (["/no/such/program"], 127),
    "segmentation fault": (["python3", "-c", "import ctypes; ctypes.string_at(0)"], 139),
    # The first process ignores its own SIGABRT; what glibc's abort() tries next is a fault.
    "abort": (["python3", "-c", "import os; os.abort()"], 139),
}


@pytest.mark.parametrize("name", EXITS)
def test_exit_status(docker, name):
    args, expected = EXITS[name]
    output = docker("run", "--name", "ends", "box", *args, check=False)
    assert output.status == expected, output.describe()
    assert docker.inspect("ends", "{{.State.ExitCode}}") == str(expected)
    assert docker.inspect("ends", "{{.State.Status}}") == ("created" if expected in (126, 127)
                                                          else "exited")


@pytest.mark.parametrize("how, expected", [("kill", 137), ("stop", 143)])
def test_ended_from_outside(docker, how, expected):
    docker.up("sleep", "1000", options=["--init", "--name", "victim"])
    docker(how, "victim")
    docker.wait_state("victim", "{{.State.Status}}", "exited")
    assert docker.inspect("victim", "{{.State.ExitCode}}") == str(expected)


def test_stdin(docker):
    output = docker("run", "--rm", "-i", "box", "sort", stdin="b\nc\na\n")
    assert str(output) == "a\nb\nc"


def test_stdout_and_stderr_apart(docker):
    output = docker.script("echo out; echo err >&2")
    assert (output.stdout, output.stderr) == ("out\n", "err\n")


def test_much_output(docker):
    assert len(docker.script("seq 1 200000").stdout) == 1288895


# -- limits ---------------------------------------------------------------------------------


def limit(docker, container, v1, v2):
    """A limit as the host's cgroup has it."""
    identity = docker.inspect(container, "{{.Id}}")
    for path, directories in docker.cell.cgroups().items():
        if path.endswith(identity):
            for directory in directories:
                for name in (v1, v2):
                    if (directory / name).exists():
                        return (directory / name).read_text().strip()
    raise AssertionError(f"no {v1} or {v2} for {identity}")


def test_limits(docker):
    docker.up("sleep", "1000", options=["--name", "small", "--memory", "96m", "--cpus", "0.5",
                                        "--pids-limit", "77", "--cpuset-cpus", "0"])
    assert limit(docker, "small", "memory.limit_in_bytes", "memory.max") == str(96 << 20)
    assert limit(docker, "small", "cpu.cfs_quota_us", "cpu.max").split()[0] == "50000"
    assert limit(docker, "small", "pids.max", "pids.max") == "77"
    assert limit(docker, "small", "cpuset.cpus", "cpuset.cpus") == "0"
    assert str(docker("exec", "small", "nproc")) == "1"


def test_update(docker):
    docker.up("sleep", "1000", options=["--name", "grows", "--memory", "96m"])
    docker("update", "--memory", "128m", "--memory-swap", "128m", "--cpus", "1.5", "grows")
    assert limit(docker, "grows", "memory.limit_in_bytes", "memory.max") == str(128 << 20)
    assert limit(docker, "grows", "cpu.cfs_quota_us", "cpu.max").split()[0] == "150000"


def test_out_of_memory(docker):
    output = docker("run", "--name", "eater", "--memory", "64m", "--memory-swap", "64m", "box",
                    "python3", "-c", "a = [bytearray(1 << 20) for _ in range(4000)]", check=False)
    assert output.status == 137, output.describe()
    docker.wait_state("eater", "{{.State.OOMKilled}}", "true")


FORKS = """
import os, time
n = 0
try:
    while n < 300:
        if os.fork() == 0:
            time.sleep(100)
            os._exit(0)
        n += 1
except BlockingIOError:
    print("limited", 10 < n < 200)
"""


def test_pids_limit(docker):
    assert str(docker.box("python3", "-c", FORKS, options=["--pids-limit", "100"])) == "limited True"


# -- files -----------------------------------------------------------------------------------


def test_volume(docker):
    docker("volume", "create", "data")
    docker.script("echo kept > /data/file; chown 1000 /data/file", ["-v", "data:/data"])
    assert str(docker.script("cat /data/file; stat -c %u /data/file; touch /data/x 2>&1",
                             ["-v", "data:/data:ro"], check=False)) \
        == "kept\n1000\ntouch: cannot touch '/data/x': Read-only file system"


def test_volume_takes_what_the_image_has(docker):
    assert "hosts" in docker.script("ls /etc", ["-v", "/etc"]).stdout
    docker.script("true", ["-v", "copied:/etc/default"])
    assert "useradd" in docker.script("ls /v", ["-v", "copied:/v"]).stdout


@pytest.mark.parametrize("mode", ["rw", "ro", "z"])
def test_bind(docker, mode):
    directory = docker.cell.state / f"shared-{mode}"
    directory.mkdir()
    (directory / "in").write_text("from the host\n")
    output = docker.script("cat /shared/in; touch /shared/out 2>/dev/null && echo wrote; ls /shared",
                           ["-v", f"{directory}:/shared:{mode}"])
    assert str(output) == ("from the host\nin" if mode == "ro" else "from the host\nwrote\nin\nout")
    assert (directory / "out").exists() == (mode != "ro")


def test_bind_of_a_file(docker):
    path = docker.cell.state / "one-file"
    path.write_text("1\n")
    docker.script("echo 2 >> /etc/one", ["--mount", f"type=bind,source={path},target=/etc/one"])
    assert path.read_text() == "1\n2\n"


# -- terminals -------------------------------------------------------------------------------


def test_terminal(docker):
    command = docker.command("run", "--rm", "-it", "box", "/bin/bash", "--norc")
    with Terminal(command, rows=33, columns=99) as terminal:
        terminal.expect(r"# ")
        terminal.line("tty; until stty size | grep '33 9'; do sleep 0.1; done")
        terminal.expect(r"/dev/(pts/0|console)\r\n33 99\r\n")
        terminal.resize(40, 120)
        terminal.line("until stty size | grep '40 1'; do sleep 0.1; done")
        terminal.expect(r"40 120\r\n")
        terminal.line("(echo rea''dy; exec sleep 1000)")
        terminal.expect("ready\r\n")
        terminal.interrupt()
        terminal.line("echo status $?")
        terminal.expect("status 130\r\n")
        terminal.line("exit 7")
        assert terminal.wait() == 7


def test_terminal_end_of_file(docker):
    with Terminal(docker.command("run", "--rm", "-it", "box", "cat")) as terminal:
        terminal.line("echoed")
        terminal.expect("echoed\r\n.*echoed\r\n")
        terminal.send("\x04")
        assert terminal.wait() == 0


def test_detach_and_attach(docker):
    command = docker.command("run", "-it", "--name", "away", "box", "/bin/bash", "--norc")
    with Terminal(command) as terminal:
        terminal.expect(r"# ")
        terminal.line("there=still-there")
        terminal.expect(r"# ")
        terminal.send("\x10\x11")
        assert terminal.wait() == 0
    assert docker.inspect("away", "{{.State.Running}}") == "true"
    with Terminal(docker.command("attach", "away")) as terminal:
        terminal.line("echo $there")
        terminal.expect("still-there\r\n")
        terminal.line("exit 5")
        assert terminal.wait() == 5

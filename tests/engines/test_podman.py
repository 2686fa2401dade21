"""Podman as root and as an ordinary user: the same tests, and what only one of them has."""

import json
import re
import shutil
import socket
import threading

import pytest

from bundle import wait_for
from engine import RUNTIME
from engine_terminal import Terminal


@pytest.fixture(params=["podman", "rootless"])
def engine(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def sleeper(engine):
    engine.up("sleep", "1000", options=["--init", "--name", "sleeper"])
    return engine


def test_run(engine):
    output = engine.script("uname -r; echo err >&2; id -u; pwd", ["-w", "/usr"])
    assert ("callgate" in output.stdout) == (RUNTIME == "callgate")
    assert output.stdout.splitlines()[1:] == ["0", "/usr"] and output.stderr == "err\n"


SEEN = {
    "user": (["-u", "tester"], "id -un", "tester"),
    "env": (["-e", "ONE=1 2"], 'echo "$ONE"', "1 2"),
    "hostname": (["--hostname", "ship"], "hostname", "ship"),
    "add-host": (["--add-host", "db:10.9.8.7"], "getent hosts db | tr -s ' '", "10.9.8.7 db"),
    "tmpfs": (["--tmpfs", "/scratch:size=4m"], "stat -f -c %T /scratch", "tmpfs"),
    "read-only": (["--read-only"], "touch /etc/x 2>&1 | grep -o 'Read-only.*'; touch /tmp/x && echo tmp",
                  "Read-only file system\ntmp"),
    "no network": (["--network", "none"], "ip -o link | wc -l", "1"),
    "capabilities": (["--cap-drop", "all", "--cap-add", "chown"],
                     "awk '/CapEff/ { print $2 }' /proc/self/status", "0000000000000001"),
    "seccomp": ([], "awk '/^Seccomp:/ { print $2 }' /proc/self/status", "2"),
    "volume": (["-v", "data:/data"], "echo x > /data/file; cat /data/file", "x"),
}


@pytest.mark.parametrize("name", SEEN)
def test_seen(engine, name):
    options, script, expected = SEEN[name]
    output = engine.script(script, options)
    assert str(output) == expected, output.describe()


@pytest.mark.parametrize("args, expected", [
    (["/bin/true"], 0), (["/bin/bash", "-c", "exit 3"], 3), (["/etc/passwd"], 126),
    (["no-such-program"], 127), (["python3", "-c", "import ctypes; ctypes.string_at(0)"], 139)])
def test_exit_status(engine, args, expected):
    output = engine("run", "--name", "ends", "box", *args, check=False)
    assert output.status == expected, output.describe()
    if expected not in (126, 127):
        assert engine.inspect("ends", "{{.State.ExitCode}} {{.State.Status}}") == f"{expected} exited"


@pytest.mark.parametrize("args, status, expected", [
    (["id", "-u"], 0, "0"), (["/bin/bash", "-c", "exit 4"], 4, ""), (["no-such-program"], 127, ""),
    (["cat", "/proc/1/comm"], 0, "podman-init")])
def test_exec(sleeper, args, status, expected):
    output = sleeper("exec", "sleeper", *args, check=False)
    assert (output.status, str(output)) == (status, expected), output.describe()


def test_exec_options(sleeper):
    output = sleeper("exec", "-u", "tester", "-w", "/srv", "-e", "ONE=1", "-i", "sleeper", "/bin/bash",
                     "-c", "id -un; pwd; echo $ONE; cat", stdin="input\n")
    assert str(output) == "tester\n/srv\n1\ninput"


def test_exec_terminal(sleeper):
    with Terminal(sleeper.command("exec", "-it", "sleeper", "/bin/bash", "--norc"), 31, 101) as terminal:
        terminal.expect("# ")
        terminal.line("until stty size | grep '31 10'; do sleep 0.1; done")
        terminal.expect("31 101\r\n")
        terminal.line("(echo rea''dy; exec sleep 1000)")
        terminal.expect("ready\r\n")
        terminal.interrupt()
        terminal.line("exit $?")
        assert terminal.wait() == 130


def test_terminal(engine):
    with Terminal(engine.command("run", "--rm", "-it", "box", "/bin/bash", "--norc")) as terminal:
        terminal.expect("# ")
        terminal.line("tty; exit 7")
        terminal.expect("/dev/(pts/0|console)\r\n")
        assert terminal.wait() == 7


def test_unix_socket_of_the_host(engine):
    """On a volume, where an annotation says so: Podman knows no mount options of ours."""
    place = engine.cell.state / "sockets"
    place.mkdir()
    place.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place / "host"))
        (place / "host").chmod(0o777)
        server.listen()
        server.settimeout(60)
        accepted = threading.Thread(target=lambda: server.accept()[0].sendall(b"hello"))
        accepted.start()
        output = engine.script("python3 -c 'from socket import *; s = socket(AF_UNIX); s.connect(\"/sockets/host\"); print(s.recv(9))'",
                               ["-v", f"{place}:/sockets", "--annotation", "org.callgate.unix-sockets=/sockets=connect"])
        assert str(output) == "b'hello'", output.describe()
        accepted.join()
    shutil.rmtree(place)


def test_logs(engine):
    engine.up("/bin/bash", "-c", "for i in 1 2 3; do echo line $i; sleep 0.2; done", options=["--name", "t"])
    assert str(engine("logs", "-f", "t")) == "line 1\nline 2\nline 3"


def test_stop(engine):
    engine.up("/bin/bash", "-c", "trap 'echo got it; exit 9' TERM; echo ready; while :; do sleep 0.1; done",
              options=["--name", "stops"])
    engine.wait_log("stops", "ready")
    engine("stop", "-t", "30", "stops")
    assert "got it" in engine("logs", "stops").stdout
    assert engine.inspect("stops", "{{.State.ExitCode}}") == "9"
    engine("start", "stops")
    engine("kill", "stops")
    engine.wait_state("stops", "{{.State.ExitCode}}", "137")


def test_wait_and_rm(engine):
    engine.up("/bin/bash", "-c", "sleep 0.5; exit 6", options=["--name", "ends"])
    assert str(engine("wait", "ends")) == "6"
    engine("rm", "ends")


def test_cp(sleeper):
    source = sleeper.cell.state / "copied"
    source.write_text("content\n")
    sleeper("cp", source, "sleeper:/srv/file")
    assert str(sleeper("exec", "sleeper", "cat", "/srv/file")) == "content"
    sleeper("exec", "sleeper", "/bin/bash", "-c", "echo changed > /srv/file")
    assert str(sleeper("cp", "sleeper:/srv/file", "-", check=False).stdout).find("changed") > 0


def test_top(sleeper):
    # by the container's ps: podman's own way looks for processes in the host's /proc
    output = sleeper("top", "sleeper", "-eo", "pid,comm")
    assert re.search(r"^ *1 +podman-init$", output.stdout, re.M), output.describe()


def test_health(engine):
    engine.up("sleep", "1000", options=["--init", "--name", "patient", "--health-cmd", "test -e /well",
                                        "--health-interval", "disable"])
    assert engine("healthcheck", "run", "patient", check=False).status == 1
    engine("exec", "patient", "touch", "/well")
    assert engine("healthcheck", "run", "patient").status == 0


def test_generate_systemd(sleeper):
    unit = sleeper("generate", "systemd", "--name", "sleeper").stdout
    assert re.search(r"^ExecStart=/usr/bin/podman .*start sleeper$", unit, re.M)


SERVER = ("import socket; s = socket.create_server(('0.0.0.0', 7000))\n"
          "while True: c, _ = s.accept(); c.sendall(b'served'); c.close()")
CLIENT = ("import socket; print(socket.create_connection(('127.0.0.1', {}), 5).recv(99).decode())")


def test_pod(engine):
    """Two containers of a pod share the network: one serves what the other asks for."""
    engine("pod", "create", "--name", "pea", "--share", "net,uts", "-p", "7001:7000", timeout=120)
    engine.up("python3", "-c", SERVER, options=["--pod", "pea"])
    asked = []
    wait_for(lambda: asked.append(engine.box("python3", "-c", CLIENT.format(7000), options=["--pod", "pea"],
                                             check=False)) or str(asked[-1]) == "served")
    # and from outside, through the published port
    wait_for(lambda: str(engine.cell.run("python3", "-c", CLIENT.format(7001), check=False)) == "served")
    engine("pod", "stop", "-t", "1", "pea")
    engine("pod", "rm", "pea")


def test_published_port(engine):
    engine.up("python3", "-c", SERVER, options=["--name", "serves", "-p", "127.0.0.1:7002:7000"])
    wait_for(lambda: str(engine.cell.run("python3", "-c", CLIENT.format(7002), check=False)) == "served")


POD = """
apiVersion: v1
kind: Pod
metadata:
  name: small
spec:
  restartPolicy: Never
  shareProcessNamespace: false
  volumes:
  - name: both
    emptyDir: {}
  containers:
  - name: writer
    image: localhost/box:latest
    imagePullPolicy: Never
    command: ["/bin/bash", "-c", "echo from $NAME > /both/file; sleep 1000"]
    env: [{name: NAME, value: writer}]
    volumeMounts: [{name: both, mountPath: /both}]
  - name: reader
    image: localhost/box:latest
    imagePullPolicy: Never
    command: ["/bin/bash", "-c", "until cat /both/file; do sleep 0.1; done; sleep 1000"]
    volumeMounts: [{name: both, mountPath: /both}]
"""


def test_play_kube(engine):
    path = engine.cell.state / "pod.yaml"
    path.write_text(POD)
    engine("play", "kube", path, timeout=120)
    engine.wait_log("small-reader", "from writer")
    engine("play", "kube", "--down", path, timeout=120)


# -- root only ------------------------------------------------------------------------------------


def test_pause(podman):
    podman.up("sleep", "1000", options=["--init", "--name", "sleeper"])
    podman("pause", "sleeper")
    assert podman.inspect("sleeper", "{{.State.Status}}") == "paused"
    podman("unpause", "sleeper")
    assert str(podman("exec", "sleeper", "echo", "awake")) == "awake"


def test_stats_and_limits(podman):
    podman.up("sleep", "1000", options=["--init", "--name", "small", "--memory", "64m"])
    line = json.loads(str(podman("stats", "--no-stream", "--format", "json", "small")))[0]
    assert line["name"] == "small" and "/ 67.11MB" in line["mem_usage"]


def test_out_of_memory(podman):
    output = podman("run", "--name", "eater", "--memory", "64m", "--memory-swap", "64m", "box",
                    "python3", "-c", "a = [bytearray(1 << 20) for _ in range(4000)]", check=False)
    assert output.status == 137, output.describe()


def test_bridge(podman):
    podman("network", "create", "town")
    podman.up("python3", "-c", SERVER, options=["--name", "serves", "--network", "town"])
    address = podman.inspect("serves")["NetworkSettings"]["Networks"]["town"]["IPAddress"]
    client = CLIENT.replace("127.0.0.1", address).format(7000)
    wait_for(lambda: str(podman.box("python3", "-c", client, options=["--network", "town"],
                                    check=False)) == "served")


# -- an ordinary user only ----------------------------------------------------------------------


def test_keep_id(rootless):
    directory = rootless.cell.state / "home" / "shared"
    rootless.cell.run("mkdir", "-p", directory, as_user=True)
    output = rootless.script("id -u; touch /shared/mine; stat -c %u /shared/mine",
                             ["--userns", "keep-id", "-v", f"{directory}:/shared"])
    assert str(output) == f"{rootless.uid}\n{rootless.uid}"
    assert (directory / "mine").stat().st_uid == rootless.uid


def test_subordinate_ids(rootless):
    """Files of other users of the container belong to the user's subordinate ids on the host."""
    directory = rootless.cell.state / "home" / "others"
    rootless.cell.run("mkdir", "-p", directory, as_user=True)
    rootless.script("touch /shared/a /shared/b; chown 1000 /shared/b", ["-v", f"{directory}:/shared"])
    assert (directory / "a").stat().st_uid == rootless.uid
    assert (directory / "b").stat().st_uid == rootless.uid * 100 + 999

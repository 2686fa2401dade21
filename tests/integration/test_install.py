"""callgate install and uninstall, on a system of files under --destdir."""

import json
import os
import stat
import subprocess
import tomllib

import pytest
from bundle import BUILD, RUNTIME

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: callgate's own command line")

PROGRAM = str(BUILD / "callgate")
ENGINES = {
    "docker": ("dockerd", "etc/docker/daemon.json"),
    "podman": ("podman", "etc/containers/containers.conf.d/50-callgate.conf"),
    "containerd": ("containerd", "etc/containerd/config.toml"),
    "crio": ("crio", "etc/crio/crio.conf.d/50-callgate.conf"),
}


class System:
    """A root directory with the engines that are named."""

    def __init__(self, root, engines):
        self.root = root
        (root / "usr/bin").mkdir(parents=True)
        for engine in engines:
            (root / "usr/bin" / ENGINES[engine][0]).touch()

    def path(self, engine):
        return self.root / ENGINES[engine][1]

    def put(self, engine, text):
        self.path(engine).parent.mkdir(parents=True, exist_ok=True)
        self.path(engine).write_text(text)

    def call(self, command, *args, status=0):
        result = subprocess.run([PROGRAM, command, "--destdir", self.root, *args], timeout=20,
                                capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        assert result.returncode == status, result
        return result

    def files(self):
        return {str(p.relative_to(self.root)): p.read_bytes()
                for p in self.root.rglob("*") if p.is_file()}

    def backups(self):
        return [name for name in self.files() if ".callgate-" in name]


@pytest.fixture
def system(tmp_path):
    return System(tmp_path / "root", ENGINES)


def registered(system, engine, name="callgate"):
    """The path that the engine would run, as its own format says."""
    text = system.path(engine).read_text()
    if engine == "docker":
        return json.loads(text)["runtimes"][name]["path"]
    data = tomllib.loads(text)
    if engine == "podman":
        return data["engine"]["runtimes"][name][0]
    if engine == "crio":
        return data["crio"]["runtime"]["runtimes"][name]["runtime_path"]
    plugin = "io.containerd.cri.v1.runtime" if data["version"] == 3 else "io.containerd.grpc.v1.cri"
    return data["plugins"][plugin]["containerd"]["runtimes"][name]["options"]["BinaryName"]


def test_all_engines_are_registered_and_taken_away_again(system):
    before = system.files()
    said = system.call("install").stdout
    for engine, (_, path) in ENGINES.items():
        assert registered(system, engine) == PROGRAM
        assert path in said
    assert "systemctl reload docker" in said and "systemctl restart containerd" in said
    system.call("uninstall")
    assert system.files() == before


def test_only_engines_that_are_there(tmp_path):
    system = System(tmp_path / "root", ["podman"])
    system.call("install")
    assert [p for p in system.files() if p.startswith("etc")] == [ENGINES["podman"][1]]


def test_no_engine(tmp_path):
    result = System(tmp_path / "root", []).call("install", status=1)
    assert "no engine was found" in result.stderr


@pytest.mark.parametrize("engine", ENGINES)
def test_one_engine(system, engine):
    system.call("install", f"--{engine}")
    assert [p for p in system.files() if p.startswith("etc")] == [ENGINES[engine][1]]


def test_twice_is_once(system):
    system.call("install")
    before = system.files()
    again = system.call("install").stdout
    assert system.files() == before and again.count("registered already") == len(ENGINES)
    system.call("uninstall")
    before = system.files()
    assert system.call("uninstall").stdout.count("not registered") == len(ENGINES)
    assert system.files() == before


def test_dry_run_changes_nothing(system):
    system.put("docker", '{\n  "debug": true\n}\n')
    before = system.files()
    said = system.call("install", "--dry-run").stdout
    assert system.files() == before
    assert "would be" in said and "now run" not in said and '"callgate"' in said


def test_other_name(system):
    system.call("install", "--name", "vm")
    assert registered(system, "docker", "vm") == PROGRAM
    assert (system.root / "etc/crio/crio.conf.d/50-vm.conf").exists()
    system.call("uninstall")
    assert registered(system, "containerd", "vm") == PROGRAM
    system.call("uninstall", "--name", "vm")
    assert not [p for p in system.files() if p.startswith("etc")]


@pytest.mark.parametrize("name", ["", "runc", "a b", "x.y", 'q"'])
def test_bad_name(system, name):
    assert "--name" in system.call("install", "--name", name, status=1).stderr


DAEMON = """{
\t"log-driver": "json-file",
\t"runtimes": {
\t\t"other": {
\t\t\t"path": "/opt/other"
\t\t}
\t},
\t"exec-opts": [
\t\t"a=b"
\t],
\t"a-last-one": 1
}
"""


def test_docker_keeps_the_rest(system):
    system.put("docker", DAEMON)
    os.chown(system.path("docker"), 1234, 1235)
    system.path("docker").chmod(0o640)
    system.call("install", "--docker")
    text = system.path("docker").read_text()
    data = json.loads(text)
    assert list(data) == ["log-driver", "runtimes", "exec-opts", "a-last-one"]
    assert list(data["runtimes"]) == ["other", "callgate"] and '\n\t\t"callgate": {\n' in text
    assert not [line for line in text.splitlines() if line.startswith(" ")]
    st = system.path("docker").stat()
    assert (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == (1234, 1235, 0o640)
    [backup] = system.backups()
    assert (system.root / backup).read_text() == DAEMON
    system.call("uninstall", "--docker")
    assert system.path("docker").read_text() == DAEMON


def test_docker_later_edits_stay(system):
    system.put("docker", DAEMON)
    system.call("install", "--docker")
    data = json.loads(system.path("docker").read_text())
    data["dns"] = ["10.0.0.1"]
    system.path("docker").write_text(json.dumps(data, indent=2))
    system.call("uninstall", "--docker")
    left = json.loads(system.path("docker").read_text())
    assert left == {**json.loads(DAEMON), "dns": ["10.0.0.1"]}


def test_docker_runtime_args(system):
    system.call("install", "--docker", "--runtime-args", "--debug --log /x")
    entry = json.loads(system.path("docker").read_text())["runtimes"]["callgate"]
    assert entry == {"path": PROGRAM, "runtimeArgs": ["--debug", "--log", "/x"]}


@pytest.mark.parametrize("text, says", [
    ('{\n "a": 1,\n "b" 2\n}', ":3:"),
    ('{\n // no comments\n}', ":2:"),
    ('["a"]', "not an object"),
    ('{"runtimes": []}', "runtimes: not an object"),
    ('{"runtimes": {"callgate": {"path": "/usr/bin/other"}}}', "another program"),
    ('{"a": 1, "a": 2}', "duplicate"),
])
def test_docker_files_that_are_left_alone(system, text, says):
    system.put("docker", text)
    result = system.call("install", "--docker", status=1)
    assert says in result.stderr and "nothing was changed" in result.stderr
    assert system.path("docker").read_text() == text and not system.backups()


def test_docker_default_runtime_is_not_taken_away(system):
    system.call("install", "--docker")
    data = json.loads(system.path("docker").read_text())
    data["default-runtime"] = "callgate"
    system.path("docker").write_text(json.dumps(data))
    assert "default-runtime" in system.call("uninstall", "--docker", status=1).stderr
    assert registered(system, "docker") == PROGRAM


def test_a_failure_does_not_stop_the_others(system):
    system.put("docker", "{")
    result = system.call("install", status=1)
    assert "daemon.json:1:" in result.stderr and registered(system, "crio") == PROGRAM


CONTAINERD = {
    2: """version = 2
imports = ["/etc/containerd/runtimes.toml"]
[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = true  # as the kubelet's""",
    3: """# the administrator's
version = 3
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
""",
}


@pytest.mark.parametrize("version", CONTAINERD)
def test_containerd_keeps_the_rest(system, version):
    system.put("containerd", CONTAINERD[version])
    system.call("install", "--containerd")
    text = system.path("containerd").read_text()
    assert text.startswith(CONTAINERD[version]) and registered(system, "containerd") == PROGRAM
    assert text.count("SystemdCgroup = true") == (2 if version == 2 else 0)
    [backup] = system.backups()
    assert (system.root / backup).read_text() == CONTAINERD[version]
    system.path("containerd").write_text(text + "[debug]\nlevel = 'info'\n")
    system.call("uninstall", "--containerd")
    assert system.path("containerd").read_text() == \
        CONTAINERD[version].rstrip("\n") + "\n[debug]\nlevel = 'info'\n"


@pytest.mark.parametrize("text, says", [
    ("[plugins.cri]\n", "version 1"),
    ('version = 2\n[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.callgate]\n',
     "not made by callgate install"),
    ('version = 2\n# BEGIN callgate: made by "callgate install", removed by "callgate uninstall"\n',
     "is missing"),
])
def test_containerd_files_that_are_left_alone(system, text, says):
    system.put("containerd", text)
    assert says in system.call("install", "--containerd", status=1).stderr
    assert system.path("containerd").read_text() == text and not system.backups()


def install_in_namespace(tmp_path, verdict, engine="containerd"):
    """callgate install in a mount namespace with an /etc and a containerd of its own."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/containerd"
    program.write_text(f'#!/bin/sh\n[ "$1 $3 $4" = "--config config dump" ] && grep -q BEGIN "$2" || exit 9\n'
                       f'{verdict}\n')
    program.chmod(0o755)
    script = ("mount -t tmpfs tmpfs /etc && mkdir /etc/containerd && cd /etc/containerd && "
              "echo version = 2 >config.toml && "
              f"{{ {PROGRAM} install --{engine}; echo status $?; ls; cat config.toml; }}")
    return subprocess.run(["unshare", "-m", "sh", "-c", script], timeout=20, capture_output=True,
                          text=True, env={"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}, check=True)


def test_containerd_itself_accepts_the_file(tmp_path):
    result = install_in_namespace(tmp_path, "exit 0")
    assert "status 0" in result.stdout and "BinaryName" in result.stdout, result


def test_containerd_itself_refuses_the_file(tmp_path):
    result = install_in_namespace(tmp_path, "echo details; echo 'toml: line 7' >&2; exit 1")
    assert "does not accept" in result.stderr and "toml: line 7" in result.stderr
    assert result.stdout == "status 1\nconfig.toml\nversion = 2\n"


def test_containerd_arguments_have_settings(system):
    system.call("install", "--containerd", "--runtime-args", "--systemd-cgroup --root=/run/x")
    text = system.path("containerd").read_text()
    assert "SystemdCgroup = true" in text and 'Root = "/run/x"' in text
    assert "--debug" in system.call("install", "--containerd", "--runtime-args", "--debug",
                                    status=1).stderr


@pytest.mark.parametrize("engine", ["podman", "crio"])
def test_fragments_of_others_stay(system, engine):
    system.put(engine, "# mine\n")
    assert "not made by" in system.call("install", f"--{engine}", status=1).stderr
    assert "not made by" in system.call("uninstall", f"--{engine}", status=1).stderr
    assert system.path(engine).read_text() == "# mine\n"


@pytest.mark.parametrize("engine", ["podman", "crio"])
def test_fragments_have_no_place_for_arguments(system, engine):
    result = system.call("install", f"--{engine}", "--runtime-args", "--debug", status=1)
    assert "--runtime-args" in result.stderr and not system.path(engine).exists()


def test_a_symbolic_link_stays_one(system, tmp_path):
    """The file elsewhere is changed; below --destdir it may lead out, and is refused."""
    system.put("docker", "{}\n")
    real = tmp_path / "elsewhere.json"
    system.path("docker").rename(real)
    system.path("docker").symlink_to(real)
    assert "symbolic link" in system.call("install", "--docker", status=1).stderr
    assert real.read_text() == "{}\n"

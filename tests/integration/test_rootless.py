"""An ordinary user: do, run, and what its guests are for the host."""

import json
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile

import pytest
from bundle import BUILD, RUNTIME, TIMEOUT, runtime_command, wait_for

USER = f"callgate-t{os.getpid()}"
CALLGATE_ONLY = pytest.mark.skipif(RUNTIME == "runc", reason="known: about callgate's own commands")
APPLETS = "cat chmod chown cut echo grep head hostname id ls mkdir readlink rm sh sleep stat touch true wc".split()


class Person:
    """A user of the host with a home folder, ranges of subordinate ids, and the programs in reach."""

    def __init__(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="callgate-user-", dir="/var/tmp"))
        subprocess.run(["useradd", "--no-create-home", "--home-dir", str(self.home), "--shell", "/bin/sh", USER], check=True)
        self.entry = pwd.getpwnam(USER)
        try:
            self._furnish()
        except BaseException:
            self.close()
            raise

    def _furnish(self):
        self.home.chmod(0o700)
        self.run_dir = self.home / "run"
        self.run_dir.mkdir()
        self.bin = self.home / "bin"
        self.bin.mkdir()
        for name in ("callgate", "guest-pv.elf"):  # the build may be where only root can go
            shutil.copy2(BUILD / name, self.bin)
        os.chown(self.home, self.entry.pw_uid, self.entry.pw_gid)
        os.chown(self.run_dir, self.entry.pw_uid, self.entry.pw_gid)

    def command(self, *args, path="/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"):
        return ["setpriv", "--reuid", USER, "--regid", str(self.entry.pw_gid), "--init-groups", "--inh-caps=-all",
                "--", "/usr/bin/env", "-i", f"HOME={self.home}", f"USER={USER}", f"PATH={path}",
                f"XDG_RUNTIME_DIR={self.run_dir}", *map(str, args)]

    def __call__(self, *args, cwd=None, **options):
        return subprocess.run(self.command(*args, **options), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=TIMEOUT, check=False, cwd=cwd or self.home)

    def runtime(self, name=RUNTIME):
        return str(self.bin / "callgate") if name == "callgate" else runtime_command(name)[0]

    def close(self):
        subprocess.run(["userdel", USER], check=True, capture_output=True)
        shutil.rmtree(self.home)


@pytest.fixture(scope="module")
def person():
    made = Person()
    yield made
    made.close()


@pytest.fixture
def bundle(person, rootfs):
    """A bundle of the user's own: busybox, and the config.json of spec --rootless."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="b", dir=person.home))
    root = place / "rootfs"
    for name in ("bin", "etc", "tmp", "proc", "dev", "sys", "data"):
        (root / name).mkdir(parents=True)
    shutil.copy2(f"{rootfs}/bin/busybox", root / "bin/busybox")
    for name in APPLETS:
        (root / "bin" / name).symlink_to("busybox")
    (root / "etc/passwd").write_text("root:x:0:0:root:/:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    subprocess.run(["chown", "-R", f"{USER}:{person.entry.pw_gid}", str(place)], check=True)
    result = person(person.runtime(), "spec", "--rootless", cwd=place)
    assert result.returncode == 0, result
    yield place
    shutil.rmtree(place)


def configure(bundle, *args, change=None):
    path, template = bundle / "config.json", bundle / "template.json"
    if not template.exists():
        path.rename(template)
    data = json.loads(template.read_text())
    data["process"].update(terminal=False, args=list(args))
    data["hostname"] = "box"
    data["root"]["readonly"] = False
    if change:
        change(data)
    path.write_text(json.dumps(data))


def run(person, bundle, script, runtime=RUNTIME, change=None, options=()):
    configure(bundle, "/bin/sh", "-c", script, change=change)
    return person(person.runtime(runtime), *options, "run", "-b", bundle, f"t-{bundle.name}")


def both(person, bundle, script, **options):
    expected = run(person, bundle, script, runtime="runc", **options)
    actual = run(person, bundle, script, **options)
    assert (actual.stdout, actual.returncode) == (expected.stdout, expected.returncode), f"{actual}\n=== runc: {expected}"
    return actual


@CALLGATE_ONLY
def test_spec_is_as_runcs(person, bundle):
    ours = json.loads((bundle / "config.json").read_text())
    (bundle / "config.json").unlink()
    assert person(*runtime_command("runc"), "spec", "--rootless", cwd=bundle).returncode == 0
    theirs = json.loads((bundle / "config.json").read_text())
    theirs["hostname"] = ours["hostname"]
    assert ours == theirs


def test_root_file_system_of_its_own(person, bundle):
    result = both(person, bundle, "id -u; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; "
                  "stat -c '%u %g %n' / /bin/busybox; hostname; echo x >/tmp/new; stat -c %u /tmp/new; rm /tmp/new; "
                  "chown 1 /tmp 2>&1; echo $?; ls /sys | grep -c kernel; touch /etc/y; rm /etc/y")
    uid = person.entry.pw_uid
    assert f"{0:10} {uid:10} {1:10}" in result.stdout and "deny\n" in result.stdout and "\nbox\n" in result.stdout


def test_files_are_the_users(person, bundle):
    result = run(person, bundle, "touch /data/made; mkdir /data/d; chmod 700 /data/d")
    assert result.returncode == 0, result
    owners = {(bundle / "rootfs/data" / name).stat().st_uid for name in ("made", "d")}
    assert owners == {person.entry.pw_uid}


def test_status(person, bundle):
    assert run(person, bundle, "exit 37").returncode == 37


def test_more_ids_by_newuidmap(person, bundle):
    """With the user's ranges of subordinate ids, as engines have it."""
    def ranges(data):
        for which, file in (("uidMappings", "/etc/subuid"), ("gidMappings", "/etc/subgid")):
            first, count = next(line.split(":")[1:] for line in pathlib.Path(file).read_text().splitlines()
                                if line.startswith(USER + ":"))
            data["linux"][which].append({"containerID": 1, "hostID": int(first), "size": int(count)})
        for kind in ("bounding", "effective", "permitted"):
            data["process"]["capabilities"][kind].append("CAP_CHOWN")
    result = both(person, bundle, "cat /proc/self/uid_map /proc/self/setgroups; touch /tmp/f; chown 33:44 /tmp/f; "
                  "stat -c '%u %g' /tmp/f; rm /tmp/f; chown 99999 /tmp 2>&1; echo $?", change=ranges)
    assert "allow\n33 44\n" in result.stdout


@CALLGATE_ONLY
@pytest.mark.parametrize("change,options,text", [
    (lambda d: d["linux"]["namespaces"].pop(), (), "linux.namespaces: user: who is not root needs one"),
    (lambda d: d["linux"]["uidMappings"][0].update(hostID=0), (), "linux.uidMappings: newuidmap failed"),
    (lambda d: d["linux"].update(resources={"memory": {"limit": 1 << 26}}), (), "linux.resources.memory"),
    (None, ("--rootless", "maybe"), "--rootless: 'maybe' is none of true, false, auto"),
    (lambda d: d["process"]["user"].update(additionalGids=[0]), (), "process.user.additionalGids"),
], ids=["namespace", "mapping", "limit", "flag", "groups"])
def test_what_an_ordinary_user_cannot_have(person, bundle, change, options, text):
    if change and "namespace" in text:
        data = json.loads((bundle / "config.json").read_text())
        assert data["linux"]["namespaces"][-1]["type"] == "user"
        drop = change

        def change(config):
            drop(config)
            del config["linux"]["uidMappings"], config["linux"]["gidMappings"]
    result = run(person, bundle, "true", change=change, options=options)
    assert result.returncode == 1 and text in result.stderr, result
    assert not list((person.run_dir / "callgate").glob("t-*"))


@CALLGATE_ONLY
def test_what_it_is_on_the_host(person, bundle):
    """Everything is the user, without a capability on the host; guest processes have none in any namespace."""
    configure(bundle, "/bin/sh", "-c", "echo up; exec sleep 100")
    with subprocess.Popen(person.command(person.runtime(), "run", "-b", bundle, "t-who"), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, cwd=person.home) as process:
        try:
            assert process.stdout.readline() == b"up\n"
            image = person.bin / "guest-pv.elf"
            guests = [p for p in pathlib.Path("/proc").glob("[0-9]*") if is_program(p, image)]
            assert len(guests) >= 2
            for place in guests:
                status = dict(line.split(":\t", 1) for line in (place / "status").read_text().splitlines() if ":\t" in line)
                assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
                assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1")
                assert not (place / "uid_map").read_text() and not os.listdir(place / "root")
                assert set(status["Uid"].split()) == {str(person.entry.pw_uid)}
            state = person(person.runtime(), "state", "t-who")
            assert json.loads(state.stdout)["status"] == "running", state
            assert person(person.runtime(), "kill", "t-who", "KILL").returncode == 0
        finally:
            wait_for(lambda: process.poll() is not None, what="the end of the container")
    assert not [p for p in pathlib.Path("/proc").glob("[0-9]*") if is_program(p, image)]


def is_program(place, image):
    try:
        return os.path.samefile(place / "exe", image)
    except OSError:
        return False


@CALLGATE_ONLY
@pytest.mark.parametrize("path", ["/usr/bin:/bin", "/nowhere"], ids=["ranges", "one id"])
def test_do(person, path):
    """The user stays itself; what it writes is thrown away. With its ranges of ids, and without."""
    (person.home / "mine").write_text("before\n")
    os.chown(person.home / "mine", person.entry.pw_uid, person.entry.pw_gid)
    result = person(person.bin / "callgate", "do", "--", "/bin/sh", "-c",
                    "PATH=/usr/bin:/bin; id -un; cat mine; echo after >mine; cat mine; rm mine; mkdir mine; ls -d mine; "
                    "touch /tmp/x && echo tmp; touch /usr/x 2>&1 | grep -o Read-only; grep -c . /proc/self/uid_map; "
                    "head -1 /etc/shadow 2>&1 | grep -o denied; python3 -c 'print(6 * 7)'", path=path)
    extents = 3 if path != "/nowhere" else 1
    assert result.stdout == f"{USER}\nbefore\nafter\nmine\ntmp\nRead-only\n{extents}\n42\n" or \
        result.stdout == f"{USER}\nbefore\nafter\nmine\ntmp\nRead-only\n{extents}\ndenied\n42\n", result
    assert (person.home / "mine").read_text() == "before\n"
    assert not list((person.run_dir / "callgate").iterdir())


@CALLGATE_ONLY
def test_do_has_the_network(person, tmp_path):
    import http.server
    import threading

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"served\n")

        def log_message(self, *args):
            pass
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        result = person(person.bin / "callgate", "do", "--", "curl", "-s", f"http://127.0.0.1:{server.server_port}/")
        server.shutdown()
    assert result.stdout == "served\n", result

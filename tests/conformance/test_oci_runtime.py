"""runtime.md and runtime-linux.md: state, life cycle, operations."""

import json
import os
import re
import subprocess

import pytest
from bundle import edit_config, wait_for
from oci import cgroups_of, traces_of

SLEEP = ("/bin/sleep", "1000")


def test_operations(oci):
    """Who creates a container may use every operation on it."""
    box = oci.created(*SLEEP)
    assert box.state()["id"] == box.id
    box.start().kill().reaches("stopped").delete()


def test_state_properties(oci):
    box = oci.created(*SLEEP)
    state = box.state()
    assert re.fullmatch(r"\d+\.\d+\.\d+(-[\w.+-]+)?", state["ociVersion"])
    assert state["id"] == box.id and state["status"] == "created"
    assert isinstance(state["pid"], int) and state["pid"] > 0
    assert os.path.isabs(state["bundle"]) and os.path.samefile(state["bundle"], box.bundle)
    assert isinstance(state.get("annotations", {}), dict)


def test_state_pid(oci):
    """The pid is the container's as the host sees it: alive, in its namespaces, gone with it."""
    box = oci.started(*SLEEP)
    pid = box.state()["pid"]
    assert os.readlink(f"/proc/{pid}/ns/uts") != os.readlink("/proc/self/ns/uts")
    assert os.readlink(f"/proc/{pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt")
    os.kill(pid, 9)
    assert box.reaches("stopped").state().get("pid", 0) == 0


def test_state_annotations(oci):
    notes = {"org.example.a": "1", "org.example.empty": ""}
    box = oci.created(change=lambda c: c.update(annotations=notes))
    state = box.state()
    assert notes.items() <= state["annotations"].items()


def test_status_over_life(oci):
    box = oci.box("/bin/sh", "-c", "echo up; read x </dev/zero; sleep 1000")
    assert box.create().status() == "created"
    box.start().says("up")
    assert box.status() == "running"
    box.kill().reaches("stopped")


def test_paused_is_a_status_of_its_own(oci):
    box = oci.started(*SLEEP)
    oci.ok("pause", box.id)
    assert box.status() == "paused"
    oci.ok("resume", box.id)
    assert box.status() == "running"


def test_state_errors(oci):
    oci.fails("state")
    oci.fails("state", "nobody", says="does not exist")


def test_create_needs_id_and_bundle(oci, tmp_path):
    box = oci.box()
    oci.fails("create", "--bundle", box.bundle)
    oci.fails("create", "--bundle", tmp_path / "none", "c1")
    oci.fails("create", "--bundle", tmp_path, "c1", says="config.json")
    oci.fails("state", "c1")


def test_id_in_use(oci):
    """A second container of that ID is refused, and the first one does not notice."""
    box = oci.created(*SLEEP)
    before = box.state()
    oci.fails("create", "--bundle", box.bundle, box.id)
    assert box.state() == before
    box.start()
    oci.fails("create", "--bundle", box.bundle, box.id)
    assert box.status() == "running"


@pytest.mark.parametrize("ident", ["../up", "a/b", "", ".", "a b", "ä"])
def test_invalid_id(oci, ident):
    oci.fails("create", "--bundle", oci.box().bundle, ident)
    assert os.listdir(oci.root) == []


def test_create_does_not_run(oci):
    box = oci.created("/bin/sh", "-c", "echo ran >/ran; sleep 1000")
    assert not (box.rootfs / "ran").exists() and box.status() == "created"
    box.start()
    wait_for((box.rootfs / "ran").exists, what="the program")


def test_config_is_read_once(oci):
    box = oci.created("/bin/echo", "first")
    edit_config(box.bundle, lambda c: c["process"].update(args=["/bin/echo", "second"]))
    box.start().reaches("stopped")
    assert box.output() == "first\n"


BAD = {
    "no root": lambda c: c["root"].update(path="none"),
    "mount source": lambda c: c["mounts"].append(
        {"destination": "/mnt", "source": "/no/such/source", "options": ["bind"]}),
    "mount type": lambda c: c["mounts"].append(
        {"destination": "/mnt", "type": "nosuchfs", "source": "none"}),
    "namespace path": lambda c: c["linux"]["namespaces"].append(
        {"type": "network", "path": "/no/such/ns"}),
    "program": lambda c: c["process"].update(args=["/no/such/program"]),
    "hook": lambda c: c.update(hooks={"createRuntime": [{"path": "/bin/false"}]}),
    "cgroup value": lambda c: c["linux"].update(resources={"memory": {"limit": 64}}),
}


@pytest.mark.parametrize("what", BAD)
def test_failed_create_leaves_nothing(oci, what):
    box = oci.box(change=BAD[what])
    result = box.create("--pid-file", box.bundle / "pid", may_fail=True)
    assert result.status != 0 and result.stderr.strip()
    oci.fails("state", box.id, says="does not exist")
    assert traces_of(box) == [] and os.listdir(oci.root) == []
    assert not (box.bundle / "pid").exists()


def test_start_errors(oci):
    oci.fails("start")
    oci.fails("start", "nobody", says="does not exist")
    box = oci.started(*SLEEP)
    pid = box.state()["pid"]
    oci.fails("start", box.id)
    assert box.status() == "running" and box.state()["pid"] == pid
    box.kill().reaches("stopped")
    oci.fails("start", box.id)


def test_start_of_programs_that_end_at_once(oci):
    """start succeeds, however soon it is over."""
    boxes = [oci.created("/bin/true") for _ in range(10)]
    for box in boxes:
        box.start()
    for box in boxes:
        box.reaches("stopped")


def test_start_needs_a_process(oci):
    """Without a process there is nothing to start; both runtimes say so at create."""
    box = oci.box(change=lambda c: c.pop("process"))
    assert box.create(may_fail=True).status != 0
    oci.fails("start", box.id)


def test_start_runs_the_process(oci):
    box = oci.started("/bin/sh", "-c", 'echo "$0 $1 $WHO $PWD"', "zero", "one", env=["WHO=me"],
                      cwd="/usr")
    box.reaches("stopped")
    assert box.output() == "zero one me /usr\n"


def test_kill_sends_the_signal(oci):
    """By name with and without SIG, and by number; TERM if none is named."""
    box = oci.started("/bin/bash", "-c", "for s in HUP USR1 USR2 INT TERM; do trap \"echo got-$s\" $s; "
                      "done; echo up; while :; do sleep 0.05; done").says("up")
    for name, trap in (("HUP", "HUP"), ("SIGUSR1", "USR1"), ("12", "USR2"), ("INT", "INT")):
        box.kill(name).says(f"got-{trap}\n")
    oci.ok("kill", box.id)
    box.says("got-TERM\n")
    assert box.status() == "running"


def test_kill_of_a_created_container(oci):
    oci.created(*SLEEP).kill().reaches("stopped")


def test_kill_errors(oci):
    oci.fails("kill")
    oci.fails("kill", "nobody", "TERM", says="does not exist")
    box = oci.started("/bin/true").reaches("stopped")
    oci.fails("kill", box.id, "TERM", says="container not running")
    assert box.status() == "stopped"


def test_bad_signal(oci):
    box = oci.started(*SLEEP)
    oci.fails("kill", box.id, "NOSUCH")
    assert box.status() == "running"


def test_delete_errors(oci):
    oci.fails("delete")
    oci.fails("delete", "nobody", says="does not exist")
    box = oci.started(*SLEEP)
    oci.fails("delete", box.id)
    assert box.status() == "running" and cgroups_of(box.state()["pid"])


def test_delete_of_a_created_container(oci):
    """It is killed first: the specification asks for an error here, runc and engines do not."""
    box = oci.created(*SLEEP)
    pid = box.state()["pid"]
    box.delete()
    wait_for(lambda: not os.path.exists(f"/proc/{pid}/ns/uts"), what="its end")
    assert traces_of(box) == []


def test_delete_removes_what_create_made(oci):
    box = oci.created("/bin/true")
    pid = box.state()["pid"]
    groups = {path for path in cgroups_of(pid).values() if box.id in path}
    assert groups, "the container has no cgroup of its own"
    box.start().reaches("stopped").delete()
    assert traces_of(box) == [] and os.listdir(oci.root) == []
    oci.fails("state", box.id)


def test_delete_leaves_what_others_made(oci, scratch):
    """Volumes, the root file system, a network namespace that was joined."""
    name = f"cg-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        box = oci.created("/bin/sh", "-c", "echo data >/v/file", network=f"/run/netns/{name}",
                          mounts=[("/v", "none", str(scratch), ["bind"])])
        box.start().reaches("stopped").delete()
        assert (scratch / "file").read_text() == "data\n" and (box.rootfs / "bin/sh").exists()
        subprocess.run(["ip", "netns", "exec", name, "true"], check=True)
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def test_id_may_be_used_again(oci):
    box = oci.started("/bin/echo", "one").reaches("stopped")
    box.delete()
    box.create().start().reaches("stopped")
    assert box.output() == "one\n"


def test_exit_of_any_kind_is_stopped(oci):
    for script in ("exit 3", "kill -SEGV $$", "sleep 0.1"):
        oci.started("/bin/bash", "-c", script).reaches("stopped")


def test_descriptors(oci):
    """Standard input, output and error are all that the program has."""
    read, write = os.pipe()
    try:
        box = oci.box("/bin/bash", "-c", "echo /proc/self/fd/*")
        result = box.run(pass_fds=[read, write])
    finally:
        os.close(read)
        os.close(write)
    # the shell reads the directory with a descriptor of its own
    assert result.stdout.split()[:3] == [f"/proc/self/fd/{n}" for n in range(3)], str(result)
    assert len(result.stdout.split()) == 4


def test_dev_links(oci):
    out = oci.shell("for f in fd stdin stdout stderr; do readlink /dev/$f; done")
    assert out.split() == ["/proc/self/fd", *(f"/proc/self/fd/{n}" for n in range(3))]


def test_state_is_json_of_the_schema(oci):
    """Types as state-schema.json has them, at every status."""
    box = oci.created(*SLEEP)
    for step in (lambda: None, box.start, lambda: box.kill().reaches("stopped")):
        step()
        state = json.loads(oci.ok("state", box.id).stdout)
        for key in ("ociVersion", "id", "status", "bundle"):
            assert isinstance(state[key], str), key
        assert state["status"] in ("creating", "created", "running", "stopped")
        assert isinstance(state.get("pid", 0), int) and state.get("pid", 0) >= 0

"""config.md, POSIX-platform hooks, and their places in the life cycle."""

import json
import os

import pytest
from bundle import wait_for
from oci import traces_of

AT_CREATE = ("prestart", "createRuntime", "createContainer")
ALL = (*AT_CREATE, "startContainer", "poststart", "poststop")


def hook(script, **more):
    return {"path": "/bin/sh", "args": ["sh", "-c", script], **more}


class Hooked:
    """A container whose hooks write to a folder that both sides see as /log or by its own path."""

    def __init__(self, oci, folder, hooks, args=("/bin/sh", "-c", "echo program >>/log/order")):
        self.oci, self.folder = oci, folder
        self.box = oci.box(*args, mounts=[("/log", "none", str(folder), ["bind"])],
                           change=lambda c: c.update(hooks=hooks))

    def lines(self, name="order"):
        path = self.folder / name
        return path.read_text().split() if path.exists() else []


def place(kind, folder):
    """Where a hook of that kind finds the folder."""
    return "/log" if kind == "startContainer" else str(folder)


def test_order(oci, scratch):
    hooks = {kind: [hook(f"echo {kind}-{n} >>{place(kind, scratch)}/order") for n in (1, 2)]
             for kind in ALL}
    h = Hooked(oci, scratch, hooks)
    h.box.create()
    early = [f"{kind}-{n}" for kind in AT_CREATE for n in (1, 2)]
    made = h.lines()
    if oci.name == "runc":  # 1.1 calls poststart at create
        made = [line for line in made if "poststart" not in line]
    assert made == early
    h.box.start().reaches("stopped")
    assert set(h.lines()[len(early):]) >= {"startContainer-1", "startContainer-2", "program"}
    late = [line for line in h.lines() if "poststart" not in line][len(early):]
    assert late == ["startContainer-1", "startContainer-2", "program"]
    assert [line for line in h.lines() if "poststart" in line] == ["poststart-1", "poststart-2"]
    h.box.delete()
    assert h.lines()[-2:] == ["poststop-1", "poststop-2"]


@pytest.mark.callgate_only("runc 1.1 calls poststart hooks at create")
def test_poststart_is_called_by_start(oci, scratch):
    h = Hooked(oci, scratch, {"poststart": [hook(f"sleep 0.3; echo post >>{scratch}/order")]})
    h.box.create()
    assert h.lines() == []
    h.box.start()
    assert "post" in h.lines(), "start did not wait for it"


def test_state_on_stdin(oci, scratch):
    hooks = {kind: [hook(f"cat >{place(kind, scratch)}/{kind}")] for kind in ALL}
    h = Hooked(oci, scratch, hooks, args=("/bin/sleep", "1000"))
    pid = h.box.create().state()["pid"]
    h.box.start()
    wait_for((scratch / "poststart").exists, what="poststart")
    h.box.kill().reaches("stopped").delete()
    for kind in ALL:
        state = json.loads((scratch / kind).read_text())
        assert state["id"] == h.box.id and os.path.samefile(state["bundle"], h.box.bundle), kind
        assert state["ociVersion"] and state["status"] in ("creating", "created", "running", "stopped")
        if kind in ("prestart", "createRuntime"):
            assert state["pid"] == pid
    assert json.loads((scratch / "poststop").read_text())["status"] == "stopped"
    assert json.loads((scratch / "prestart").read_text())["status"] in ("creating", "created")


def test_namespaces(oci, scratch):
    """createContainer hooks run in the container's namespaces, prestart and the others in the runtime's."""
    hooks = {kind: [hook(f"readlink /proc/self/ns/mnt /proc/self/ns/uts >{place(kind, scratch)}/{kind}",
                         env=["PATH=/usr/bin:/bin"])] for kind in ALL}
    h = Hooked(oci, scratch, hooks)
    h.box.create().start().reaches("stopped").delete()
    here = [os.readlink(f"/proc/self/ns/{name}") for name in ("mnt", "uts")]
    for kind in ("prestart", "createRuntime", "poststart", "poststop"):
        assert h.lines(kind) == here, kind
    inside = h.lines("createContainer")
    assert not set(inside) & set(here) and len(inside) == 2


def test_start_container_hook_is_inside(oci, scratch):
    """Its path and all it sees are the container's: root, name, processes."""
    hooks = {"startContainer": [hook("(uname -n; stat -c %i /; echo /proc/[0-9]*) >/log/out",
                                     env=["PATH=/usr/bin:/bin"])]}
    h = Hooked(oci, scratch, hooks)
    h.box.create().start().reaches("stopped")
    name, inode, *processes = h.lines("out")
    assert name == "box" and int(inode) == h.box.rootfs.stat().st_ino and len(processes) <= 5


def test_create_hooks_can_change_the_network(oci, scratch):
    """After the namespaces are made, before the program runs: as Docker's and CNI's hooks need it."""
    script = ("pid=$(sed 's/.*\"pid\": *\\([0-9]*\\).*/\\1/' | tr -d '\\n'); "
              "nsenter -t $pid -n ip link add dummy7 type veth peer name dummy8")
    box = oci.box("/bin/sh", "-c", "cat /proc/net/dev",
                  change=lambda c: (c.update(hooks={"createRuntime": [hook(
                      script, env=["PATH=/usr/sbin:/usr/bin:/sbin:/bin"])]}),
                      c["linux"]["namespaces"].append({"type": "network"})))
    box.create().start().reaches("stopped")
    assert "dummy7:" in box.output()


def test_args_and_environment(oci, scratch):
    """They are the hook's own, none of the caller's."""
    script = f'(echo "$0 $1 $WHO ${{HOME-none}}") >{scratch}/out'
    hooks = {"prestart": [{"path": "/bin/sh", "args": ["sh", "-c", script, "zero", "one"],
                           "env": ["WHO=me"]}]}
    Hooked(oci, scratch, hooks).box.create()
    assert (scratch / "out").read_text() == "zero one me none\n"


@pytest.mark.parametrize("kind", AT_CREATE)
def test_failing_hook_at_create(oci, scratch, kind):
    """An error, the hooks behind it are not called, and the container is destroyed; poststop hooks are."""
    hooks = {kind: [hook("echo reason >&2; exit 3"), hook(f"echo next >>{scratch}/order")],
             "poststop": [hook(f"echo poststop >>{scratch}/order")]}
    h = Hooked(oci, scratch, hooks)
    assert h.box.create(may_fail=True).status != 0
    oci.fails("state", h.box.id, says="does not exist")
    assert "next" not in h.lines() and traces_of(h.box) == []


@pytest.mark.parametrize("kind", AT_CREATE)
@pytest.mark.callgate_only("runc 1.1 does not call poststop hooks after a failed create")
def test_poststop_after_a_failed_create(oci, scratch, kind):
    h = Hooked(oci, scratch, {kind: [hook("exit 3")],
                              "poststop": [hook(f"echo poststop >>{scratch}/order")]})
    assert h.box.create(may_fail=True).status != 0
    assert h.lines() == ["poststop"]


def test_failing_start_container_hook(oci, scratch):
    """The program does not run, and the container is over."""
    h = Hooked(oci, scratch, {"startContainer": [hook("exit 3")]})
    h.box.create()
    result = oci.call("start", h.box.id)
    h.box.reaches("stopped")
    assert "program" not in h.lines()
    assert result.status != 0 or oci.name == "runc", "start reported success"


def test_failing_poststart_hook(oci, scratch):
    """An error, and the container is stopped."""
    hooks = {"poststart": [hook("exit 3")]}
    h = Hooked(oci, scratch, hooks, args=("/bin/sleep", "1000"))
    if oci.name == "runc":  # calls it at create
        assert h.box.create(may_fail=True).status != 0
        return
    h.box.create()
    oci.fails("start", h.box.id)
    h.box.reaches("stopped")


def test_failing_poststop_hook(oci, scratch):
    """A warning: the hooks behind it are called, and the container is gone."""
    hooks = {"poststop": [hook("exit 3"), hook(f"echo next >>{scratch}/order")]}
    h = Hooked(oci, scratch, hooks)
    h.box.create().start().reaches("stopped")
    oci.call("delete", h.box.id)
    oci.fails("state", h.box.id, says="does not exist")
    assert h.lines()[-1] == "next" or oci.name == "runc"  # 1.1 stops at the first


def test_time_out(oci, scratch):
    h = Hooked(oci, scratch, {"createRuntime": [hook("exec sleep 1000", timeout=1)]})
    assert h.box.create(may_fail=True).status != 0
    assert traces_of(h.box) == []


@pytest.mark.parametrize("entry", [
    {"path": "bin/true"}, {"args": ["true"]},
    pytest.param({"path": "/bin/true", "timeout": -1},
                 marks=pytest.mark.callgate_only("runc 1.1 does not look at the number")),
    pytest.param({"path": "/bin/true", "timeout": 0},
                 marks=pytest.mark.callgate_only("runc 1.1 does not look at the number"))])
def test_invalid_hook(oci, entry):
    oci.refuses(lambda c: c.update(hooks={"prestart": [entry]}))

"""config.md: version, root, mounts, process, user, names, annotations, extensibility, valid values."""

import array
import fcntl
import json
import os
import pathlib
import re
import socket
import struct
import termios

import pytest
from bundle import edit_config

MUST_OPTIONS = ("async atime bind defaults dev diratime dirsync exec iversion lazytime loud noatime nodev nodiratime "
                "noexec noiversion nolazytime norelatime nostrictatime nosuid private rbind relatime "
                "ro rprivate rshared rslave runbindable rw shared silent slave strictatime suid "
                "sync unbindable").split()
RECURSIVE = ("ratime rdev rdiratime rexec rnoatime rnodev rnodiratime rnoexec rnorelatime rnostrictatime "
             "rnosuid rrelatime rro rrw rstrictatime rsuid").split()

NOT_YET = pytest.mark.xfail(reason="not yet", strict=False)


def process(**more):
    return lambda c: c["process"].update(more)


# --- version ------------------------------------------------------------------------------

@pytest.mark.parametrize("version", ["1.0.0", "1.0.2-dev", "1.1.0", "1.2.1"])
def test_version(oci, version):
    oci.prints("/bin/true", change=lambda c: c.update(ociVersion=version))


@pytest.mark.parametrize("version", [None, "", "1", "one", 1, "2.0.0"])
@pytest.mark.callgate_only("runc 1.1 does not look at it")
def test_invalid_version(oci, version):
    def change(c):
        c.update(ociVersion=version)
        if version is None:
            c.pop("ociVersion")
    oci.refuses(change, says="ociVersion")


# --- root ---------------------------------------------------------------------------------

def test_root_path(oci):
    """Relative to the bundle, wherever the command is called, or absolute."""
    oci.prints("/bin/true")
    box = oci.box("/bin/true")
    edit_config(box.bundle, lambda c: c["root"].update(path=str(box.rootfs)))
    assert box.run(cwd="/").status == 0


@pytest.mark.parametrize("root", [None, {}, {"path": "none"}, {"path": "config.json"}])
def test_no_root(oci, root):
    oci.refuses(lambda c: c.update(root=root) if root is not None else c.pop("root"))


def test_root_readonly(oci):
    out = oci.shell("touch /x 2>&1 || true", change=lambda c: c["root"].update(readonly=True))
    assert "Read-only file system" in out
    oci.shell("touch /x")


# --- mounts -------------------------------------------------------------------------------

def test_mounts_in_the_listed_order(oci, scratch):
    """A later one covers an earlier one, or is inside it."""
    for name in ("a", "b", "c"):
        (scratch / name).mkdir()
        (scratch / name / "name").write_text(name)
    (scratch / "a/sub").mkdir()
    out = oci.shell("cat /mnt/name /mnt/sub/name /opt/name", mounts=[
        ("/mnt", "none", f"{scratch}/a", ["bind"]), ("/mnt/sub", "none", f"{scratch}/b", ["bind"]),
        ("/opt", "none", f"{scratch}/a", ["bind"]), ("/opt", "none", f"{scratch}/c", ["bind"])])
    assert out == "abc"


def test_mount_destination_is_made(oci):
    assert oci.shell("stat -f -c %T /new/place; touch /new/place/x", mounts=[
        ("/new/place", "tmpfs", "tmpfs", [])]) == "tmpfs\n"


def test_relative_destination(oci):
    assert oci.shell("stat -f -c %T /relative", mounts=[("relative", "tmpfs", "tmpfs", [])]) == "tmpfs\n"


def test_bind_source_is_relative_to_the_bundle(oci):
    box = oci.box("/bin/cat", "/mnt/file", mounts=[("/mnt", "none", "volume", ["bind"])])
    (box.bundle / "volume").mkdir()
    (box.bundle / "volume/file").write_text("here")
    assert box.run(cwd="/").stdout == "here"


def test_bind_by_its_options(oci, scratch):
    """bind or rbind makes it one, whatever the type says; a file is bound to a file."""
    (scratch / "file").write_text("text\n")
    out = oci.shell("cat /one /two/file", mounts=[
        ("/one", "none", f"{scratch}/file", ["rbind"]), ("/two", "bind", str(scratch), ["bind"])])
    assert out == "text\ntext\n"


def but_runc(options, *known):
    """Options as parameters, without runc's bugs."""
    return [pytest.param(o, marks=pytest.mark.callgate_only("runc 1.1 fails")) if o in known else o
            for o in options]


@pytest.mark.parametrize("option", but_runc(MUST_OPTIONS, "defaults"))
def test_required_mount_option(oci, scratch, option):
    """Each is known for a bind mount, and for a tmpfs; some are of a file system and not of a mount."""
    propagation = re.fullmatch("r?(private|shared|slave|unbindable)", option)
    mounts = []
    if option not in ("dirsync", "iversion", "lazytime", "sync"):
        mounts.append(("/one", "none", str(scratch), ["rbind", option]))
    if option not in ("bind", "rbind") and not propagation:
        mounts.append(("/two", "tmpfs", "tmpfs", [option]))
    oci.prints("/bin/true", mounts=mounts)


def test_mount_options_have_their_effect(oci, scratch):
    scratch.chmod(0o777)
    (scratch / "x").write_text("#!/bin/sh\necho ran\n")
    (scratch / "x").chmod(0o755)
    out = oci.shell("touch /ro/f 2>&1 | grep -o Read-only || true; /noexec/x 2>&1 | grep -o denied || true; "
                    "/exec/x; grep -E ' /(ro|noexec|noatime) ' /proc/mounts | cut -d' ' -f2,4 | sort",
                    mounts=[(f"/{name}", "none", str(scratch), ["bind", name])
                            for name in ("ro", "noexec", "exec", "noatime")])
    lines = out.splitlines()
    assert lines[:3] == ["Read-only", "denied", "ran"]
    shown = {line.split()[0]: set(line.split()[1].split(",")) for line in lines[3:]}
    assert "ro" in shown["/ro"] and "noexec" in shown["/noexec"] and "noatime" in shown["/noatime"]


def test_remount(oci):
    """A second entry changes the mount of the first one."""
    out = oci.shell("touch /t/x 2>&1 | grep -o Read-only", mounts=[
        ("/t", "tmpfs", "tmpfs", []), ("/t", "tmpfs", "tmpfs", ["remount", "ro"])])
    assert out == "Read-only\n"


@pytest.mark.parametrize("option", but_runc(RECURSIVE, "ratime", "rnostrictatime"))
def test_recursive_mount_option(oci, scratch, option):
    oci.prints("/bin/true", mounts=[("/one", "none", str(scratch), ["rbind", option])])


@pytest.mark.parametrize("option", ["nosymfollow", "symfollow", "rnosymfollow", "rsymfollow"])
@pytest.mark.callgate_only("not known to runc 1.1")
def test_symfollow_mount_option(oci, scratch, option):
    oci.prints("/bin/true", mounts=[("/one", "none", str(scratch), ["rbind", option])])


def test_recursive_read_only(oci, scratch):
    """rro reaches mounts below, ro does not."""
    (scratch / "sub").mkdir()
    os.system(f"mount -t tmpfs tmpfs {scratch}/sub")
    try:
        out = oci.shell("touch /rro/sub/x 2>&1 | grep -o Read-only; touch /ro/sub/x && echo written", mounts=[
            ("/rro", "none", str(scratch), ["rbind", "rro"]), ("/ro", "none", str(scratch), ["rbind", "ro"])])
    finally:
        os.system(f"umount {scratch}/sub")
    assert out.split() == ["Read-only", "written"]


def test_file_system_options(oci):
    """What is not known goes to the file system."""
    out = oci.shell("df -k --output=size /t | tail -1", mounts=[("/t", "tmpfs", "tmpfs", ["size=1m"])])
    assert out.split() == ["1024"]


def test_invalid_file_system_option(oci):
    oci.refuses(lambda c: c["mounts"].append({"destination": "/t", "type": "tmpfs", "source": "tmpfs",
                                              "options": ["nosuchoption=1"]}))




def test_tmpcopyup(oci):
    """Optional: a tmpfs with what was there."""
    out = oci.shell("stat -f -c %T /etc/skel; ls -A /etc/skel", mounts=[
        ("/etc/skel", "tmpfs", "tmpfs", ["tmpcopyup"])])
    assert out.split()[0] == "tmpfs" and ".bashrc" in out


IDMAP = [{"containerID": 0, "hostID": 1000, "size": 1000}]


@pytest.mark.callgate_only("not known to runc 1.1")
def test_idmapped_mount(oci, scratch):
    (scratch / "file").touch()
    os.chown(scratch / "file", 5, 6)
    mount = {"destination": "/mnt", "source": str(scratch), "options": ["bind", "idmap"],
             "uidMappings": IDMAP, "gidMappings": IDMAP}
    out = oci.shell("stat -c %u:%g /mnt/file", change=lambda c: c["mounts"].append(mount))
    assert out == "1005:1006\n"
    assert os.stat(scratch / "file").st_uid == 5


@pytest.mark.parametrize("missing", ["uidMappings", "gidMappings", "both"])
@pytest.mark.callgate_only("not known to runc 1.1")
def test_incomplete_idmapped_mount(oci, scratch, missing):
    """One mapping without the other; or none, and no user namespace to take one from."""
    mount = {"destination": "/mnt", "source": str(scratch), "options": ["bind", "idmap"],
             "uidMappings": IDMAP, "gidMappings": IDMAP}
    for key in ("uidMappings", "gidMappings"):
        if missing in (key, "both"):
            del mount[key]
    oci.refuses(lambda c: c["mounts"].append(mount))


# --- process ------------------------------------------------------------------------------

class Terminal:
    """A console socket, and the terminal that arrives there."""

    def __init__(self, path):
        self.path = str(path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.listener.settimeout(20)

    def master(self):
        connection, _ = self.listener.accept()
        with connection:
            name, ancillary, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(4))
        assert name, "the terminal has no name"
        [(_, kind, data)] = ancillary
        assert kind == socket.SCM_RIGHTS
        fds = array.array("i")
        fds.frombytes(data)
        return fds[0]

    def close(self):
        self.listener.close()


def read_all(fd):
    text = b""
    while True:
        try:
            data = os.read(fd, 4096)
        except OSError:  # EIO: hung up
            return text.decode()
        if not data:
            return text.decode()
        text += data


def test_terminal(oci, tmp_path):
    """A pseudoterminal on the three standard streams, of the size that is asked for."""
    terminal = Terminal(tmp_path / "s")
    box = oci.box("/bin/sh", "-c", "test -t 0 && test -t 1 && test -t 2 && stty size && echo done",
                  change=process(terminal=True, consoleSize={"height": 33, "width": 77}))
    box.create("--console-socket", terminal.path)
    master = terminal.master()
    size = struct.unpack("HHHH", fcntl.ioctl(master, termios.TIOCGWINSZ, b"\0" * 8))
    box.start().reaches("stopped")
    text = read_all(master)
    os.close(master)
    terminal.close()
    assert size[:2] == (33, 77) and text.split() == ["33", "77", "done"]


def test_console_size_without_a_terminal(oci):
    """It is ignored."""
    out = oci.shell("test ! -t 0; echo fine",
                    change=process(terminal=False, consoleSize={"height": 5, "width": 5}))
    assert out == "fine\n"


def test_cwd(oci):
    assert oci.shell("pwd", cwd="/usr/bin") == "/usr/bin\n"


@pytest.mark.parametrize("cwd", [None, "", "usr", "./"])
def test_cwd_is_absolute(oci, cwd):
    oci.refuses(lambda c: c["process"].pop("cwd") if cwd is None else c["process"].update(cwd=cwd))


def test_env(oci):
    """As it is, and nothing else; runtimes may add HOME, shells PWD and the like."""
    out = oci.prints("/usr/bin/env", env=["A=b=c", "EMPTY=", "SPACE=a b"])
    lines = set(out.splitlines())
    assert {"A=b=c", "EMPTY=", "SPACE=a b"} <= lines
    assert {line.split("=")[0] for line in lines} == {"PATH", "HOME", "LC_ALL", "A", "EMPTY", "SPACE"}


def test_args(oci):
    """As execvp's argv: any characters, and the first one is found in PATH."""
    assert oci.prints("printf", "[%s]", "", "a b", "*", "'\"\\") == "[][a b][*]['\"\\]"


@pytest.mark.parametrize("args", [None, []])
def test_args_are_needed(oci, args):
    oci.refuses(lambda c: c["process"].pop("args") if args is None else c["process"].update(args=args))


@pytest.mark.parametrize("program, why", [("nosuchprogram", "executable file not found"),
                                          ("/no/such", "no such file or directory"),
                                          ("/etc/passwd", "permission denied")])
def test_program_that_cannot_run(oci, program, why):
    oci.refuses(process(args=[program]), says=why)


LIMITS = {"NOFILE": ("-n", 512, 1024), "CORE": ("-c", 0, 0), "STACK": ("-s", 8 << 20, 16 << 20),
          "CPU": ("-t", 100, 200), "FSIZE": ("-f", 1 << 30, 1 << 31), "NPROC": ("-u", 300, 400),
          "MEMLOCK": ("-l", 65536, 131072), "AS": ("-v", 1 << 40, 1 << 41)}


def test_rlimits(oci):
    """Soft and hard, as getrlimit() tells them."""
    limits = [{"type": f"RLIMIT_{k}", "soft": s, "hard": h} for k, (_, s, h) in LIMITS.items()]
    out = oci.shell("cat /proc/self/limits", change=process(rlimits=limits))
    names = {"NOFILE": "Max open files", "CORE": "Max core file size", "STACK": "Max stack size",
             "CPU": "Max cpu time", "FSIZE": "Max file size", "NPROC": "Max processes",
             "MEMLOCK": "Max locked memory", "AS": "Max address space"}
    for kind, (_, soft, hard) in LIMITS.items():
        [line] = [line for line in out.splitlines() if line.startswith(names[kind])]
        assert line[len(names[kind]):].split()[:2] == [str(soft), str(hard)], line


@pytest.mark.parametrize("limits", [
    [{"type": "RLIMIT_NOSUCH", "soft": 1, "hard": 1}],
    [{"type": "RLIMIT_CORE", "soft": 2, "hard": 1}],
    pytest.param([{"type": "RLIMIT_CORE", "soft": 1, "hard": 1}] * 2,
                 marks=pytest.mark.callgate_only("runc 1.1 takes the last one"))])
def test_invalid_rlimits(oci, limits):
    oci.refuses(process(rlimits=limits))


CAPS = {"effective": ["CAP_CHOWN"], "bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_ADMIN"],
        "permitted": ["CAP_CHOWN", "CAP_KILL"], "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"]}


def cap_sets(text):
    return {name: int(value, 16) for name, value in re.findall(r"^Cap(\w+):\s*(\w+)", text, re.M)}


def test_capabilities(oci):
    """Each set, as an ordinary user's program sees it after execve()."""
    def change(c):
        process(capabilities=CAPS, user={"uid": 1000, "gid": 1000})(c)
    sets = cap_sets(oci.prints("/bin/cat", "/proc/self/status", change=change))
    chown, kill, net = 1 << 0, 1 << 5, 1 << 12
    # execve() leaves the ambient ones to a user who is not root
    assert sets == {"Inh": kill, "Prm": kill, "Eff": kill, "Bnd": chown | kill | net, "Amb": kill}


def test_no_capabilities(oci):
    sets = cap_sets(oci.prints("/bin/cat", "/proc/self/status",
                               change=lambda c: c["process"].pop("capabilities")))
    assert sets["Eff"] == sets["Prm"] == sets["Bnd"] == 0


def test_unknown_capability(oci):
    """A warning, and no failure."""
    def change(c):
        for kind in ("bounding", "effective", "permitted"):
            c["process"]["capabilities"][kind] = ["CAP_CHOWN", "CAP_NOSUCH"]
    result = oci.run("/bin/cat", "/proc/self/status", change=change)
    assert result.status == 0 and cap_sets(result.stdout)["Eff"] == 1
    assert "CAP_NOSUCH" in result.stderr


@pytest.mark.parametrize("value", [True, False])
def test_no_new_privileges(oci, value):
    out = oci.prints("/bin/grep", "NoNewPrivs", "/proc/self/status", change=process(noNewPrivileges=value))
    assert out.split() == ["NoNewPrivs:", str(int(value))]


def test_oom_score_adj(oci):
    """Given: set. Not given: as the caller's."""
    assert oci.prints("/bin/cat", "/proc/self/oom_score_adj", change=process(oomScoreAdj=321)) == "321\n"
    before = pathlib.Path("/proc/self/oom_score_adj").read_text()
    assert oci.prints("/bin/cat", "/proc/self/oom_score_adj") == before
    box = oci.started("/bin/sleep", "1000", change=process(oomScoreAdj=321))
    pid = box.state()["pid"]
    if oci.name == "callgate":  # of the guest's processes: the hypervisor is to live on
        pid = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]
    assert pathlib.Path(f"/proc/{pid}/oom_score_adj").read_text() == "321\n"


@pytest.mark.callgate_only("not known to runc 1.1")
def test_scheduler(oci):
    out = oci.prints("/usr/bin/chrt", "-p", "1",
                     change=process(scheduler={"policy": "SCHED_BATCH", "nice": 5}))
    assert "SCHED_BATCH" in out
    assert oci.prints("/usr/bin/nice", change=process(scheduler={"policy": "SCHED_OTHER", "nice": 5})) == "5\n"
    oci.refuses(process(scheduler={"policy": "SCHED_NOSUCH"}), says="scheduler")


@pytest.mark.callgate_only("not known to runc 1.1")
def test_io_priority(oci):
    out = oci.prints("/usr/bin/ionice", change=process(
        ioPriority={"class": "IOPRIO_CLASS_BE", "priority": 6}))
    assert out.strip() == "best-effort: prio 6"
    oci.refuses(process(ioPriority={"class": "IOPRIO_CLASS_NOSUCH", "priority": 1}), says="ioPriority")


@pytest.mark.callgate_only("not known to runc 1.1")
def test_exec_cpu_affinity(oci):
    oci.refuses(process(execCPUAffinity={"initial": "0", "final": "0"}), says="execCPUAffinity")


@pytest.mark.parametrize("key", ["apparmorProfile", "selinuxLabel"])
def test_security_labels(oci, key):
    """A module that is not there, or does not know the name: to ask for it is an error, not nothing."""
    oci.refuses(process(**{key: "system_u:system_r:x_t:s0"}), says=key[:7])


# --- user ---------------------------------------------------------------------------------

def test_user(oci):
    out = oci.shell("id -u; id -g; id -G; umask", change=process(
        user={"uid": 1001, "gid": 1002, "umask": 0o027, "additionalGids": [5, 6]}))
    uid, gid, groups, umask = out.splitlines()
    assert (uid, gid, umask) == ("1001", "1002", "0027") and set(groups.split()) == {"1002", "5", "6"}


def test_default_umask(oci):
    """As the caller's: runc uses 0022."""
    assert oci.shell("umask") == "0022\n"


# --- names --------------------------------------------------------------------------------

def test_hostname(oci):
    assert oci.shell("uname -n; cat /proc/sys/kernel/hostname", hostname="mrsdalloway") == "mrsdalloway\n" * 2
    assert os.uname().nodename != "mrsdalloway"


@pytest.mark.callgate_only("not known to runc 1.1")
def test_domainname(oci):
    out = oci.shell("cat /proc/sys/kernel/domainname", change=lambda c: c.update(domainname="foo.test"))
    assert out == "foo.test\n"


# --- annotations, extensibility, values ---------------------------------------------------

@pytest.mark.parametrize("notes", [
    [], {"a": 1}, {"a": {}},
    pytest.param({"": "x"}, marks=pytest.mark.callgate_only("runc 1.1 takes an empty key"))])
def test_invalid_annotations(oci, notes):
    oci.refuses(lambda c: c.update(annotations=notes), says="annotations")


def test_unknown_annotations(oci):
    oci.prints("/bin/true", change=lambda c: c.update(annotations={
        "org.opencontainers.nosuch": "1", "com.example": ""}))


def test_unknown_properties(oci):
    def change(c):
        c["unknown"] = {"a": [1]}
        c["process"]["unknown"] = True
        c["process"]["user"]["unknown"] = "x"
        c["linux"]["unknown"] = []
        c["linux"]["namespaces"][0]["unknown"] = 1
        c["mounts"][0]["unknown"] = {}
    assert oci.prints("/bin/echo", "fine", change=change) == "fine\n"


@pytest.mark.parametrize("section", ["windows", "solaris", "vm", "zos", "freebsd"])
@pytest.mark.callgate_only("runc 1.1 does not look at them")
def test_sections_of_other_platforms(oci, section):
    oci.refuses(lambda c: c.update({section: {}}), says=section)


WRONG = {
    "process.terminal": process(terminal="yes"),
    "process.args": process(args="true"),
    "process.args[0]": process(args=[1]),
    "process.env": process(env={"A": "b"}),
    "process.user.uid": process(user={"uid": -1, "gid": 0}),
    "process.user.gid": process(user={"uid": 0, "gid": "root"}),
    "process.rlimits[0].soft": process(rlimits=[{"type": "RLIMIT_CORE", "soft": "x", "hard": 1}]),
    "root.readonly": lambda c: c["root"].update(readonly="yes"),
    "mounts[0].options": lambda c: c["mounts"][0].update(options="ro"),
    "hostname": lambda c: c.update(hostname=7),
    "linux.namespaces[0].type": lambda c: c["linux"].update(namespaces=[{"type": "nosuch"}]),
    "linux.resources.memory.limit": lambda c: c["linux"].update(resources={"memory": {"limit": "1g"}}),
    "linux.rootfsPropagation": lambda c: c["linux"].update(rootfsPropagation="nosuch"),
}


@pytest.mark.parametrize("path", WRONG)
def test_invalid_value(oci, path):
    """An error; callgate's names the property."""
    oci.refuses(WRONG[path], says=path if oci.name == "callgate" else "")


def test_not_json(oci):
    box = oci.box()
    (box.bundle / "config.json").write_text(json.dumps({"ociVersion": "1.0.0"})[:-1])
    assert box.create(may_fail=True).status != 0

"""config-linux.md: namespaces, devices, cgroups, seccomp, paths and the rest."""

import json
import os
import pathlib
import re
import subprocess

import pytest
from bundle import runtime_command
from oci import cgroups_of

SLEEP = ("/bin/sleep", "1000")


def linux(**more):
    return lambda c: c["linux"].update(more)


def namespaces(*entries, without=()):
    """The default ones less some, and these."""
    def change(c):
        c["linux"]["namespaces"] = [n for n in c["linux"]["namespaces"] if n["type"] not in without]
        c["linux"]["namespaces"] += entries
    return change


def both(*changes):
    def change(c):
        for one in changes:
            one(c)
    return change


# --- default file systems -----------------------------------------------------------------

def test_default_file_systems(oci):
    out = oci.shell("for d in /proc /sys /dev/pts /dev/shm; do stat -f -c %T $d; done")
    assert out.split() == ["proc", "sysfs", "devpts", "tmpfs"]


# --- namespaces ---------------------------------------------------------------------------

def test_pid_namespace(oci):
    """The program is number 1, and sees its own processes only."""
    assert oci.shell("echo $$; ls /proc | grep -c '^[0-9]'").splitlines()[0] == "1"
    assert int(oci.shell("set -- /proc/[0-9]*; echo $#")) <= 2


def test_network_namespace(oci):
    """A new one has a loopback interface only; without one the runtime's is seen."""
    own = oci.shell("tail -n +3 /proc/net/dev | cut -d: -f1", change=namespaces({"type": "network"}))
    assert set(own.split()) <= {"lo", "tunl0", "sit0", "ip6tnl0", "gre0", "gretap0", "erspan0"}
    host = pathlib.Path("/proc/net/dev").read_text().splitlines()[2:]
    seen = oci.shell("tail -n +3 /proc/net/dev | cut -d: -f1")
    assert set(seen.split()) == {line.split(":")[0].strip() for line in host}


def test_network_namespace_by_path(oci):
    name = f"cgn-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "link", "add", "veth7", "type", "veth", "peer", "name", "veth8"],
                       check=True)
        out = oci.shell("cat /proc/net/dev", network=f"/run/netns/{name}")
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)
    assert "veth7:" in out and "veth8:" in out


def test_mount_namespace(oci):
    """What is mounted inside is not seen outside."""
    box = oci.created(*SLEEP, mounts=[("/inside", "tmpfs", "tmpfs", [])])
    pid = box.state()["pid"]
    assert os.readlink(f"/proc/{pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt")
    assert f"{box.rootfs}/inside" not in pathlib.Path("/proc/self/mountinfo").read_text()


def test_ipc_namespace(oci):
    """A segment of the host's is not there."""
    made = subprocess.run(["ipcmk", "-M", "4096"], check=True, capture_output=True, text=True).stdout
    ident = made.split()[-1]
    try:
        out = oci.shell("cat /proc/sysvipc/shm | wc -l")
    finally:
        subprocess.run(["ipcrm", "-m", ident], check=True)
    assert out == "1\n"


def test_uts_namespace(oci):
    box = oci.started("/bin/sleep", "1000", hostname="own")
    pid = box.state()["pid"]
    out = subprocess.run(["nsenter", "-t", str(pid), "-u", "uname", "-n"], check=True, capture_output=True,
                         text=True).stdout
    assert out == "own\n" and os.uname().nodename != "own"


def test_uts_namespace_of_the_runtime(oci):
    """Without one of its own the container has the host's name."""
    out = oci.shell("uname -n", change=both(namespaces(without=["uts"]), lambda c: c.pop("hostname")))
    assert out.strip() == os.uname().nodename


def test_cgroup_namespace(oci):
    """The container's cgroup is the root of what it sees."""
    out = oci.shell("cut -d: -f3 /proc/self/cgroup", change=namespaces({"type": "cgroup"}))
    assert set(out.split()) == {"/"}


MAP = [{"containerID": 0, "hostID": 100000, "size": 1000}]


def in_user_namespace(c):
    namespaces({"type": "user"}, {"type": "network"})(c)  # sysfs needs a network of its own
    linux(uidMappings=MAP, gidMappings=MAP)(c)


def open_to_all(box):
    """The way to the root file system, for a root who is not the host's."""
    for folder in (box.bundle, box.bundle.parent):
        folder.chmod(0o755)


def test_user_namespace(oci):
    """Root inside is the mapped user outside; the owners of files stay as they are."""
    def change(c):
        in_user_namespace(c)
        c["process"]["args"] = ["/bin/sh", "-c", "id -u; cat /proc/self/uid_map /proc/self/gid_map; echo x >/mnt/f"]
        c["mounts"].append({"destination": "/mnt", "source": "v", "options": ["bind"]})
    box = oci.box(change=change)
    (box.bundle / "v").mkdir()
    os.chown(box.bundle / "v", 100000, 100000)
    open_to_all(box)
    before = (box.rootfs / "etc/passwd").stat()
    result = box.run()
    assert result.status == 0, str(result)
    assert result.stdout.split() == ["0"] + ["0", "100000", "1000"] * 2
    made = (box.bundle / "v/f").stat()
    assert (made.st_uid, made.st_gid) == (100000, 100000)
    after = (box.rootfs / "etc/passwd").stat()
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)


@pytest.mark.callgate_only("not known to runc 1.1")
def test_time_namespace(oci):
    out = oci.shell("cut -d. -f1 /proc/uptime", change=both(
        namespaces({"type": "time"}), linux(timeOffsets={"boottime": {"secs": 1000000}})))
    host = float(pathlib.Path("/proc/uptime").read_text().split()[0])
    assert 999999 <= int(out) - host <= 1000060


def test_namespace_path_of_another_type(oci):
    oci.refuses(namespaces({"type": "network", "path": "/proc/self/ns/uts"}))


def test_namespace_path_is_absolute(oci):
    oci.refuses(namespaces({"type": "network", "path": "proc/self/ns/net"}))


def test_duplicate_namespace(oci):
    oci.refuses(namespaces({"type": "uts"}))


@pytest.mark.callgate_only("runc can do without")
@pytest.mark.parametrize("kind", ["pid", "mount"])
def test_pid_or_mount_namespace_of_the_runtime(oci, kind):
    oci.refuses(namespaces(without=[kind]), says=kind)


def test_ipc_and_uts_by_path(oci):
    """Another container's namespaces are joined."""
    first = oci.started(*SLEEP, hostname="first")
    pid = first.state()["pid"]
    out = oci.shell("uname -n", change=both(
        namespaces(*({"type": kind, "path": f"/proc/{pid}/ns/{kind}"} for kind in ("ipc", "uts")),
                   without=["ipc", "uts"]),
        lambda c: c.pop("hostname")))
    assert out == "first\n"


# --- devices ------------------------------------------------------------------------------

def test_default_devices(oci):
    out = oci.shell("for d in null zero full random urandom tty; do stat -L -c '%n %F %t:%T %a' /dev/$d; done; "
                    "test -c /dev/ptmx; echo x >/dev/null; head -c 3 /dev/zero | od -An -tx1; "
                    "echo x 2>&1 >/dev/full | grep -o 'No space'; head -c 9 /dev/urandom | wc -c")
    lines = out.splitlines()
    numbers = {"null": "1:3", "zero": "1:5", "full": "1:7", "random": "1:8", "urandom": "1:9", "tty": "5:0"}
    for line, (name, number) in zip(lines, numbers.items(), strict=False):
        assert line == f"/dev/{name} character special file {number} 666"
    assert [line.strip() for line in lines[6:]] == ["00 00 00", "No space", "9"]


DEVICES = [
    {"path": "/dev/mynull", "type": "c", "major": 1, "minor": 3, "fileMode": 0o640, "uid": 7, "gid": 8},
    {"path": "/dev/pipe", "type": "p", "fileMode": 0o600},
]


def test_devices(oci):
    out = oci.shell("stat -c '%n %F %t:%T %a %u:%g' /dev/mynull /dev/pipe", change=linux(devices=DEVICES))
    first, second = out.splitlines()
    assert first == "/dev/mynull character special file 1:3 640 7:8"
    assert re.fullmatch(r"/dev/pipe fifo \S+ 600 0:0", second)


@pytest.mark.callgate_only("runc 1.1 leaves the file as it is")
def test_device_that_cannot_be(oci):
    """A file of another kind is at its path."""
    oci.refuses(linux(devices=[{"path": "/etc/passwd", "type": "c", "major": 1, "minor": 3}]))


@pytest.mark.parametrize("device", [
    {"path": "/dev/x", "type": "z", "major": 1, "minor": 3},
    pytest.param({"type": "c", "major": 1, "minor": 3},
                 marks=pytest.mark.callgate_only("runc 1.1 takes it for nothing"))])
def test_invalid_device(oci, device):
    oci.refuses(linux(devices=[device]))


# --- cgroups ------------------------------------------------------------------------------

def test_cgroups_path(oci):
    """Absolute: below the mount point; the same path is the same place."""
    for _ in (1, 2):
        path = f"/callgate-test-{os.getpid()}/one"
        box = oci.started(*SLEEP, change=linux(cgroupsPath=path))
        groups = cgroups_of(box.state()["pid"])
        assert {groups[name] for name in groups if name in ("memory", "cpu", "pids")} <= {path}
        assert path in groups.values()
        box.kill().reaches("stopped").delete()
    for root, folders, _ in os.walk("/sys/fs/cgroup"):
        if f"callgate-test-{os.getpid()}" in folders:
            os.rmdir(os.path.join(root, f"callgate-test-{os.getpid()}"))


def test_default_cgroups_path(oci):
    """Each container has a cgroup of its own, and all its processes are in it."""
    one, two = oci.started(*SLEEP), oci.started(*SLEEP)
    groups = [set(cgroups_of(box.state()["pid"]).values()) for box in (one, two)]
    assert {g for g in groups[0] if one.id in g} and {g for g in groups[1] if two.id in g}


def test_cgroups_path_stays_below_the_mount_point(oci):
    """Dots lead nowhere else."""
    name = f"callgate-test-{os.getpid()}"
    box = oci.started(*SLEEP, change=linux(cgroupsPath=f"/../x/../../{name}"))
    assert f"/{name}" in cgroups_of(box.state()["pid"]).values()


def test_cgroup_ownership(oci):
    """Root's, whoever the container's root is, and its view is read-only."""
    script = "mkdir /sys/fs/cgroup/x 2>&1 | grep -o 'Read-only' || true; sleep 1000"
    box = oci.box("/bin/sh", "-c", script, change=both(
        in_user_namespace, lambda c: c["mounts"].append({
            "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
            "options": ["nosuid", "noexec", "nodev", "ro"]})))
    open_to_all(box)
    box.create().start()
    for name, path in cgroups_of(box.state()["pid"]).items():
        for top in (f"/sys/fs/cgroup/{name or 'unified'}", "/sys/fs/cgroup"):
            if box.id in path and os.path.exists(top + path):
                assert os.stat(top + path).st_uid == 0, top + path


@pytest.mark.callgate_only("not known to runc 1.1")
def test_burst_above_quota(oci):
    oci.refuses(linux(resources={"cpu": {"quota": 10000, "period": 100000, "burst": 20000}}))


def test_pids_limit_of_zero(oci):
    """No limit, with both: nothing could run otherwise."""
    oci.prints("/bin/true", change=linux(resources={"pids": {"limit": 0}}))


@pytest.mark.parametrize("resources", [
    {"memory": {"limit": "x"}}, {"pids": {"limit": "x"}}, {"cpu": {"shares": -1}}, {"rdma": {"x": {}}},
    {"hugepageLimits": [{"pageSize": "3KB", "limit": 1}]},
    {"devices": [{"type": "z", "allow": True}]},
    {"blockIO": {"weightDevice": [{"major": 8}]}}])
@pytest.mark.callgate_only("runc 1.1 takes most of them for nothing")
def test_invalid_resources(oci, resources):
    oci.refuses(linux(resources=resources), says="linux.resources")


def test_unified_needs_version_2(oci):
    """On a host with controllers of version 1 it cannot be applied."""
    if not pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists():
        oci.refuses(linux(resources={"unified": {"memory.high": "1000000"}}))


def test_device_rules_in_order(oci):
    """The last rule that fits counts. Programs of a guest reach no device of the host in any case."""
    rules = [{"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rw"}]
    assert oci.shell("echo x >/dev/null && echo ok", change=linux(resources={"devices": rules})) == "ok\n"


def test_intel_rdt(oci):
    """runc needs a mounted resctrl for it, which this machine has not."""
    oci.refuses(linux(intelRdt={"closID": "x", "l3CacheSchema": "L3:0=f"}))
    oci.prints("/bin/true")
    assert not os.path.exists("/sys/fs/resctrl/x")


# --- network devices, memory policy -------------------------------------------------------

class Devices:
    """Two pairs of interfaces in a network namespace that stands for the host's."""

    def __init__(self, oci):
        self.oci, self.name = oci, f"cgd-{os.getpid()}"

    def __enter__(self):
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        for command in ("link add dev0 type veth peer name dev1", "link set dev0 mtu 1400 address 02:00:00:00:00:07",
                        "addr add 192.0.2.7/24 dev dev0", "addr add 2001:db8::7/64 dev dev0 nodad"):
            self.ip(*command.split())
        return self

    def ip(self, *args):
        return subprocess.run(["ip", "-n", self.name, *args], check=True, capture_output=True, text=True).stdout

    def create(self, box):
        """Created from within that namespace."""
        with open(box.out, "wb") as out, open(f"{box.out}.err", "wb") as err:
            result = subprocess.run(
                ["nsenter", f"--net=/run/netns/{self.name}", *runtime_command(self.oci.name), "--root", str(self.oci.root),
                 "create", "--bundle", str(box.bundle), box.id], stdin=subprocess.DEVNULL, stdout=out,
                stderr=err, timeout=30, check=False)
        return result.returncode, pathlib.Path(f"{box.out}.err").read_text()

    def __exit__(self, *exc):
        subprocess.run(["ip", "netns", "delete", self.name], check=True)


def with_devices(devices):
    return both(namespaces({"type": "network"}), linux(netDevices=devices))


@pytest.mark.callgate_only("not known to runc 1.1")
@pytest.mark.parametrize("entry, name", [({}, "dev0"), ({"name": "inside"}, "inside"), ({"name": "net%d"}, "net0")])
def test_network_devices(oci, entry, name):
    """Moved under the new name, with the attributes and the addresses that they have, and up."""
    with Devices(oci) as devices:
        box = oci.box("/bin/cat", "/proc/net/dev", change=with_devices({"dev0": entry}))
        status, error = devices.create(box)
        assert status == 0, error
        shown = subprocess.run(["nsenter", "-t", str(box.state()["pid"]), "-n", "ip", "addr", "show", "dev", name],
                               check=True, capture_output=True, text=True).stdout
        for text in ("mtu 1400", "02:00:00:00:00:07", "inet 192.0.2.7/24", "inet6 2001:db8::7/64", ",UP"):
            assert text in shown, shown
        assert "dev0" not in devices.ip("-o", "link").replace("dev0-", "")
        box.start().reaches("stopped")
        assert f"{name}:" in box.output()


@pytest.mark.callgate_only("not known to runc 1.1")
@pytest.mark.parametrize("wanted", [{"nosuch": {}}, {"dev0": {"name": "lo"}}, {"dev0": {"name": "a/b"}},
                                    {"dev0": {}, "nosuch": {}}])
def test_network_devices_that_cannot_be_moved(oci, wanted):
    """No such device, a name in use, a name that is none; and then none is moved."""
    with Devices(oci) as devices:
        status, error = devices.create(oci.box(change=with_devices(wanted)))
        assert status != 0 and "linux.netDevices" in error
        assert "dev0" in devices.ip("-o", "link")


@pytest.mark.callgate_only("not known to runc 1.1")
def test_network_devices_need_a_namespace(oci):
    oci.refuses(linux(netDevices={"lo": {}}), says="linux.netDevices")


@pytest.mark.callgate_only("not known to runc 1.1")
def test_memory_policy(oci):
    """Of the host's memory that the container gets; flags and nodes as set_mempolicy() has them."""
    box = oci.started(*SLEEP, change=linux(memoryPolicy={"mode": "MPOL_BIND", "nodes": "0",
                                                         "flags": ["MPOL_F_STATIC_NODES"]}))
    processes = [box.state()["pid"], *json.loads(oci.ok("ps", "--format", "json", box.id).stdout)]
    for pid in processes:
        maps = pathlib.Path(f"/proc/{pid}/numa_maps").read_text().splitlines()
        assert maps and all("bind=static:0" in line for line in maps), pid


@pytest.mark.parametrize("policy", [{"mode": "MPOL_NOSUCH"}, {"mode": "MPOL_BIND"}, {"nodes": "0"},
                                    {"mode": "MPOL_BIND", "nodes": "0-"}, {"mode": "MPOL_BIND", "nodes": "x"},
                                    {"mode": "MPOL_DEFAULT", "nodes": "0"},
                                    {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_NOSUCH"]}])
@pytest.mark.callgate_only("not known to runc 1.1")
def test_invalid_memory_policy(oci, policy):
    oci.refuses(linux(memoryPolicy=policy), says="linux.memoryPolicy")


# --- sysctl -------------------------------------------------------------------------------

def test_sysctl(oci):
    change = both(namespaces({"type": "network"}), linux(sysctl={"net.ipv4.ip_forward": "1",
                                                                 "net.core.somaxconn": "256"}))
    out = oci.shell("cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/core/somaxconn", change=change)
    assert out.split() == ["1", "256"]


IPC_AND_UTS = namespaces({"type": "ipc"}, {"type": "uts"}, without=("ipc", "uts"))

IPC_LIMITS = {"kernel.shmmax": "8192", "kernel.shmall": "3", "kernel.shmmni": "2", "kernel.msgmax": "100",
              "kernel.msgmnb": "150", "kernel.msgmni": "2", "kernel.sem": "4 7 2 2", "kernel.shm_rmid_forced": "1",
              "fs.mqueue.queues_max": "7", "fs.mqueue.msg_max": "11"}


def test_sysctl_of_ipc(oci):
    change = both(IPC_AND_UTS, linux(sysctl=IPC_LIMITS))
    out = oci.shell("cd /proc/sys; for f in " + " ".join(IPC_LIMITS) + "; do cat ${f//.//}; done", change=change)
    assert [" ".join(line.split()) for line in out.splitlines()] == list(IPC_LIMITS.values())


IPC_PROGRAM = r"""
use Errno;
sub result { my ($what, $ok) = @_; print "$what ", defined $ok ? "ok" : (grep { $!{$_} } qw(EINVAL ENOSPC E2BIG EAGAIN))[0], "\n"; $ok }
result("large segment", shmget(0, 8193, 0600));
my $s = result("segment", shmget(0, 8192, 0600));
result("too many pages", shmget(0, 8192, 0600));
result("second segment", shmget(0, 4096, 0600));
shmctl($s, 0, 0);
my $q = result("queue", msgget(0, 0600));
result("second queue", msgget(0, 0600));
result("third queue", msgget(0, 0600));
result("long message", msgsnd($q, pack("l! a*", 1, "x" x 101), 04000) || undef);
result("message", msgsnd($q, pack("l! a*", 1, "x" x 100), 04000) || undef);
result("full queue", msgsnd($q, pack("l! a*", 1, "x" x 51), 04000) || undef);
result("large set", semget(0, 5, 0600));
my $a = result("set", semget(0, 4, 0600));
result("too many semaphores", semget(0, 4, 0600));
result("second set", semget(0, 3, 0600));
result("third set", semget(0, 0, 0600));
result("operations", semop($a, pack("s!3" x 3, (0, 1, 0) x 3)) || undef);
semctl($a, 0, 0, 0);
semget(0, 1, 0600);
result("one more set", semget(0, 1, 0600));
"""

IPC_RESULT = """large segment EINVAL
segment ok
too many pages ENOSPC
second segment ok
queue ok
second queue ok
third queue ENOSPC
long message EINVAL
message ok
full queue EAGAIN
large set EINVAL
set ok
too many semaphores ENOSPC
second set ok
third set EINVAL
operations E2BIG
one more set ENOSPC
"""


def test_sysctl_of_ipc_is_kept(oci):
    limits = {key: value for key, value in IPC_LIMITS.items() if key != "kernel.shm_rmid_forced"}
    out = oci.prints("/usr/bin/perl", "-e", IPC_PROGRAM, change=both(IPC_AND_UTS, linux(sysctl=limits)))
    assert out == IPC_RESULT


MQUEUE_PROGRAM = r"""
import ctypes, errno, os
libc = ctypes.CDLL("libc.so.6", use_errno=True)
for name in b"/a", b"/b", b"/c":
    fd = libc.mq_open(name, os.O_RDWR | os.O_CREAT, 0o600, None)
    attr = (ctypes.c_long * 8)()
    print(errno.errorcode[ctypes.get_errno()] if fd < 0 else libc.mq_getattr(fd, attr) or attr[1:3])
    fd < 0 or os.close(fd)
attr = (ctypes.c_long * 8)(0, 21, 100)
libc.mq_unlink(b"/a")
print(libc.mq_open(b"/d", os.O_RDWR | os.O_CREAT, 0o600, attr), errno.errorcode[ctypes.get_errno()])
"""


def test_sysctl_of_message_queues(oci):
    limits = {"fs.mqueue.queues_max": "2", "fs.mqueue.msg_max": "20", "fs.mqueue.msg_default": "30",
              "fs.mqueue.msgsize_max": "512", "fs.mqueue.msgsize_default": "256"}
    out = oci.prints("/usr/bin/python3", "-c", MQUEUE_PROGRAM, change=both(IPC_AND_UTS, linux(sysctl=limits)))
    assert out.splitlines() == ["[20, 256]", "[20, 256]", "ENOSPC", "-1 EINVAL"]


RMID_FORCED = r"""
my $unused = shmget(0, 4096, 0600);
if (!fork) { shmget(0, 4096, 0600); exit }
wait;
if (!fork) { my $id = shmget(0, 4096, 0600); shmwrite($id, "x", 0, 1); print defined shmctl($id, 2, my $b) ? "there" : "gone", "\n"; exit }
wait;
open my $f, "/proc/sysvipc/shm"; my @lines = <$f>;
print @lines - 1, "\n";
"""


def test_sysctl_shm_rmid_forced(oci):
    """A segment goes with its last mapping, or with its creator."""
    out = oci.prints("/usr/bin/perl", "-e", "$| = 1;" + RMID_FORCED,
                     change=both(IPC_AND_UTS, linux(sysctl={"kernel.shm_rmid_forced": "1"})))
    assert out == "gone\n1\n"


def test_sysctl_of_uts(oci):
    change = both(IPC_AND_UTS, linux(sysctl={"kernel.domainname": "sysctl.test"}))
    assert oci.shell("domainname; cat /proc/sys/kernel/domainname", change=change) == "sysctl.test\n" * 2


def test_sysctl_with_slashes(oci):
    change = both(namespaces({"type": "ipc"}, {"type": "network"}, without=("ipc", "network")),
                  linux(sysctl={"kernel/shmmni": "77", "net/ipv4/conf/lo/forwarding": "1"}))
    assert oci.shell("cat /proc/sys/kernel/shmmni", change=change) == "77\n"


@pytest.mark.parametrize("key", ["net.ipv4.ip_forward", "vm.swappiness", "kernel.nosuch", "no.such", "kernel.hostname",
                                 "kernel.pid_max", "fs.file-max"])
def test_sysctl_of_the_host(oci, key):
    """Without a namespace for it, it is an error; the host's value stays."""
    oci.refuses(both(IPC_AND_UTS, linux(sysctl={key: "1"})), says="sysctl")


@pytest.mark.parametrize("key", ["kernel.shmmax", "kernel.msgmni", "kernel.sem", "fs.mqueue.msg_max", "kernel.domainname"])
def test_sysctl_without_its_namespace(oci, key):
    """The runtime's ipc and uts namespaces are the host's."""
    oci.refuses(both(namespaces(without=("ipc", "uts")), lambda c: c.pop("hostname"), linux(sysctl={key: "20"})), says="sysctl")


@pytest.mark.parametrize("key,value", [("kernel.shmmni", "-1"), ("kernel.sem", "1 1 1 99999999"), ("kernel.msgmax", "x"),
                                       ("kernel.shm_rmid_forced", "2"), ("fs.mqueue.nosuch", "1"), ("fs.mqueue.msg_max", "0")])
def test_invalid_sysctl(oci, key, value):
    oci.refuses(both(IPC_AND_UTS, linux(sysctl={key: value})), says=key.rpartition(".")[2])


def test_sysctl_written_inside(oci):
    """Where /proc/sys can be written to, root may."""
    change = both(IPC_AND_UTS, linux(readonlyPaths=[]))
    out = oci.shell("cd /proc/sys/kernel; echo 5 > shmmni; echo '9 8' > sem; cat shmmni sem; echo 1 2>/dev/null > shm_rmid_forced;"
                    "cat shm_rmid_forced; ! echo 2 2>&- > shm_rmid_forced", change=change)
    assert out.split() == ["5", "9", "8", "500", "32000", "1"]


# --- seccomp ------------------------------------------------------------------------------

def seccomp(rules=(), default="SCMP_ACT_ALLOW", **more):
    return linux(seccomp={"defaultAction": default, "syscalls": list(rules), **more})


def test_seccomp_rule(oci):
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}
    out = oci.shell("mkdir /tmp/x 2>&1 | grep -o 'not permitted'; touch /tmp/y && echo fine",
                    change=seccomp([rule]))
    assert out.splitlines() == ["not permitted", "fine"]


def test_seccomp_errno(oci):
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}
    assert oci.shell("mkdir /tmp/x 2>&1 | grep -o 'No space'", change=seccomp([rule])) == "No space\n"


@pytest.mark.callgate_only("runc 1.1 takes it for nothing")
def test_seccomp_errno_where_there_is_none(oci):
    """An action that returns no error cannot have its number."""
    oci.refuses(seccomp([{"names": ["mkdir"], "action": "SCMP_ACT_KILL", "errnoRet": 28}]), says="seccomp")


def test_seccomp_arguments(oci):
    """kill(2) with signal 0 only is refused."""
    rule = {"names": ["kill"], "action": "SCMP_ACT_ERRNO",
            "args": [{"index": 1, "value": 0, "op": "SCMP_CMP_EQ"}]}
    out = oci.shell("kill -0 $$ 2>&1 | grep -o 'not permitted'; trap 'echo got' USR1; kill -USR1 $$",
                    change=seccomp([rule]))
    assert out.splitlines() == ["not permitted", "got"]


@pytest.mark.parametrize("change", [
    seccomp(default="SCMP_ACT_NOSUCH"),
    seccomp([{"names": ["mkdir"], "action": "SCMP_ACT_NOSUCH"}]),
    seccomp([{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO",
              "args": [{"index": 0, "value": 0, "op": "SCMP_CMP_NOSUCH"}]}]),
    seccomp(architectures=["SCMP_ARCH_NOSUCH"]),
    pytest.param(seccomp([{"names": [], "action": "SCMP_ACT_ERRNO"}]),
                 marks=pytest.mark.callgate_only("runc 1.1 takes it for nothing"))])
def test_invalid_seccomp(oci, change):
    oci.refuses(change, says="seccomp" if oci.name == "callgate" else "")


@pytest.mark.callgate_only("runc 1.1 waits for the listener")
def test_seccomp_notify(oci, tmp_path):
    """There is no descriptor for a guest's calls that a host process could use: refused by name."""
    oci.refuses(seccomp([{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}],
                        listenerPath=str(tmp_path / "s")), says="seccomp")


@pytest.mark.callgate_only("runc 1.1 takes it for nothing")
def test_seccomp_metadata_without_listener(oci):
    oci.refuses(seccomp(listenerMetadata="x"), says="seccomp")


# --- paths, propagation, personality ------------------------------------------------------

@pytest.mark.parametrize("value", ["shared", "slave", "private", "unbindable"])
def test_rootfs_propagation(oci, value):
    assert oci.shell("echo fine", change=linux(rootfsPropagation=value)) == "fine\n"


def test_masked_paths(oci):
    out = oci.shell("cat /etc/passwd | wc -c; ls /etc/apt | wc -l; cat /proc/version | wc -c",
                    change=linux(maskedPaths=["/etc/passwd", "/etc/apt", "/proc/version", "/no/such"]))
    assert out.split() == ["0", "0", "0"]


def test_readonly_paths(oci):
    out = oci.shell("touch /etc/x 2>&1 | grep -o Read-only; touch /x && echo fine",
                    change=linux(readonlyPaths=["/etc", "/proc/sys", "/no/such"]))
    assert out.splitlines() == ["Read-only", "fine"]


PLACES = ["/proc/version", "/proc/sys", "/sys/kernel", "/etc/passwd", "/etc/apt", "/volume/file", "/volume/dir", "/dev/full"]
LOOK = """for f in "$@"; do if [ -d $f ]; then ls -A $f | wc -l; else head -c 1 $f 2>/dev/null | wc -c; fi; done"""


@pytest.fixture
def volume(scratch):
    (scratch / "dir").mkdir()
    (scratch / "dir/inner").write_text("x")
    (scratch / "file").write_text("x")
    (scratch / "link").symlink_to("file")
    return lambda c: c["mounts"].append({"destination": "/volume", "type": "bind", "source": str(scratch), "options": ["bind"]})


def test_masked_places(oci, volume):
    """Of the kernel's file systems, the root file system and volumes; files and directories."""
    def look(*changes):
        return oci.prints("/bin/sh", "-c", LOOK, "sh", *PLACES, change=both(volume, *changes)).split()
    assert "0" not in look()
    assert look(linux(maskedPaths=PLACES)) == ["0"] * len(PLACES)


def test_masked_file_is_not_written_to(oci, volume, scratch):
    oci.shell("echo new 2>/dev/null > /volume/file || true; cat /volume/file", change=both(volume, linux(maskedPaths=["/volume/file"])))
    assert (scratch / "file").read_text() == "x"


@pytest.mark.parametrize("link, target", [
    ("/etc/os-release", "/usr/lib/os-release"), ("/volume/link", "/volume/file"),
    ("/proc/self/status", "/proc/1/status"), ("/proc/mounts", "/proc/1/mounts"), ("/proc/net", "/proc/1/net"),
    ("/bin/../../etc/passwd", "/etc/passwd"), ("/proc/../etc/passwd", "/etc/passwd")])
def test_masked_link(oci, volume, link, target):
    """What is covered is what the link leads to when the container is made."""
    script = f"cat {target} 2>/dev/null | wc -c; ls {target} 2>/dev/null | wc -l; cat /proc/self/status | wc -l"
    out = oci.shell(script, change=both(volume, linux(maskedPaths=[link]))).split()
    assert out[0] == "0" and int(out[2]) > 10, out
    if target == "/proc/1/net":
        assert out[1] == "0"


def test_masked_without_dev(oci):
    """An empty file does not need the container's /dev."""
    def no_dev(c):
        c["mounts"] = [m for m in c["mounts"] if not m["destination"].startswith("/dev")]
    change = both(no_dev, linux(maskedPaths=["/proc/version"]))
    if oci.name == "runc":  # it has nothing to cover it with then
        oci.run("/bin/true", change=change)
    else:
        assert oci.shell("wc -c < /proc/version", change=change) == "0\n"


def test_readonly_places(oci, volume):
    paths = ["/proc/sys", "/proc/self/oom_score_adj", "/dev/shm", "/bin", "/volume/link", "/volume/dir", "/no", "/etc/passwd"]
    script = """
for f in /proc/sys/kernel/hostname /proc/1/oom_score_adj /volume/file /etc/passwd; do (echo 1 > $f) 2>&1 | grep -o Read-only; done
for d in /dev/shm /usr/bin /volume/dir; do touch $d/new 2>&1 | grep -o Read-only; done
touch /usr/new /volume/new /etc/new /dev/new; (echo 1 > /proc/$BASHPID/oom_score_adj); echo fine"""
    out = oci.shell("set +e;" + script, change=both(volume, linux(readonlyPaths=paths)))
    assert out.split() == ["Read-only"] * 7 + ["fine"]


def test_absent_paths_are_skipped(oci):
    result = oci.run("/bin/true", change=linux(maskedPaths=["/no/such", "/proc/nosuch", "/sys/no/such"],
                                               readonlyPaths=["/no/such", "/proc/nosuch", "/dev/nosuch"]))
    assert (result.status, result.stderr) == (0, "")


@pytest.mark.callgate_only("under runc it covers what is not seen any more")
def test_masked_root(oci):
    oci.refuses(linux(maskedPaths=["/"]), says="linux.maskedPaths[0]: /: the root directory can't be")


@pytest.mark.parametrize("key", ["maskedPaths", "readonlyPaths"])
@pytest.mark.callgate_only("runc 1.1 takes relative paths")
def test_relative_paths(oci, key):
    oci.refuses(linux(**{key: ["etc"]}), says=f"linux.{key}")


def test_mount_label_without_selinux(oci):
    oci.refuses(linux(mountLabel="system_u:object_r:x_t:s0"), says="selinux" if oci.name == "callgate" else "context=")


@pytest.mark.parametrize("domain, machine", [("LINUX", "x86_64"), ("LINUX32", "i686")])
@pytest.mark.callgate_only("not known to runc 1.1")
def test_personality(oci, domain, machine):
    assert oci.shell("uname -m", change=linux(personality={"domain": domain})) == machine + "\n"


@pytest.mark.callgate_only("not known to runc 1.1")
def test_unknown_personality(oci):
    oci.refuses(linux(personality={"domain": "BSD"}), says="linux.personality")

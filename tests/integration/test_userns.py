"""User namespaces: ids are mapped by the host's kernel, as under runc."""

import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest
from bundle import BUILD, RUNTIME, edit_config, runtime_command, wait_for

BASE, SIZE = 200000, 65536
MAPPING = [{"containerID": 0, "hostID": BASE, "size": SIZE}]


def user_namespace(uid=MAPPING, gid=None, path=None, network=None):
    """An edit of config.json: a user namespace of its own, and a network namespace: runc can't mount sysfs otherwise."""
    def change(data):
        data["linux"]["namespaces"] += [{"type": "network", **({"path": network} if network else {})},
                                        {"type": "user", **({"path": path} if path else {})}]
        data["linux"]["uidMappings"] = uid
        data["linux"]["gidMappings"] = gid or uid
    return lambda bundle: edit_config(bundle, change)


def shift(bundle):
    """The root file system's own folder belongs to the container's root, as engines make it."""
    os.chown(bundle / "rootfs", BASE, BASE)
    for name in ("root", "tmp", "home/tester"):
        os.chown(bundle / "rootfs" / name, BASE + (1000 if "tester" in name else 0), BASE)
    bundle.chmod(0o755)
    bundle.parent.chmod(0o755)


@pytest.fixture
def run_mapped(run_both):
    def go(script, *edits, **options):
        def prepare(bundle):
            shift(bundle)
            user_namespace()(bundle)
            for edit in edits:
                edit(bundle)
        return run_both("/bin/bash", "-c", script, prepare=prepare, **options)
    return go


def test_what_the_container_sees(run_mapped):
    result = run_mapped("id; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; stat -c '%u %g %n' / /etc /root")
    assert f"         0     {BASE}      {SIZE}" in result.stdout


def test_files_belong_to_the_mapped_ids(run_mapped, scratch):
    run_mapped("""
umask 022
echo root >/data/root.$1; mkdir /data/d; touch /data/d/x
chown 1000:100 /data/root.
stat -c '%u %g' /data/root. /data/d
su tester -c 'echo mine >/data/d/y' 2>&1; echo $?
chown 1000 /data/d && su tester -c 'echo mine >/data/d/y; stat -c "%u %g %a" /data/d/y'
rm -r /data/d /data/root.
touch /data/last; chown 65535:65535 /data/last; stat -c '%u %g' /data/last; rm /data/last
""", mounts=[("/data", "bind", str(scratch), ["rbind"])])


def test_owner_on_the_host(run, scratch):
    result = run("/bin/sh", "-c", "touch /data/a; chown 33:34 /data/a; touch /data/b",
                 prepare=lambda b: (shift(b), user_namespace()(b)), mounts=[("/data", "bind", str(scratch), ["rbind"])])
    assert result.status == 0, str(result)
    found = {name: ((scratch / name).stat().st_uid, (scratch / name).stat().st_gid) for name in "ab"}
    assert found == {"a": (BASE + 33, BASE + 34), "b": (BASE, BASE)}


def test_ids_without_a_mapping(run_mapped, scratch):
    """Foreign files are nobody's, and nobody in there has a right to them; foreign ids are refused."""
    (scratch / "foreign").write_text("x")
    (scratch / "foreign").chmod(0o600)
    result = run_mapped("""
stat -c '%u %g' /data/foreign
cat /data/foreign 2>&1; chmod 644 /data/foreign 2>&1
touch /tmp/a; chown 70000 /tmp/a 2>&1; chown :70000 /tmp/a 2>&1
chown 70000 /dev/shm 2>&1
python3 - <<'END'
import os
for call in (lambda: os.setuid(70000), lambda: os.setgid(70000), lambda: os.setgroups([1, 70000]),
             lambda: os.setresuid(-1, 70000, -1), lambda: os.setregid(70000, -1), lambda: os.setgroups([5, 65535])):
    try:
        call()
        print("done", os.getgroups())
    except OSError as why:
        print(why)
END
""", mounts=[("/data", "bind", str(scratch), ["rbind"])])
    assert "Permission denied" in result.stdout and result.stdout.count("Invalid argument") >= 8


def test_several_extents(run_both):
    extents = [{"containerID": 0, "hostID": BASE, "size": 10}, {"containerID": 1000, "hostID": BASE + 5000, "size": 5}]

    def prepare(bundle):
        shift(bundle)
        user_namespace(extents, [{"containerID": 0, "hostID": BASE, "size": 3000}])(bundle)
    result = run_both("/bin/bash", "-c", "cat /proc/self/uid_map; touch /tmp/a; chown 1003 /tmp/a && stat -c %u /tmp/a; "
                      "chown 500 /tmp/a", prepare=prepare)
    assert "1003" in result.stdout and result.status == 1


def test_user_without_a_mapping(run):
    def prepare(bundle):
        shift(bundle)
        user_namespace()(bundle)
        edit_config(bundle, lambda data: data["process"].update(user={"uid": 70000, "gid": 0}))
    result = run("/bin/true", prepare=prepare)
    assert result.status == 1
    if RUNTIME != "runc":
        assert "process.user.uid: 70000 has no id in the container's user namespace" in result.stderr


@pytest.mark.parametrize("change,text", [
    (lambda l: l.pop("uidMappings"), "linux.uidMappings: a new user namespace needs mappings"),
    (lambda l: l["namespaces"].pop(), "linux.uidMappings: needs a user namespace"),
    (lambda l: l["uidMappings"].append({"containerID": 5, "hostID": 9, "size": 5}), "linux.uidMappings: cannot map"),
])
@pytest.mark.skipif(RUNTIME == "runc", reason="known: texts of callgate")
def test_mappings_that_make_no_sense(run, change, text):
    def prepare(bundle):
        user_namespace([dict(MAPPING[0])])(bundle)
        edit_config(bundle, lambda data: change(data["linux"]))
    result = run("/bin/true", prepare=prepare)
    assert result.status == 1 and text in result.stderr, str(result)


def test_namespace_by_path(run_both):
    """With a network namespace that belongs to it, as the containers of a pod have it."""
    holder = subprocess.Popen(["unshare", "-U", "-n", "-r", "sleep", "100"], stdin=subprocess.DEVNULL)
    try:
        place = pathlib.Path(f"/proc/{holder.pid}")
        wait_for(lambda: (place / "comm").read_text() == "sleep\n", what="the holder of the namespaces")

        def prepare(bundle):
            shift(bundle)
            os.chown(bundle / "rootfs", 0, 0)
            user_namespace([{"containerID": 0, "hostID": 0, "size": 1}], path=str(place / "ns/user"),
                           network=str(place / "ns/net"))(bundle)
            edit_config(bundle, lambda data: data["mounts"][2]["options"].remove("gid=5"))  # it has no id there
        result = run_both("/bin/bash", "-c", "cat /proc/self/uid_map /proc/self/setgroups; id -u; "
                          "ls /sys/class/net; python3 -c 'import os; os.setgroups([])' 2>&1 | tail -1", prepare=prepare)
        assert "deny" in result.stdout and "Operation not permitted" in result.stdout
    finally:
        holder.kill()
        holder.wait()


def test_new_network_namespace(run_mapped):
    """It belongs to the user namespace: its root may set it up."""
    def own_network(bundle):
        edit_config(bundle, lambda data: data["linux"].update(sysctl={"net.ipv4.ip_unprivileged_port_start": "80"}))
    result = run_mapped("cat /proc/sys/net/ipv4/ip_unprivileged_port_start; ip -br addr show lo | cut -c1-10; "
                        "(echo hello | nc -lN 127.0.0.1 99 & sleep 0.5; nc -N 127.0.0.1 99 </dev/null)", own_network)
    assert "80" in result.stdout and "hello" in result.stdout


def test_set_user_id_programs(run_mapped, scratch):
    """Those of a mapped user work, those of a foreign one give nothing."""
    shutil.copy2("/usr/bin/id", scratch / "ours")
    shutil.copy2("/usr/bin/id", scratch / "foreign")
    os.chown(scratch / "ours", BASE + 7, BASE + 8)
    for name in ("ours", "foreign"):
        (scratch / name).chmod(0o6755)
    result = run_mapped("/data/ours; /data/foreign", mounts=[("/data", "bind", str(scratch), ["rbind"])])
    assert "euid=7" in result.stdout.splitlines()[0] and "euid" not in result.stdout.splitlines()[1]


def test_sources_out_of_reach(run_both):
    """A bind mount's source may be where only the host's root can go."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as private:
        data = pathlib.Path(private, "data")
        data.mkdir()
        (data / "x").write_text("seen\n")

        def prepare(bundle):
            shift(bundle)
            user_namespace()(bundle)
        result = run_both("/bin/cat", "/data/x", prepare=prepare, mounts=[("/data", "bind", str(data), ["rbind"])])
        assert result.stdout == "seen\n"


def status_of(pid):
    return dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
                if ":\t" in line)


def guest_processes():
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.path.samefile(entry / "exe", BUILD / "guest-pv.elf"):
                found.append(int(entry.name))
        except OSError:
            continue
    return set(found)


@pytest.mark.skipif(RUNTIME == "runc", reason="known: runc has no guest processes")
def test_who_is_who_on_the_host(start):
    """The hypervisor is the container's root on the host, guest processes are somebody else, with no mapping."""
    before = guest_processes()
    container = start("/bin/sh", "-c", "echo up; exec sleep 100", prepare=lambda b: (shift(b), user_namespace()(b)))
    assert container.process.stdout.readline() == b"up\n", str(container.wait(5))
    guests = guest_processes() - before
    hypervisor = {int(status_of(pid)["PPid"]) for pid in guests} - guests
    assert guests and len(hypervisor) == 1
    hypervisor = hypervisor.pop()
    own = os.readlink(f"/proc/{hypervisor}/ns/user")
    assert own != os.readlink("/proc/self/ns/user")
    assert set(status_of(hypervisor)["Uid"].split()) == {str(BASE)}
    for pid in guests:
        assert os.readlink(f"/proc/{pid}/ns/user") not in (own, os.readlink("/proc/self/ns/user"))
        assert not pathlib.Path(f"/proc/{pid}/uid_map").read_text()
        assert set(status_of(pid)["Uid"].split()) == {str(BASE + 65534)}
        assert int(status_of(pid)["CapEff"], 16) == 0
    # by whoever started it: a hypervisor that is nobody on the host can't remove cgroup and state
    subprocess.run([*runtime_command(RUNTIME), "kill", container.id, "KILL"], check=True)
    container.wait(10)


@pytest.mark.skipif(RUNTIME == "runc", reason="known: runc has no guest processes")
def test_each_vm_is_another_user(start):
    users = []
    for _ in range(2):
        before = guest_processes()
        container = start("/bin/sh", "-c", "echo up; exec sleep 100")
        assert container.process.stdout.readline() == b"up\n", str(container.wait(5))
        uids = {uid for pid in guest_processes() - before for uid in status_of(pid)["Uid"].split()}
        assert len(uids) == 1 and int(min(uids)) >= 0x70000000
        users.append(uids.pop())
    assert users[0] != users[1]

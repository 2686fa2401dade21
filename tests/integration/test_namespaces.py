"""Namespaces that programs make inside a container: the same as under runc, without its seccomp profile."""

import pytest
from bundle import CAPABILITIES, edit_config

USER = "setpriv --reuid 1000 --regid 1000 --clear-groups --inh-caps=-all"


def powers(*more):
    """For prepare: the tests' usual capabilities and more."""
    def change(data):
        data["process"]["capabilities"] = {kind: CAPABILITIES + ["CAP_" + name for name in more]
                                           for kind in ("bounding", "effective", "permitted")}
    return lambda bundle: edit_config(bundle, change)


@pytest.fixture
def script(run_both):
    def go(text, **options):
        result = run_both("/bin/bash", "-c", "exec 2>&1; " + text, **options)
        assert result.status == 0 and result.stdout, str(result)
        return result.stdout
    return go


def test_root_of_a_user_namespace(script):
    out = script(f"""
        unshare -r id; unshare -U id; unshare -r cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups
        {USER} unshare -r bash -c '
            id; grep -E "^(Uid|Gid|Groups|Cap|NoNewPrivs)" /proc/self/status
            touch /tmp/mine; stat -c "%u %g" /tmp/mine /etc/passwd; chown 0:0 /tmp/mine && echo chown
            chown 5 /tmp/mine; chown 0 /etc/passwd; hostname other; cat /etc/shadow; id -u; rm /tmp/mine'
        {USER} unshare -c id
        {USER} unshare -r unshare -r --map-user=7 id""")
    assert out.startswith("uid=0(root) gid=0(root) groups=0(root)\nuid=65534(nobody)")


def test_without_a_user_namespace_only_the_administrator_may(script):
    kinds = "for kind in m u i n p C; do {} unshare -$kind true && echo $kind; done; true"
    script(kinds.format(""))
    script(kinds.format(USER), prepare=powers("SYS_ADMIN"))
    assert "i\nn\np\nC\n" in script("for kind in u i n p C; do unshare -$kind true && echo $kind; done; true",
                                    prepare=powers("SYS_ADMIN"))


def test_processes_of_a_pid_namespace(script):
    out = script("""
        unshare -Upf bash -c '
            echo $$ $PPID; (sleep 0.1; echo child $BASHPID) & wait
            kill -9 $$; kill -TERM $$; echo alive
            trap "echo term" TERM; kill -TERM $$
            (bash -c "until [ \\$(ps -o ppid= \\$\\$ 2>/dev/null || awk \\"{print \\\\\\$4}\\" /proc/self/stat) != x ]; do :; done; sleep 0.2; echo orphan" &)
            sleep 0.5; exit 3'
        echo $?
        unshare -Upf --kill-child bash -c 'sleep 1000 & sleep 1000 & exit 5'; echo $?; pgrep -c sleep; true""")
    assert out.startswith("1 0\nchild ") and "alive\nterm\n" in out and out.endswith("5\n0\n")


def test_numbers_are_shown_by_level(script):
    out = script("""unshare -Upf bash -c 'sleep 1000; :' 2>/dev/null & until pid=$(pgrep -x sleep); do sleep 0.1; done
        grep -E '^NS(pid|tgid)' /proc/$pid/status | awk '{ print NF, $NF }'
        [ $(readlink /proc/$pid/ns/pid) != $(readlink /proc/self/ns/pid) ] && echo other; kill $pid""")
    assert out.startswith("3 2\n3 2\nother\n")


def test_names(script):
    out = script("""hostname before; unshare -Uru bash -c 'hostname; hostname inside; uname -n; cat /proc/sys/kernel/hostname'
        hostname; cat /proc/sys/kernel/hostname""", prepare=powers("SYS_ADMIN"))
    assert out == "before\ninside\ninside\nbefore\nbefore\n"


def test_system_v_ipc(script):
    out = script("""ipcmk -Q >/dev/null; ipcmk -M 4096 >/dev/null; ipcs -q | grep -c 0x; ipcs -m | grep -c 0x
        unshare -Uri bash -c 'ipcs -q | grep -c 0x; ipcmk -S 3 >/dev/null; ipcs -s | grep -c 0x'
        ipcs -s | grep -c 0x; true""")
    assert out == "1\n1\n0\n1\n0\n"


def test_a_network_namespace_has_no_network(script):
    out = script(f"""
        {USER} unshare -rn bash -c '
            ip -o link | cut -d" " -f1-3; ip addr | grep -c inet; ip link set lo up && ip -o addr | awk "{{ print \\$2, \\$4 }}"
            ip link add dummy0 type dummy || echo none; cat /proc/net/tcp | grep -c 0100007F
            (exec 3<>/dev/tcp/192.0.2.1/80) || echo unreachable; ls /proc/sys/net | grep -c ipv4'""".replace(
                "ip link add dummy0 type dummy || echo none; ", ""))
    assert "unreachable" in out and "lo 127.0.0.1/8\n" in out


def test_abstract_names(script):
    code = """
import os, socket
def bind():
    s = socket.socket(socket.AF_UNIX); s.bind(b"\\0name"); s.listen(); return s
here = bind()
try: bind()
except OSError as e: print(e)
os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNET) if hasattr(os, "unshare") else __import__("ctypes").CDLL(None).unshare(0x50000000)
try: socket.socket(socket.AF_UNIX).connect(b"\\0name")
except OSError as e: print(e)
there = bind(); socket.socket(socket.AF_UNIX).connect(b"\\0name"); print("own")
"""
    assert script(f"python3 -c '{code}'").endswith("Connection refused\nown\n")


def test_nsenter(script):
    out = script(f"""
        {USER} unshare -Urun bash -c 'hostname inner; exec sleep 100' & sleep 0.1
        until pid=$(pgrep -x sleep) && [ $(nsenter -u -U -t $pid hostname 2>/dev/null) = inner ]; do sleep 0.1; done
        nsenter -U -u -n -t $pid bash -c 'hostname; id -u; ip -o link | wc -l'
        nsenter -u -t $pid hostname; {USER} nsenter -u -t $pid hostname; {USER} nsenter -U -u -t $pid --preserve-credentials hostname
        for kind in user uts net ipc; do
            [ $(readlink /proc/$pid/ns/$kind) = $(readlink /proc/self/ns/$kind) ] && echo same || echo other
        done; kill $pid""", prepare=powers("SYS_ADMIN", "SYS_PTRACE"))
    assert out.startswith("inner\n0\n1\n") and out.endswith("other\nother\nother\nsame\n")


def test_lsns(script):
    out = script("""unshare -Urup --fork bash -c 'sleep 100; :' 2>/dev/null & until pgrep -x sleep >/dev/null; do sleep 0.1; done
        lsns -nlo TYPE,NPROCS,COMMAND | grep -v -e lsns -e 'exec 2' | sort; pkill sleep; true""")
    assert "user        3 unshare" in out and "uts         3 unshare" in out and "pid         2 bash" in out


def test_procfs_of_a_pid_namespace(script):
    out = script(f"""
        {USER} unshare -Urpf --mount-proc bash -c 'ps ax -o pid= -o ppid= -o comm= | tr -s " "; ls -d /proc/[0-9]*; grep -E "^(Pid|PPid|NSpid)" /proc/self/status'
        {USER} unshare -Urpf --mount-proc bash -c 'unshare -Upf --mount-proc bash -c "readlink /proc/self; ps ax | wc -l"; pgrep -c bash'
        {USER} unshare -Urpf bash -c 'readlink /proc/self | wc -l; mount -t proc proc /proc; ls -d /proc/self'""")
    assert " 1 0 bash\n" in out and "Pid:\t1\nPPid:\t0\nNSpid:\t1\n" in out


def test_loopback_of_a_network_namespace(script):
    out = script(f"""
        cd /tmp; echo page >index; {USER} unshare -rn bash -c '
            curl -s http://127.0.0.1:8123/index; echo $?; ip link set lo up
            python3 -m http.server 8123 >/dev/null 2>&1 & server=$!
            until curl -s http://localhost:8123/index; do sleep 0.2; done
            curl -s http://[::1]:8123/index || echo $?; curl -s http://192.0.2.1:8123/; echo $?
            kill $server'
        curl -s http://127.0.0.1:8123/index || echo outside""")
    assert out.startswith("7\npage\n") and out.endswith("outside\n")


def test_ip_netns(script):
    out = script("""mkdir -p /run/netns; ip netns add blue && ip netns list; ip netns exec blue ip -o link | wc -l
        ip netns exec blue ip link set lo up; ip -n blue -o addr show lo | wc -l; grep -c ' - nsfs nsfs ' /proc/self/mountinfo
        ip netns exec blue bash -c 'ip netns identify $$; readlink /proc/self/ns/net' | sed s/[0-9]*// | cut -c1-5
        touch /run/name; unshare --uts=/run/name hostname kept; nsenter --uts=/run/name hostname; umount /run/name
        ip netns del blue; ls /run/netns | wc -l; ip netns exec blue true || echo gone""",
                 prepare=powers("SYS_ADMIN", "NET_ADMIN"))
    assert out.startswith("blue\n1\n2\n") and "kept\n" in out

"""What programs see of the network: netlink, sock_diag, /proc/net, /sys/class/net, in a namespace with real interfaces."""

import re
import subprocess

import pytest
from box import both
from bundle import wait_for
from test_network import free_port


@pytest.fixture
def veth():
    """A namespace with lo and one end of a veth pair: (path, add(name): a further interface)."""
    name = f"cgview{free_port()}"

    def ip(*words):
        subprocess.run(["ip", "-n", name, *words], check=True)

    subprocess.run(["ip", "netns", "add", name], check=True)
    ip("link", "set", "lo", "up")
    ip("link", "add", "v0", "type", "veth", "peer", "name", "v1")
    ip("addr", "add", "198.51.100.5/24", "brd", "+", "dev", "v0")
    ip("addr", "add", "2001:db8:5::5/64", "dev", "v0", "nodad")
    ip("link", "set", "v1", "up")
    ip("link", "set", "v0", "up")
    ip("route", "add", "default", "via", "198.51.100.1")

    def add(interface):
        ip("link", "add", interface, "type", "veth", "peer", "name", interface + "p")
        ip("link", "set", interface + "p", "up")
        ip("addr", "add", "203.0.113.9/24", "dev", interface)
        ip("link", "set", interface, "up")

    yield f"/var/run/netns/{name}", add
    subprocess.run(["ip", "netns", "del", name], check=True)


NO_COUNTERS = "sed -E 's/(valid_life_time|preferred_life_time)\":[0-9]+/\\1/g'"
VIEWS = {
    "ip": f"ip -j addr | {NO_COUNTERS}; ip -br link | sort; ip route; ip -6 route | sort; ip -4 route get 203.0.113.1; ip rule; "
          "ip neigh; ip -o link show v0 | cut -d: -f2; ip link show none 2>&1; echo $?; ip maddr show dev lo | head -2",
    "changes-are-refused": "ip link set lo down 2>/dev/null; echo $?; ip route add 192.0.2.0/24 dev v0 2>/dev/null; echo $?; "
                           "ip addr add 192.0.2.1/24 dev v0 2>/dev/null; echo $?; ip link | grep -c UP",
    "python": "python3 -c 'import socket as s; print(s.if_nameindex(), s.if_nametoindex(\"v0\"), s.if_indextoname(1))\n"
              "print(sorted(set(a[4][0] for a in s.getaddrinfo(\"localhost\", 80))))'",
    "old-tools": "ifconfig v0 | grep -v packets | grep -v bytes; route -n; netstat -rn | tail -2; arp -n; hostname -I",
    "files": "cd /proc/net; for f in tcp tcp6 udp udp6 raw raw6 icmp icmp6 dev route if_inet6 ipv6_route snmp snmp6 netstat sockstat sockstat6 "
             "arp igmp unix netlink packet protocols fib_trie; do printf '%s ' $f; test -r $f && head -1 $f | tr -s ' ' | cut -c1-12; done; "
             "cut -d: -f1 dev | tr -d ' ' | sort; cut -f1-3 route; awk '{ print $1, $NF }' if_inet6 | sort",
    "sysfs": "cd /sys/class/net; ls; for i in lo v0; do for f in address addr_len broadcast carrier flags ifindex iflink mtu operstate "
             "tx_queue_len type; do printf '%s ' $i $f; cat $i/$f; done; ls $i/statistics; done; cat v0/statistics/tx_errors",
}


@pytest.mark.parametrize("name", VIEWS)
def test_view(run_script, veth, name):
    path, _ = veth
    run_script(VIEWS[name], network=path)


@both
def test_sockets_and_their_processes(box, veth, runtime):
    """ss, netstat and lsof know the processes of TCP, UDP and unix sockets, listening, connected and inherited."""
    path, _ = veth
    servers = ("nc -lk 198.51.100.5 4001 & nc -u -l 198.51.100.5 4002 & nc -6 -l 2001:db8:5::5 4003 & nc -lkU /tmp/sock & "
               "until ss -Hxl | grep -q /tmp/sock && [ $(ss -Hltn | wc -l) = 2 ]; do sleep 0.05; done; "
               "sleep 1000 | nc 198.51.100.5 4001 & touch /tmp/ready; wait")
    there = box(runtime, ("/bin/sh", "-c", servers), network=path)
    wait_for(lambda: there.exec("test", "-e", "/tmp/ready").returncode == 0, what="the servers")
    wait_for(lambda: there.sh("ss -Htnp state established | grep -c nc").strip() == "2", what="a connection")
    listening = there.sh("ss -Htnlp; ss -Hunlp; ss -Hxlp")
    for place in ("198.51.100.5:4001", "198.51.100.5:4002", "[2001:db8:5::5]:4003", "/tmp/sock"):
        line = [each for each in listening.splitlines() if place in each]
        assert len(line) == 1 and 'users:(("nc",pid=' in line[0], listening
        pid = re.search(r"pid=(\d+)", line[0])[1]
        assert there.sh(f"cat /proc/{pid}/comm") == "nc\n"
    assert there.sh("ss -Htn state established '( dport = :4001 )' | wc -l").strip() == "1"  # filtered by the kernel
    assert len(there.sh("netstat -tnp 2>/dev/null | grep '/nc'").splitlines()) == 2
    assert len(there.sh("lsof -nP -i :4001 | grep -v COMMAND").splitlines()) == 3
    inode = there.sh("awk '$2 ~ /:0FA1$/ && $4 == \"0A\" { print $10 }' /proc/net/tcp").strip()
    assert there.sh(f"ls -l /proc/*/fd 2>/dev/null | grep -c 'socket:.{inode}.'").strip() == "1"


@both
def test_interface_that_comes_later(box, veth, runtime):
    path, add = veth
    there = box(runtime, network=path)
    before = there.sh("ls /sys/class/net; ip -br addr | cut -d' ' -f1")
    assert "late0" not in before
    watcher = there.start("timeout", "20", "ip", "monitor", "link")
    try:
        wait_for(lambda: there.sh("cat /proc/*/comm | grep -cx ip || true").strip() == "1", what="ip monitor")
        # Until it listens for changes nobody can tell; those that come later are seen in any case.
        add("late0")
        assert "late0" in there.sh("ls /sys/class/net") and "late0" in there.sh("cat /proc/net/dev")
        assert "203.0.113.9/24" in there.sh("ip -br addr") and there.sh("cat /sys/class/net/late0/mtu") == "1500\n"
        assert there.sh("ip route get 203.0.113.77 | head -1").split()[:3] == ["203.0.113.77", "dev", "late0"]
        assert there.exec("ping", "-c1", "-W5", "203.0.113.9").returncode == 0
    finally:
        watcher.kill()
        watcher.communicate()


PAIRS = """
import os, socket, time
listener = socket.socket(socket.AF_UNIX); listener.bind("/tmp/listener"); listener.listen(7)
client = socket.socket(socket.AF_UNIX); client.connect("/tmp/listener")
accepted, _ = listener.accept()
waiting = socket.socket(socket.AF_UNIX); waiting.connect("/tmp/listener")
pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
seq = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
abstract = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); abstract.bind("\\0hidden")
client.send(b"unread")
print("up", flush=True)
time.sleep(1000)
"""


@both
def test_unix_sockets_and_their_peers(box, runtime):
    """ss -xp asks sock_diag: names, peers, queues, states and processes."""
    there = box(runtime, ("/usr/bin/python3", "-c", PAIRS))
    assert there.container.process.stdout.readline() == b"up\n"
    rows = [line.split() for line in there.sh("ss -Hxpan").splitlines() if '"python3"' in line or "listener" in line]
    numbers = {row[5]: row for row in rows}
    by_name = {}
    for row in rows:
        by_name.setdefault(row[4], []).append(row)
    listener = next(row for row in by_name["/tmp/listener"] if row[1] == "LISTEN")
    accepted = next(row for row in by_name["/tmp/listener"] if row[1] == "ESTAB")
    assert listener[2:4] == ["1", "7"] and "pid=1,fd=3" in listener[8]
    client = numbers[accepted[7]]
    assert client[4] == "*" and client[7] == accepted[5] and accepted[2] == "6" and int(client[3]) > 0
    assert by_name["@hidden"][0][0] == "u_dgr" and by_name["@hidden"][0][1] == "UNCONN"
    for kind in ("u_dgr", "u_seq"):
        one, other = (row for row in rows if row[0] == kind and row[4] == "*")
        assert (one[7], other[7]) == (other[5], one[5]) and one[1] == "ESTAB"
    only = there.sh("ss -Hxln")
    assert "/tmp/listener" in only and "ESTAB" not in only and "@hidden" in there.sh("ss -Hxan | grep UNCONN")
    assert there.sh("ss -xne | grep -c 'uid:\\|-->\\|<->'").strip() != ""


@both
def test_waiting_for_changes(box, veth, runtime):
    """Who has subscribed is woken: in recv(), in poll() and in an epoll that had the socket before."""
    path, add = veth
    script = """
import select, socket, sys
ways = []
for i in range(3):
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    ways.append(s)
ep = select.epoll(); ep.register(ways[2], select.EPOLLIN | select.EPOLLET)
for s in ways[:2]: s.bind((0, 1))
ways[2].bind((0, 0)); ways[2].setsockopt(270, 1, 1)
print("ready", flush=True)
p = select.poll(); p.register(ways[1], select.POLLIN)
print(p.poll(30000) == [(ways[1].fileno(), select.POLLIN)], len(ways[1].recv(4096)) > 32)
print(ep.poll(30) == [(ways[2].fileno(), select.EPOLLIN)], len(ways[2].recv(4096)) > 32)
while True:
    try: ways[0].recv(4096, socket.MSG_DONTWAIT)
    except BlockingIOError: break
print("again", flush=True)
print(len(ways[0].recv(4096)) > 32)
"""
    there = box(runtime, network=path)
    process = there.start("python3", "-u", "-c", script)
    try:
        assert process.stdout.readline() == b"ready\n"
        add("late1")
        assert [process.stdout.readline() for _ in range(3)] == [b"True True\n"] * 2 + [b"again\n"]
        add("late2")
        assert process.stdout.readline() == b"True\n"
    finally:
        process.kill()
        process.communicate()


def test_sock_diag_ends_nothing(box, veth):
    """SOCK_DESTROY, which ss -K sends, is no question."""
    path, _ = veth
    there = box(args=("/bin/sh", "-c", "nc -lk 198.51.100.5 4001 & sleep 1000 | nc 198.51.100.5 4001"), network=path)
    count = "ss -Htn state established | wc -l"
    wait_for(lambda: there.sh(count).strip() == "2", what="a connection")
    there.exec("ss", "-K", "dst", "198.51.100.5")
    assert there.sh(count).strip() == "2"

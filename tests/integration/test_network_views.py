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


def test_sock_diag_ends_nothing(box, veth):
    """SOCK_DESTROY, which ss -K sends, is no question."""
    path, _ = veth
    there = box(args=("/bin/sh", "-c", "nc -lk 198.51.100.5 4001 & sleep 1000 | nc 198.51.100.5 4001"), network=path)
    count = "ss -Htn state established | wc -l"
    wait_for(lambda: there.sh(count).strip() == "2", what="a connection")
    there.exec("ss", "-K", "dst", "198.51.100.5")
    assert there.sh(count).strip() == "2"

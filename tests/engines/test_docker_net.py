"""Docker's networks: set up by the engine between create and start, used through the guest kernel."""

import pytest

from bundle import wait_for
from engine import RUNTIME

WEB = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{os.uname().nodename} {self.client_address[0]} {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("0.0.0.0", 80), Handler).serve_forever()
"""


def web(docker, name, *options):
    docker.up("python3", "-c", WEB, options=["--name", name, "--hostname", name, *options])


def fetch(docker, url, container=None):
    """What a URL answers, from the host (of the cell) or from a new container."""
    curl = ["curl", "-fsS", "--max-time", "5", "--retry", "10", "--retry-all-errors",
            "--retry-delay", "1", url]
    return str(docker.box(*curl, options=container) if container is not None
               else docker.cell.run(*curl))


def address(docker, name, network="bridge"):
    return docker.inspect(name)["NetworkSettings"]["Networks"][network]["IPAddress"]


def test_published_port(docker):
    web(docker, "web", "-p", "127.0.0.1:8080:80", "-p", "8081:80")
    assert fetch(docker, "http://127.0.0.1:8080/a").startswith("web ")
    assert fetch(docker, "http://10.213.0.1:8081/b").endswith(" /b")
    assert "127.0.0.1:8080" in str(docker("port", "web", "80")).splitlines()


def test_published_udp_port(docker):
    server = ("import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(('', 53))\n"
              "while True: d, a = s.recvfrom(99); s.sendto(d.upper(), a)")
    docker.up("python3", "-c", server, options=["--name", "udp", "-p", "5353:53/udp"])
    client = ("import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.settimeout(1)\n"
              "s.connect(('127.0.0.1', 5353)); s.send(b'ask'); print(s.recv(99))")
    wait_for(lambda: str(docker.cell.run("python3", "-c", client, check=False)) == "b'ASK'")


def test_between_containers(docker):
    web(docker, "web")
    answer = fetch(docker, f"http://{address(docker, 'web')}/c", []).split()
    assert answer[0] == "web" and answer[1].startswith("10.213.0.") and answer[2] == "/c"


def test_bridge_addresses(docker):
    docker.up("sleep", "1000", options=["--name", "there", "--init"])
    output = docker("exec", "there", "ip", "-4", "-o", "addr", "show", "eth0")
    assert f"inet {address(docker, 'there')}/24" in output.stdout
    assert "default via 10.213.0.1" in docker("exec", "there", "ip", "route").stdout
    assert address(docker, "there") in docker("exec", "there", "cat", "/etc/hosts").stdout


def test_network_none(docker):
    output = docker.script("ip -o link | wc -l; curl -s --max-time 2 http://10.213.0.1 || echo $?",
                           ["--network", "none"])
    assert str(output) == "1\n7"


def test_network_host(docker):
    web(docker, "web", "--network", "host")
    assert fetch(docker, "http://127.0.0.1:80/host") .endswith(" 127.0.0.1 /host")
    links = docker.box("ls", "/sys/class/net", options=["--network", "host"])
    assert "docker0" in links.stdout


def test_network_of_a_container(docker):
    web(docker, "web", "-p", "8080:80")
    assert fetch(docker, "http://127.0.0.1/d", ["--network", "container:web"]) == "web 127.0.0.1 /d"
    # The other way round: the network's owner does nothing, the one that joins serves.
    docker.up("sleep", "1000", options=["--name", "owner", "--init", "-p", "8081:80"])
    docker.up("python3", "-c", WEB, options=["--name", "joins", "--network", "container:owner"])
    assert fetch(docker, "http://127.0.0.1:8081/e").endswith(" /e")


def test_embedded_dns(docker):
    docker("network", "create", "town")
    web(docker, "web", "--network", "town", "--network-alias", "www")
    assert fetch(docker, "http://web/f", ["--network", "town"]).startswith("web ")
    assert fetch(docker, "http://www/g", ["--network", "town"]).startswith("web ")
    output = docker.script("cat /etc/resolv.conf; getent hosts web", ["--network", "town"])
    assert "nameserver 127.0.0.11" in output.stdout
    assert address(docker, "web", "town") in output.stdout
    assert "10.9.9.9" in docker.script("getent hosts outside.test", ["--network", "town"]).stdout
    assert docker.script("getent hosts nobody", ["--network", "town"], check=False).status == 2


def test_connect_and_disconnect(docker):
    docker("network", "create", "town")
    docker.up("sleep", "1000", options=["--name", "moves", "--init"])
    docker("network", "connect", "town", "moves")
    links = docker("exec", "moves", "ip", "-o", "link").stdout
    assert "eth0" in links and "eth1" in links
    docker("network", "disconnect", "bridge", "moves")
    assert "eth0" not in docker("exec", "moves", "ip", "-o", "link").stdout


APPLICATION = """
import http.server, socket
def ask(*words):
    with socket.create_connection(("store", 6379), 10) as s:
        s.sendall(b"*%d\\r\\n" % len(words) + b"".join(b"$%d\\r\\n%s\\r\\n" % (len(w), w) for w in words))
        return s.recv(100)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            count = ask(b"INCR", b"visits").strip(b":\\r\\n")
            int(count)  # "-LOADING ...": not yet
        except (OSError, ValueError):
            self.send_error(503)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"visit " + count)
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"""


def test_two_services(docker):
    """What compose would start: a web server, and redis with its data on a volume."""
    docker("network", "create", "shop")
    redis = ["--name", "shop-store", "--network", "shop", "--network-alias", "store",
             "-v", "shop-data:/data", "-u", "1000:1000", "-w", "/data/own", "--restart", "unless-stopped"]
    docker.script("mkdir /data/own; chown 1000:1000 /data/own", ["-v", "shop-data:/data"])
    docker.up("redis-server", "--bind", "0.0.0.0", "--protected-mode", "no", "--appendonly", "yes",
              options=redis)
    docker.up("python3", "-c", APPLICATION,
              options=["--name", "shop-web", "--network", "shop", "-p", "8000:8000", "--read-only"])
    for visit in (1, 2, 3):
        assert fetch(docker, "http://127.0.0.1:8000/") == f"visit {visit}"
    docker("restart", "-t", "20", "shop-store")
    assert fetch(docker, "http://127.0.0.1:8000/") == "visit 4"


def test_shared_processes(docker):
    """Two guests cannot share processes: refused by name, not ignored."""
    docker.up("sleep", "1000", options=["--name", "one", "--init"])
    output = docker.box("true", options=["--pid", "container:one"], check=False)
    if RUNTIME == "runc":
        assert output.status == 0
    else:
        assert output.status == 125 and "pid" in output.stderr, output.describe()


def test_shared_ipc(docker):
    """Of IPC it is /dev/shm that is shared."""
    docker.up("/bin/bash", "-c", "echo here >/dev/shm/file; exec sleep 1000",
              options=["--name", "one", "--init", "--ipc", "shareable"])
    wait_for(lambda: docker.script("cat /dev/shm/file", options=["--ipc", "container:one"],
                                   check=False).stdout == "here\n")

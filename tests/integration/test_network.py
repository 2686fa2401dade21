"""redis, curl and python's http.server, from inside and from the host, on loopback."""

import http.server
import socket
import subprocess
import threading
import urllib.request

import pytest
from bundle import wait_for


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connects(port, host="127.0.0.1"):
    try:
        socket.create_connection((host, port), timeout=1).close()
        return True
    except OSError:
        return False


def answers(container, port):
    """The server listens; or an assertion if its container has ended."""
    def ready():
        assert container.process.poll() is None, str(container.wait(1))
        return connects(port)
    wait_for(ready, 20, f"a listener on port {port}")


@pytest.fixture
def host_server(tmp_path):
    """An http server on the host's loopback: its port; /data is 3 MB, POST echoes."""
    body = bytes(range(256)) * 12000

    class Handler(http.server.BaseHTTPRequestHandler):
        def reply(self, data):
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self):
            self.reply(body if self.path == "/data" else b"hello from the host\n")

        def do_POST(self):
            self.reply(self.rfile.read(int(self.headers["Content-Length"]))[::-1])

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def test_curl_to_host(run_script, host_server):
    url = f"http://127.0.0.1:{host_server}"
    result = run_script(f"curl -sS {url}/; curl -sS {url}/data | sha256sum; "
                        f"head -c 500000 /dev/zero | curl -sS --data-binary @- {url}/ | wc -c")
    assert "hello from the host" in result.stdout


def test_curl_parallel(run_script, host_server):
    urls = " ".join(f"http://127.0.0.1:{host_server}/{n} -o /tmp/o{n}" for n in range(20))
    run_script(f"curl -sS -Z {urls} && cat /tmp/o* | sort | uniq -c")


def test_refused_and_timeout(run_script):
    run_script(f"curl -sS http://127.0.0.1:{free_port()}/ >/dev/null 2>&1; echo $?; "
               "curl -sS http://no.such.host.invalid/ >/dev/null 2>&1; echo $?")


def test_http_server_from_host(start):
    port = free_port()
    server = start("/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", str(port),
                   cwd="/etc")
    answers(server, port)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/debian_version", timeout=10) as reply:
        assert reply.read().startswith(b"12")
    results = subprocess.run(
        ["curl", "-sSZ"] + [f"http://127.0.0.1:{port}/passwd"] * 20, stdin=subprocess.DEVNULL,
        capture_output=True, timeout=30, check=False)
    assert results.returncode == 0 and results.stdout.count(b"root:x:0:0") == 20
    server.kill()


def test_server_over_ipv6(start):
    port = free_port()
    server = start("/usr/bin/python3", "-m", "http.server", "--bind", "::1", str(port), cwd="/etc")
    wait_for(lambda: connects(port, "::1"), 20, "a listener on ::1")
    server.kill()


REDIS = "redis-server --port {port} --bind 127.0.0.1 --save '' --appendonly {aof} --dir /tmp --daemonize {daemon}"


def test_redis_inside(run_script):
    port = free_port()
    run_script(
        REDIS.format(port=port, aof="yes", daemon="yes") + " >/dev/null; "
        f"c='redis-cli -p {port}'; until $c ping 2>/dev/null | grep -q PONG; do sleep 0.05; done; "
        "$c set k v; $c get k; for i in $(seq 200); do echo INCR n; done | $c | tail -1; "
        "$c eval 'return #redis.call(\"keys\", \"*\")' 0; seq 1000 | sed 's/^/LPUSH l /' | $c --pipe 2>&1 | tail -1; "
        "$c llen l; $c bgsave; until $c info persistence | grep -q 'rdb_bgsave_in_progress:0'; do sleep 0.05; done; "
        "$c info persistence | grep -o 'rdb_last_bgsave_status:ok'; stat -c %F /tmp/dump.rdb; "
        "$c shutdown nosave; wait; echo down", timeout=40)


def test_redis_from_host(start):
    port = free_port()
    server = start("/bin/sh", "-c", "exec " + REDIS.format(port=port, aof="no", daemon="no"))
    answers(server, port)
    cli = ["redis-cli", "-p", str(port)]
    for args, want in ((["set", "a", "1"], "OK"), (["incr", "a"], "2"), (["get", "a"], "2")):
        out = subprocess.run(cli + args, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                             timeout=10, check=True).stdout.strip()
        assert out == want
    bench = subprocess.run(
        ["redis-benchmark", "-p", str(port), "-n", "20000", "-c", "50", "-t", "get,set", "-q"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True).stdout
    assert bench.count("requests per second") == 2
    result = server.terminate()
    assert result.status in (0, 143), str(result)


CASES = {
    "netcat": "nc -l -N 127.0.0.1 {port} </etc/debian_version >/tmp/got & until ss -ltn | grep -q :{port}; do sleep 0.05; done; "
              "echo request | nc -N 127.0.0.1 {port}; wait; cat /tmp/got",
    "netcat-udp": "timeout 20 nc -u -l -W1 127.0.0.1 {port} >/tmp/got & until ss -lun | grep -q :{port}; do sleep 0.05; done; "
                  "echo datagram | timeout 1 nc -u -w1 127.0.0.1 {port}; wait; cat /tmp/got",
    "netcat-unix": "nc -l -N -U /tmp/s >/tmp/got & until [ -S /tmp/s ]; do sleep 0.05; done; echo unix | nc -N -U /tmp/s; wait; cat /tmp/got",
    "bash-tcp": "nc -l -N 127.0.0.1 {port} <<<reply >/tmp/got & until ss -ltn | grep -q :{port}; do sleep 0.05; done; "
                "exec 3<>/dev/tcp/127.0.0.1/{port}; cat <&3; echo sent >&3; exec 3>&-; wait; cat /tmp/got",
    "ip-addr": "ip -o addr show lo | awk '{{ print $2, $3, $4 }}'; ip -o link | cut -d: -f2",
    "resolver": "getent hosts localhost; getent passwd root; getent services http; cat /etc/hosts",
    "big-stream": "python3 -c 'import socket, threading, hashlib\n"
                  "s = socket.create_server((\"127.0.0.1\", 0)); h = hashlib.sha1(); n = 0\n"
                  "def send():\n c = socket.create_connection(s.getsockname())\n for i in range(2000): c.sendall(bytes([i % 251]) * 65536)\n c.close()\n"
                  "t = threading.Thread(target=send); t.start(); c, _ = s.accept()\n"
                  "while b := c.recv(1 << 20): h.update(b); n += len(b)\n"
                  "t.join(); print(n, h.hexdigest())'",
    "python-http-both-inside": "cd /etc; python3 -m http.server --bind 127.0.0.1 {port} >/dev/null 2>&1 & p=$!; "
                               "until curl -s http://127.0.0.1:{port}/ >/dev/null; do sleep 0.05; done; "
                               "for i in 1 2 3 4 5; do curl -s http://127.0.0.1:{port}/passwd | md5sum; done; kill $p; wait $p; echo $?",
}


@pytest.mark.parametrize("name", CASES)
def test_network(run_script, name):
    run_script(CASES[name].format(port=free_port()), timeout=40)


@pytest.fixture
def namespace():
    """A network namespace made for one test: (path, run in it)."""
    name = f"cgtest{free_port()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
    yield f"/var/run/netns/{name}", ["ip", "netns", "exec", name]
    subprocess.run(["ip", "netns", "del", name], check=True)


def test_own_network_namespace(run_script, namespace):
    path, _ = namespace
    result = run_script("ip -o link | cut -d: -f2; ip -o -4 addr | awk '{ print $2, $4 }'; "
                        "curl -s --max-time 2 http://192.0.2.1/; echo $?", network=path)
    assert result.stdout.split("\n")[0].strip() == "lo"


def test_server_in_namespace(start, namespace):
    path, inside = namespace
    server = start("/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", "8000",
                   cwd="/etc", network=path)
    fetch = inside + ["curl", "-sS", "http://127.0.0.1:8000/debian_version"]

    def fetched():
        assert server.process.poll() is None, str(server.wait(1))
        return subprocess.run(fetch, stdin=subprocess.DEVNULL, capture_output=True,
                              check=False).stdout.startswith(b"12")
    wait_for(fetched, 20, "an answer")
    assert not connects(8000)  # not in the host's namespace
    server.kill()

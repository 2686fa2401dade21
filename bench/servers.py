"""Benchmarks of servers that run in a container; their clients run natively, the same ones for all.

start(args, **options of the configuration) is a context manager: a running server, as (process, id).
"""

import contextlib
import json
import pathlib
import re
import resource
import socket
import subprocess
import time

NAMES = ("redis_get", "redis_set", "redis_p16", "memcached", "nginx_small", "nginx_1m", "pgbench", "iperf3_stream")
CONNECTIONS = 10000
FILES = CONNECTIONS + 200
NGINX = """mkdir -p /tmp/www; seq 100 >/tmp/www/small; head -c 1M /dev/zero >/tmp/www/large; cat >/tmp/conf <<END
daemon off; worker_processes 1; pid /tmp/pid; error_log /dev/null; events {{ worker_connections 1024; }}
http {{ access_log off; sendfile on; keepalive_requests 1000000000;
server {{ listen 127.0.0.1:{port} backlog=1024; root /tmp/www; }} }}
END
exec nginx -c /tmp/conf"""
POSTGRES = """export PATH=$PATH:/usr/lib/postgresql/15/bin; mkdir -p /tmp/pg; chown postgres /tmp/pg; cd /tmp/pg; rm -rf data
runuser -u postgres -- env PATH="$PATH" initdb -D data -A trust --no-sync >/dev/null
exec runuser -u postgres -- env PATH="$PATH" postgres -D data -p {port} -k /tmp/pg -h 127.0.0.1 -c fsync=off"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(process, port, seconds=20):
    for _ in range(seconds * 50):
        if process.poll() is not None:
            raise RuntimeError(f"the server has ended with status {process.returncode}")
        sockets = pathlib.Path("/proc/net/tcp").read_text().splitlines()
        if any(line.split()[1:4] == [f"0100007F:{port:04X}", "00000000:0000", "0A"] for line in sockets):
            return
        time.sleep(0.02)
    raise RuntimeError("the server does not listen")


def client(root, *args, seconds=60):
    """What a program of the root file system prints, natively."""
    done = subprocess.run(["chroot", root, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=seconds, check=False)
    if done.returncode:
        raise RuntimeError((done.stderr or done.stdout).strip()[-300:])
    return done.stdout


def found(pattern, text):
    match = re.search(pattern, text)
    if not match:
        raise RuntimeError(f"no figure in: {text.strip()[-200:]}")
    return float(match.group(1))


# --- what is served: name -> (arguments of the server, what a client of it measures) ----------------

def redis_server(port):
    return ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", "/tmp"]


def redis_client(command, percent, pipeline=1):
    def run(root, port):
        out = client(root, "redis-benchmark", "-p", str(port), "-q", "-c", "50", "-n", str(1000 * percent * pipeline),
                     "-P", str(pipeline), "-t", command)
        return found(rf"{command.upper()}: ([0-9.]+) requests per second", out) / 1000
    return run


def memcslap(percent):
    def run(root, port):
        times = 80 * percent
        out = client(root, "memcslap", "-s", f"127.0.0.1:{port}", "-c", "16", "-e", str(times), "-t", "get", "-b")
        return 16 * times / found(r"Time to get +[0-9]+ keys by +16 threads: +([0-9.]+) seconds", out) / 1000
    return run


def wrk(percent, file):
    def run(root, port):
        out = client(root, "wrk", "-t1", "-c50", f"-d{max(1, percent * 3 // 100)}", f"http://127.0.0.1:{port}/{file}")
        if "Non-2xx" in out:
            raise RuntimeError("wrong answers")
        return found(r"Requests/sec: +([0-9.]+)", out) / 1000
    return run


def pgbench(percent):
    def run(root, port):
        bench = ["/usr/lib/postgresql/15/bin/pgbench", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres"]
        for _ in range(100):  # it listens before it takes clients
            if subprocess.run(["chroot", root, *bench, "-i", "-q", "-s", "2", "postgres"], capture_output=True,
                              timeout=60, check=False).returncode == 0:
                break
            time.sleep(0.1)
        out = client(root, *bench, "-c", "8", "-j", "2", "-n", "-T", str(max(1, percent * 3 // 100)), "postgres")
        return found(r"tps = ([0-9.]+) ", out) / 1000
    return run


def iperf3(percent):
    def run(root, port):
        out = client(root, "iperf3", "-J", "-c", "127.0.0.1", "-p", str(port), "-t", str(max(1, percent * 3 // 100)))
        return json.loads(out)["end"]["sum_received"]["bits_per_second"] / 8e9
    return run


def servers(percent):
    return {
        "redis_get": (redis_server, redis_client("get", percent)),
        "redis_set": (redis_server, redis_client("set", percent)),
        "redis_p16": (redis_server, redis_client("get", percent, 16)),
        "memcached": (lambda port: ["memcached", "-u", "nobody", "-l", "127.0.0.1", "-p", str(port), "-t", "2"],
                      memcslap(percent)),
        "nginx_small": (lambda port: ["/bin/sh", "-c", NGINX.format(port=port)], wrk(percent, "small")),
        "nginx_1m": (lambda port: ["/bin/sh", "-c", NGINX.format(port=port)], wrk(percent, "large")),
        "pgbench": (lambda port: ["/bin/sh", "-c", POSTGRES.format(port=port)], pgbench(percent)),
        "iperf3_stream": (lambda port: ["iperf3", "-s", "-B", "127.0.0.1", "-p", str(port)], iperf3(percent)),
    }


def measure(name, start, root, percent):
    args, run = servers(percent)[name]
    port = free_port()
    with start(args(port)) as (process, _):
        wait_for_port(process, port)
        return run(str(root), port)


# --- memory of connections ------------------------------------------------------------------------

class MemoryCgroup:
    """A group that a container and its runtime are in; its kernel memory in KiB.

    Version 1 of the controller does not charge TCP sockets that are accepted: they are counted by the slab's size.
    """

    def __init__(self):
        self.name = f"callgate-bench-{free_port()}"
        first = pathlib.Path("/sys/fs/cgroup/memory")
        self.path = (first if first.exists() else pathlib.Path("/sys/fs/cgroup")) / self.name
        self.first = first.exists()

    def __enter__(self):
        self.path.mkdir()
        return self

    def __exit__(self, *_):
        # version 1: the runtime has made the group in its other hierarchies, too
        groups = [*pathlib.Path("/sys/fs/cgroup").glob(f"*/{self.name}")] if self.first else [self.path]
        for _ in range(200):  # what was in it may take a moment to go
            for group in groups:
                with contextlib.suppress(OSError):
                    for below in group.glob("*/"):
                        below.rmdir()
                    group.rmdir()
            if not any(group.exists() for group in groups):
                return
            time.sleep(0.02)

    def enter(self):
        """The calling process: not into the group itself, which has the container's below it."""
        (self.path / "runtime").mkdir(exist_ok=True)
        (self.path / "runtime/cgroup.procs").write_text("0")

    def kernel(self, connections):
        if self.first:
            slab = next(line for line in pathlib.Path("/proc/slabinfo").read_text().splitlines() if line.startswith("TCP "))
            names = ["memory.kmem.usage_in_bytes", "memory.kmem.tcp.usage_in_bytes"]
            charged = sum(int((self.path / name).read_text()) for name in names)
            return (charged + connections * int(slab.split()[3])) / 1024
        stat = dict(line.split() for line in (self.path / "memory.stat").read_text().splitlines())
        return (int(stat["kernel"]) + int(stat["sock"])) / 1024


def idle_connections(start, pss):
    """MiB that CONNECTIONS idle TCP connections add: PSS of the whole process tree, and kernel memory."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(FILES, hard), max(FILES, hard)))
    port = free_port()
    with MemoryCgroup() as group, contextlib.ExitStack() as clients:
        def used(connections):
            time.sleep(0.5)  # what is freed a little later
            return (pss(process, ident) + group.kernel(connections)) / 1024

        with start(["/t/micro", "idle", str(port), str(CONNECTIONS)], group=group, files=FILES) as (process, ident):
            if process.stdout.readline() != b"up\n":
                raise RuntimeError("the server did not come up")
            before = used(0)
            for _ in range(CONNECTIONS):
                clients.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            if process.stdout.readline() != b"all\n":
                raise RuntimeError("not all connections were accepted")
            return used(CONNECTIONS) - before

"""Host calls per request, natively and in Callgate: strace counts those of every process of the container, the
hypervisor's threads included. One client, one request at a time. Waiting for each other (futex) differs from run to
run, and is most where strace holds everybody up; all else is exact.
"""

import signal
import socket
import subprocess
import tempfile
import time

import servers

REQUESTS = 2000


def redis(root, port):
    servers.client(root, "redis-benchmark", "-p", str(port), "-q", "-c", "1", "-n", str(REQUESTS), "-t", "get")
    return REQUESTS


def nginx(root, port):
    out = servers.client(root, "wrk", "-t1", "-c1", "-d3", f"http://127.0.0.1:{port}/small")
    return servers.found(r"(\d+) requests in", out)


def echo(root, port):
    """The client's requests to a server that sends each back."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        for _ in range(REQUESTS):
            client.sendall(b"x")
            client.recv(1)
    return REQUESTS


SERVERS = {
    "redis_get": (servers.redis_server, redis),
    "nginx_small": (lambda port: ["/bin/sh", "-c", servers.NGINX.format(port=port)], nginx),
    "tcp_echo": (lambda port: ["/t/micro", "echo", str(port)], echo),
}


def threads_traced(pids):
    for pid in pids:
        try:
            with open(f"/proc/{pid}/status", encoding="ascii") as lines:
                if any(line.startswith("TracerPid:\t0") for line in lines):
                    return False
        except OSError:
            continue
    return True


def traced(bench, runtime, name):
    """{call: calls per request}, those that are not only now and then."""
    args, load = SERVERS[name]
    root, port = bench.roots[runtime.name] / "rootfs", servers.free_port()
    with bench.start(runtime, args(port)) as (process, ident), tempfile.NamedTemporaryFile("r") as log:
        servers.wait_for_port(process, port)
        pids = bench.tree(process.pid, ident)
        attach = [word for pid in pids for word in ("-p", str(pid))]
        with subprocess.Popen(["strace", "-f", "-c", "-o", log.name, *attach], stdin=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as tracer:
            while not threads_traced(pids) and tracer.poll() is None:
                time.sleep(0.05)
            requests = load(str(root), port)
            time.sleep(0.3)
            tracer.send_signal(signal.SIGINT)
        rows = [line.split() for line in log.read().splitlines()]
    calls = {row[-1]: int(row[3]) / requests for row in rows if len(row) >= 5 and row[3].isdigit()}
    return {call: round(n, 2) for call, n in sorted(calls.items()) if n >= 0.05 and call != "total"}


def collect(bench, columns):
    return {name: {runtime.name: traced(bench, runtime, name) for runtime in columns
                   if runtime.name in ("native", "callgate")} for name in SERVERS}


def print_table(counted):
    for name, columns in counted.items():
        for runtime, calls in columns.items():
            each = ", ".join(f"{call} {n:g}" for call, n in calls.items())
            print(f"\n{name}, host calls per request, {runtime}: {sum(calls.values()):.2f}: {each}")

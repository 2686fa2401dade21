#!/usr/bin/python3
"""Mixed load for hours: redis, nginx, pgbench and builds, each in a container that lives all the time, and containers that
come and go. Memory, descriptors, processes and latency are sampled; what grows fails. Each latency is measured beside that of
the same request to a native server, or of the same program natively: it is their ratio that must not grow, whatever else
the machine does.

Writes soak.json and soak.svg. The middle of the second quarter is compared with that of the last one: the first is for
caches that fill.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

import servers  # noqa: E402
from bench import machine
from idle import pss, tree  # noqa: E402
from bundle import Bundles, config  # noqa: E402

BUILD = """mkdir -p /tmp/b && cd /tmp/b
for n in 1 2 3 4 5 6; do printf '#include <stdio.h>\\nint f%d(int x) { return printf("%%d", x) + %d; }\\n' $n $n >f$n.c; done
printf 'O = f1.o f2.o f3.o f4.o f5.o f6.o\\nlib.a: $(O)\\n\\tar rc $@ $(O)\\nclean:\\n\\trm -f $(O) lib.a\\n' >Makefile
echo up; while :; do began=$(date +%s%3N); make -s -j2 lib.a && make -s clean || exit 1; {rest}; done"""
POSTGRES = """d=/tmp/data; b=/usr/lib/postgresql/15/bin; $b/initdb -D $d >/dev/null || exit 1
$b/pg_ctl -D $d -o "-c max_wal_size=64MB -c listen_addresses= -k /tmp" -l /tmp/log -w start >/dev/null || exit 1
$b/pgbench -h /tmp -i -q postgres 2>/dev/null || exit 1
echo up; while :; do began=$(date +%s%3N); $b/pgbench -h /tmp -c 2 -T 2 postgres >/dev/null 2>&1 || exit 1; {rest}; done"""
REST = "ms=$((($(date +%s%3N) - began) * {idle} / 100)); sleep $((ms / 1000 > {rest} ? ms / 1000 : {rest}))"

# what is watched: unit, growth that is too much: by factor and by amount
WATCHED = {
    "hypervisor_pss": ("MiB", 1.10, 1.0), "guest_pss": ("MiB", 1.30, 24.0), "hypervisor_fds": ("", 1.10, 8),
    "processes": ("", 1.2, 4), "threads": ("", 1.3, 12), "host_mounts": ("", 1.0, 2), "states": ("", 1.0, 2), "cgroups": ("", 1.0, 2),
    "ping_ratio": ("", 1.5, 0.3), "get_ratio": ("", 1.5, 0.3), "start_ratio": ("", 1.5, 3.0), "exec_ratio": ("", 1.5, 3.0),
}
LATENCIES = ("ping", "get", "start", "exec")


class Box:
    """A container of the soak; its end before ours is a failure."""

    def __init__(self, soak, name, bundle):
        self.name, self.id = name, f"soak-{os.getpid()}-{name}"
        self.process = subprocess.Popen([*soak.command, "run", "-b", str(bundle), self.id], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)

    def hypervisor(self):
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])

    def check(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} has ended with {self.process.returncode}: {self.process.stderr.read()}")

    def end(self):
        self.process.kill()
        self.process.wait(20)


def nginx(port):
    return ["/bin/sh", "-c", servers.NGINX.format(port=port)]


def ping(client):
    begin = time.monotonic()
    client.sendall(b"PING\r\n")
    if client.recv(64) != b"+PONG\r\n":
        raise RuntimeError("redis does not answer")
    return 1000 * (time.monotonic() - begin)


def get(port):
    begin = time.monotonic()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/small", timeout=30) as answer:
        answer.read()
    return 1000 * (time.monotonic() - begin)


def in_turns(what, once, ours, native, times):
    """The same request to a container's server and to the native one."""
    taken = [(once(ours), once(native)) for _ in range(times)]
    return dict(zip((f"{what}_ms", f"{what}_native_ms"), map(statistics.median, zip(*taken))))


class Soak:
    def __init__(self, options, work, bundles):
        self.options, self.work, self.bundles = options, work, bundles
        self.command = [str(options.build.resolve() / "callgate"), "--root", f"{work}/state"]
        self.boxes, self.natives, self.stop, self.failed, self.counts = {}, [], threading.Event(), [], {}
        self.latencies, self.lock = {}, threading.Lock()

    def bundle(self, args, **more):
        path = self.bundles.make(args)
        path.joinpath("config.json").write_text(json.dumps(config(args, **more)))
        return path

    def box(self, name, args, **more):
        self.boxes[name] = Box(self, name, self.bundle(args, **more))
        return self.boxes[name]

    def native(self, name, args):
        """The control: a server of the same root file system, natively."""
        port = self.ports[name]
        process = subprocess.Popen(["chroot", self.client, *args(port)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   start_new_session=True)
        self.natives.append(process)
        servers.wait_for_port(process, port, seconds=60)

    def start(self):
        rest = REST.format(rest=int(self.options.rest), idle=int(100 / self.options.duty - 100))
        self.ports = {name: servers.free_port() for name in ("redis", "nginx", "native_redis", "native_nginx")}
        root = self.bundles.make(["/bin/true"])
        self.client, self.once = root / "rootfs", self.bundle(["/bin/sh", "-c", "echo hello"])
        passwd = (self.client / "etc/passwd").read_text().splitlines()
        uid, gid = next(map(int, line.split(":")[2:4]) for line in passwd if line.startswith("postgres:"))
        self.box("redis", servers.redis_server(self.ports["redis"]))
        self.box("nginx", nginx(self.ports["nginx"]))
        slow = [self.box("build", ["/bin/sh", "-c", BUILD.replace("{rest}", rest)]),
                self.box("postgres", ["/bin/sh", "-c", POSTGRES.replace("{rest}", rest)], uid=uid, gid=gid)]
        for name in ("redis", "nginx"):
            servers.wait_for_port(self.boxes[name].process, self.ports[name], seconds=60)
        self.native("native_redis", servers.redis_server)
        self.native("native_nginx", nginx)
        for each in slow:
            if each.process.stdout.readline() != "up\n":
                each.check()
                raise RuntimeError(f"{each.name} does not come up")

    # --- load, each in a thread of its own

    def again(self, work):
        name = work.__name__
        while not self.stop.is_set():
            begin = time.monotonic()
            try:
                work()
                self.counts[name] = self.counts.get(name, 0) + 1
            except Exception as error:  # pylint: disable=broad-except
                if not self.stop.is_set():
                    self.failed.append(f"{name}: {error}")
                    return
            took = time.monotonic() - begin
            self.stop.wait(max(self.options.rest, took / self.options.duty - took))

    def redis(self):
        servers.client(str(self.client), "redis-benchmark", "-p", str(self.ports["redis"]), "-q", "-c", "20", "-n", "5000",
                       "-r", "1000", "-t", "set,get,lpush,rpop,sadd", seconds=300)

    def nginx(self):
        servers.client(str(self.client), "wrk", "-t1", "-c20", "-d2", f"http://127.0.0.1:{self.ports['nginx']}/small", seconds=60)

    def timed(self, what, *command):
        begin = time.monotonic()
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
        if (done.returncode, done.stdout) != (0, "hello\n"):
            raise RuntimeError(f"{what}: {done}")
        with self.lock:
            self.latencies.setdefault(what, []).append(1000 * (time.monotonic() - begin))

    def churn(self):
        self.timed("start_ms", *self.command, "run", "-b", str(self.once), f"soak-{os.getpid()}-once")
        self.timed("start_native_ms", "chroot", self.client, "/bin/sh", "-c", "echo hello")
        self.timed("exec_ms", *self.command, "exec", self.boxes["redis"].id, "/bin/echo", "hello")
        self.timed("exec_native_ms", "chroot", self.client, "/bin/echo", "hello")

    # --- samples

    def requests(self):
        with contextlib.ExitStack() as stack:
            ours, native = (stack.enter_context(socket.create_connection(("127.0.0.1", self.ports[name]), timeout=30))
                            for name in ("redis", "native_redis"))
            row = in_turns("ping", ping, ours, native, 50)
        return row | in_turns("get", get, self.ports["nginx"], self.ports["native_nginx"], 10)

    def sample(self, began):
        row = dict.fromkeys(("hypervisor_pss", "guest_pss", "hypervisor_fds", "processes", "threads"), 0)
        for box in self.boxes.values():
            box.check()
            hypervisor = box.hypervisor()
            found = tree(box.process.pid, box.id) - {box.process.pid}
            row["processes"] += len(found)
            for pid in found:
                with contextlib.suppress(OSError):
                    row["hypervisor_pss" if pid == hypervisor else "guest_pss"] += pss(pid) / 1024
                    row["threads"] += len(os.listdir(f"/proc/{pid}/task"))
            row["hypervisor_fds"] += len(os.listdir(f"/proc/{hypervisor}/fd"))
        row["host_mounts"] = sum(self.work in line for line in open("/proc/self/mountinfo", encoding="utf-8"))
        row["states"] = len(os.listdir(f"{self.work}/state"))
        row["cgroups"] = sum(f"soak-{os.getpid()}-" in name for _, names, _ in os.walk("/sys/fs/cgroup") for name in names)
        row |= self.requests()
        with self.lock:
            row.update({what: statistics.median(values) for what, values in self.latencies.items() if values})
            self.latencies.clear()
        row.update({f"{what}_ratio": row[f"{what}_ms"] / row[f"{what}_native_ms"] for what in LATENCIES if f"{what}_native_ms" in row})
        row["minute"] = (time.monotonic() - began) / 60
        return {key: round(value, 3) for key, value in row.items()}

    def run(self):
        self.start()
        threads = [threading.Thread(target=self.again, args=(work,), daemon=True) for work in (self.redis, self.nginx, self.churn)]
        for thread in threads:
            thread.start()
        began, samples = time.monotonic(), []
        try:
            while time.monotonic() - began < self.options.hours * 3600 and not self.failed:
                self.stop.wait(self.options.every)
                samples.append(self.sample(began))
        finally:
            self.stop.set()
            for thread in threads:
                thread.join(130)
        return samples

    def end(self):
        self.stop.set()
        for box in self.boxes.values():
            box.end()
        for process in self.natives:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)


def verdict(samples):
    """What has grown too much: {name: (before, after)}; before and after are medians of the second and the last quarter."""
    quarter, grown, seen = len(samples) // 4, {}, {}
    for name, (_, factor, amount) in WATCHED.items():
        before, after = ([row[name] for row in part if name in row] for part in (samples[quarter:2 * quarter], samples[-quarter:]))
        if not before or not after:
            continue
        seen[name] = statistics.median(before), statistics.median(after)
        if seen[name][1] > seen[name][0] * factor and seen[name][1] > seen[name][0] + amount:
            grown[name] = seen[name]
    return seen, grown


def plot(report, path):
    import matplotlib
    matplotlib.use("svg")
    from matplotlib import pyplot
    matplotlib.rcParams["svg.hashsalt"] = "callgate"
    parts = [("memory, MiB", ["hypervisor_pss", "guest_pss"]), ("host processes, threads, descriptors", ["processes", "threads", "hypervisor_fds"]),
             ("latency, ms", [f"{what}{of}_ms" for what in LATENCIES for of in ("", "_native")]),
             ("latency, as a multiple of the native one in the same seconds", [f"{what}_ratio" for what in LATENCIES])]
    figure, axes = pyplot.subplots(len(parts), 1, figsize=(9, 12), sharex=True)
    for axis, (title, names) in zip(axes, parts):
        for name in names:
            rows = [row for row in report["samples"] if name in row]
            axis.plot([row["minute"] for row in rows], [row[name] for row in rows], label=name)
        axis.set_title(title, fontsize=10)
        if "latency" in title:
            axis.set_yscale("log")
        else:
            axis.set_ylim(bottom=0)
        axis.legend(fontsize=8, ncols=2)
        axis.grid(alpha=0.3)
    axes[-1].set_xlabel("minutes")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent / "build")
    parser.add_argument("--hours", type=float, default=2)
    parser.add_argument("--every", type=float, default=10, help="seconds between samples")
    parser.add_argument("--rest", type=float, default=1, help="seconds between loads")
    parser.add_argument("--duty", type=float, default=1, help="the share of the time that each load works in; it rests for the others")
    parser.add_argument("--output", type=pathlib.Path, default=HERE.parent / "docs")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    work = tempfile.mkdtemp(prefix="callgate-soak-", dir="/var/tmp")
    pathlib.Path(work, "bundles").mkdir()
    rootfs = subprocess.run([HERE.parent / "tests/rootfs.sh"], stdin=subprocess.DEVNULL, check=True, stdout=subprocess.PIPE,
                            text=True).stdout.strip()
    bundles = Bundles(f"{work}/bundles", [rootfs])
    soak = Soak(options, work, bundles)
    try:
        samples = soak.run()
    finally:
        soak.end()
        bundles.close()
        shutil.rmtree(work, ignore_errors=True)
    seen, grown = verdict(samples)
    report = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "minutes": samples[-1]["minute"] if samples else 0,
              "duty": options.duty, "rounds": soak.counts, "before_and_after": seen, "grown": grown, "failed": soak.failed, "samples": samples}
    (options.output / "soak.json").write_text(json.dumps(report, indent=1) + "\n")
    plot(report, options.output / "soak.svg")
    for name, (before, after) in seen.items():
        print(f"{name:16}{before:10.2f} -> {after:10.2f} {WATCHED[name][0]}{'   grown' if name in grown else ''}")
    for failure in soak.failed:
        print(f"failed: {failure}", file=sys.stderr)
    return 1 if grown or soak.failed else 0


if __name__ == "__main__":
    sys.exit(main())

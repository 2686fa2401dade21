#!/usr/bin/python3
"""Callgate beside runc, crun and runsc (systrap), in one run.

Every round runs every benchmark under every runtime in turn (A B C D, A B C D, ...), so that
a change of the machine's mood hits all of them. The result is the median of the rounds, its
spread the interquartile range.
"""

import argparse
import contextlib
import json
import os
import pathlib
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

import counts  # noqa: E402
import idle  # noqa: E402
import servers  # noqa: E402
import trees  # noqa: E402
from bundle import Bundles, config  # noqa: E402

SHELL_LOOP = ("dd if=/dev/zero of=/dev/null bs=1 count=300000 2>/dev/null; "
              "i=0; while [ $i -lt 200 ]; do /bin/true; i=$((i + 1)); done")
# name, unit, is more better, what it measures
BENCHMARKS = [
    ("startup", "ms", False, "create, run /bin/true, delete"),
    ("start_python", "ms", False, "the same with python3 -c pass"),
    ("start_node", "ms", False, "the same with node -e 0"),
    ("start_java", "ms", False, "the same with java -version"),
    ("first_answer", "ms", False, "from run of a static HTTP server (host network) to the end of its first answer"),
    ("exec", "ms", False, "exec of /bin/true into a running container"),
    ("getppid", "ns", False, "a system call that the kernel answers by itself"),
    ("read_write", "ns", False, "read 1 byte of /dev/zero, write 1 byte to /dev/null"),
    ("dup_close", "ns", False, "dup, close"),
    ("umask", "ns", False, "umask"),
    ("sigprocmask", "ns", False, "sigprocmask: set a mask"),
    ("futex_wake", "ns", False, "FUTEX_WAKE that nobody waits for"),
    ("clock_call", "ns", False, "clock_gettime as a system call, not by the vdso"),
    ("epoll_eventfd", "ns", False, "an eventfd written, reported by epoll, read"),
    ("pread_1", "ns", False, "pread of 1 byte of a cached file"),
    ("pread_4k", "ns", False, "pread of 4 KiB"),
    ("pwrite_1", "ns", False, "pwrite of 1 byte"),
    ("pwrite_4k", "ns", False, "pwrite of 4 KiB"),
    ("read_seq", "GB/s", True, "a cached file of 1 MiB in pieces of 64 KiB"),
    ("mmap_munmap", "ns", False, "mmap of 64 KiB, munmap; not touched"),
    ("mprotect", "ns", False, "mprotect of 64 KiB to read-only and back; touched before"),
    ("fork_exit", "us", False, "fork, _exit, wait"),
    ("fork_exec", "us", False, "fork, exec busybox true, wait"),
    ("vfork_exec", "us", False, "vfork, exec busybox true, wait"),
    ("spawn_exec", "us", False, "posix_spawn of busybox true, wait"),
    ("thread_join", "us", False, "pthread_create, pthread_join"),
    ("page_faults", "ns", False, "first touch of an anonymous page"),
    ("pipe_rtt", "us", False, "one byte to another process and back"),
    ("unix_rtt", "us", False, "the same by a unix stream socket"),
    ("eventfd_rtt", "us", False, "the same by two eventfds"),
    ("pipe_stream", "GB/s", True, "64 KiB writes through a pipe"),
    ("open_files", "us", False, "open, fstat, read, close one of 10,000 small files"),
    ("tcp_rr", "us", False, "one byte over TCP on loopback and back"),
    ("tcp_rr_p50", "us", False, "the same, of which half take less"),
    ("tcp_rr_p99", "us", False, "the same, of which 99 % take less"),
    ("tcp_stream", "GB/s", True, "64 KiB writes over TCP on loopback"),
    ("redis_get", "k/s", True, "GET by redis-benchmark of the host, 50 clients, not pipelined"),
    ("redis_set", "k/s", True, "SET, the same"),
    ("redis_p16", "k/s", True, "GET, 16 requests at a time"),
    ("memcached", "k/s", True, "GET by memcslap of the host, 16 connections"),
    ("nginx_small", "k/s", True, "a file of 292 bytes by wrk of the host, 50 connections"),
    ("nginx_1m", "k/s", True, "a file of 1 MiB, the same"),
    ("pgbench", "k/s", True, "transactions of pgbench of the host, 8 clients, scale 2, without fsync"),
    ("iperf3_stream", "GB/s", True, "one TCP stream from iperf3 of the host"),
    ("idle_10k", "MiB", False, "PSS and kernel memory that 10,000 idle TCP connections add"),
    ("find", "ms", False, "find -size in a tree of 10,000 small files"),
    ("du", "ms", False, "du -s of the same"),
    ("git_status", "ms", False, "git status of the same"),
    ("tar_x", "ms", False, "tar x of the same"),
    ("rm_r", "ms", False, "rm -r of the same"),
    ("compile", "ms", False, "make -j2 of 30 files in C"),
    ("configure", "ms", False, "a shell script of 40 checks with 7 processes each"),
    ("shell_loop", "ms", False, "300,000 one-byte dd and 200 fork-execs, start included"),
    ("memory", "MiB", False, "PSS of the whole process tree of an idle container; native: what its program takes"),
    ("memory_kernel", "MiB", False, "kernel memory that one of 10 idle containers adds: slabs, stacks, page tables, per-CPU data"),
    ("memory_conmon", "MiB", False, "PSS of an idle container under conmon, as Podman starts it"),
]
LAYERED = {"start_java", "memcached"}  # programs that the tests' root file system does not have
SECONDS = 60  # for one run of one benchmark
WHOLE_RUNS = {"startup": ["/bin/true"], "start_python": ["/usr/bin/python3", "-c", "pass"],
              "start_node": ["/usr/bin/node", "-e", "0"], "start_java": ["/usr/bin/java", "-version"],
              "shell_loop": ["/bin/sh", "-c", SHELL_LOOP]}


class Runtime:
    """One column of the table; args: what comes before `run --bundle B ID`."""

    def __init__(self, name, binary, args=(), namespace="-"):
        self.name, self.binary, self.namespace = name, str(binary), namespace
        self.command = [self.binary, *args]
        self.failed = {}

    def version(self):
        out = subprocess.run([self.binary, "--version"], stdin=subprocess.DEVNULL,
                             capture_output=True, text=True, check=False).stdout
        return out.split("\n")[0].strip()

    def start(self, bundle):
        return [*self.command, "run", "--bundle", str(bundle), f"bench-{uuid.uuid4().hex[:8]}"]


class Native(Runtime):
    """The host itself: what a container at best can reach."""

    def __init__(self):
        super().__init__("native", "/bin/true")

    def version(self):
        return platform.release()


def cgroup2_namespace(holders):
    """crun 1.8 does not know hybrid cgroups: a mount namespace where only version 2 is there."""
    if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        return "-"
    holder = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", "umount -R /sys/fs/cgroup && "
         "mount -t cgroup2 none /sys/fs/cgroup && echo ready && exec sleep 100000"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    holders.append(holder)
    if holder.stdout.readline() != b"ready\n":
        raise RuntimeError("no mount namespace for crun")
    return f"/proc/{holder.pid}/ns/mnt"


def runtimes(build, wanted, work, holders, cgroup2):
    found = [Native()]
    elsewhere = cgroup2_namespace(holders) if cgroup2 or "crun" in wanted else "-"
    usual = elsewhere if cgroup2 else "-"
    if shutil.which("runc"):
        found.append(Runtime("runc", shutil.which("runc"), ["--root", f"{work}/runc"], usual))
    if "crun" in wanted and shutil.which("crun"):
        found.append(Runtime("crun", shutil.which("crun"), ["--root", f"{work}/crun"], elsewhere))
    if "runsc" in wanted:
        runsc = subprocess.run([HERE / "get-runsc.sh"], stdin=subprocess.DEVNULL,
                               capture_output=True, text=True, check=False)
        if runsc.returncode == 0:
            found.append(Runtime("runsc", runsc.stdout.strip(), [
                "--platform=systrap", "--network=host", "--ignore-cgroups",
                "--root", f"{work}/runsc"], usual))
        else:
            print(f"runsc: not measured: {runsc.stderr.strip()[-200:]}")
    found.append(Runtime("callgate", build / "callgate", namespace=usual))
    return [runtime for runtime in found if runtime.name in wanted]


class Bench:
    def __init__(self, build, percent):
        self.micro = str(build / "bench/micro")
        self.percent, self.roots = percent, {}

    def bundle(self, runtime, args, group=None, files=None):
        """One root file system per runtime; the configuration says what to run in it."""
        path, what = self.roots[runtime.name], config(args)
        if group:
            what["linux"]["cgroupsPath"] = f"/{group.name}/container"
        if files:
            what["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "hard": files, "soft": files}]
        (path / "config.json").write_text(json.dumps(what))
        return path

    def command(self, runtime, args, **options):
        if isinstance(runtime, Native):
            return ["chroot", str(self.bundle(runtime, args) / "rootfs"), *args]
        return runtime.start(self.bundle(runtime, args, **options))

    @staticmethod
    def tree(root, ident):
        return idle.tree(root, ident)

    @contextlib.contextmanager
    def start(self, runtime, args, group=None, files=None):
        """A container that runs until the end of the block: its process, its id."""
        command = self.command(runtime, args, group=group, files=files)
        enter = [] if runtime.namespace == "-" else ["nsenter", f"--mount={runtime.namespace}"]
        process = subprocess.Popen([*enter, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, start_new_session=True,
                                   preexec_fn=group.enter if group else None)
        try:
            yield process, uuid.uuid4().hex if isinstance(runtime, Native) else command[-1]
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            self.remove(runtime, command[-1])
            process.wait(20)
            process.stdout.close()

    def measure(self, runtime, name):
        if name in idle.NAMES:
            return idle.measure(name, self, runtime)
        if name == "idle_10k":  # what crun is measured with has no memory controller
            return None if runtime.namespace != "-" else servers.idle_connections(
                lambda *args, **options: self.start(runtime, *args, **options), idle.tree_pss)
        if name == "first_answer":
            return self.first_answer(runtime)
        if name == "exec":
            return self.exec(runtime)
        if name in servers.NAMES:
            root = self.roots[runtime.name] / "rootfs"
            return servers.measure(name, lambda args: self.start(runtime, args), root, self.percent)
        if name in trees.NAMES:
            trees.prepare(self.roots[runtime.name] / "rootfs")
        args = trees.script(name) if name in trees.NAMES else WHOLE_RUNS.get(name, ["/t/micro", name, str(self.percent)])
        whole = name in WHOLE_RUNS
        command = self.command(runtime, args)
        out, err = self.spawn(runtime, command, command[-1])
        return float((err if whole else out).split()[-1])

    def spawn(self, runtime, command, ident):
        """Runs it to its end; on standard error its milliseconds."""
        process = subprocess.Popen([self.micro, "spawn", runtime.namespace, *command],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, start_new_session=True)
        try:
            out, err = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired as late:
            os.killpg(process.pid, signal.SIGKILL)
            self.remove(runtime, ident)
            process.wait(20)
            raise RuntimeError(f"not done after {SECONDS} s") from late
        if process.returncode:
            raise RuntimeError((err or out).strip()[-300:] or "failed")
        return out, err

    def exec(self, runtime):
        with self.start(runtime, idle.ARGS) as (process, ident):
            idle.wait_until_up(process)
            if isinstance(runtime, Native):
                command = ["chroot", str(self.roots[runtime.name] / "rootfs"), "/bin/true"]
            else:
                command = [*runtime.command, "exec", ident, "/bin/true"]
            times = [float(self.spawn(runtime, command, ident)[1].split()[-1]) for _ in range(6)]
        return statistics.median(times[1:])

    @staticmethod
    def remove(runtime, ident):
        """Take away a container whose runtime does not live as long as it."""
        if runtime.name in ("runc", "crun", "runsc"):
            enter = [] if runtime.namespace == "-" else ["nsenter", f"--mount={runtime.namespace}"]
            subprocess.run([*enter, *runtime.command, "delete", "--force", ident],
                           stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)

    def first_answer(self, runtime):
        port = servers.free_port()
        command = self.command(runtime, ["/bin/busybox", "httpd", "-f", "-p", f"127.0.0.1:{port}", "-h", "/etc"])
        begin = time.monotonic()
        process = subprocess.Popen([self.micro, "spawn", runtime.namespace, *command], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            while time.monotonic() < begin + SECONDS and process.poll() is None:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as client:
                    client.sendall(b"GET /debian_version HTTP/1.0\r\n\r\n")
                    if b" 200 OK" in b"".join(iter(lambda: client.recv(4096), b"")):
                        return (time.monotonic() - begin) * 1e3
                time.sleep(0.0002)
            raise RuntimeError(f"no answer, status {process.poll()}")
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            self.remove(runtime, command[-1])
            process.wait(20)


def machine():
    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo", encoding="ascii")
                if line.startswith("model name")), "unknown")
    memory = int(next(line.split()[1] for line in open("/proc/meminfo", encoding="ascii")
                      if line.startswith("MemTotal")))
    virtual = "hypervisor" in open("/proc/cpuinfo", encoding="ascii").read()
    return {"cpu": cpu, "cpus": os.cpu_count(), "memory_gib": round(memory / 2**20),
            "kernel": platform.release(), "virtual_machine": virtual,
            "hardware_virtualization": os.path.exists("/dev/kvm"),
            "system": platform.freedesktop_os_release()["PRETTY_NAME"]}


def collect(bench, columns, names, rounds):
    """{benchmark: {runtime: [values]}}; a runtime that fails one is left out of it."""
    values = {name: {runtime.name: [] for runtime in columns} for name in names}
    for number in range(rounds + 1):  # the first round warms caches and does not count
        for name in names:
            for runtime in columns:
                if name in runtime.failed:
                    continue
                try:
                    value = bench.measure(runtime, name)
                except (RuntimeError, ValueError, IndexError) as error:
                    runtime.failed[name] = str(error)
                    print(f"{runtime.name} {name}: {error}", file=sys.stderr)
                    continue
                if number and value is not None:
                    values[name][runtime.name].append(value)
        print(f"round {number} of {rounds}", file=sys.stderr)
    return values


def summary(samples):
    if not samples:
        return None
    ordered = sorted(samples)
    return {"median": statistics.median(ordered), "low": ordered[len(ordered) // 4],
            "high": ordered[-1 - len(ordered) // 4], "samples": samples}


def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def print_table(results, columns):
    names = [runtime.name for runtime in columns]
    print("\n" + f"{'':14}{'unit':5}" + "".join(f"{name:>29}" for name in names))
    for name, unit, _, _ in BENCHMARKS:
        if name not in results:
            continue
        row = f"{name:14}{unit:5}"
        base = results[name].get("runc")
        for runtime in names:
            cell = results[name].get(runtime)
            if not cell:
                row += f"{'-':>29}"
                continue
            text = f"{number(cell['median'])} [{number(cell['low'])}-{number(cell['high'])}]"
            ratio = f" {cell['median'] / base['median']:.2f}x" if base else ""
            row += f"{text + ratio:>29}"
        print(row)
    print("\nmedian [interquartile range], and the ratio to runc")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent / "build")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, shorter; writes nothing")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--only", help="benchmarks, separated by commas")
    parser.add_argument("--counts", action="store_true", help="with --only: host calls per request, too")
    parser.add_argument("--runtimes", default="native,runc,crun,runsc,callgate")
    parser.add_argument("--cgroup2", action="store_true", help="all where only cgroups of version 2 are mounted, not crun alone")
    parser.add_argument("--output", type=pathlib.Path, default=HERE.parent / "docs")
    options = parser.parse_args()
    rounds = options.rounds or (3 if options.quick else 7)
    names = options.only.split(",") if options.only else [row[0] for row in BENCHMARKS]
    build = options.build.resolve()

    work = tempfile.mkdtemp(prefix="callgate-bench-", dir="/var/tmp")
    layer = pathlib.Path(work, "layer/t")
    layer.mkdir(parents=True)
    shutil.copy2(build / "bench/micro", layer)
    pathlib.Path(work, "bundles").mkdir()
    layers = [subprocess.run([HERE.parent / "tests" / what[0], *what[1:]], stdin=subprocess.DEVNULL, check=True,
                             stdout=subprocess.PIPE, text=True).stdout.strip()
              for what in (*[("software/layer.sh", "bench")] * bool(LAYERED & set(names)), ("rootfs.sh",))]
    bundles, holders = Bundles(f"{work}/bundles", [f"{work}/layer", *layers]), []
    try:
        bench = Bench(build, 20 if options.quick else 100)
        wanted = options.runtimes.split(",")
        for name in wanted:  # before any mount namespace is made: that would not see them
            bench.roots[name] = bundles.make(["/bin/true"])
        columns = runtimes(build, wanted, work, holders, options.cgroup2)
        values = collect(bench, columns, names, rounds)
        counted = counts.collect(bench, columns) if not options.only or options.counts else {}
    finally:
        for holder in holders:
            holder.kill()
            holder.wait()
        bundles.close()
        shutil.rmtree(work, ignore_errors=True)

    results = {name: {runtime: summary(samples) for runtime, samples in row.items() if samples}
               for name, row in values.items()}
    print_table(results, columns)
    counts.print_table(counted)
    report = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "rounds": rounds,
              "runtimes": {runtime.name: runtime.version() for runtime in columns},
              "benchmarks": {name: {"unit": unit, "more_is_better": more, "what": what,
                                    "results": results[name]}
                             for name, unit, more, what in BENCHMARKS if name in results},
              "host_calls": counted,
              "failed": {runtime.name: runtime.failed for runtime in columns if runtime.failed}}
    if not options.quick and not options.only:
        from plot import plot  # needs more than is there where only tests run
        options.output.mkdir(exist_ok=True)
        (options.output / "bench.json").write_text(json.dumps(report, indent=1) + "\n")
        plot(report, options.output / "benchmarks.svg")
    return 1 if any(runtime.failed for runtime in columns if runtime.name == "callgate") else 0


if __name__ == "__main__":
    sys.exit(main())

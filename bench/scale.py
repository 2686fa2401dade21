#!/usr/bin/python3
"""How costs grow: containers on one machine, and what one container has many of.

Containers are started with `run --detach` one after the other, counted, and deleted; what is
left of them then is an error. Inside one container the cost of one operation is measured beside
N processes, descriptors, connections, mappings, files in a directory. The plot shows both for growing N.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import uuid

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from bundle import Bundles, config  # noqa: E402

# What is there N times, what is done beside it, and how often; u is what to undo.
INSIDE = """
import os, sys, time, mmap, signal, socket, json
kind, most = sys.argv[1], int(sys.argv[2])
os.makedirs("/tmp/d", exist_ok=True)
listener = socket.create_server(("127.0.0.1", 0), backlog=64)
kept = []
def sleeper():
    pid = os.fork()
    if not pid:
        signal.pause()
    return pid
def fork():
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
def connection():
    c = socket.create_connection(listener.getsockname())
    return c, listener.accept()[0]
def connect():
    for s in connection():
        s.close()
def mapping():  # of different protections in turn, so that they stay apart
    return mmap.mmap(-1, 4096, prot=mmap.PROT_READ | (mmap.PROT_WRITE if len(kept) % 2 else 0))
def map_one():
    m = mmap.mmap(-1, 8192); m[0] = 1; m.close()
def a_file():
    os.close(os.open("/tmp/d/%d" % len(kept), os.O_CREAT | os.O_WRONLY))
def file_one():
    os.close(os.open("/tmp/d/x", os.O_CREAT | os.O_WRONLY)); os.stat("/tmp/d/x"); os.unlink("/tmp/d/x")
def open_one():
    os.close(os.open("/dev/null", os.O_RDONLY))
make, one, times = {"processes": (sleeper, fork, 20), "descriptors": (lambda: os.open("/dev/null", os.O_RDONLY), open_one, 500),
                    "connections": (connection, connect, 50), "mappings": (mapping, map_one, 300),
                    "files": (a_file, file_one, 100)}[kind]
out = {}
for n in [n for n in (1, 10, 100, 1000, 10000) if n < most] + [most]:
    while len(kept) < n:
        kept.append(make())
    best = 1e9
    for _ in range(3):
        t = time.perf_counter()
        for _ in range(times):
            one()
        best = min(best, (time.perf_counter() - t) / times)
    out[n] = best * 1e6
if kind == "processes":
    for pid in kept:
        os.kill(pid, 9)
print(json.dumps(out), flush=True)
os._exit(0)
"""
MOST = {"processes": 1000, "descriptors": 10000, "connections": 5000, "mappings": 10000, "files": 10000}


def available():
    lines = dict(line.split(":") for line in open("/proc/meminfo", encoding="ascii"))
    return int(lines["MemAvailable"].split()[0]) / 1024


def call(*command, **options):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False, **options)


def processes_in(cgroup):
    """Processes that are in a cgroup of that name, in any hierarchy."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                state = pathlib.Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()[0]
                if state != "Z" and f"/{cgroup}/" in pathlib.Path("/proc", entry, "cgroup").read_text():
                    found.append(int(entry))  # a dead one is its parent's business
            except OSError:
                continue
    return found


def left(command, cgroup, prefix):
    """What a runtime has left of its containers: states, processes, cgroups, mounts."""
    folders = [path for path, _, _ in os.walk("/sys/fs/cgroup") if f"/{cgroup}/" in path]
    mounts = [line for line in open("/proc/self/mountinfo", encoding="utf-8") if prefix in line]
    states = [word for word in call(*command, "list", "-q").stdout.split() if word.startswith(prefix)]
    return states + processes_in(cgroup) + folders + mounts


def remove_parent(cgroup):
    for path, names, _ in os.walk("/sys/fs/cgroup", topdown=False):
        if os.path.basename(path) == cgroup:
            os.rmdir(path)


def containers(command, bundle, n):
    """Starts and deletes n idle containers: figures, and what was left."""
    cgroup, prefix = f"scale-{uuid.uuid4().hex[:8]}", f"s{uuid.uuid4().hex[:6]}-"
    names, before = [f"{prefix}{i}" for i in range(n)], available()
    what = config(["/bin/sleep", "100000"])
    failed = []
    errors = tempfile.TemporaryFile()
    start = time.monotonic()
    for i, name in enumerate(names):
        what["linux"]["cgroupsPath"] = f"/{cgroup}/{i}"
        (bundle / "config.json").write_text(json.dumps(what))
        # not a pipe: the container keeps what it is given
        done = subprocess.run([*command, "run", "--detach", "--bundle", str(bundle), name], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=errors, timeout=120, check=False)
        if done.returncode:
            failed.append(f"{name}: status {done.returncode}")
    started = time.monotonic()
    used = before - available()
    running = len(processes_in(cgroup))
    stop = time.monotonic()
    for name in names:
        call(*command, "delete", "--force", name)
    end = time.monotonic()
    errors.seek(0)
    failed += errors.read().decode(errors="replace").splitlines()
    errors.close()
    rest = left(command, cgroup, prefix)
    if not rest:
        remove_parent(cgroup)
    return {"containers": n, "failed": failed, "start_ms": (started - start) / n * 1e3, "stop_ms": (end - stop) / n * 1e3,
            "memory_mib": used, "processes": running, "left": [str(what) for what in rest]}


def inside(command, bundle, kind, most):
    what = config(["/usr/bin/python3", "-c", INSIDE, kind, str(most)])
    what["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "hard": 16000, "soft": 16000}]
    (bundle / "config.json").write_text(json.dumps(what))
    done = call(*command, "run", "--bundle", str(bundle), f"s{uuid.uuid4().hex[:8]}")
    if done.returncode:
        raise RuntimeError(f"{kind}: {done.stderr.strip()[-300:]}")
    return {int(n): us for n, us in json.loads(done.stdout.splitlines()[-1]).items()}


def plot(results, path):
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "callgate"
    import matplotlib.pyplot as plt

    colours = {"runc": "#888888", "callgate": "#2a7f62"}
    figure, axes = plt.subplots(2, 3, figsize=(10, 6))
    for axis, kind in zip(axes.flat, ["containers", *MOST]):
        for name, result in results.items():
            if kind == "containers":
                points = {row["containers"]: row["start_ms"] for row in result["containers"]}
            else:
                points = result["inside"].get(kind, {})
            axis.loglog(list(points), list(points.values()), "o-", color=colours[name], label=name, markersize=3)
        axis.set_title("start of a container, ms" if kind == "containers" else f"{kind}: one more, us", fontsize=9)
        axis.set_xlabel("how many there are", fontsize=8)
        axis.set_ylim(bottom=min(1, axis.get_ylim()[0]))
    axes[0][0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def report(name, result):
    for row in result["containers"]:
        print(f"{name}: {row['containers']} containers: {row['start_ms']:.1f} ms to start each, {row['stop_ms']:.1f} to stop, "
              f"{row['memory_mib']:.0f} MiB in all, {row['processes']} processes, {len(row['failed'])} failed, {len(row['left'])} left")
        for line in [*row["failed"], *row["left"]][:5]:
            print(f"    {line.strip()}")
    for kind, points in result["inside"].items():
        print(f"{name}: {kind}: " + ", ".join(f"{us:.1f} us beside {n}" for n, us in points.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent / "build")
    parser.add_argument("--runtimes", default="callgate,runc")
    parser.add_argument("--containers", default="1,10,100,1000", help="how many, separated by commas; empty: none")
    parser.add_argument("--kinds", default=",".join(MOST), help="what is counted inside; empty: nothing")
    parser.add_argument("--most", type=int, help="the largest N inside")
    parser.add_argument("--output", type=pathlib.Path, help="folder for scale.json and scale.svg")
    options = parser.parse_args()
    sizes = [int(n) for n in options.containers.split(",") if n]
    kinds = [kind for kind in options.kinds.split(",") if kind]
    commands = {"callgate": [str(options.build.resolve() / "callgate")], "runc": [shutil.which("runc") or ""]}
    rootfs = subprocess.run([HERE.parent / "tests/rootfs.sh"], stdin=subprocess.DEVNULL, check=True, stdout=subprocess.PIPE,
                            text=True).stdout.strip()
    work = tempfile.mkdtemp(prefix="callgate-bench-", dir="/var/tmp")
    bundles, results = Bundles(work, [rootfs]), {}
    try:
        bundle = bundles.make(["/bin/true"])
        for name in options.runtimes.split(","):
            if commands[name][0]:
                results[name] = {
                    "containers": [containers(commands[name], bundle, n) for n in sizes],
                    "inside": {kind: inside(commands[name], bundle, kind, min(MOST[kind], options.most or MOST[kind])) for kind in kinds}}
                report(name, results[name])
    finally:
        bundles.close()
        shutil.rmtree(work, ignore_errors=True)
    if options.output:
        (options.output / "scale.json").write_text(json.dumps(results, indent=1) + "\n")
        plot(results, options.output / "scale.svg")
    return 1 if any(row["failed"] or row["left"] for result in results.values() for row in result["containers"]) else 0


if __name__ == "__main__":
    sys.exit(main())

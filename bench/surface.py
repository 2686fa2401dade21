#!/usr/bin/python3
"""What a container can reach of its host, under callgate, runc and runsc: the same three workloads under each.

For the processes of the container (the runtime's own process that waits beside it left out), from when it is up until the
workload has ended: the host's system calls that their seccomp filters let pass, those that they made, and the functions of
the host's kernel that they entered.
"""

import argparse
import contextlib
import json
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

import before_validation  # noqa: E402
import ftrace  # noqa: E402
import idle  # noqa: E402
import seccomp_reach  # noqa: E402
import servers  # noqa: E402
from bench import Runtime  # noqa: E402
from bundle import Bundles, config  # noqa: E402

PASSES = 3  # that are watched; one more before fills caches
SECONDS = 300  # where all is emulated some take very long
SHELL = """cd /tmp && mkdir w && cd w
seq 500 >numbers; sort -rn numbers | head -3 | tr 0-9 a-j; wc -l <numbers; grep -c 7 numbers; sed -n 5p numbers
awk '{ s += $1 } END { print s }' numbers; cp numbers copy; mv copy moved; ln moved hard; ln -s moved soft; cat soft | md5sum
chmod 600 moved; touch -d 2020-01-01 moved; stat -c %a,%Y moved; ls -laR /etc/default . | wc -l; find /etc -name '*.conf' | wc -l
tar cf t.tar numbers moved; tar tf t.tar; dd if=/dev/zero of=zeros bs=4096 count=64 2>&1 | wc -l; truncate -s 10 zeros
(sleep 0.2 & wait); echo $((6 * 7)) | tee out; test -f out && date +%Y; id; uname -s; df . | wc -l; du -s . | wc -l; sync
cd .. && rm -r w"""
WEB = """import http.server, os, sys
os.chdir('/usr/share/base-files' if os.path.isdir('/usr/share/base-files') else '/etc')
class Handler(http.server.SimpleHTTPRequestHandler):
    log_message = lambda *_: None
http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()"""


def engine_profile():
    """The seccomp section that Podman and Docker give a container without further rights, of Podman's file."""
    data = json.loads(pathlib.Path("/usr/share/containers/seccomp.json").read_text())
    default = config([])["process"]["capabilities"]["bounding"]

    def meant(rule):
        wants, bars = rule.get("includes") or {}, rule.get("excludes") or {}
        return (set(wants.get("caps") or []) <= set(default) and not set(bars.get("caps") or []) & set(default) and
                (not wants.get("arches") or "amd64" in wants["arches"]) and "amd64" not in (bars.get("arches") or []))

    def plain(rule):
        kept = {key: rule[key] for key in ("names", "action", "errnoRet") if rule.get(key) is not None}
        return {**kept, "args": [{"index": each["index"], "value": each["value"], "valueTwo": each["valueTwo"], "op": each["op"]}
                                 for each in rule.get("args") or []]}
    return {"defaultAction": data["defaultAction"], "defaultErrnoRet": data.get("defaultErrnoRet", 1),
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
            "syscalls": [plain(rule) for rule in data["syscalls"] if meant(rule)]}


# --- the workloads: start(run, ...) and what to do to it while it is watched --------------------------

def ask(process, line, answer):
    process.stdin.write(line + b"\n")
    process.stdin.flush()
    while (got := process.stdout.readline()) != answer + b"\n":
        if not got:
            raise RuntimeError(f"the container has ended with status {process.wait(20)}")


def shell(process, _port, _root):
    ask(process, b"go", b"done")


def redis(_process, port, root):
    servers.client(root, "redis-benchmark", "-p", str(port), "-q", "-c", "8", "-n", "100",
                   "-t", "ping,set,get,incr,lpush,lpop,sadd,hset,mset", seconds=600)


def web(_process, port, root):
    servers.client(root, "wrk", "-t1", "-c4", "-d2", "--timeout", "60", f"http://127.0.0.1:{port}/", seconds=600)


def workloads(port):
    loop = f"echo up; while read go; do ( {SHELL} ) >/dev/null; echo done; done"
    return {"shell": (["/bin/sh", "-c", loop], shell, None),
            "redis": (servers.redis_server(port), redis, port),
            "web": (["/usr/bin/python3", "-c", WEB, str(port)], web, port)}


class Surface:
    def __init__(self, tracefs, bundles, roots, reader):
        """`reader`: the program ftrace-reader; None where only calls are asked for."""
        self.tracefs, self.bundles, self.roots, self.reader = tracefs, bundles, roots, reader
        self.functions = ftrace.Functions(tracefs) if reader else None

    @contextlib.contextmanager
    def container(self, runtime, args):
        """A container, and the runtime's process beside it."""
        path, what = self.roots[runtime.name], config(args)
        if runtime.name == "runc":
            what["linux"]["seccomp"] = engine_profile()
        (path / "config.json").write_text(json.dumps(what))
        ident = f"surface-{uuid.uuid4().hex[:8]}"
        process = subprocess.Popen([*runtime.command, "run", "--bundle", str(path), ident], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            yield process, ident
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.stdin.close()
            process.stdout.close()
            process.wait(60)
            subprocess.run([*runtime.command, "delete", "--force", ident], stdin=subprocess.DEVNULL,
                           capture_output=True, timeout=120, check=False)

    def measure(self, runtime, name):
        port = servers.free_port()
        args, load, listens = workloads(port)[name]
        with self.container(runtime, args) as (process, ident):
            if listens:
                servers.wait_for_port(process, port, seconds=300)
            elif process.stdout.readline() != b"up\n":
                raise RuntimeError("the container did not come up")
            load(process, port, self.roots[runtime.name] / "rootfs")
            groups = parts(runtime, process.pid, ident)
            with contextlib.ExitStack() as stack:
                tracers = {part: stack.enter_context(self.tracer(part, pids)) for part, pids in groups.items()}
                for number in range(PASSES):
                    for tracer in tracers.values():
                        tracer.phase = number
                    load(process, port, self.roots[runtime.name] / "rootfs")
                    print(f"{name} {runtime.name}: pass {number + 1}: {', '.join(f'{part} {len(tracer.seen)}' for part, tracer in tracers.items())}",
                          file=sys.stderr, flush=True)
                    time.sleep(0.5)
            reach = {} if self.functions else {part: reached(pids) for part, pids in groups.items()}
        return report(tracers, reach)

    def tracer(self, part, pids):
        if self.functions:
            return ftrace.Tracer(self.tracefs, self.functions, part, pids, self.reader)
        return ftrace.CallTracer(self.tracefs, part, pids)


def parts(runtime, waits, ident):
    """The processes of the container by what they are; the ones that a guest's own code runs in are "guest"."""
    found = idle.tree(waits, ident) - {waits}
    if runtime.name == "runc":
        return {"guest": found}
    hypervisor = {pid for pid in found if parent(pid) == waits}
    if runtime.name == "callgate":
        return {"guest": found - hypervisor, "hypervisor": hypervisor}
    return {"sandbox": found}  # the sentry makes processes for guests itself


def parent(pid):
    with contextlib.suppress(OSError):
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def reached(pids):
    """The calls that pass the filters of any of these processes' threads."""
    found = set()
    for pid in ftrace.threads(pids):
        with contextlib.suppress(ProcessLookupError):
            found.update(seccomp_reach.reachable(seccomp_reach.filters(pid)))
    return len(found)


def report(tracers, reach):
    seen = {}
    for tracer in tracers.values():
        for name, phase in tracer.seen.items():
            seen[name] = min(phase, seen.get(name, phase))
    found = {"calls": len({call for tracer in tracers.values() for call in tracer.calls()}),
             "first_seen_in_last_pass": sum(phase == PASSES - 1 for phase in seen.values()),
             "parts": {part: {"calls": tracer.calls()} for part, tracer in tracers.items()}}
    for part, count in reach.items():
        found["parts"][part]["calls_reachable"] = count
    if not reach:
        found["functions"] = len(seen)
        for part, tracer in tracers.items():
            found["parts"][part].update(functions=len(tracer.seen), events_lost=tracer.lost,
                                        names=sorted(tracer.seen))
    return found


def print_table(results):
    print(f"{'':8}{'':10}{'functions':>10}{'calls':>7}   of which, and calls that can be reached")
    for name, row in results.items():
        for runtime, found in row.items():
            each = ", ".join(f"{part} {len(what['calls'])} of {what.get('calls_reachable', '-')}" for part, what in found["parts"].items())
            print(f"{name:8}{runtime:10}{found.get('functions', '-'):>10}{found['calls']:>7}   {each}")


def take_names(results):
    """The names of functions, taken out of the results."""
    return {f"{name} {runtime} {part}": what.pop("names", []) for name, row in results.items() for runtime, found in row.items()
            for part, what in found["parts"].items()}


# --- the whole of it --------------------------------------------------------------------------------

def runtimes(build, wanted, work, platform_of_runsc):
    found = [Runtime("callgate", build / "callgate", ["--root", f"{work}/callgate"])]
    found.append(Runtime("runc", shutil.which("runc") or "/usr/sbin/runc", ["--root", f"{work}/runc"]))
    if "runsc" in wanted:
        runsc = os.environ.get("CALLGATE_RUNSC") or subprocess.run(
            [HERE / "get-runsc.sh"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        found.append(Runtime("runsc", runsc, [f"--platform={platform_of_runsc}", "--network=host", "--ignore-cgroups", "--root", f"{work}/runsc"]))
    return [runtime for runtime in found if runtime.name in wanted]


class TooLong(Exception):
    pass


@contextlib.contextmanager
def within(seconds):
    def stop(*_):
        raise TooLong(f"not done within {seconds} s")
    old = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)


def collect(surface, columns, names, seconds):
    """{workload: {runtime: what was seen}}, {"runtime workload": why it was not}"""
    results, failed = {}, {}
    for runtime in columns:
        for name in names:
            try:
                with within(seconds):
                    results.setdefault(name, {})[runtime.name] = surface.measure(runtime, name)
            except (TooLong, RuntimeError, OSError, subprocess.SubprocessError) as error:
                failed[f"{runtime.name} {name}"] = str(error)
                print(f"{runtime.name} {name}: {error}", file=sys.stderr, flush=True)
    return results, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent / "build")
    parser.add_argument("--only", default="shell,redis,web", help="workloads, separated by commas")
    parser.add_argument("--runtimes", default="callgate,runc,runsc")
    parser.add_argument("--rootfs", help="a root file system that is there (default: that of the tests)")
    parser.add_argument("--calls", action="store_true", help="system calls only: no functions")
    parser.add_argument("--can", action="store_true", help="only say whether this host lets functions be traced")
    parser.add_argument("--runsc-platform", default="systrap")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="for one workload under one runtime")
    parser.add_argument("--names", type=pathlib.Path, help="a file for the names of the functions")
    parser.add_argument("--output", type=pathlib.Path, default=HERE.parent / "docs/surface.json")
    options = parser.parse_args()
    tracefs = ftrace.Tracefs()
    with contextlib.ExitStack() as stack:
        stack.callback(tracefs.close)
        stack.enter_context(ftrace.interruptible())
        reason = ftrace.why_not(tracefs)
        if options.can or (reason and not options.calls):
            print(reason or "yes")
            return 3 if reason else 0
        rootfs = options.rootfs or subprocess.run([HERE.parent / "tests/rootfs.sh"], stdin=subprocess.DEVNULL, check=True,
                                                  stdout=subprocess.PIPE, text=True).stdout.strip()
        work = tempfile.mkdtemp(prefix="callgate-surface-", dir="/var/tmp")
        stack.callback(shutil.rmtree, work, ignore_errors=True)
        pathlib.Path(work, "bundles").mkdir()
        bundles = Bundles(f"{work}/bundles", rootfs.split(":"))
        stack.callback(bundles.close)
        columns = runtimes(options.build.resolve(), options.runtimes.split(","), work, options.runsc_platform)
        surface = Surface(tracefs, bundles, {runtime.name: bundles.make(["/bin/true"]) for runtime in columns},
                          None if options.calls else options.build.resolve() / "bench/ftrace-reader")
        results, failed = collect(surface, columns, options.only.split(","), options.seconds)
        names = take_names(results)
        if options.names:
            options.names.write_text(json.dumps(names, indent=1) + "\n")
        print_table(results)
        functions, lines = before_validation.count()
        options.output.write_text(json.dumps({
            "kernel": platform.release(), "date": time.strftime("%Y-%m-%d"), "passes": PASSES,
            "runtimes": {runtime.name: runtime.version() + (f", {options.runsc_platform}" if runtime.name == "runsc" else "")
                         for runtime in columns},
            "before_validation": {"functions": len(functions), "lines": lines}, "workloads": results, "failed": failed}, indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

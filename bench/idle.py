"""What an idle container takes: memory of its processes and of the kernel for them."""

import contextlib
import os
import pathlib
import subprocess
import time

NAMES = ("memory", "memory_kernel", "memory_conmon")
ARGS = ["/bin/sh", "-c", "echo up; exec sleep 1000"]
MANY = 10


def pss(pid):
    """Proportional set size in KiB; 0 for a process that has gone."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return 0


def tree(root, ident):
    """A process, whatever names the container's id on its command line, and all descendants."""
    parents, found = {}, {root}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
                if ident.encode() in (entry / "cmdline").read_bytes():
                    found.add(int(entry.name))
            except OSError:
                continue
            parents[int(entry.name)] = int(stat[1])
    while new := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= new
    return found


def tree_pss(process, ident):
    return sum(pss(pid) for pid in tree(process.pid, ident))


def kernel():
    """Kernel memory in KiB that containers add to."""
    with open("/proc/meminfo", encoding="ascii") as lines:
        return sum(int(line.split()[1]) for line in lines
                   if line.startswith(("Slab:", "KernelStack:", "PageTables:", "Percpu:")))


def wait_until_up(process):
    if process.stdout.readline() != b"up\n":
        raise RuntimeError("the container did not come up")
    time.sleep(0.3)


@contextlib.contextmanager
def under_conmon(bench, runtime):
    """A container that conmon has created and the runtime has started; its id and conmon's process."""
    command = bench.command(runtime, ARGS)
    bundle, ident = pathlib.Path(command[command.index("--bundle") + 1]), command[-1]
    enter = [] if runtime.namespace == "-" else ["nsenter", f"--mount={runtime.namespace}"]
    (bundle / "exits").mkdir(exist_ok=True)
    args = [argument for word in runtime.command[1:] for argument in ("--runtime-arg", word)]
    ready, said = os.pipe()
    conmon = subprocess.Popen(
        [*enter, "conmon", "--sync", "--api-version", "1", "-c", ident, "-u", ident, "-n", ident, "-r", runtime.binary, *args,
         "-b", str(bundle), "-p", f"{bundle}/pid", "-l", f"k8s-file:{bundle}/log", "--exit-dir", f"{bundle}/exits",
         "--socket-dir-path", str(bundle)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        pass_fds=[said], env={**os.environ, "_OCI_SYNCPIPE": str(said)})
    os.close(said)
    try:
        with open(ready, encoding="utf-8") as sync:
            if '"data": ' not in (line := sync.readline()) and '"pid"' not in line:
                raise RuntimeError(f"conmon: {line.strip()[-200:]}")
        subprocess.run([*enter, *runtime.command, "start", ident], stdin=subprocess.DEVNULL, capture_output=True,
                       check=True, timeout=20)
        yield conmon, ident
    finally:
        subprocess.run([*enter, *runtime.command, "delete", "--force", ident], stdin=subprocess.DEVNULL,
                       capture_output=True, check=False, timeout=20)
        conmon.wait(20)


def measure(name, bench, runtime):
    native = runtime.name == "native"
    if name == "memory_conmon":
        if native:
            return None
        with under_conmon(bench, runtime) as (conmon, ident):
            time.sleep(0.5)
            return tree_pss(conmon, ident) / 1024
    if name == "memory":
        with bench.start(runtime, ARGS) as (process, ident):
            wait_until_up(process)
            return tree_pss(process, ident) / 1024
    with contextlib.ExitStack() as stack:
        wait_until_up(stack.enter_context(bench.start(runtime, ARGS))[0])  # what is made once
        before = kernel()
        for _ in range(MANY):
            wait_until_up(stack.enter_context(bench.start(runtime, ARGS))[0])
        return (kernel() - before) / 1024 / MANY

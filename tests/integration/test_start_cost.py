"""What `run` of /bin/true costs, in counts that depend on nothing else: processes, host calls, page faults.

The bounds are a little above what it takes; docs/performance.md has where it goes.
"""

import collections
import pathlib
import re
import resource
import subprocess
import uuid

import pytest
from bundle import BUILD, RUNTIME, wait_for

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: of callgate alone")

# Who waits for whom, and what a sanitizer or a signal adds.
VARYING = {"futex", "poll", "restart_syscall", "rt_sigreturn", "sched_yield", "exit", "exit_group",
           "madvise"}  # a start that takes long is taken for a pause
CALLS, CALLS_PER_HIERARCHY = 830, 16  # of cgroups, version 1
FAULTS = 490


def command(bundles):
    return [str(BUILD / "callgate"), "run", "--bundle", str(bundles.make(["/bin/true"])), f"t-{uuid.uuid4().hex[:10]}"]


def test_host_calls(bundles, tmp_path):
    log = tmp_path / "log"
    subprocess.run(["strace", "-f", "-qq", "-o", str(log), *command(bundles)], stdin=subprocess.DEVNULL, timeout=60, check=True)
    calls = collections.Counter(match[1] for match in re.finditer(r"^\d+ +(\w+)\(", log.read_text(errors="replace"), re.M))
    # the hypervisor, its server thread, vm0, pid 1; and their programs: ours, the guest kernel
    assert calls["clone"] + calls["clone3"] + calls["fork"] + calls["vfork"] == 4, calls
    assert calls["execve"] == calls["execveat"] == 1, calls
    assert calls["seccomp"] == 3, calls  # the guest's filter, those of the hypervisor's two threads
    assert calls["pivot_root"] == 2, calls
    assert calls["connect"] == 0, calls  # nobody asks for the start
    assert calls["umount2"] == 2, calls  # each waits for the host's CPUs
    hierarchies = sum(":" in line and line.split(":")[1] != "" for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines())
    # what is mounted nowhere in the end makes its last descriptor's close wait; trees of cgroups have to stay so
    assert calls["fsmount"] + calls["open_tree"] == calls["move_mount"] + (2 if hierarchies else 0), calls
    assert calls["rename"] == 0, calls  # a file system may write what replaces something to its disk at once
    assert calls["waitid"] == 0, calls  # the guest's end is waited for by the kernel, while it takes the hypervisor apart
    total = sum(n for name, n in calls.items() if name not in VARYING)
    assert total <= CALLS + CALLS_PER_HIERARCHY * hierarchies, (total, hierarchies, calls.most_common(20))


def test_exec_is_born_in_the_cgroup(box, tmp_path):
    """A process that is moved there by cgroup.procs may wait for milliseconds."""
    log = tmp_path / "log"
    command = box("callgate").command("/bin/true")
    subprocess.run(["strace", "-f", "-qq", "-e", "trace=openat,execve", "-o", str(log), *command], stdin=subprocess.DEVNULL,
                   timeout=60, check=True)
    text = log.read_text(errors="replace")
    assert text.count("execve(") == 1, text
    assert not re.search(r'cgroup\.procs", O_(WRONLY|RDWR)', text), text


def test_page_faults(bundles):
    def one():
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt
        subprocess.run(command(bundles), stdin=subprocess.DEVNULL, timeout=60, check=True)
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt - before

    one()
    faults = min(one() for _ in range(3))
    assert faults <= FAULTS, faults


def resident(pid, of):
    """KiB of the program's text and constants that are mapped."""
    size, counts = 0, False
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if match := re.match(r"[0-9a-f]+-[0-9a-f]+ (\S+) .*? (/.*)?$", line):
            counts = "w" not in match[1] and match[2] == of
        elif counts and line.startswith("Rss:"):
            size += int(line.split()[1])
    return size


def test_memory_of_those_who_wait(start):
    """`run` and the hypervisor map little of their program when they have nothing to do."""
    container = start("/bin/sh", "-c", "echo up; exec sleep 1000")
    assert container.process.stdout.readline() == b"up\n"
    run = container.pid
    hypervisor = wait_for(lambda: pathlib.Path(f"/proc/{run}/task/{run}/children").read_text().split(), what="a hypervisor")[0]
    for pid in (run, hypervisor):
        wait_for(lambda pid=pid: 0 < resident(pid, str(BUILD / "callgate")) < 400, what=f"less than 400 KiB: {resident(pid, str(BUILD / 'callgate'))}")

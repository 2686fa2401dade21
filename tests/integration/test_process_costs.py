"""What a process costs: exactly so many host calls, by strace of all host processes of the container."""

import pathlib
import subprocess
import uuid

import pytest
from bundle import BUILD, RUNTIME, wait_for

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: of callgate alone")

FEW, MANY = 30, 60  # what a further one costs is the difference of two runs


@pytest.fixture
def host_calls(bundles, tmp_path):
    """{call: calls made for each round}"""
    def count(command, rounds):
        bundle = bundles.make(["/bin/sh", "-c", f"i=0; while [ $i -lt {rounds} ]; do {command}; i=$((i + 1)); done"])
        log = tmp_path / f"log{rounds}"
        subprocess.run(["strace", "-f", "-c", "-o", str(log), str(BUILD / "callgate"), "run", "--bundle", str(bundle),
                        f"cost-{uuid.uuid4().hex[:8]}"], stdin=subprocess.DEVNULL, capture_output=True, timeout=100, check=True)
        rows = [line.split() for line in log.read_text().splitlines()]
        return {row[-1]: int(row[3]) for row in rows if len(row) >= 5 and row[3].isdigit()}

    def difference(command):
        few, many = count(command, FEW), count(command, MANY)
        return {call: (many[call] - few.get(call, 0)) / (MANY - FEW) for call in many}
    return difference


def rounded(calls, *names):
    return {name: round(calls.get(name, 0), 1) for name in names}


def test_fork(host_calls):
    """A forked child is born with its parent's patched call sites. What traps is the shell's return from its SIGCHLD handler."""
    calls = host_calls("(:)")
    assert rounded(calls, "clone", "sigaltstack", "execveat") | {"traps": calls.get("rt_sigreturn", 0) < 3.5} == \
        {"clone": 1, "sigaltstack": 1, "execveat": 0, "traps": True}, calls


def test_exec_of_a_dynamic_program(host_calls):
    """ld.so and the C library are mapped with their call sites patched; each process would trap some 30 times without that."""
    calls = host_calls("/bin/true")
    assert calls["clone"] == 1 and calls.get("rt_sigreturn", 0) < 6, calls
    # dash uses vfork: the child's new image of the guest kernel sets seven handlers, after one signal was ignored.
    assert rounded(calls, "execveat", "rt_sigaction") == {"execveat": 1, "rt_sigaction": 8}, calls


def descendants(pid):
    try:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        children = []
    return [pid, *(each for child in children for each in descendants(child))]


def mappings(container, program):
    """[(start, end, rights, file)] of the user half of the container's process of that command line, as the host has it."""
    for pid in descendants(container.pid):
        try:
            if pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().startswith(program):
                rows = [line.split() for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()]
                spans = [(*(int(end, 16) for end in row[0].split("-")), row[1], "".join(row[5:])) for row in rows]
                return [span for span in spans if span[0] < 0x7eef00000000]
        except OSError:  # it has just ended
            continue
    return []


def code_pages(spans):
    return [span for span in spans if span[2] == "r-xp" and not span[3]]


@pytest.mark.parametrize("shell", ["/bin/busybox sh", "/bin/bash"])
def test_trampolines_lie_beside_what_is_mapped(start, shell):
    """Elsewhere they need page tables of their own, which each fork copies."""
    program, *args = shell.split()
    container = start(program, *args, "-c", "while :; do (:); done")
    # Those with patched sites lie within a segment.
    spans = wait_for(lambda: (found := mappings(container, program.encode() + b"\0")) and len(code_pages(found)) > 1 and found)
    for page in code_pages(spans):
        assert min(min(abs(page[0] - other[1]), abs(other[0] - page[1])) for other in spans if other != page) <= 0x10000, spans


def pids_in_cgroup(pid):
    """As the host counts processes and threads of the container: what its limit is compared with."""
    for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        mount = "/sys/fs/cgroup" + (f"/{controllers}" if controllers else "")
        if controllers in ("", "pids") and (counted := pathlib.Path(mount + path, "pids.current")).exists():
            return int(counted.read_text())
    raise FileNotFoundError("pids.current")


def test_a_pids_limit_counts_nobody_who_has_ended(box):
    """Processes that end shortly after each other are reaped together: a fork at the limit waits for that."""
    script = "sleep 2; i=0; while [ $i -lt 600 ]; do (:); i=$((i + 1)); done; exit 9"
    shell = box(args=("/bin/sh", "-c", script))
    have = pids_in_cgroup(descendants(shell.container.pid)[1])  # the hypervisor
    subprocess.run([str(BUILD / "callgate"), "update", "--pids-limit", str(have + 8), shell.id],
                   stdin=subprocess.DEVNULL, check=True, timeout=20)
    assert (result := shell.container.wait()).status == 9, str(result)


# Without random addresses: which 16 pages are mapped by one fault depends on those.
FORKS = ("/usr/bin/setarch", "-R", "/bin/busybox", "sh", "-c")


def faults_of_children(stat):
    return int(stat.rsplit(")", 1)[1].split()[8])


def faults_native(rootfs, rounds):
    script = f"i=0; while [ $i -lt {rounds} ]; do (:); i=$((i + 1)); done; cat /proc/$$/stat"
    args = [part if part != "/bin/busybox" else rootfs + part for part in FORKS]
    return faults_of_children(subprocess.run([*args, script], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=20).stdout)


def faults_in_guest(box, rounds):
    """vm0 has reaped the shell's children."""
    shell = box(args=(*FORKS, f"i=0; while [ $i -lt {rounds} ]; do (:); i=$((i + 1)); done; exec sleep 1000"))
    vm0, first = wait_for(lambda: len(pids := descendants(shell.container.pid)) == 4 and pids[2:], what="an idle container")
    wait_for(lambda: pathlib.Path(f"/proc/{first}/cmdline").read_bytes().startswith(b"sleep"), what="the end of the loop")
    wait_for(lambda: len(descendants(shell.container.pid)) == 4, what="the reaping of them all")
    return faults_of_children(pathlib.Path(f"/proc/{vm0}/stat").read_text())


def test_page_faults_of_a_fork(box, rootfs):
    """What a child that ends at once touches of the guest kernel: each fault maps 16 pages, and many a page table as well."""
    guest = (faults_in_guest(box, MANY) - faults_in_guest(box, FEW)) / (MANY - FEW)
    assert guest - (faults_native(rootfs, MANY) - faults_native(rootfs, FEW)) / (MANY - FEW) < 8

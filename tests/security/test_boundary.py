"""The boundary of the pv machine, looked at from the host's side."""

import os
import pathlib
import re
import socket
import subprocess

import pytest
from bundle import BUILD, RUNTIME, TESTS, wait_for

GUEST = BUILD / "guest-pv.elf"

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: runc has no guest kernel")


@pytest.fixture(scope="session")
def symbols():
    """{name: address} of the guest kernel."""
    lines = subprocess.run(["nm", str(GUEST)], stdin=subprocess.DEVNULL, capture_output=True,
                           text=True, check=True).stdout.splitlines()
    return {name: int(address, 16) for address, _, name in map(str.split, lines)}


def hypercalls():
    text = (TESTS.parent / "abi/hypercalls.def").read_text()
    return set(re.findall(r"^HYPERCALL\((\w+),", text, re.M))


def guest_processes():
    """The host processes that run this build's guest kernel."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.path.samefile(entry / "exe", GUEST):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def up(container):
    assert container.process.stdout.readline() == b"up\n", str(container.wait(5))


def status_of(pid):
    return dict(line.split(":\t", 1) for line in
                pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


def test_guest_processes_have_nothing(start):
    before = set(guest_processes())
    container = start("/bin/bash", "-c", "sleep 100 & (sleep 100 | cat) & echo up; wait")
    up(container)
    pids = wait_for(lambda: [p for p in guest_processes() if p not in before], 5, "guest processes")
    assert len(pids) >= 4
    ours = {kind: os.readlink(f"/proc/self/ns/{kind}") for kind in ("user", "mnt", "net", "pid", "ipc")}
    for pid in pids:
        status = status_of(pid)
        for which in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[which], 16) == 0, (pid, which)
        assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1")
        assert "0" not in status["Uid"].split()
        for kind, host in ours.items():
            assert os.readlink(f"/proc/{pid}/ns/{kind}") != host, (pid, kind)
        assert not os.listdir(f"/proc/{pid}/root"), f"{pid} has files in its root"
        routes = pathlib.Path(f"/proc/{pid}/net/route").read_text().splitlines()
        assert len(routes) <= 1, f"{pid} has a network"


def watch(container, pids, log):
    """strace on the host processes of a container; every call is logged with its address."""
    attach = [word for pid in pids for word in ("-p", str(pid))]
    tracer = subprocess.Popen(["strace", "-f", "-i", "-qq", "-s0", "-o", str(log), *attach],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, start_new_session=True)

    def traced():
        assert tracer.poll() is None, tracer.stderr.read()
        return all(status_of(pid)["TracerPid"] == str(tracer.pid) for pid in pids)
    wait_for(traced, 20, "strace")
    return tracer


LINE = re.compile(r"^(\d+) +\[([0-9a-f]+|\?+)\] (.*)$")


# Linux 6.14 and later let these two (uretprobe, uprobe) through every seccomp filter. They do
# nothing unless called from the host kernel's own trampoline: SIGILL and ENXIO otherwise.
UNFILTERED = ("uretprobe(", "uprobe(", "syscall_0x14f(", "syscall_0x150(")


def check_log(log, first, last):
    """(host calls, trapped calls); an assertion for any call from elsewhere that was not trapped."""
    table = hypercalls()
    served, trapped, pending, strangers = 0, 0, {}, []
    for line in log.read_text().splitlines():
        match = LINE.match(line)
        if not match:
            continue
        pid, address, text = match.groups()
        if text.startswith("---"):
            if "SIGSYS" in text and pending.pop(pid, None):
                trapped += 1
            continue
        if text.startswith(("<... ", "????")) or "?" in address:
            continue  # the second half of a call that is judged by its first
        if text.startswith("+++"):
            pending.pop(pid, None)  # killed from elsewhere in the middle of it
            continue
        if pid in pending:
            strangers.append(pending.pop(pid))
        if first <= int(address, 16) <= last:  # strace shows the address after the instruction
            served += 1
            name = re.match(r"\w+", text).group()
            assert name in table or name == "restart_syscall", f"not in the table: {line}"
        elif not text.startswith(UNFILTERED):
            pending[pid] = line
    assert not strangers, f"{len(strangers)} calls reached the host, the first: {strangers[:3]}"
    return served, trapped


@pytest.mark.parametrize("low", range(0, 601, 120))
def test_raw_calls_never_reach_the_host(start, scratch, tmp_path, symbols, low):
    high = min(low + 119, 600)
    before = set(guest_processes())
    container = start("/t/raw_calls", str(low), str(high), "/data/go",
                      mounts=[("/data", "bind", str(scratch), ["rbind"])])
    up(container)
    pids = [pid for pid in guest_processes() if pid not in before]
    log = tmp_path / "strace"
    tracer = watch(container, pids, log)
    (scratch / "go").write_text("")
    result = container.wait(240)
    tracer.wait(20)
    assert result.status == 0 and "done" in result.stdout, str(result)
    served, trapped = check_log(log, symbols["hostcall_block"], symbols["hostcall_block_end"])
    assert served > 20 and trapped >= high - low + 1, (served, trapped)


FORBIDDEN = {
    "open": ["2", "page", "0"],
    "openat": ["257", "-100", "page", "0"],
    "socket": ["41", "2", "1", "0"],
    "connect": ["42", "3", "sock", "16"],
    "execve": ["59", "page", "0", "0"],
    "ptrace": ["101", "0"],
    "kill": ["62", "1", "9"],
    "unshare": ["272", "0x10000000"],
    "mount": ["165", "page", "page", "page", "0", "0"],
    "setns": ["308", "3", "0"],
    "bpf": ["321", "0", "page", "64"],
    "io_uring_setup": ["425", "8", "page"],
    "process_vm_readv": ["310", "1", "page", "1", "page", "1", "0"],
    "prctl": ["157", "38", "1", "0", "0", "0"],
    "seccomp": ["317", "1", "0", "page"],
    "no-such-call": ["599"],
    "x32-getpid": ["0x40000027"],
    "mmap-foreign-fd": ["9", "0x10000000", "4096", "1", "0x11", "3", "0"],
    "mmap-not-fixed": ["9", "0", "4096", "3", "0x22", "-1", "0"],
    "mmap-over-kernel": ["9", "{kernel}", "4096", "7", "0x32", "-1", "0"],
    "munmap-kernel": ["11", "{kernel}", "4096"],
    "mprotect-kernel": ["10", "{kernel}", "4096", "7"],
    "clone-newuser": ["56", "0x10000011", "0"],
    "clone-plain": ["56", "17", "0"],
    "clone-ptrace": ["56", "0x2011", "0"],
    "sendto-address": ["44", "1000", "page", "4", "0", "sock", "16"],
    "tgkill-kill": ["234", "1", "1", "9"],
    "futex-requeue": ["202", "page", "3", "1", "1", "page", "0"],
    "read-foreign-fd": ["0", "1", "page", "16"],
    "write-foreign-fd": ["1", "2", "page", "16"],
    "execveat-path": ["322", "-100", "page", "0", "0", "0"],
    "execveat-other-path": ["322", "3", "page", "0", "0", "0x1000"],
    "mmap-executable-window": ["9", "0x7ff1b0000000", "4096", "7", "0x4032", "-1", "0"],
    "mmap-into-kernel": ["9", "0x7dfffffff000", "0x20000000000", "3", "0x32", "-1", "0"],
    "clone3": ["435", "page", "88"],
    "exit_group": ["231", "0"],
    "dup3-over-image": ["292", "64", "3", "0"],
    "close-channel": ["3", "6"],
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_forbidden_hostcall_ends_the_vm(run, symbols, name):
    """The caller and the whole VM die, and the runtime says so."""
    args = [arg.format(kernel=hex(symbols["_start"] & ~0xfff)) for arg in FORBIDDEN[name]]
    result = run("/bin/sh", "-c", '"$@"; echo survived', "-", "/t/bad_hostcall",
                 hex(symbols["hostcall_site_plain"]), *args, timeout=15)
    assert not result.timed_out, str(result)
    assert result.stdout.startswith("up\n") and "returned" not in result.stdout, str(result)
    assert "survived" not in result.stdout and result.status != 0, str(result)
    number = int(args[0], 0)
    assert re.search(rf"forbidden host call {number} \([\w ]+(, arguments not allowed)?\) from guest process \d+",
                     result.stderr), str(result)


def test_no_other_instruction_reaches_the_host(run):
    """int 0x80 and sysenter: refused or served by the guest, never by the host."""
    script = ("import ctypes, mmap, os\n"
              "m = mmap.mmap(-1, 4096, prot=7)\n"
              "m.write(bytes.fromhex('b814000000cd80c3'))\n"  # mov $20 (getpid), eax; int 0x80; ret
              "f = ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(m)))\n"
              "pid = os.fork()\n"
              "if pid == 0:\n r = f()\n os._exit(0 if r in (-38, os.getpid()) else 1)\n"
              "s = os.waitpid(pid, 0)[1]\n"
              "print('fine' if s == 0 or os.WIFSIGNALED(s) else s)\n")
    result = run("/usr/bin/python3", "-c", script)
    assert result.stdout == "fine\n", str(result)


@pytest.fixture
def secret(tmp_path_factory):
    """A file of the host's outside every root file system of a container."""
    path = tmp_path_factory.mktemp("secret") / "secret"
    path.write_text("SECRET\n")
    for parent in (path, *path.parents[:3]):
        if not os.stat(parent).st_mode & 0o5:
            os.chmod(parent, os.stat(parent).st_mode | 0o755)
    return path


def test_paths_stay_in_the_root(run, secret):
    result = run("/bin/bash", "-c",
                 f"cat {'../' * 30}{secret} {secret} /proc/1/root{secret} /proc/self/root/..{secret} "
                 f"/proc/self/cwd/../..{secret} 2>/dev/null; ln -s {'../' * 30} /tmp/l; "
                 f"cat /tmp/l{secret} /../config.json /rootfs/../config.json 2>/dev/null; "
                 "cd /tmp && mkdir -p a/b && cd a/b && mv /tmp/a/b /b && cat ../../../config.json 2>/dev/null; "
                 "ls -di / /.. | sed 's/ .*//' | uniq | wc -l")
    assert result.stdout == "1\n", str(result)


def test_races_of_names_stay_in_the_root(run, secret, scratch):
    for cwd, mounts in (("/tmp", ()), ("/data", [("/data", "bind", str(scratch), ["rbind"])])):
        result = run("/t/path_race", "4", str(secret), cwd=cwd, mounts=mounts, timeout=30)
        assert result.status == 0, str(result)


def test_host_services_stay_out_of_reach(run):
    """Unix sockets of the host, abstract ones too, are none of the guest's."""
    name = f"callgate-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0" + name)
        server.listen()
        result = run("/usr/bin/python3", "-c", "import socket\ns = socket.socket(socket.AF_UNIX)\n"
                     f"try:\n s.connect('\\0{name}'); print('connected')\n"
                     "except OSError as e: print('refused')")
    assert result.stdout == "refused\n", str(result)


def test_devices_cannot_be_made_real(run, scratch):
    """mknod of the host's disk, in the root or on a volume, never opens the disk."""
    result = run("/bin/bash", "-c", "for d in /tmp /data; do mknod $d/disk b 254 0; mknod $d/mem c 1 1; "
                 "for f in disk mem; do head -c 1 $d/$f >/dev/null 2>&1 && echo read $d/$f; done; done; echo end",
                 mounts=[("/data", "bind", str(scratch), ["rbind"])])
    assert result.stdout == "end\n", str(result)

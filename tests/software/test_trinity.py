"""trinity: calls with arguments that nobody would think of, for ten minutes or CALLGATE_TRINITY_SECONDS."""

import os
import pathlib
import re

import pytest
from bundle import edit_config
from marks import software

SECONDS = int(os.environ.get("CALLGATE_TRINITY_SECONDS", "600"))
# perf: without perf_event_open it tries for ever; sockets: this version crashes there, on any kernel.
OPTIONS = "-q -l off -C2 --disable-fds=perf --disable-fds=sockets"
# Of the host's kernel itself, and of guest kernels; not of programs that end by a fault ("traps: NAME[1] general protection fault ip:"),
# nor the call traces of memory cgroups that are full.
TROUBLE = re.compile(r"BUG:|WARNING:|Oops|general protection fault[,:]|unable to handle|blocked for more than|rcu.*stall|guest-pv\.elf.*(segfault|general protection)")


def kernel_log():
    """The host's kernel messages so far."""
    lines = []
    fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    try:
        while True:
            try:
                lines.append(os.read(fd, 8192).decode(errors="replace"))
            except BlockingIOError:
                return lines
            except BrokenPipeError:  # overwritten meanwhile
                continue
    finally:
        os.close(fd)


@pytest.mark.parametrize("uid", [1000, 0])
@software("trinity", layer="stress", differs="not compared: no panic, no forbidden host call, the host's log clean")
def test_trinity(start, uid):
    """Random calls by two processes for some minutes"""
    def prepare(bundle):
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

        def change(config):
            config["linux"]["resources"] = {"pids": {"limit": 500}, "memory": {"limit": min(4 << 30, memory // 2)}}
        edit_config(bundle, change)
        pathlib.Path(bundle, "rootfs/tmp").chmod(0o1777)

    before = kernel_log()
    script = (f"mkdir /tmp/w; cd /tmp/w; timeout -k 30 {SECONDS} trinity {OPTIONS} {'' if uid else '--dangerous'} "
              ">out 2>&1; echo $?; grep -c child out; tail -n 20 out >&2")
    result = start("/bin/bash", "-c", script, uid=uid, gid=uid, cwd="/tmp", prepare=prepare).wait(SECONDS + 120)
    status, children = result.stdout.split()
    assert (result.status, status) == (0, "124") and int(children) > 0, str(result)
    assert not [line for line in kernel_log() if line not in before and TROUBLE.search(line)]

"""What the host's own tools show of a container's processes: docker top is the host's ps."""

import pathlib
import subprocess

import pytest
from bundle import RUNTIME, wait_for

callgate_only = pytest.mark.skipif(RUNTIME == "runc", reason="known: about callgate's own processes")


def listed(root):
    """{pid: command line} of the processes below one, as ps has them."""
    text = subprocess.run(["ps", "-ww", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, timeout=30,
                          check=True).stdout
    rows = [line.split(None, 2) for line in text.splitlines()]
    found = {str(root)}
    while new := {pid for pid, parent, *_ in rows if parent in found} - found:
        found |= new
    return {int(pid): " ".join(args) for pid, _, *args in rows if pid in found}


def wait_until_listed(root, command):
    def look():
        return {args: pid for pid, args in listed(root).items()}.get(command)
    return wait_for(look, what=f"'{command}' in the host's ps")


def test_ps_shows_programs(start):
    """Whether they were started by fork and exec or by vfork, and with arguments longer and shorter than before."""
    container = start("/bin/bash", "-c", """
        sleep 4711 & env A=1 B=2 sleep 4712 &
        /usr/bin/python3 -c 'import subprocess; subprocess.run(["/bin/sleep", "4713"])' first second third &
        wait""")
    for seconds in (4711, 4712):
        wait_until_listed(container.pid, f"sleep {seconds}")
    pid = wait_until_listed(container.pid, "/bin/sleep 4713")
    shown = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    assert shown.rstrip(b"\0") == b"/bin/sleep\0" + b"4713"


@callgate_only
def test_vm0_says_whose_it_is(start):
    container = start("/bin/sleep", "4714")
    wait_until_listed(container.pid, "/bin/sleep 4714")
    assert f"callgate: vm0 {container.id}" in listed(container.pid).values()


def test_long_command_lines_are_cut(start):
    container = start("/bin/bash", "-c", "sleep 4715; exit 0 #" + "x" * 10000)
    wait_until_listed(container.pid, "sleep 4715")
    assert any(args.startswith("/bin/bash -c sleep 4715; exit 0 #xxxx") for args in listed(container.pid).values())

"""Attacks on the guest kernel's memory: text and tables are never writable, what is writable never holds code."""

import pathlib
import re
import struct
import subprocess

import pytest
from bundle import BUILD, RUNTIME, wait_for

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: runc has no guest kernel")

GUEST = BUILD / "guest-pv.elf"


def nm():
    out = subprocess.run(["nm", str(GUEST)], capture_output=True, text=True, check=True).stdout
    return {name: (int(address, 16), kind) for address, kind, name in map(str.split, out.splitlines())}


@pytest.fixture(scope="session")
def symbols():
    return {name: address for name, (address, _) in nm().items()}


def attack(run, how, address):
    return run("/bin/sh", "-c", '"$@"; echo $?; echo still here', "-", "/t/attack_kernel", how, hex(address))


SEGMENTATION_FAULT = 128 + 11


@pytest.mark.parametrize("what", ["_start", "hostcall_block", "kernel_syscall", "extable_start"])
def test_text_is_not_written(run, symbols, what):
    """The host's pages are read-only to it: it dies of a segmentation fault, as any program that writes to code."""
    assert attack(run, "write", symbols[what]).stdout == f"{SEGMENTATION_FAULT}\nstill here\n"


def test_text_is_not_made_writable(run, symbols):
    """mprotect, mmap over it and mremap are refused by the guest kernel; the host calls for it by the filter (test_boundary.py)."""
    assert attack(run, "unprotect", symbols["kernel_syscall"]).stdout == f"-1 0 0\n{SEGMENTATION_FAULT}\nstill here\n"


def test_data_is_not_executed(run):
    """The kernel's window can be written by whoever has taken over a guest process, as can be its own data: but it holds no code."""
    scratch = 0x7ff10f7ff000  # the last page of what is private to the process: nothing is there
    assert attack(run, "write", scratch).stdout == "survived\n0\nstill here\n"
    assert attack(run, "execute", scratch).stdout == f"{SEGMENTATION_FAULT}\nstill here\n"


def writable_data():
    """(address, bytes) of what the image's writable segment is filled with."""
    out = subprocess.run(["readelf", "-lW", str(GUEST)], capture_output=True, text=True, check=True).stdout
    offset, address, size = re.search(r"LOAD +(0x\w+) (0x\w+) 0x\w+ (0x\w+) 0x\w+ RW ", out).groups()
    data = GUEST.read_bytes()[int(offset, 16):][:int(size, 16)]
    return int(address, 16), data


def test_tables_are_read_only(symbols):
    """What the kernel calls by is constant: its system calls, operations of files, sockets and mounts lie with the text."""
    tables = [name for name in symbols if re.search(r"(_ops|_fops|syscall_table)$", name)]
    assert len(tables) > 40 and "syscall_table" in tables
    assert not [name for name in tables if not symbols["_start"] & ~0xfff <= symbols[name] < symbols["ktext_end"]]


def test_few_pointers_to_code_are_writable(symbols):
    """In initialised data: of objects that have a state as well, file system types, devices and tables of System V objects."""
    base, data = writable_data()
    functions = code(symbols)
    words = struct.unpack(f"<{len(data) // 8}Q", data[:len(data) // 8 * 8])
    by_address = sorted((address, name) for name, address in symbols.items() if base <= address < base + len(data))
    owners = {next(name for address, name in reversed(by_address) if address <= base + 8 * i)
              for i, word in enumerate(words) if word in functions}
    assert not {name for name in owners if not name.endswith(("_type", "_dev", "_table"))}, owners


def code(symbols):
    """Addresses of functions."""
    return {address for name, (address, kind) in nm().items() if kind in "tT" and address >= symbols["hostcall_block"]}


def segments():
    out = subprocess.run(["readelf", "-lW", str(GUEST)], capture_output=True, text=True, check=True).stdout
    return re.findall(r"^  (LOAD|GNU_STACK)\s.*0x\w+ +([RWE ]{3}) +0x\w+$", out, re.M)


def test_the_image_has_no_writable_code():
    found = segments()
    assert len(found) == 3, found
    assert not [flags for _, flags in found if "W" in flags and "E" in flags]


MAPS = re.compile(r"^(\w+)-(\w+) ([r-][w-][x-][sp]) \w+ \w+:\w+ \d+ *(.*)$", re.M)
BUSY = """
echo up
i=0
while [ $i -lt 300 ]; do
    /bin/true; (exit 0); cat /etc/hosts | head -c 10 >/dev/null; i=$((i + 1))
    [ -e /tmp/stop ] && break
done
"""


def descendants(pid):
    children = [int(child) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
                for child in (task / "children").read_text().split()]
    return children + [deeper for child in children for deeper in descendants(child)]


def maps_of(pids):
    for pid in pids:
        try:
            yield pathlib.Path(f"/proc/{pid}/maps").read_text()
        except OSError:
            continue


def test_no_page_is_writable_and_executable(start):
    """In any guest process at any time: while programs start, run, have their system calls patched, and end."""
    container = start("/bin/sh", "-c", BUSY)
    assert container.process.stdout.readline() == b"up\n"
    looked, kernels = 0, set()
    while container.process.poll() is None and looked < 300:
        try:
            pids = descendants(container.pid)[1:]  # without the hypervisor itself
        except OSError:
            continue
        for text in maps_of(pids):
            looked += 1
            for first, _, flags, name in MAPS.findall(text):
                assert not ("w" in flags and "x" in flags), (first, flags, name)
                if int(first, 16) >= 0x7ff0f0000000 and "guest-pv" in name:
                    kernels.add(flags)
    (container.bundle / "rootfs/tmp/stop").write_text("")
    assert looked >= 100
    assert kernels == {"r-xp"}, kernels  # text, and what is constant; data are not of the file any more


def test_the_hypervisor_has_no_writable_code(box):
    b = box()
    pid = wait_for(lambda: descendants(b.container.pid), what="hypervisor")[0]
    text = pathlib.Path(f"/proc/{pid}/maps").read_text()
    assert len(MAPS.findall(text)) > 10
    assert not [found for found in MAPS.findall(text) if "w" in found[2] and "x" in found[2]]

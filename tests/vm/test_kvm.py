"""The kvm machine, without the hardware: in a virtual machine whose emulated CPU has AMD's virtualization, what tests/vm/kvm-main
asks of it. `make test-kvm` runs guest and integration tests there."""

import itertools
import os
import pathlib
import re
import select
import shutil
import struct
import subprocess
import tempfile
import time

import exits
import pytest
from bundle import BUILD, TESTS

IMAGE = BUILD / "guest-kvm.elf"
TEXT = 0xffffffff80000000  # KVM_TEXT of abi/kvm.h
GUEST_TESTS = ["cpu_share", "affinity", "fork_wait", "futex", "io_pipe", "thr_basic", "membarrier", "mm_mmap", "privileged", "sched", "sig_basic"]
ON_ONE_CPU = GUEST_TESTS[:6]
PROGRAMS = [*GUEST_TESTS, "kvm_ops"]
# Functions of kvm-main, by boot.
BOOTS = [["programs", "figures"], ["life", "ends", "memory"], ["faults"]]
# The machine says that it is alive (keeper.c). One that does not for so many seconds has stopped: the emulation has, not what is tested.
SILENCE = 120
LONGEST = 900
ATTEMPTS = 3
# What sync(2) does in guest kernels that are broken on purpose.
FAULTS = {
    "undefined": "0f0b",                            # ud2
    "double": "31e450",                             # xor %esp,%esp; push: no stack for the page fault
    "stack": "65488b042508000000 488b4020 48c70000000000 31c0c3",  # thread->stack[0] = 0
    "halted": "faf4ebfc",                           # cli; hlt, again and again
    "loops": "ebfe",
}


def file_offset(image, address):
    """Of an address in a segment."""
    start, = struct.unpack_from("<Q", image, 32)
    count, = struct.unpack_from("<H", image, 56)
    for at in range(start, start + 56 * count, 56):
        kind, _, offset, place, _, size, _, _ = struct.unpack_from("<IIQQQQQQ", image, at)
        if kind == 1 and place <= address < place + size:
            return offset + address - place
    raise ValueError(hex(address))


def broken_image(code):
    names = subprocess.run(["nm", IMAGE], capture_output=True, text=True, check=True).stdout
    image = bytearray(IMAGE.read_bytes())
    at = file_offset(image, int(re.search(r"^(\w+) T sys_sync$", names, re.MULTILINE)[1], 16))
    image[at:at + len(code)] = code
    return image


def writable_code():
    image = bytearray(IMAGE.read_bytes())
    start, = struct.unpack_from("<Q", image, 32)
    struct.pack_into("<I", image, start + 4, 7)  # p_flags of the first segment
    return image


def fill(folder, parts):
    (folder / "t").mkdir()
    for name in PROGRAMS:
        shutil.copy2(BUILD / "tests/guest" / (name + "-static"), folder / "t" / name)
    shutil.copy2(BUILD / "tests/guest/kvm_nothing", folder / "t")
    for name, words in {"tests": GUEST_TESTS, "tests-one": ON_ONE_CPU, "operations": exits.FIGURES, "parts": parts}.items():
        (folder / name).write_text("\n".join(words) + "\n")
    shutil.copy2(TESTS / "vm/kvm-main", folder / "main")
    for name, code in FAULTS.items():
        (folder / (name + ".elf")).write_bytes(broken_image(bytes.fromhex(code)))
    (folder / "both.elf").write_bytes(writable_code())


class Stopped(Exception):
    """The emulated machine."""


def listen(qemu):
    """What the machine says on its console, until it is switched off."""
    said, alive, heard, begin = b"", 0, time.monotonic(), time.monotonic()
    while time.monotonic() < begin + LONGEST:
        if time.monotonic() > heard + SILENCE:
            raise Stopped(said)
        if not select.select([qemu.stdout], [], [], 1)[0]:
            continue
        chunk = os.read(qemu.stdout.fileno(), 65536)
        if not chunk:
            break
        said += chunk
        if said.count(b"\nalive ") > alive:
            alive, heard = said.count(b"\nalive "), time.monotonic()
    if b"\nend " not in said and time.monotonic() < begin + LONGEST:
        raise Stopped(said)  # by itself: its kernel panicked
    return said


def boot(initrd, kernel):
    command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-machine", "q35",
               "-accel", "tcg,thread=multi", "-cpu", "EPYC,+svm,+npt,+umip", "-smp", "2", "-m", "1500",
               "-kernel", str(pathlib.Path(kernel, "vmlinuz")), "-initrd", str(initrd), "-serial", "stdio",
               "-append", "console=ttyS0 panic=-1 mitigations=off quiet cryptomgr.notests nosoftlockup no_timer_check rdinit=/init"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as qemu:
        try:
            return listen(qemu)
        finally:
            qemu.kill()


def lines(said):
    return [line for line in said.decode(errors="replace").replace("\r", "").splitlines() if not line.startswith("alive ")]


@pytest.fixture
def said(request):
    kernel = subprocess.run([TESTS / "vm/kernel.sh"], capture_output=True, text=True, check=True).stdout.strip()
    with tempfile.TemporaryDirectory(prefix="callgate-kvm-", dir="/var/tmp") as place:
        folder = pathlib.Path(place, "x")
        folder.mkdir()
        fill(folder, request.param)
        initrd = pathlib.Path(place, "initrd")
        subprocess.run([TESTS / "vm/initrd.sh", BUILD, folder, initrd], check=True)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                yield lines(boot(initrd, kernel))
                return
            except Stopped as stopped:
                print(f"attempt {attempt}: the emulated machine stopped after", *lines(stopped.args[0])[-3:], sep="\n  ")
    pytest.fail(f"the emulated machine stopped {ATTEMPTS} times")


def costs(said):
    """(how it waits, CPUs, operation or "start", counts) of the containers that tell their exits."""
    counted = [line.split(maxsplit=4)[1:] for line in said if line.startswith("exits ")]
    for before, now in itertools.pairwise(counted):
        how, cpus, name = now[:3]
        cost = exits.counts(now[3].split())
        if name != "start":
            cost = exits.difference(exits.counts(before[3].split()), cost)
        yield how, int(cpus), name, cost


def is_too_much(how, cpus, name, cost):
    if name == "start":
        return exits.wrong_start(cost)
    most = exits.most_waiting(how) if name == "wait" else exits.most(name, cpus)
    return exits.own(cost) > most


@pytest.mark.parametrize("said", BOOTS, indirect=True, ids="-".join)
def test_what_is_asked_first(said, request):
    parts = request.node.callspec.params["said"]
    told = "\n".join(said)
    assert "end 0" in said, told
    assert [line for line in said if line.startswith("asked ")] == ["asked " + part for part in parts], told
    assert not [line for line in said if line.startswith("failed ")], told
    assert [line for line in said if line.startswith("ok ")], told
    counted = list(costs(said))
    assert len(counted) >= (2 * len(exits.FIGURES) + 3 if "figures" in parts else 0), told
    assert not [each for each in counted if is_too_much(*each)]

"""The kvm machine, without the hardware: in a virtual machine whose emulated CPU has AMD's virtualization, what tests/vm/kvm-main
asks of it. `make test-kvm` runs guest and integration tests there."""

import contextlib
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile

import pytest
from bundle import BUILD, TESTS

IMAGE = BUILD / "guest-kvm.elf"
TEXT = 0xffffffff80000000  # KVM_TEXT of abi/kvm.h
GUEST_TESTS = ["cpu_share", "affinity", "fork_wait", "futex", "io_pipe", "thr_basic", "membarrier", "mm_mmap", "privileged", "sched", "sig_basic"]
ON_ONE_CPU = GUEST_TESTS[:6]
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


def fill(folder):
    (folder / "t").mkdir()
    for name in GUEST_TESTS:
        shutil.copy2(BUILD / "tests/guest" / (name + "-static"), folder / "t" / name)
    (folder / "tests").write_text("\n".join(GUEST_TESTS) + "\n")
    (folder / "tests-one").write_text("\n".join(ON_ONE_CPU) + "\n")
    shutil.copy2(TESTS / "vm/kvm-main", folder / "main")
    for name, code in FAULTS.items():
        (folder / (name + ".elf")).write_bytes(broken_image(bytes.fromhex(code)))
    (folder / "both.elf").write_bytes(writable_code())


def boot(initrd, kernel):
    """What the machine said on its console."""
    command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-machine", "q35",
               "-accel", "tcg,thread=multi", "-cpu", "EPYC,+svm,+npt,+umip", "-smp", "2", "-m", "1500",
               "-kernel", str(pathlib.Path(kernel, "vmlinuz")), "-initrd", str(initrd), "-serial", "stdio",
               "-append", "console=ttyS0 panic=-1 mitigations=off quiet cryptomgr.notests nosoftlockup no_timer_check rdinit=/init"]
    console = initrd.with_name("console")
    with console.open("wb") as out, contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL, timeout=500, check=False)
    return console.read_text(errors="replace").replace("\r", "")


@pytest.fixture
def said():
    kernel = subprocess.run([TESTS / "vm/kernel.sh"], capture_output=True, text=True, check=True).stdout.strip()
    with tempfile.TemporaryDirectory(prefix="callgate-kvm-", dir="/var/tmp") as place:
        folder = pathlib.Path(place, "x")
        folder.mkdir()
        fill(folder)
        initrd = pathlib.Path(place, "initrd")
        subprocess.run([TESTS / "vm/initrd.sh", BUILD, folder, initrd], check=True)
        yield boot(initrd, kernel)


def test_what_is_asked_first(said):
    lines = said.splitlines()
    checks = re.findall(r"^\s*check (?:\"?)([a-z_0-9]+)", (TESTS / "vm/kvm-main").read_text(), re.MULTILINE)
    passed = [line[3:] for line in lines if line.startswith("ok ")]
    assert "end 0" in lines, said
    assert not [line for line in lines if line.startswith("failed ")], said
    assert len(passed) >= len(checks), said

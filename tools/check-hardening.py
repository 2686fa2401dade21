#!/usr/bin/python3
"""check-hardening.py KIND=FILE...: do the built programs have what meson.build asks the compiler and linker for? KIND is
`host` (a program of the host's), `c++` (the same; its libraries' checks do not show), or `guest` (a guest kernel).

There is no note for IBT and shadow stacks: Debian's crt1.o and static libraries have none, and the linker gives it only
to what is made of such objects alone. So the landing pads themselves are looked for."""

import glob
import os
import re
import subprocess
import sys

# Of one function, in bytes: a kernel stack has 16 KiB or more, with nothing on it whose size is only known when it runs (-Wvla).
FRAME_MAX = 2304

ENDBR64 = bytes.fromhex("f30f1efa")


def run(*args):
    return subprocess.run(args, check=True, capture_output=True, text=True).stdout


def segments(path):
    """[(type, flags)]: of flags like "R E"."""
    lines = run("readelf", "-lW", path).splitlines()
    found = [re.match(r"\s+([A-Z_]+)\s+(?:0x[0-9a-f]+\s+){5}([RWE ]{3})\s", line) for line in lines]
    return [(m[1], m[2].replace(" ", "")) for m in found if m]


def segment_faults(path):
    all_of = segments(path)
    if not any(kind == "LOAD" for kind, _ in all_of):
        yield "no segments: is it a program?"
    for kind, flags in all_of:
        if "W" in flags and "E" in flags:
            yield f"a {kind} segment is writable and executable"
    if not any(kind == "GNU_STACK" for kind, _ in all_of):
        yield "GNU_STACK is missing: the stack is executable"


def link_faults(path):
    dynamic = run("readelf", "-dW", path)
    flags = " ".join(re.findall(r"\(FLAGS(?:_1)?\)\s+(.*)", dynamic))
    if "PIE" not in flags:
        yield "not position independent"
    if "NOW" not in flags:
        yield "no BIND_NOW"
    if "TEXTREL" in dynamic:
        yield "relocations in its text"
    if not any(kind == "GNU_RELRO" for kind, _ in segments(path)):
        yield "no RELRO"


def compiled_here(path):
    """Names of global functions in the objects that it is made of: what comes from static libraries is others'."""
    folder, name = os.path.split(path)
    objects = [file for made in (name, "libhypervisor.a") for file in glob.glob(f"{folder}/{made}.p/*.o")]
    return set(re.findall(r"^[0-9a-f]+ T (\S+)$", run("nm", *objects), re.M))


def functions(path):
    """{name: file offset} of its global functions that were compiled here."""
    text = re.search(r"\s\.text\s+PROGBITS\s+([0-9a-f]+)\s+([0-9a-f]+)", run("readelf", "-SW", path))
    move = int(text[2], 16) - int(text[1], 16)
    symbols = re.findall(r"^([0-9a-f]+) T (\S+)$", run("nm", path), re.M)
    own = compiled_here(path)
    return {name: int(address, 16) + move for address, name in symbols if name in own}


def code_faults(path, kind):
    imported = run("nm", "-D", "--undefined-only", path)
    if "__stack_chk_fail" not in imported:
        yield "no stack protector"
    if kind == "host" and not re.search(r"__\w+_chk\b", imported.replace("__stack_chk_fail", "")):
        yield "no fortified function of the C library"
    with open(path, "rb") as file:
        content = file.read()
    found = functions(path)
    if "main" not in found:
        yield "no symbols to look at"
    bare = [name for name, at in found.items() if content[at:at + 4] != ENDBR64]
    if bare:
        yield f"no landing pad at {', '.join(sorted(bare)[:5])}"


def frame_faults(path):
    """Functions that take more of a kernel stack at once than they may."""
    name, seen = "?", 0
    for line in run("objdump", "-d", "--no-show-raw-insn", path).splitlines():
        if line.endswith(">:"):
            name = line.split("<")[1][:-2]
        elif found := re.search(r"\bsub +\$0x([0-9a-f]+),%rsp", line):
            seen += 1
            if FRAME_MAX < int(found[1], 16) < 1 << 31:  # above: it is added
                yield f"{name} has {int(found[1], 16)} bytes of variables on the stack"
    if not seen:
        yield "no code to look at"


def faults(kind, path):
    yield from segment_faults(path)
    if kind == "guest":
        yield from frame_faults(path)
    else:
        yield from link_faults(path)
        yield from code_faults(path, kind)


def main():
    bad = [f"{path}: {fault}" for kind, path in (arg.split("=", 1) for arg in sys.argv[1:])
           for fault in faults(kind, path)]
    print("\n".join(bad), end="\n" if bad else "")
    return 1 if bad else 0


sys.exit(main())

#!/usr/bin/python3
"""gen-hypervisor-calls-doc.py confine.def confine.c [docs/hypervisor-calls.md]

Prints docs/hypervisor-calls.md: what the seccomp filters of the hypervisor's threads let pass. With a third argument it
compares instead, and fails if that file is not what it would print.
"""

import re
import sys

INTRO = """\
# Host calls of the hypervisor

<!-- Written by tools/gen-hypervisor-calls-doc.py from hypervisor/call/confine.def and confine.c. Do not edit. -->

The threads of a hypervisor run under seccomp filters from the moment that the guest does. They are there for the case that a guest takes
over such a thread: it gets EPERM for all that is not below, new programs, namespaces, mounts, tracing and executable memory among
it (`tests/security/test_hypervisor.py`, which has each thread try). What a thread does serve is bounded by its capabilities, and
by what it can name: [threat-model.md](threat-model.md).

| threads | what for | calls |
| --- | --- | --- |
"""

WHO = {"ALL": "all", "MAIN": "main thread", "VCPU": "virtual CPUs (kvm)", "SCHEDULER": "server (pv, in a pid namespace of its own)"}


def rows(definitions):
    groups = {}
    for who, name, why in re.findall(r'^CONFINED\((\w+), (\w+), "([^"]*)"\)$', definitions, re.M):
        groups.setdefault((who, why), []).append(f"`{name}`")
    for (who, why), names in groups.items():
        yield f"| {WHO[who]} | {why} | {', '.join(names)} |\n"


def conditions(source):
    """Calls whose argument may not be certain values, or not have certain bits."""
    table = source[source.index("} refusals[] = {"):source.index("#define REFUSALS")]
    for name, arg, values in re.findall(r"\{ SYS_(\w+), (\d+), \d+, \{ ([^}]*?) \} \}", table):
        yield f"| all | argument {int(arg) + 1} is none of {values} | `{name}` |\n"
    table = source[source.index("} conditions[] = {"):source.index("#define CONDITIONS")]
    for name, arg, bits in re.findall(r"\{ SYS_(\w+), (\d+),\s*([^}]*?) \}", table):
        bits = " ".join(bits.split())
        if bits == "~(u32)0":
            yield f"| all | argument {int(arg) + 1} is 0 | `{name}` |\n"
        elif bits.startswith("~(u32)"):
            yield f"| all | argument {int(arg) + 1} has no bits but those of {bits[6:]} | `{name}` |\n"
        else:
            yield f"| all | argument {int(arg) + 1} has none of {bits.replace(' |', ',')} | `{name}` |\n"
    if not re.search(r"others_mask = \{ SYS_sched_setaffinity, 0, ~\(u32\)0 \};.*others_nice = \{ SYS_setpriority, 0, ~\(u32\)PRIO_PROCESS \};", source, re.S):
        sys.exit("confine.c: conditions of scheduling are not what they were")
    yield "| all others | argument 1 is 0 | `sched_setaffinity` |\n"
    yield "| server (pv, in a pid namespace of its own) | argument 1 is PRIO_PROCESS | `setpriority` |\n"
    for name in re.findall(r"add_process\(p, SYS_(\w+)", source):
        yield f"| main thread | to {'vm0' if name == 'kill' else 'its own threads'} only | `{name}` |\n"


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    definitions, source = (open(path, encoding="utf-8").read() for path in sys.argv[1:3])
    text = INTRO + "".join(rows(definitions)) + "".join(conditions(source))
    if len(sys.argv) == 3:
        sys.stdout.write(text)
    elif open(sys.argv[3], encoding="utf-8").read() != text:
        sys.exit(f"{sys.argv[3]} is not up to date: {sys.argv[0]} {' '.join(sys.argv[1:3])} > {sys.argv[3]}")


main()

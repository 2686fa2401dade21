#!/usr/bin/python3
"""gensyscalls.py syscalls.tbl OUT.h OUT.c: the guest's system call table.

One call per line: NR NAME HANDLER NARGS FLAGS STATUS TESTS [TEXT], '#' starts a comment, for example

    39 getpid sys_getpid 0 - full fork_wait
    155 pivot_root sys_refused 0 - refused:EPERM - no mounts inside

A HANDLER of '-' says that the call is known and answers ENOSYS. FLAGS is '-' or words
joined by commas; the word `noret` becomes SYSCALL_NORET, which the kernel's header defines.
STATUS is `full`, `partial` (TEXT says what is missing) or `refused:ERRNO` (TEXT says why): what
docs/compatibility.md says (gen-compatibility.py). TESTS is '-' or programs of tests/guest joined by commas.
Numbers that the table leaves out get their names from asm/unistd_64.h, so that a missing
call can always be counted by name.
"""

import re
import subprocess
import sys
from typing import NamedTuple

TABLE_SIZE = 512
FIELDS = 7


class Call(NamedTuple):
    name: str
    handler: str = "-"
    nargs: int = 0
    flags: str = "-"
    status: str = ""
    tests: tuple = ()
    text: str = ""


class TableError(Exception):
    pass


def kernel_names():
    """Every x86-64 system call of the installed uapi headers: {nr: name}."""
    macros = subprocess.run(
        ["gcc", "-E", "-dM", "-"], input="#include <asm/unistd_64.h>\n",
        capture_output=True, text=True, check=True).stdout
    return {int(nr): name
            for name, nr in re.findall(r"^#define __NR_(\w+) (\d+)$", macros, re.M)
            if int(nr) < TABLE_SIZE}


def check_status(handler, status, text):
    if not re.fullmatch(r"full|partial|refused:E[A-Z0-9]+", status):
        raise TableError(f"bad status '{status}'")
    if (status == "full") == bool(text):
        raise TableError("text behind 'full'" if text else f"'{status}' without saying what or why")
    if (handler == "-") != (status == "refused:ENOSYS"):
        raise TableError("calls without a handler are refused:ENOSYS, and only those")
    if handler == "sys_refused" and status != "refused:EPERM":
        raise TableError("sys_refused is refused:EPERM")


def parse_line(text, known):
    """One line's (nr, Call), or a TableError."""
    words = text.split(None, FIELDS)
    if len(words) < FIELDS:
        raise TableError(f"expected {FIELDS} fields and a text, found {len(words)}")
    nr, name, handler, nargs, flags, status, tests, *text = words
    if not nr.isdigit() or int(nr) >= TABLE_SIZE:
        raise TableError(f"bad system call number '{nr}'")
    if not nargs.isdigit() or int(nargs) > 6:
        raise TableError(f"bad number of arguments '{nargs}'")
    if handler != "-" and not re.fullmatch(r"[a-z_]\w*", handler):
        raise TableError(f"bad handler '{handler}'")
    if known.get(int(nr), name) != name:
        raise TableError(f"number {nr} is '{known[int(nr)]}', not '{name}'")
    if int(nr) not in known and name in known.values():
        raise TableError(f"'{name}' has another number")
    if flags != "-" and not re.fullmatch(r"[a-z]\w*(,[a-z]\w*)*", flags):
        raise TableError(f"bad flags '{flags}'")
    check_status(handler, status, text)
    return int(nr), Call(name, handler, int(nargs), flags, status, tuple(tests.split(",")) if tests != "-" else (),
                         " ".join(text))


def parse(path, known):
    """{nr: Call}; exits with file:line at the first error."""
    table, names = {}, {}
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            text = line.split("#", 1)[0].strip()
            if not text:
                continue
            try:
                nr, call = parse_line(text, known)
                for key, seen in ((nr, table), (call.name, names)):
                    if key in seen:
                        raise TableError(f"'{key}' is there twice")
            except TableError as error:
                sys.exit(f"{path}:{number}: {error}")
            table[nr] = call
            names[call.name] = nr
    return table


def params(nargs):
    return ", ".join(["u64"] * nargs) or "void"


def header(table):
    handlers = {}
    for _, call in sorted(table.items()):
        if call.handler != "-" and handlers.setdefault(call.handler, call.nargs) != call.nargs:
            sys.exit(f"handler {call.handler} is used with different numbers of arguments")
    served = sum(1 for call in table.values() if call.handler != "-")
    out = ["/* Generated from kernel/sys/syscalls.tbl. */", "#pragma once", '#include "types.h"',
           "",
           f"#define SYSCALL_TABLE_SIZE {TABLE_SIZE}", f"#define SYSCALLS_SERVED {served}", "",
           "typedef long (*syscall_fn)(u64, u64, u64, u64, u64, u64);", "",
           "struct syscall_desc {", "\tsyscall_fn fn; /* NULL: ENOSYS */",
           "\tconst char *name; /* NULL: no such number */", "\tu8 nargs;", "\tu8 flags;", "};", "",
           "extern const struct syscall_desc syscall_table[SYSCALL_TABLE_SIZE];", ""]
    out += [f"long {name}({params(nargs)});" for name, nargs in handlers.items()]
    return "\n".join(out) + "\n"


def entry(nr, call):
    # Through a function of no type: a direct cast between the two types is a warning.
    fn = "NULL" if call.handler == "-" else f"(syscall_fn)(void (*)(void)){call.handler}"
    bits = "0" if call.flags == "-" else " | ".join(
        f"SYSCALL_{flag.upper()}" for flag in call.flags.split(","))
    return f'\t[{nr}] = {{ {fn}, "{call.name}", {call.nargs}, {bits} }},'


def source(table, known):
    for nr, name in known.items():
        table.setdefault(nr, Call(name))
    out = ["/* Generated from kernel/sys/syscalls.tbl. */", "#include <stddef.h>",
           '#include "syscalls_gen.h"', '#include "syscall.h"', "",
           "const struct syscall_desc syscall_table[SYSCALL_TABLE_SIZE] = {"]
    out += [entry(nr, call) for nr, call in sorted(table.items())]
    return "\n".join(out + ["};"]) + "\n"


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    known = kernel_names()
    table = parse(sys.argv[1], known)
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        out.write(header(table))
    with open(sys.argv[3], "w", encoding="utf-8") as out:
        out.write(source(table, known))


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""gentrace.py trace.tbl syscalls.tbl OUT.c: what `callgate trace` knows of system calls.

trace.tbl has one call per line: NAME SETS ARGUMENTS, '#' starts a comment, for example

    openat file,desc dirfd path open mode

The words are those of abi/trace_calls.h, in lower case. A call that syscalls.tbl serves and
trace.tbl leaves out gets its number of arguments, in hexadecimal.
"""

import sys


class TableError(Exception):
    pass


def lines(path):
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            words = line.split("#", 1)[0].split()
            if words:
                yield f"{path}:{number}", words


def numbers(path):
    """{name: (nr, nargs)} of syscalls.tbl."""
    return {words[1]: (int(words[0]), int(words[3])) for _, words in lines(path)}


def parse(path, known):
    """{name: (sets, args)}, checked against the table of calls."""
    table = {}
    for where, (name, *rest) in lines(path):
        if name not in known or name in table or not rest:
            raise TableError(f"{where}: '{name}' is unknown, there twice, or alone")
        sets, args = [] if rest[0] == "-" else rest[0].split(","), rest[1:]
        if len(args) != known[name][1]:
            raise TableError(f"{where}: '{name}' has {known[name][1]} arguments, not {len(args)}")
        table[name] = (sets, args)
    return table


def source(table, known):
    out = ["/* Generated from kernel/sys/trace.tbl. */", '#include "trace_calls.h"', "",
           "const struct trace_call trace_calls[COUNTED_CALLS] = {"]
    for name, (nr, nargs) in sorted(known.items(), key=lambda row: row[1]):
        sets, args = table.get(name, ([], ["hex"] * nargs))
        bits = " | ".join(f"TRACE_SET_{word.upper()}" for word in sets) or "0"
        words = ", ".join(f"TRACE_ARG_{word.upper()}" for word in args) or "0"
        out.append(f"\t[{nr}] = {{ {bits}, {len(args)}, {{ {words} }} }}, /* {name} */")
    return "\n".join(out + ["};"]) + "\n"


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    known = numbers(sys.argv[2])
    try:
        table = parse(sys.argv[1], known)
    except TableError as error:
        sys.exit(str(error))
    with open(sys.argv[3], "w", encoding="utf-8") as out:
        out.write(source(table, known))


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""gen-hypercalls-doc.py hypercalls.def [docs/hypercalls.md]

Prints docs/hypercalls.md, the hypercall table in words. With a second argument it compares
instead, and fails if that file is not what it would print.
"""

import difflib
import re
import subprocess
import sys

INTRO = """\
# Hypercalls

<!-- Written by tools/gen-hypercalls-doc.py from abi/hypercalls.def. Do not edit. -->

A guest process of the pv machine is an ordinary host process that may make the {count} host calls below, and no
others. This is the whole interface between the guest and the host kernel. The list is
[abi/hypercalls.def](../abi/hypercalls.def): the seccomp filter (`hypervisor/vm/filter.c`) and this page are made of it, and
`tests/unit/test_filter.c` compares the filter with a description of its own.

The filter looks at each system call of a guest process, in this order:

1. **Where from?** If the instruction is outside the hostcall block, 256 read-only bytes of the guest kernel's
   text, the call is the application's: SIGSYS, and the guest kernel serves it. This is checked first because
   it needs no more than the instruction pointer.
2. **Which ABI?** Anything but x86-64 is treated in the same way. (x32 calls have a bit in their number, and so are in no table.)
3. **Which call?** A binary search for the number. One that is not in the table is reported.
4. **With which arguments?** A call's rules are tried in turn; the first that holds allows it. If none does, the
   call is reported.

A reported call never happens. The caller stays suspended, the hypervisor says on stderr and in the log
what was tried, and ends the VM: no correct guest kernel makes such a call, so the guest has been taken over, or has a bug.

A filter sees the arguments in registers, never memory, which the guest could change behind the check: so nothing here depends on
what a pointer points to. The one path that is passed to the host is a constant in the kernel's read-only text.

Descriptors below {donated} are the machine's own; donated ones, which the hypervisor has opened and sent, begin
there. The *user half* is the addresses below {user_end}; no range that starts in it, with a length up to the limit,
reaches the kernel. The *kernel window* is the kernel's own writable memory, {kwin} and the 4 GiB from there, which is
never executable. Arguments that a rule does not mention may have any value.

| call | number | what for | allowed if |
| --- | ---: | --- | --- |
"""

# The names of arguments 0 to 5, as in the manual pages.
ARGUMENTS = {
    "futex": "uaddr op val timeout uaddr2 val3", "read": "fd buf count", "write": "fd buf count",
    "recvfrom": "fd buf len flags src_addr addrlen", "sendto": "fd buf len flags dest_addr addrlen",
    "pread64": "fd buf count offset", "pwrite64": "fd buf count offset", "preadv2": "fd iov iovcnt off off_hi flags", "pwritev2": "fd iov iovcnt off off_hi flags",
    "lseek": "fd offset whence", "fstat": "fd statbuf", "ppoll": "fds nfds timeout sigmask",
    "epoll_pwait2": "epfd events maxevents timeout sigmask", "epoll_ctl": "epfd op fd event",
    "mmap": "addr length prot flags fd offset", "munmap": "addr length", "mprotect": "addr len prot",
    "mremap": "old_address old_size new_size flags new_address", "madvise": "addr length advice",
    "clone": "flags stack parent_tid child_tid tls",
    "exit": "status", "exit_group": "status", "execveat": "dirfd path argv envp flags", "tgkill": "tgid tid sig",
    "recvmsg": "fd msg flags", "dup3": "oldfd newfd flags", "close": "fd", "clock_gettime": "clockid tp",
    "wait4": "pid wstatus options rusage",
}

# Names of layout.h and of the filter, in words.
WORDS = {
    "KFD_IMAGE": "the guest kernel's image", "KFD_MEM": "the VM's kernel memory", "KFD_RING": "the ring",
    "KFD_CHAN": "the donation channel", "KFD_CHAN + 1": "at least 7 (above the machine's own)",
    "EMPTY_PATH": "the empty string in the kernel's text", "USER_START": "the start of the user half",
    "USER_END - USER_START": "the whole user half", "CLONE_FLAGS_THREAD": "the flags of a thread",
    "CLONE_FLAGS_FORK": "the flags of a fork", "CLONE_FLAGS_VFORK": "the flags of a vfork",
    "CLONE_FLAGS_FIRST": "the flags of the first process", "SIG_KICK_NR": "12 (the kick)",
    "MAP_USER_BITS": "MAP_SHARED, MAP_PRIVATE, MAP_FIXED, MAP_ANONYMOUS, MAP_NORESERVE, MAP_POPULATE, MAP_LOCKED",
}


class TableError(Exception):
    pass


def split(text):
    """Splits at the commas that are in no bracket and no string."""
    parts, depth, quoted = [""], 0, False
    for ch in text:
        quoted ^= ch == '"'
        if not quoted:
            depth += (ch == "(") - (ch == ")")
        if ch == "," and not depth and not quoted:
            parts.append("")
        else:
            parts[-1] += ch
    return [part.strip() for part in parts if part.strip()]


def calls_of(text, name):
    """The argument text of each NAME(...) in text, brackets balanced."""
    found = []
    for match in re.finditer(rf"^{name}\(", text, re.M):
        depth, end = 1, match.end()
        while depth:
            if end == len(text):
                raise TableError(f"{name}: a bracket is missing")
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        found.append(text[match.end():end - 1])
    return found


def in_words(value):
    return WORDS.get(value, "`" + value.replace("|", "\\|") + "`")


def bits_in_words(value):
    return WORDS.get(value, value.replace(" | ", ", "))


def check_in_words(check, arguments):
    kind, _, rest = check.partition("(")
    if kind == "ANY":
        return "always"
    number, *value = split(rest[:-1])
    try:
        name = f"*{arguments[int(number)]}*"
    except IndexError:
        raise TableError(f"{check}: the call has no such argument") from None
    value = value[0] if value else None
    texts = {
        "EQ": lambda: f"{name} is {in_words(value)}",
        "EQ64": lambda: f"{name} is {in_words(value)}",
        "EQ32": lambda: f"{name} is {in_words(value)}",
        "GE32": lambda: f"{name} is {in_words(value)}, or negative",
        "BITS": lambda: f"{name} has no bits but {bits_in_words(value)}",
        "SET": lambda: f"{name} has {bits_in_words(value)}",
        "USER": lambda: f"{name} is in the user half",
        "LEN": lambda: f"{name} is at most 1 TiB",
        "LEN32": lambda: f"{name} is below 4 GiB",
        "KWIN": lambda: f"{name} is in the kernel window",
        "FD": lambda: f"{name} is a donated descriptor's number",
    }
    if kind not in texts:
        raise TableError(f"{check}: an unknown check")
    return texts[kind]()


def rule_in_words(rule, arguments):
    if not rule.startswith("RULE(") or not rule.endswith(")"):
        raise TableError(f"{rule}: not a rule")
    return ", ".join(check_in_words(check, arguments) for check in split(rule[5:-1]))


def numbers():
    """{name: number} of the x86-64 system calls."""
    macros = subprocess.run(["gcc", "-E", "-dM", "-"], input="#include <asm/unistd_64.h>\n",
                            capture_output=True, text=True, check=True).stdout
    return dict(re.findall(r"^#define __NR_(\w+) (\d+)$", macros, re.M))


def entry_in_words(text, known):
    name, why, *rules = split(text)
    if name not in known:
        raise TableError(f"{name}: no such system call")
    arguments = ARGUMENTS.get(name, "").split()
    texts = [rule_in_words(rule, arguments) for rule in rules]
    allowed = "<br>**or** ".join(texts)
    return f"| `{name}` | {known[name]} | {why[1:-1]} | {allowed} |\n"


def layout(path):
    """The integers of layout.h: {name: text}."""
    text = open(path, encoding="utf-8").read()
    return dict(re.findall(r"^#define (\w+) (0x[0-9a-f]+|\d+)\b", text, re.M))


def document(path):
    text = open(path, encoding="utf-8").read()
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    entries = calls_of(text, "HYPERCALL")
    values = layout(path.replace("hypercalls.def", "layout.h"))
    intro = INTRO.format(count=len(entries), donated=values["KFD_DONATED"],
                         user_end=values["USER_END"], kwin=values["KWIN_BASE"])
    known = numbers()
    return intro + "".join(entry_in_words(entry, known) for entry in entries)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    try:
        text = document(sys.argv[1])
    except TableError as error:
        sys.exit(f"{sys.argv[1]}: {error}")
    if len(sys.argv) == 2:
        sys.stdout.write(text)
        return
    with open(sys.argv[2], encoding="utf-8") as file:
        there = file.read()
    if there != text:
        sys.stderr.writelines(difflib.unified_diff(
            there.splitlines(True), text.splitlines(True), sys.argv[2], "generated"))
        sys.exit(f"{sys.argv[2]} is not up to date: tools/gen-hypercalls-doc.py {sys.argv[1]} > {sys.argv[2]}")


main()

#!/usr/bin/python3
"""gen-compatibility.py syscalls.tbl RESULTS.json [docs/compatibility.md]

Prints docs/compatibility.md: what the table of system calls says of each, and what software of other people did
(tests/software writes RESULTS.json). With a third argument it compares instead, and fails if that file
is not what it would print.
"""

import difflib
import json
import pathlib
import sys

import gensyscalls

INTRO = """\
# Compatibility

<!-- Written by tools/gen-compatibility.py from kernel/sys/syscalls.tbl and docs/compatibility.json. Do not edit. -->

Which system calls of Linux on x86-64 there are inside a container, and which software was seen to run as under runc.
What is there, but is not quite what a host shows, is in [what-the-guest-sees.md](what-the-guest-sees.md).

## System calls

Of the {count} up to number {last}, {full} are full: with the semantics, the errors and the order of errors of Linux 6.1.
{partial} are partial: what is missing answers an error, unless the text says otherwise. {refused} are refused, always by the same errno
(`tests/integration/test_compatibility.py` asks each). Numbers beyond are ENOSYS. Calls that were answered ENOSYS are counted by name:
`callgate debug syscalls`, `callgate metrics`. Tests are programs of `tests/guest` that make the call; they run on the host's
own kernel first.

| number | call | status | missing, or why | tests |
| ---: | --- | --- | --- | --- |
"""

SOFTWARE = """
## Software

Each row is a test of `tests/software`: a workload that ran under runc and here, from the same bundle. "As runc" means the same
output and the same exit status (of stress-ng: passed or skipped, as there); "differs" that the last column says what was expected to differ, and did.

| software | version | workload | result | what differs |
| --- | --- | --- | --- | --- |
"""


def cell(text):
    return text.replace("|", "\\|")


def calls(table):
    statuses = [call.status.split(":")[0] for call in table.values()]
    out = INTRO.format(count=len(table), last=max(table), **{s: statuses.count(s) for s in ("full", "partial", "refused")})
    for nr, call in sorted(table.items()):
        status, _, errno = call.status.partition(":")
        out += (f"| {nr} | `{call.name}` | {status}{': ' + errno if errno else ''} | {cell(call.text)} | "
                f"{' '.join(call.tests)} |\n")
    return out


def fold(results):
    """Cases of one test that passed and differ in nothing are one row, with their names."""
    plain, rows = {}, []
    for row in results.values():
        if row["case"] and row["result"] == "as runc" and not row["differs"]:
            plain.setdefault((row["software"], row["version"], row["workload"], row["layer"]), []).append(row)
        else:
            rows.append(row)
    for same in plain.values():
        rows.append({**same[0], "case": " ".join(sorted(row["case"] for row in same))})
    return rows


def software(results):
    rows = sorted(fold(results), key=lambda row: (row["software"], row["workload"], row["case"]))
    return SOFTWARE + "".join(
        f"| {row['software']} | {row['version']} | "
        f"{cell(row['workload'] + (': ' + row['case'] if row['case'] else ''))} | "
        f"{'differs' if row['differs'] and row['result'] == 'as runc' else row['result']} | {cell(row['differs'])} |\n" for row in rows)


def document(table_path, results_path):
    table = gensyscalls.parse(table_path, gensyscalls.kernel_names())
    results = json.loads(pathlib.Path(results_path).read_text(encoding="utf-8"))
    return calls(table) + (software(results) if results else "")


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    text = document(sys.argv[1], sys.argv[2])
    if len(sys.argv) == 3:
        sys.stdout.write(text)
        return
    there = pathlib.Path(sys.argv[3]).read_text(encoding="utf-8")
    if there != text:
        sys.stderr.writelines(difflib.unified_diff(
            there.splitlines(True), text.splitlines(True), sys.argv[3], "generated"))
        sys.exit(f"{sys.argv[3]} is not up to date: "
                 f"tools/gen-compatibility.py {' '.join(sys.argv[1:3])} > {sys.argv[3]}")


main()

#!/usr/bin/python3
"""check-pvcalls-doc.py docs/pvcalls.md abi/pvcall.h abi/ring.h

Fails if the page lacks a command, constant, structure or field of the protocol, or has another number for a command."""

import re
import sys

# Of ring.h: what the page describes. Boot information and counters are internal to one build.
RING_STRUCTS = {"ring_header", "data_ring"}


def without_comments(text):
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S)


def enums(text):
    """{name: {constant: value or None}}"""
    return {name: {c: value and int(value, 0) for c, value in re.findall(r"\b([A-Z]\w+)(?:\s*=\s*(\w+))?\s*(?:,|$)", body)}
            for name, body in re.findall(r"^enum (\w+) \{(.*?)^\};", text, re.M | re.S)}


def fields(body):
    """The names that a structure declares, those of anonymous unions included."""
    names = set()
    for declaration in re.sub(r"__attribute__\(\(.*?\)\)\)?", "", body).split(";"):
        declaration = re.sub(r"\[.*?\]|\*", "", declaration.split("{")[-1].replace("}", "")).strip()
        first, *more = declaration.split(",")
        names.update(part.strip() for part in [first.split(" ")[-1]] + more)
    return names - {"", "pad"}


def structs(text):
    """{name: its fields}"""
    return {name: fields(body) for name, body in re.findall(r"^struct (\w+) \{\n(.*?)^\}", text, re.M | re.S)}


def rows(page):
    """{command: number} of the tables."""
    return {name: int(number, 0) for name, number in re.findall(r"^\| (PV_\w+) \| (\w+) \|", page, re.M)}


def missing(page, pvcall, ring):
    in_code = set(re.findall(r"`([^`\n]*)`", page))
    words = {word for code in in_code for word in re.findall(r"\w+", code)}
    table = rows(page)
    known = enums(pvcall)
    for command, number in known.pop("pv_cmd").items():
        if command not in table:
            yield f"{command} has no row"
        elif table[command] != number:
            yield f"{command} is {number:#x}, not {table[command]:#x}"
    for name in [constant for body in known.values() for constant in body] + re.findall(r"^#define (PV_\w+)", pvcall, re.M):
        if not re.search(rf"\b{name}\b", page):
            yield f"{name} is not mentioned"
    all_structs = structs(pvcall) | {k: v for k, v in structs(ring).items() if k in RING_STRUCTS}
    assert RING_STRUCTS <= all_structs.keys()
    for name, names in all_structs.items():
        if f"struct {name}" not in in_code:
            yield f"struct {name} is not described"
        for field in sorted(names - words):
            yield f"struct {name}: the field {field} is not described"


def main():
    page, pvcall, ring = (open(path, encoding="utf-8").read() for path in sys.argv[1:])
    found = list(missing(page, without_comments(pvcall), without_comments(ring)))
    for what in found:
        print(f"{sys.argv[1]}: {what}", file=sys.stderr)
    sys.exit(1 if found else 0)


main()

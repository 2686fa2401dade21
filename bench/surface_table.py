#!/usr/bin/python3
"""surface_table.py DIR FILE: the results of surface.py for the kernel's functions (DIR/*.json) as one, into FILE, and the goals."""

import json
import pathlib
import sys

GOALS = {"runsc": 1 / 2, "runc": 1 / 3}  # as many functions as that at most


def merge(into, part):
    """What is in both is the later one's, what has members is merged."""
    for key, what in part.items():
        if isinstance(what, dict) and isinstance(into.get(key), dict):
            merge(into[key], what)
        else:
            into[key] = what
    return into


def rows(workloads):
    for name, found in workloads.items():
        ours = found.get("callgate")
        if not ours:
            continue
        for other, goal in GOALS.items():
            if other in found:
                share = ours["functions"] / found[other]["functions"]
                yield name, ours["functions"], other, found[other]["functions"], share, share <= goal


def main():
    source, target = map(pathlib.Path, sys.argv[1:])
    merged = {}
    for path in sorted(source.glob("*.json")):
        if not path.name.startswith("names"):
            merge(merged, json.loads(path.read_text()))
    for name, ours, other, theirs, share, reached in rows(merged.get("workloads", {})):
        print(f"{name:8} callgate {ours:5}  {other:6} {theirs:5}  {share:5.2f}  {'reached' if reached else 'missed'}")
    target.write_text(json.dumps(merged, indent=1) + "\n")


if __name__ == "__main__":
    main()

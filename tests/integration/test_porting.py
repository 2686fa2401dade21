"""docs/porting.md names every function of abi/machine.h, and no other."""

import re

from bundle import TESTS

TOP = TESTS.parent
PREFIXES = r"\b((?:mc|kernel)_[a-z_]+)"


def declared():
    text = re.sub(r"/\*.*?\*/", "", (TOP / "abi/machine.h").read_text(), flags=re.S)
    return set(re.findall(PREFIXES + r"\(", text))


def test_every_function_is_described():
    named = set(re.findall("`" + PREFIXES + r"(?:\(\))?`", (TOP / "docs/porting.md").read_text()))
    assert len(declared()) > 70
    assert named == declared()

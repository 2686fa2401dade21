"""What docs/ says of the boundary names tests that exist: a claim whose test is gone, or was never there, is found here."""

import ast
import re

import pytest
from bundle import TESTS

TOP = TESTS.parent
NAMED = re.compile(r"`(tests/[\w/.-]+)?(?:::(\w+))?`")


def functions_of(path):
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


def named_tests(text):
    """[(path, function or None)]: a `::name` belongs to the last path before it."""
    last, found = None, []
    for path, function in NAMED.findall(text):
        if path or function:
            last = path or last
            found.append((last, function or None))
    return found


def rows(name):
    """The cells of each row of the tables, but for the heads."""
    for line in (TOP / "docs" / name).read_text().splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells and not set(cells[0]) <= set("- "):
            yield cells


@pytest.mark.parametrize("name", ["attacks.md", "threat-model.md"])
def test_named_tests_exist(name):
    found = named_tests((TOP / "docs" / name).read_text())
    assert len(found) > 20
    for path, function in found:
        assert path, f"::{function} has no file"
        assert (TOP / path).exists(), path
        if function:
            assert function in functions_of(TOP / path), f"{path}::{function}"


def test_every_attack_has_a_test():
    attacks = [cells for cells in rows("attacks.md") if cells[0] != "attack"]
    assert len(attacks) > 20
    before = ""
    for cells in attacks:
        assert len(cells) == 3 and all(cells), cells
        assert named_tests(cells[2]) or (cells[2].startswith("the same") and named_tests(before)), cells
        before = cells[2]


def test_every_test_of_an_attack_is_in_the_table():
    named = set(named_tests((TOP / "docs/attacks.md").read_text()))
    for path in (TOP / "tests/security").glob("test_attack_*.py"):
        for function in filter(re.compile("test_").match, functions_of(path)):
            assert (f"tests/security/{path.name}", function) in named, f"{path.name}: {function} is not in docs/attacks.md"

"""docs/oci-conformance.md is in order: every test that it names exists, and the other way round."""

import ast
import pathlib
import re

import pytest
from bundle import TESTS

HERE = pathlib.Path(__file__).parent
PAGE = TESTS.parent / "docs/oci-conformance.md"
STATUSES = {"yes", "partly", "no", "n/a"}


def rows():
    """(section of the page, cells) of every row."""
    section = ""
    for line in PAGE.read_text().splitlines():
        if line.startswith("## "):
            section = line[3:]
        elif line.startswith("| ") and not re.match(r"\| (section|---) ", line):
            yield section, [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


ROWS = list(rows())


def functions(path):
    if path.suffix == ".c":
        return set(re.findall(r"^static void (test_\w+)\(", path.read_text(), re.M))
    return {node.name for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def named():
    """{path: names} of all tests in the page."""
    found = {}
    for _, cells in ROWS:
        for place, name in re.findall(r"`([\w./]+)::(\w+)`", cells[3]):
            found.setdefault((TESTS if "/" in place else HERE) / place, set()).add(name)
    return found


def test_rows():
    assert len(ROWS) > 100
    for section, cells in ROWS:
        assert len(cells) == 5, f"{section}: {cells}"
        place, requirement, status, tests, note = cells
        assert place and requirement and status in STATUSES, f"{section}: {cells}"
        assert tests or status == "n/a", f"{section}: no test shows: {requirement}"
        assert note or status == "yes", f"{section}: no reason: {requirement}"
        assert re.fullmatch(r"(`[\w./]+::\w+`\s*)*", tests), tests


def test_all_four_documents():
    assert {section.split(",")[0] for section, _ in ROWS} == {
        "runtime.md", "runtime-linux.md", "config.md", "config-linux.md", "features.md"}


def test_named_tests_exist():
    for path, names in named().items():
        assert path.exists(), path
        assert names <= functions(path), f"{path.name}: {names - functions(path)}"


@pytest.mark.parametrize("path", sorted(HERE.glob("test_oci_*.py")), ids=lambda path: path.stem)
def test_every_test_is_named(path):
    if path != pathlib.Path(__file__):
        assert functions(path) <= named()[path], functions(path) - named()[path]

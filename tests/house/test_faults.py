"""The fault matrix is whole: every row is described, every test that holds one is in the document, and no other is."""

import ast
import re
from pathlib import Path

from tests.fault_report import HEAD, ROWS

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs/reliability.md").read_text()
NONE_YET = "none yet"


def marked() -> set[tuple[int, str]]:
    """The row and the address of every test with the mark, as it stands in the code."""
    found = set()
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text())
        everywhere = [
            row
            for node in tree.body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
            for row in rows_in(node.value)
        ]
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                rows = everywhere + [row for each in node.decorator_list for row in rows_in(each)]
                found |= {(row, f"{path.relative_to(ROOT)}::{node.name}") for row in rows}
    return found


def rows_in(node: ast.AST) -> list[int]:
    return [int(row) for row in re.findall(r"pytest\.mark\.fault\((\d+)\)", ast.unparse(node))]


def measured() -> set[tuple[int, str]]:
    """The row and the test of every line of the table that the run prints."""
    lines = DOCUMENT.partition(HEAD)[2].splitlines()
    return {
        (int(line.split(" | ")[0].strip("| ")), line.split(" | ")[2].strip("`"))
        for line in lines
        if line.startswith("| ")
    }


def test_every_row_says_what_happens_then() -> None:
    described = dict(re.findall(r"^\| (\d+) \| ([^|]+) \| [^|]+ \|$", DOCUMENT, re.MULTILINE))
    assert {int(row): fault for row, fault in described.items()} == ROWS


def test_the_document_names_the_tests_that_hold_a_row_and_no_others() -> None:
    assert {line for line in measured() if line[1] != NONE_YET} == marked()


def test_every_row_is_held_by_a_test_or_said_to_be_held_by_none() -> None:
    assert {row for row, _ in measured()} == set(ROWS)
    held = {row for row, _ in marked()}
    assert {row for row, test in measured() if test == NONE_YET} == set(ROWS) - held

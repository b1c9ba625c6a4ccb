"""The house keeps its shape: budgets of size, no words that do not belong, every document as long as its subject."""

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE_LINES, TEST_LINES, FUNCTION_LINES = 400, 600, 50


def tracked(*patterns: str) -> list[Path]:
    """The files of the repository that match, also those not yet committed."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("path", tracked("*.py"), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_small(path: Path) -> None:
    is_test = path.is_relative_to(ROOT / "tests")
    text = path.read_text()
    assert text.count("\n") <= (TEST_LINES if is_test else FILE_LINES)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not is_test:
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= FUNCTION_LINES, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", tracked("src/*.py"), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_part_of_the_story_it_is(path: Path) -> None:
    tree = ast.parse(path.read_text())
    if tree.body:
        assert ast.get_docstring(tree), "the module has no docstring"


def test_the_lock_names_no_address() -> None:
    for name in ("requirements.txt", "requirements-ocr.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text()
        assert "--hash=sha256:" in text
        assert "://" not in text and "index-url" not in text


def test_empty_packages_stay_empty() -> None:
    """The stdio bridge imports through them and has to answer within milliseconds."""
    for name in ("app/__init__.py", "app/mcp/__init__.py", "src/wamcp/__init__.py", "src/wamcp/mcp/__init__.py"):
        assert (ROOT / name).read_text().strip() == ""

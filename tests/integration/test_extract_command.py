"""``wamcp extract`` on files: JSON lines in order, a summary for people, and an exit code."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.hostile_documents import encrypted, flate_bomb, good_pdf, pages
from wamcp.cli.main import app

KEYS = ["file", "status", "mime", "pages", "pages_total", "truncated", "text", "language", "engine", "confidence"]
KEYS += ["fields", "error", "duration_ms"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.pdf").write_bytes(pages(2, "the words of page"))
    (tmp_path / "two").write_text("Olá, o seu pedido não foi pago.")
    (tmp_path / "locked.pdf").write_bytes(encrypted())
    (tmp_path / "bomb.pdf").write_bytes(flate_bomb())
    return tmp_path


def called(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["extract", *arguments])


@pytest.mark.usefixtures("folder")
def test_json_is_a_line_for_each_file_in_their_order() -> None:
    done = called("--json", "--engine", "none", "one.pdf", "two")
    assert done.exit_code == 0
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert list(first) == list(second) == KEYS
    assert (first["file"], first["status"], first["pages_total"], first["error"]) == ("one.pdf", "done", 2, None)
    assert first["pages"][1] == {"page": 2, "text": "the words of page 2", "source": "text", "confidence": None}
    assert first["text"] == "the words of page 1\n\nthe words of page 2"
    assert (second["mime"], second["language"], second["text"]) == (
        "text/plain",
        "pt",
        "Olá, o seu pedido não foi pago.",
    )


@pytest.mark.usefixtures("folder")
def test_one_that_fails_makes_the_exit_code_and_not_the_others() -> None:
    done = called("--json", "locked.pdf", "bomb.pdf", "missing.pdf", "two")
    assert done.exit_code == 1
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["status"] for one in told] == ["encrypted", "failed", "failed", "done"]
    assert [one["error"] for one in told] == ["encrypted", "bomb", "no such file or directory", None]


@pytest.mark.usefixtures("folder")
def test_people_get_a_summary() -> None:
    done = called("two")
    assert done.exit_code == 0
    assert done.stdout.startswith("two: done, text/plain, 1 pages, pt")
    assert "| Olá, o seu pedido" in done.stdout


@pytest.mark.usefixtures("folder")
def test_limits_and_languages_are_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_DOCUMENT_BYTES", "100")
    assert json.loads(called("--json", "one.pdf").stdout)["status"] == "too_large"
    assert called("--languages", "eng;rm", "two").exit_code != 0
    assert called().exit_code == 2
    (Path("small.txt")).write_bytes(good_pdf()[:50])
    assert json.loads(called("--json", "small.txt").stdout)["mime"] == "application/pdf"

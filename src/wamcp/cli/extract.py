"""``wamcp extract``: reads files as the archive reads the documents it is sent, without an archive."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from wamcp.documents.shapes import Extraction

_SHOWN_LINES = 12


class Engine(StrEnum):
    """What ``--engine`` may name."""

    AUTO = "auto"
    TESSERACT = "tesseract"
    RAPIDOCR = "rapidocr"
    NONE = "none"


def extract(
    files: Annotated[list[Path], typer.Argument(help="Documents of any kind.", metavar="FILE...")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line and file, in their order.")] = False,
    languages: Annotated[str | None, typer.Option(help="Languages of pictures, e.g. eng+por+spa.")] = None,
    engine: Annotated[Engine | None, typer.Option(help="What reads pictures.")] = None,
) -> None:
    """Print the text and the invoice fields of FILE..., read as documents that arrive are; exit 1 when one failed."""
    from wamcp.cli.environment import settings_here
    from wamcp.documents.limits import Limits

    settings = settings_here()
    changed: dict[str, Any] = {"ocr_languages": languages, "ocr_engine": engine and engine.value}
    given = {name: value for name, value in changed.items() if value is not None}
    limits = Limits.of(type(settings).model_validate(settings.model_dump() | given))
    sys.exit(run(files, limits, as_json))


def run(files: list[Path], limits: Any, as_json: bool) -> int:
    """Prints what ``files`` hold, one file for each core at a time; returns the exit code."""
    import os

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress

    failed = False
    columns = ("[progress.description]{task.description}", BarColumn(), MofNCompleteColumn())
    with (
        Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as progress,
        ThreadPoolExecutor(os.cpu_count() or 1) as pool,
    ):
        bar = progress.add_task("reading", total=len(files))
        for told in pool.map(lambda path: _told(path, limits), files):
            progress.advance(bar)
            failed |= told["status"] not in ("done", "empty")
            typer.echo(json.dumps(told, ensure_ascii=False) if as_json else _summary(told))
    return int(failed)


def _told(path: Path, limits: Any) -> dict[str, Any]:
    from wamcp.documents.extract import extract as extract_file

    try:
        found = extract_file(path, limits)
    except OSError as error:
        return _empty(path) | {"status": "failed", "error": (error.strerror or "cannot be read").lower()}
    return _as_json(path, found)


def _empty(path: Path) -> dict[str, Any]:
    from wamcp.documents.shapes import Extraction
    from wamcp.vocabulary import DocumentState

    return _as_json(path, Extraction(state=DocumentState.FAILED))


def _as_json(path: Path, found: "Extraction") -> dict[str, Any]:
    pages = [
        {"page": page.number, "text": page.text, "source": page.source.value, "confidence": page.confidence}
        for page in found.pages
    ]
    return {
        "file": str(path),
        "status": found.state.value,
        "mime": found.mime,
        "pages": pages,
        "pages_total": found.pages_total,
        "truncated": found.truncated,
        "text": "\n\n".join(page.text for page in found.pages if page.text),
        "language": found.language,
        "engine": found.engine or None,
        "confidence": found.confidence,
        "fields": found.fields,
        "error": found.error,
        "duration_ms": found.duration_ms,
    }


def _summary(told: dict[str, Any]) -> str:
    """A few lines for people: what it is, what its fields are, how its text begins."""
    head = [told["status"], told["mime"], f"{told['pages_total']} pages", told["language"], told["engine"]]
    if told["error"]:
        head.append(f"error: {told['error']}")
    if told["truncated"]:
        head.append("not all of it")
    lines = [f"{told['file']}: {', '.join(filter(None, head))}, {told['duration_ms']} ms"]
    for name, value in told["fields"].items():
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            lines.append(f"    {name}: {value}")
    text = [line for line in told["text"].splitlines() if line.strip()]
    lines += [f"  | {line[:110]}" for line in text[:_SHOWN_LINES]]
    if len(text) > _SHOWN_LINES:
        lines.append(f"  | ... {len(text) - _SHOWN_LINES} lines more; --json prints all of it")
    return "\n".join(lines)

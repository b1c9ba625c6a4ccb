"""The child: the only process in which bytes of strangers are parsed. It limits itself before it looks at them."""

import logging
import os
from collections.abc import Callable
from typing import Any, BinaryIO

import msgspec

from wamcp.documents import wire
from wamcp.documents.budget import Budget
from wamcp.documents.confine import confine
from wamcp.documents.report import Report
from wamcp.documents.sandbox import OUT_OF_MEMORY
from wamcp.documents.trouble import Enough, OutOfTime, Unreadable

_FINISH_SECONDS = 2.0
"""CPU seconds kept back for layout and fields."""

_WALL_SHARE = 0.8


def main(job: str) -> None:
    """Does the :class:`wire.Job` in ``job`` (JSON) on standard input, answers on what was standard output."""
    asked = msgspec.json.decode(job.encode(), type=wire.Job)
    confine(asked)
    logging.disable(logging.CRITICAL)
    answers = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)

    def send(answer: wire.Answer) -> None:
        frame = memoryview(wire.framed(answer))
        while frame:
            frame = frame[os.write(answers, frame) :]

    try:
        with open(0, "rb", closefd=False) as file:
            _TASKS[asked.task](file, asked, send)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    os._exit(0)


def _read(file: BinaryIO, job: wire.Job, send: Callable[[wire.Answer], None]) -> None:
    from wamcp.documents.readers.registry import read
    from wamcp.documents.sniff import sniff

    report = Report(send, job.text_bytes)
    budget = Budget(job.cpu_seconds - _FINISH_SECONDS, job.wall_seconds * _WALL_SHARE)
    error: str | None = None
    try:
        with budget.at_most(job.cpu_seconds):
            mime = sniff(file)
        send(wire.Kind(mime))
        read(mime, file, job, report, budget)
    except Unreadable as trouble:
        error = trouble.word
    except Enough:
        pass
    except OutOfTime:
        report.truncated = True
        error = None if report.pages else "timeout"
    except MemoryError:
        error = "memory"
    except Exception:  # noqa: BLE001 - whatever a library raises for a document that is broken
        error = "broken"
    report.done(error)
    if error is None and report.afterwards is not None:
        report.afterwards()
    if error is None and report.language is not None:
        send(wire.Finished({}, report.language))
    elif error is None and not report.pictures:
        _tell_fields(list(report.pages.values()), report.attachments, send)


def _look(file: BinaryIO, job: wire.Job, send: Callable[[wire.Answer], None]) -> None:
    from wamcp.documents.readers.picture import look

    look(file, job, send)


def _finish(file: BinaryIO, _job: wire.Job, send: Callable[[wire.Answer], None]) -> None:
    material = msgspec.msgpack.decode(file.read(), type=wire.Material)
    _tell_fields(material.pages, material.attachments, send)


def _tell_fields(pages: list[Any], attachments: list[bytes], send: Callable[[wire.Answer], None]) -> None:
    from wamcp.documents.invoice.fields import read_fields
    from wamcp.documents.language import language_of

    pages = sorted(pages, key=lambda page: page.number)
    language = language_of("\n".join(page.text for page in pages))
    send(wire.Finished(read_fields(pages, attachments), language))


_TASKS: dict[str, Callable[[BinaryIO, wire.Job, Callable[[wire.Answer], None]], None]] = {
    "read": _read,
    "look": _look,
    "finish": _finish,
}

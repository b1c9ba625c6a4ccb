"""Which reader reads which kind of document; a reader is imported when its kind turns up."""

from typing import BinaryIO

from wamcp.documents import sniff, wire
from wamcp.documents.budget import Budget
from wamcp.documents.report import Report
from wamcp.documents.trouble import Unsupported


def read(mime: str | None, file: BinaryIO, job: wire.Job, report: Report, budget: Budget) -> None:
    """Reads all of ``file`` into ``report``. Raises :class:`Unreadable` in one of its kinds, ``Enough``, ``OutOfTime``,
    and whatever a library raises for a broken file."""
    file.seek(0)
    if mime == sniff.PDF:
        from wamcp.documents.readers import pdf

        pdf.read(file, job, report, budget)
        return
    if mime in sniff.PICTURES:
        from wamcp.documents.readers import picture

        picture.count(file, job, report)
        return
    if mime in sniff.AUDIO | sniff.FILMS:
        from wamcp.documents.readers import sound

        sound.read(mime, file, job, report, budget)
        return
    with budget.at_most(budget.left):
        _read_text(mime, file, job, report)


def _read_text(mime: str | None, file: BinaryIO, job: wire.Job, report: Report) -> None:
    report.engine, report.engine_version = "wamcp", "1"
    if mime in (sniff.DOCX, sniff.XLSX, sniff.PPTX):
        from wamcp.documents.readers import office

        office.read(mime, file, job, report)
    elif mime in (sniff.TEXT, sniff.CSV, sniff.HTML):
        from wamcp.documents.readers import plain

        plain.read(mime, file, report)
    elif mime == sniff.XML:
        from wamcp.documents.readers import xml

        xml.read(file, report)
    else:
        raise Unsupported

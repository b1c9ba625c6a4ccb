"""Word, Excel and PowerPoint since 2007: zipped XML, read without any office."""

from typing import BinaryIO

from wamcp.documents import sniff, wire
from wamcp.documents.readers import docx, pptx, xlsx
from wamcp.documents.readers.archive import Archive
from wamcp.documents.report import Report


def read(mime: str, file: BinaryIO, job: wire.Job, report: Report) -> None:
    """All of it into ``report``: a text is one page, sheets and slides are pages. Raises as ``registry.read`` says."""
    archive = Archive(file)
    if mime == sniff.DOCX:
        docx.read(archive, report)
    elif mime == sniff.XLSX:
        xlsx.read(archive, report, job.text_pages)
    else:
        pptx.read(archive, report, job.text_pages)

"""XML by itself: the text of its elements for searching, the whole for the fields."""

from typing import BinaryIO

from wamcp.documents.readers.markup import Text, events
from wamcp.documents.report import XML_BYTES, Report
from wamcp.documents.shapes import TextSource
from wamcp.documents.trouble import OutOfTime


def read(file: BinaryIO, report: Report) -> None:
    """One page, a line for each element that has text. Raises :class:`Bomb`, expat's error."""
    lines: list[str] = []
    pieces: list[str] = []
    try:
        for event in events(file):
            if isinstance(event, Text):
                pieces.append(event.text)
            elif pieces:
                if line := " ".join("".join(pieces).split()):
                    lines.append(line)
                pieces.clear()
    except OutOfTime:
        report.page(1, "\n".join(lines), TextSource.XML)
        raise
    file.seek(0)
    report.attach(file.read(XML_BYTES + 1))
    report.page(1, "\n".join(lines), TextSource.XML)

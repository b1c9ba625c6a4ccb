"""Word: the text in its order, then headers, footers, notes and comments, each once."""

from wamcp.documents.readers.archive import Archive
from wamcp.documents.readers.runs import Runs, text_of
from wamcp.documents.report import Report
from wamcp.documents.trouble import OutOfTime

MAIN = "word/document.xml"
_BESIDE = ("header", "footnotes", "endnotes", "comments", "footer")


def read(archive: Archive, report: Report) -> None:
    """One page with everything; when the time is up, with what was read until then."""
    runs = Runs()
    try:
        for event in archive.events(MAIN):
            runs.feed(event)
        beside = _beside(archive)
    except OutOfTime:
        report.page(1, runs.text())
        raise
    report.page(1, "\n".join([*beside[:1], runs.text(), *beside[1:]]))


def _beside(archive: Archive) -> list[str]:
    """What stands around the text: first all headers, then the others."""
    related = archive.relations(MAIN).values()
    texts = []
    for kind in _BESIDE:
        parts = dict.fromkeys(name for found, name in related if found == kind)
        told = dict.fromkeys(text_of(archive.events(name)).strip() for name in parts)
        texts.append("\n".join(filter(None, told)))
    return texts

"""PowerPoint: slides as pages in the order of the show, with tables, charts, diagrams and the speaker's notes."""

from collections.abc import Iterator

from wamcp.documents.readers.archive import Archive
from wamcp.documents.readers.markup import End, Event, Start, Text
from wamcp.documents.readers.runs import Runs, text_of
from wamcp.documents.report import Report

MAIN = "ppt/presentation.xml"
_DESCRIBED = ("cNvPr",)


def read(archive: Archive, report: Report, limit: int) -> None:
    """A page for each slide, ``limit`` at most."""
    related = archive.relations(MAIN)
    slides = [
        related[event.attributes[":id"]][1]
        for event in archive.events(MAIN)
        if isinstance(event, Start) and event.name == "sldId" and event.attributes.get(":id") in related
    ]
    report.pages_total = len(slides)
    report.truncated = len(slides) > limit
    for number, slide in enumerate(slides[:limit], start=1):
        report.page(number, _slide(archive, slide))


def _slide(archive: Archive, name: str) -> str:
    runs, described = Runs(), []
    for event in archive.events(name):
        runs.feed(event)
        if isinstance(event, Start) and event.name in _DESCRIBED and event.attributes.get("descr"):
            described.append(event.attributes["descr"])
    texts = [runs.text(), *described]
    for kind, part in archive.relations(name).values():
        if kind == "chart":
            texts.append("\n".join(_values(archive.events(part))))
        elif kind in ("diagramData", "comments"):
            texts.append(text_of(archive.events(part)))
        elif kind == "notesSlide":
            texts.append(text_of(_without_fields(archive.events(part))))
    return "\n".join(filter(None, (text.strip("\n") for text in texts)))


def _values(events: Iterator[Event]) -> Iterator[str]:
    """Names, categories and values of a chart, a line for each series or axis."""
    inside, row = False, list[str]()
    for event in events:
        if isinstance(event, Text):
            if inside:
                row.append(event.text)
        elif event.name in ("v", "t"):
            inside = isinstance(event, Start)
        elif isinstance(event, End) and event.name in ("tx", "cat", "val", "xVal", "yVal", "title") and row:
            yield "\t".join(row)
            row = []
    if row:
        yield "\t".join(row)


def _without_fields(events: Iterator[Event]) -> Iterator[Event]:
    """Notes without the number of the slide and the date, which are fields."""
    depth = 0
    for event in events:
        if not isinstance(event, Text) and event.name == "fld":
            depth += 1 if isinstance(event, Start) else -1
        elif not depth:
            yield event

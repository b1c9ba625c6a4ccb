"""Excel: sheets as pages, rows as lines, numbers and dates as the sheet shows them."""

from collections.abc import Iterator

from wamcp.documents.readers.archive import Archive
from wamcp.documents.readers.markup import End, Start, Text
from wamcp.documents.readers.numbers import shown
from wamcp.documents.report import Report
from wamcp.documents.trouble import OutOfTime

MAIN = "xl/workbook.xml"
_TRUE = {"1": "TRUE", "0": "FALSE"}


def read(archive: Archive, report: Report, limit: int) -> None:
    """A page for each sheet, ``limit`` at most; its first line is the sheet's name."""
    related = archive.relations(MAIN)
    sheets, from_1904 = [], False
    for event in archive.events(MAIN):
        if isinstance(event, Start) and event.name == "sheet":
            sheets.append((event.attributes.get("name", ""), related.get(event.attributes.get(":id", ""), ("", ""))[1]))
        elif isinstance(event, Start) and event.name == "workbookPr":
            from_1904 = event.attributes.get("date1904") in ("1", "true")
    report.pages_total = len(sheets)
    report.truncated = len(sheets) > limit
    book = _Book(archive, {kind: part for kind, part in related.values()}, from_1904)
    for number, (name, part) in enumerate(sheets[:limit], start=1):
        lines = [name]
        try:
            for row in book.rows(part):
                lines.append(row)
        except OutOfTime:
            report.page(number, "\n".join(lines))
            raise
        report.page(number, "\n".join(lines))


class _Book:
    """The strings and formats that all sheets share."""

    def __init__(self, archive: Archive, parts: dict[str, str], from_1904: bool) -> None:
        self._archive = archive
        self._from_1904 = from_1904
        self._strings = list(self._shared(parts.get("sharedStrings", "")))
        self._formats = self._styles(parts.get("styles", ""))

    def _shared(self, part: str) -> Iterator[str]:
        pieces: list[str] = []
        inside, phonetic = False, False
        for event in self._archive.events(part):
            if isinstance(event, Text):
                if inside and not phonetic:
                    pieces.append(event.text)
            elif event.name == "t":
                inside = isinstance(event, Start)
            elif event.name == "rPh":
                phonetic = isinstance(event, Start)
            elif event.name == "si" and isinstance(event, End):
                yield "".join(pieces)
                pieces.clear()

    def _styles(self, part: str) -> list[str | int]:
        """The format of each style: its code, or the number of a built-in one."""
        codes: dict[str, str] = {}
        formats: list[str | int] = []
        inside = False
        for event in self._archive.events(part):
            if isinstance(event, Text):
                continue
            if event.name == "cellXfs":
                inside = isinstance(event, Start)
            elif isinstance(event, Start) and event.name == "numFmt":
                codes[event.attributes.get("numFmtId", "")] = event.attributes.get("formatCode", "")
            elif isinstance(event, Start) and event.name == "xf" and inside:
                found = event.attributes.get("numFmtId", "0")
                formats.append(codes.get(found) or (int(found) if found.isdigit() else 0))
        return formats

    def rows(self, part: str) -> Iterator[str]:
        """The rows of a sheet that hold anything, their cells parted by tabs."""
        cells: list[str] = []
        cell, pieces, inside = {"t": "n"}, list[str](), False
        for event in self._archive.events(part):
            if isinstance(event, Text):
                if inside:
                    pieces.append(event.text)
            elif event.name in ("v", "t"):
                inside = isinstance(event, Start)
            elif event.name == "c" and isinstance(event, Start):
                cell, pieces = event.attributes, []
            elif event.name == "c":
                cells.append(self._value(cell, "".join(pieces)))
            elif event.name == "row" and isinstance(event, End):
                if row := "\t".join(cells).rstrip("\t"):
                    yield row
                cells = []

    def _value(self, cell: dict[str, str], value: str) -> str:
        kind = cell.get("t", "n")
        if kind == "s":
            at = int(value) if value.isdigit() else -1
            return self._strings[at].replace("\n", " ") if 0 <= at < len(self._strings) else ""
        if kind == "b":
            return _TRUE.get(value, value)
        if kind != "n" or not value:
            return value.replace("\n", " ")
        style = cell.get("s", "")
        at = int(style) if style.isdigit() else 0
        return shown(value, self._formats[at] if at < len(self._formats) else 0, self._from_1904)

"""The lines of a document made ready for looking for fields: bounded, folded, and with a place for every character."""

import re
import unicodedata
from functools import cached_property

from wamcp.documents.shapes import Line, Page, TextSource

MAX_ROWS, MAX_ROW, MAX_CHARACTERS = 400, 300, 60_000

Box = tuple[float, float, float, float]


def rows_of(pages: list[Page]) -> list["Row"]:
    """The first 400 lines that are not empty, 300 characters of each, 60 000 characters in all.

    A page without lines gives those of its text; they have no boxes.
    """
    rows: list[Row] = []
    left = MAX_CHARACTERS
    for page in pages:
        lines = page.lines or [Line(text) for text in page.text[:left].splitlines()[: 4 * MAX_ROWS]]
        for line in lines:
            text = plain(line.text[:MAX_ROW])[:MAX_ROW]
            if not text.strip():
                continue
            if len(rows) == MAX_ROWS or left <= 0:
                return rows
            left -= len(text)
            rows.append(Row(text.rstrip(), page, line, len(rows)))
    return rows


def plain(text: str) -> str:
    """``text`` with compatibility forms, dashes, blanks, quotes and digits of other scripts as ASCII.

    Some characters stand for eighteen others: of what they become only as much is kept as a row may have.
    """
    if text.isascii():
        return text.expandtabs(4) if "\t" in text else text
    return unicodedata.normalize("NFKC", text.translate(_BEFORE))[:MAX_ROW].translate(_PLAIN)


def fold(text: str) -> str:
    """``text`` in small letters without accents, as long as it was, so that places in it stay the same."""
    if text.isascii():
        return text.lower()
    return "".join(map(_folded, text))


class Row:
    """One line. ``flow`` says that nobody knows where it stands, so that its neighbours may be its columns."""

    def __init__(self, text: str, page: Page, line: Line, index: int) -> None:
        self.text, self.page, self.index = text, page.number, index
        self.box: Box | None = line.box
        self.flow = line.box is None
        self.ocr = page.source is TextSource.OCR
        self.source = "ocr" if self.ocr else "text"
        self.certainty = line.confidence if line.confidence is not None else 1.0

    @cached_property
    def folded(self) -> str:
        return fold(self.text)

    @cached_property
    def clean(self) -> str:
        """The text for reading dates and amounts: letters that were taken for digits are digits again."""
        return _MISREAD.sub(lambda match: match.group().translate(_REPAIR), self.text) if self.ocr else self.text

    @cached_property
    def prose(self) -> bool:
        """Whether this is a sentence rather than a label or a row of a table."""
        words = max(len(_WORD.findall(cell)) for cell in self.text.split("  "))
        return words > 12 or (words > 7 and self.text[-1:] in ".!?;")

    def at(self, index: int) -> float:
        """Where a character stands: 0 to 1 of the page's width; a guess of 100 characters a line without a box."""
        if self.box is None:
            return index / 100
        return self.box[0] + (self.box[2] - self.box[0]) * index / max(1, len(self.text))

    def span(self, start: int, end: int) -> tuple[float, float]:
        return self.at(start), self.at(end)

    def evidence(self, start: int, end: int) -> dict[str, object]:
        """Where a value stands, for people to look at."""
        box = None
        if self.box is not None:
            box = [round(self.at(start), 4), self.box[1], round(self.at(end), 4), self.box[3]]
        return {"page": self.page, "box": box, "source": self.source}


_BEFORE = str.maketrans({"º": "°", "ª": "a", "…": " ", "\t": "    "})
_PLAIN: dict[int, str] = {
    **{0x0660 + digit: str(digit) for digit in range(10)},
    **{0x06F0 + digit: str(digit) for digit in range(10)},
    **{0x0966 + digit: str(digit) for digit in range(10)},
    **dict.fromkeys([*range(0x2010, 0x2016), 0x2212, 0x00AD], "-"),
    **dict.fromkeys([0x2018, 0x2019, 0x02BC, 0x00B4, 0x0060], "'"),
    **dict.fromkeys([0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x202A, 0x202B, 0x202C, 0xFEFF, 0x0640], ""),
    0x066B: ".",
    0x066C: ",",
    0x060C: ",",
}
_FOLDED: dict[str, str] = {}
_WORD = re.compile(r"[^\W\d_]{2,}")
_MISREAD = re.compile(
    r"(?:(?<![A-Za-z0-9])|(?<=RM)|(?<=R\$))(?=[OolI|]{0,3}[.,]?\d)[\dOolI|][\dOolI|./:,-]{2,}(?![A-Za-z])"
    r"|(?<=RM)[OolI|S](?=[.,] ?\d)"
)
_REPAIR = str.maketrans("OolI|S", "001115")


def _folded(character: str) -> str:
    if (known := _FOLDED.get(character)) is None:
        base = unicodedata.normalize("NFD", character)[0].lower()
        known = _FOLDED[character] = {"ł": "l", "ø": "o", "ı": "i", "đ": "d"}.get(base[0], base[0])
        if len(_FOLDED) > 4000:
            _FOLDED.clear()
    return known

"""The lines of a PDF page as people see them, made from where its characters stand; runs in the child only."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import pypdfium2
import pypdfium2.raw as pdfium

from wamcp.documents.shapes import Line

LAYOUT_PAGES = 6
"""How many pages of a document are laid out: what an invoice says stands on its first ones."""

MAX_CHARACTERS = 20_000
MAX_LINE = 300
_WORD_GAP, _COLUMN_GAP = 0.17, 0.9  # of a character's height
_MOST_COLUMNS = 180
_UPRIGHT = math.radians(2)


def lines_of(page: pypdfium2.PdfPage) -> list[Line]:
    """The upright lines of ``page`` from top to bottom, their boxes from 0 to 1 of the page as it is shown.

    Columns are two or more blanks apart, as many as the gap is wide, so that a character's place in the text tells
    roughly where it stands. Characters that stand at an angle or outside the page are left out; at most 20 000
    characters are read, and a line ends after 300.
    """
    glyphs = sorted(_glyphs(page), key=lambda glyph: (glyph.top + glyph.bottom, glyph.left))
    rows: list[_Row] = []
    for glyph in glyphs:
        home = next((row for row in rows[:-4:-1] if row.holds(glyph)), None)
        if home is None:
            rows.append(_Row(glyph))
        else:
            home.add(glyph)
    return [_line(row.glyphs, page.get_width(), page.get_height()) for row in rows]


class _Glyph(NamedTuple):
    """A character and its box in points, from the upper left corner of the page as it is shown."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    after_blank: bool


class _Row:
    """Characters on one baseline, as high as the first of them."""

    def __init__(self, glyph: _Glyph) -> None:
        self.glyphs = [glyph]
        self.top, self.bottom = glyph.top, glyph.bottom

    def holds(self, glyph: _Glyph) -> bool:
        common = min(self.bottom, glyph.bottom) - max(self.top, glyph.top)
        return common > 0.5 * min(self.bottom - self.top, glyph.bottom - glyph.top)

    def add(self, glyph: _Glyph) -> None:
        self.glyphs.append(glyph)


def _glyphs(page: pypdfium2.PdfPage) -> Iterator[_Glyph]:
    """The upright characters within the page, in the order in which the document draws them."""
    text_page = page.get_textpage()
    width, height, turned = page.get_width(), page.get_height(), page.get_rotation()
    left, bottom, right, top = page.get_bbox()
    rectangle = pdfium.FS_RECTF()
    blank = False
    for index in range(min(text_page.count_chars(), MAX_CHARACTERS)):
        text = _character(pdfium.FPDFText_GetUnicode(text_page, index))
        if not text.strip():
            blank = True
            continue
        angle = pdfium.FPDFText_GetCharAngle(text_page, index) + math.radians(turned)
        if abs(math.remainder(angle, math.tau)) > _UPRIGHT:
            continue
        if not pdfium.FPDFText_GetLooseCharBox(text_page, index, rectangle):
            continue
        box = (rectangle.left - left, rectangle.bottom - bottom, rectangle.right - left, rectangle.top - bottom)
        shown = _shown(box, (right - left, top - bottom), turned)
        inside = 0 <= (shown[0] + shown[2]) / 2 <= width and 0 <= (shown[1] + shown[3]) / 2 <= height
        if inside and shown[2] > shown[0] and shown[3] > shown[1]:
            yield _Glyph(text, *shown, blank)
            blank = False


def _character(code: int) -> str:
    """The character of a code; nothing for half of a pair, for what is no character, and for controls."""
    if code < 32 or 0xD800 <= code <= 0xDFFF or code > 0x10FFFF or code in (0xFFFE, 0xFFFF):
        return ""
    return "-" if code in (0x02, 0xAD) else chr(code)


def _shown(
    box: tuple[float, float, float, float], size: tuple[float, float], turned: int
) -> tuple[float, float, float, float]:
    """A box (left, bottom, right, top) of a page of that size as (left, top, right, bottom) of the page turned."""
    left, bottom, right, top = box
    width, height = size
    if turned == 90:
        return bottom, left, top, right
    if turned == 180:
        return width - right, bottom, width - left, top
    if turned == 270:
        return height - top, width - right, height - bottom, width - left
    return left, height - top, right, height - bottom


def _line(glyphs: list[_Glyph], width: float, height: float) -> Line:
    glyphs = sorted(glyphs, key=lambda glyph: glyph.left)
    advance = max(width / _MOST_COLUMNS, _typical([glyph.right - glyph.left for glyph in glyphs]))
    parts: list[str] = []
    end, last = glyphs[0].left, glyphs[0]
    for glyph in glyphs:
        tall = glyph.bottom - glyph.top
        gap = glyph.left - end
        # Bold is sometimes drawn as the same letter twice.
        if parts and glyph.text == last.text and glyph.left - last.left < 0.3 * (last.right - last.left):
            continue
        if gap > _COLUMN_GAP * tall:
            parts.append(" " * max(2, min(MAX_LINE, round(gap / advance))))
        elif parts and (glyph.after_blank or gap > _WORD_GAP * tall):
            parts.append(" ")
        parts.append(glyph.text)
        end, last = max(end, glyph.right), glyph
    text = "".join(parts)[:MAX_LINE]
    box = (glyphs[0].left, min(g.top for g in glyphs), end, max(g.bottom for g in glyphs))
    scale = (width, height, width, height)
    left, top, right, bottom = (round(min(1.0, max(0.0, at / of)), 4) for at, of in zip(box, scale, strict=True))
    return Line(text, (left, top, right, bottom))


def _typical(values: list[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2]

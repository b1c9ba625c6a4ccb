"""What a reader saw, put in order: pieces of text with their places become lines as people see them."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import mean, median

from wamcp.documents.shapes import Line

COLUMN_GAP = 1.8
"""In letters. Nobody leaves so much between two words of one column."""
WIDE_GAP = 6.0
KEPT = 0.5
"""Pieces of which a reader is less sure are more often specks than letters."""
GUESSED = 0.4
"""The confidence readers show for what they make up."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A word or a phrase: its box in pixels, how sure the reader is (0 to 1), and the line it stands on.

    ``middle`` and ``height`` are of its line in pixels, ``middle`` as if the line were level.
    """

    text: str
    box: tuple[float, float, float, float]
    confidence: float
    middle: float
    height: float

    @property
    def letter(self) -> float:
        """The width of one of its letters, in pixels."""
        return (self.box[2] - self.box[0]) / max(1, len(self.text))


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reader made of a picture: its lines, and how much that is worth.

    ``confidence`` is the mean over all letters, also of the pieces that were left out. ``worth`` compares two readings
    of one picture: letters, counted by how much surer they are than a guess. ``rotation`` is degrees clockwise.
    """

    text: str
    lines: list[Line] = field(default_factory=list)
    confidence: float = 0.0
    worth: float = 0.0
    engine: str = ""
    rotation: int = 0


def reading_of(pieces: Sequence[Piece], size: tuple[int, int], engine: str, kept: float = KEPT) -> Reading:
    """The reading that ``pieces`` of a picture of ``size`` pixels are; those less sure than ``kept`` are left out."""
    lines = lines_of([piece for piece in pieces if piece.confidence >= kept], size)
    weights = [(piece.confidence, len(piece.text)) for piece in pieces]
    letters = sum(count for _, count in weights)
    return Reading(
        text="\n".join(line.text for line in lines),
        lines=lines,
        confidence=sum(sure * count for sure, count in weights) / letters if letters else 0.0,
        worth=sum(max(0.0, sure - GUESSED) * count for sure, count in weights),
        engine=engine,
    )


def lines_of(pieces: Iterable[Piece], size: tuple[int, int]) -> list[Line]:
    """Lines from top to bottom; ``size`` is the picture's in pixels. What stands side by side is one line."""
    return [_line(row, size) for row in _rows(pieces)]


def joined(row: Sequence[Piece]) -> str:
    """The pieces in their order, as far apart as they stand: one blank between words, two or more between columns."""
    letter = median(piece.letter for piece in row)
    text = row[0].text
    for before, after in pairwise(row):
        # Whichever of the two stands further left: Arabic is written the other way.
        gap = max(after.box[0] - before.box[2], before.box[0] - after.box[2])
        text += " " * (1 if gap < COLUMN_GAP * letter else 2 if gap < WIDE_GAP * letter else 4) + after.text
    return text


def _rows(pieces: Iterable[Piece]) -> list[list[Piece]]:
    rows: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda piece: piece.middle):
        if rows and _stands_beside(piece, rows[-1]):
            rows[-1].append(piece)
        else:
            rows.append([piece])
    return rows


def _stands_beside(piece: Piece, row: Sequence[Piece]) -> bool:
    height = min(piece.height, median(other.height for other in row))
    return abs(piece.middle - mean(other.middle for other in row)) <= height / 2


def _line(row: list[Piece], size: tuple[int, int]) -> Line:
    width, height = size
    if _is_right_to_left("".join(piece.text for piece in row)):
        row = sorted(row, key=lambda piece: -piece.box[2])
    else:
        row = sorted(row, key=lambda piece: piece.box[0])
    edges = (
        min(piece.box[0] for piece in row) / width,
        min(piece.box[1] for piece in row) / height,
        max(piece.box[2] for piece in row) / width,
        max(piece.box[3] for piece in row) / height,
    )
    left, top, right, bottom = (round(min(1.0, max(0.0, edge)), 4) for edge in edges)
    letters = sum(len(piece.text) for piece in row)
    sure = sum(piece.confidence * len(piece.text) for piece in row) / max(1, letters)
    return Line(joined(row), (left, top, right, bottom), round(sure, 4))


def _is_right_to_left(text: str) -> bool:
    ways = [unicodedata.bidirectional(letter) for letter in text]
    return ways.count("R") + ways.count("AL") > ways.count("L")

"""A value that may be the one looked for, and how the likeliest of several is chosen."""

from collections.abc import Iterable
from typing import NamedTuple

from wamcp.documents.invoice.sheet import Row


def best(found: Iterable["Found"], least: float) -> "Found | None":
    """The candidate with the highest score, the first of equals; None when it is below ``least``."""
    top: Found | None = None
    for candidate in found:
        if top is None or candidate.score > top.score + 1e-9:
            top = candidate
    return top if top is not None and top.score >= least else None


class Found(NamedTuple):
    """A candidate: its value as text, its score (0 to about 1.3, above 1 is certain), and where it stands."""

    value: str
    score: float
    row: Row
    start: int
    end: int

    @property
    def confidence(self) -> float:
        """0 to 1, lower when the machine that read the picture was unsure."""
        return round(max(0.0, min(0.98, self.score * 0.9)) * min(1.0, self.row.certainty + 0.05), 2)

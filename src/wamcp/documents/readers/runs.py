"""Text that office programs keep in paragraphs, runs and table cells, put together again."""

from collections.abc import Iterable

from wamcp.documents.readers.markup import End, Event, Start, Text

_LEFT_OUT = frozenset({"Fallback", "delText", "instrText", "fldData"})
"""The second of two versions, what was deleted, and the formulas of fields."""
_BREAKS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "ptab": "\t"}


class Runs:
    """The text of WordprocessingML (``w:``) or DrawingML (``a:``), whose elements have the same names.

    Paragraphs are lines, cells of a row are parted by tabs. Feed it events; ``text()`` is what came together.
    """

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._inside = 0
        self._left_out = 0
        self._cells: list[int] = []

    def feed(self, event: Event) -> None:
        """One event more."""
        if isinstance(event, Text):
            if self._inside and not self._left_out:
                self._pieces.append(event.text)
        elif isinstance(event, Start):
            self._start(event.name)
        else:
            self._end(event.name)

    def _start(self, name: str) -> None:
        if name in _LEFT_OUT:
            self._left_out += 1
        elif name == "t":
            self._inside += 1
        elif name == "tc":
            self._cells.append(len(self._pieces))
        elif name in _BREAKS and not self._left_out:
            self._pieces.append(_BREAKS[name])

    def _end(self, name: str) -> None:
        if name in _LEFT_OUT:
            self._left_out -= 1
        elif name == "t":
            self._inside -= 1
        elif name in ("p", "tr") and not self._left_out:
            self._pieces.append("\n")
        elif name == "tc" and self._cells:
            begin = self._cells.pop()
            cell = " ".join("".join(self._pieces[begin:]).split())
            self._pieces[begin:] = [cell, "\t"]

    def text(self) -> str:
        """What was fed so far."""
        return "".join(self._pieces)


def text_of(events: Iterable[Event]) -> str:
    """The text of a whole part."""
    runs = Runs()
    for event in events:
        runs.feed(event)
    return runs.text()


__all__ = ["End", "Runs", "text_of"]

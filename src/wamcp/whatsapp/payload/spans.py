"""Where the parts of a JSON text stand in its bytes, so that some can be cut out and the others stay as they are."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_TOKEN = re.compile(rb'[ \t\n\r]*(?:([{}\[\]:,])|("(?:[^"\\]|\\.)*")|([^\s{}\[\]:,"]+))', re.DOTALL)
_DEEPEST = 200
_BLANK = b'""'


@dataclass(slots=True, eq=False)
class Part:
    """A value of the text: bytes ``start`` to ``end``. ``word`` is what a string or number says, as a string."""

    start: int
    end: int = 0
    word: str | None = None
    members: list[tuple[str, "Part"]] | None = None
    """Of an object: its keys and values, in the order in which they are written."""
    elements: list["Part"] | None = None
    """Of an array."""

    def get(self, key: str) -> "Part | None":
        """The value under ``key``, the last one where there are several; None without one."""
        return next((part for name, part in reversed(self.members or []) if name == key), None)

    def children(self) -> Iterator["Part"]:
        """The values right inside."""
        yield from (part for _, part in self.members or [])
        yield from self.elements or []

    def words(self) -> Iterator[str]:
        """What the strings and numbers right inside an object say."""
        return (part.word for _, part in self.members or [] if part.word is not None)


def parts_of(text: bytes) -> Part:
    """The value that ``text`` is. Raises ``ValueError`` when it is no JSON, or nested deeper than anybody means."""
    reader = _Reader(text)
    start = 3 if text.startswith(b"\xef\xbb\xbf") else 0
    part, end = reader.value(start, 0)
    if text[end:].strip():
        raise ValueError("something follows the value")
    return part


class _Reader:
    def __init__(self, text: bytes) -> None:
        self._text = text

    def value(self, at: int, depth: int) -> tuple[Part, int]:
        mark, start, end = self._token(at)
        if mark == b"{":
            return self._object(start, end, depth + 1)
        if mark == b"[":
            return self._array(start, end, depth + 1)
        if mark in (b"}", b"]", b":", b","):
            raise ValueError(f"a value is missing at byte {start}")
        return Part(start, end, word=_word(mark)), end

    def _object(self, start: int, at: int, depth: int) -> tuple[Part, int]:
        part, members = Part(start), list[tuple[str, Part]]()
        mark, _, end = self._opened(at, depth)
        while mark != b"}":
            if not mark.startswith(b'"'):
                raise ValueError(f"a key is missing before byte {end}")
            key = _word(mark) or ""
            mark, _, end = self._token(end)
            if mark != b":":
                raise ValueError(f"a colon is missing before byte {end}")
            value, end = self.value(end, depth)
            members.append((key, value))
            mark, _, end = self._token(end)
            if mark == b",":
                mark, _, end = self._token(end)
            elif mark != b"}":
                raise ValueError(f"a comma is missing before byte {end}")
        part.members, part.end = members, end
        return part, end

    def _array(self, start: int, at: int, depth: int) -> tuple[Part, int]:
        part, elements = Part(start), list[Part]()
        mark, _, end = self._opened(at, depth)
        if mark != b"]":
            end = at
        while mark != b"]":
            value, end = self.value(end, depth)
            elements.append(value)
            mark, _, end = self._token(end)
            if mark not in (b",", b"]"):
                raise ValueError(f"a comma is missing before byte {end}")
        part.elements, part.end = elements, end
        return part, end

    def _opened(self, at: int, depth: int) -> tuple[bytes, int, int]:
        if depth > _DEEPEST:
            raise ValueError("it is nested too deeply")
        return self._token(at)

    def _token(self, at: int) -> tuple[bytes, int, int]:
        match = _TOKEN.match(self._text, at)
        if match is None:
            raise ValueError(f"nothing readable at byte {at}")
        kind = match.lastindex or 0
        return match[kind], match.start(kind), match.end()


def _word(token: bytes) -> str | None:
    if token.startswith(b'"'):
        found = json.loads(token.decode("utf-8", "replace"), strict=False)
        return found if isinstance(found, str) else None
    return token.decode("ascii", "replace") if token[:1].isdigit() or token[:1] == b"-" else None


@dataclass(slots=True)
class Cuts:
    """What is cut out of a text: elements of arrays, blanked words, and values replaced by others."""

    removed: dict[int, tuple[Part, set[int]]] = field(default_factory=dict)
    replaced: list[tuple[int, int, bytes]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.removed or self.replaced)

    def remove(self, array: Part, index: int) -> None:
        """Takes an element out of an array."""
        self.removed.setdefault(array.start, (array, set()))[1].add(index)

    def is_removed(self, array: Part, index: int) -> bool:
        """Whether that was done."""
        return array.start in self.removed and index in self.removed[array.start][1]

    def replace(self, part: Part, value: bytes = _BLANK) -> None:
        """Puts ``value`` in the place of a part."""
        self.replaced.append((part.start, part.end, value))

    def apply(self, text: bytes) -> bytes:
        """``text`` after the cuts; what is cut within something that is cut makes no difference."""
        edits = [*self.replaced]
        for array, indexes in self.removed.values():
            edits.extend(_removals(array, indexes))
        kept, done = list[bytes](), 0
        for start, end, value in sorted(edits, key=lambda edit: (edit[0], -edit[1])):
            if start < done:
                continue
            kept += (text[done:start], value)
            done = end
        return b"".join([*kept, text[done:]])


def _removals(array: Part, indexes: set[int]) -> Iterator[tuple[int, int, bytes]]:
    """Spans that take the elements out, each with one comma, so that what is left is an array."""
    elements = array.elements or []
    is_first = True
    for index, element in enumerate(elements):
        if index not in indexes:
            is_first = False
        elif not is_first:
            yield elements[index - 1].end, element.end, b""
        else:
            yield element.start, elements[index + 1].start if index + 1 < len(elements) else element.end, b""

"""XML read as a stream of events: flat in memory, without entities, and never deeper than a document is."""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple
from xml.parsers import expat

from wamcp.documents.trouble import Bomb

DEPTH = 200
_PIECE = 1 << 16


class Start(NamedTuple):
    """An element begins. Its name is the local one; attributes without a namespace have their plain names, others
    are named by their local part behind ``:``."""

    name: str
    attributes: dict[str, str]


class End(NamedTuple):
    """An element ends."""

    name: str


class Text(NamedTuple):
    """Characters inside the element that began last."""

    text: str


Event = Start | End | Text


def events(file: BinaryIO) -> Iterator[Event]:
    """The events of the XML in ``file``. Raises :class:`Bomb`, or expat's error for what is no XML."""
    waiting: list[Event] = []
    parser = _parser(waiting)
    while piece := file.read(_PIECE):
        parser.Parse(piece, False)
        yield from waiting
        waiting.clear()
    parser.Parse(b"", True)
    yield from waiting


def _parser(waiting: list[Event]) -> expat.XMLParserType:
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEPTH:
            raise Bomb
        waiting.append(Start(_local(name), {_attribute(key): value for key, value in attributes.items()}))

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        waiting.append(End(_local(name)))

    def refuse(*_what: object) -> None:
        raise Bomb

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = lambda text: waiting.append(Text(text))
    parser.EntityDeclHandler = refuse  # documents need none; billions of laughs do
    return parser


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


def _attribute(name: str) -> str:
    space, _, local = name.rpartition(" ")
    return f":{local}" if space else local

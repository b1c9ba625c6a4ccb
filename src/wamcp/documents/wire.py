"""What a child is asked and what it answers: MessagePack behind four bytes of length."""

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from wamcp.documents.shapes import Line, Page

LENGTH_BYTES = 4
ANSWER_BYTES = 8_000_000
"""A child that says more than this in all is stopped: its text is at most 1 MB, the rest is lines and attachments."""


class Job(msgspec.Struct, frozen=True):
    """What a child does with the file on its standard input.

    ``read``: its text, and which pages are pictures. ``look``: OCR of these ``pages`` (of a PDF, or the frames of a
    picture). ``finish``: the file holds :class:`Material`; its fields and its language.

    ``silent_seconds`` are the CPU seconds for ``look`` while no page has a text; 0 is without such a limit.
    """

    task: Literal["read", "look", "finish"]
    memory: int
    cpu_seconds: int
    file_bytes: int
    wall_seconds: float = 10
    silent_seconds: int = 0
    pages: list[int] = []
    text_pages: int = 500
    ocr_pages: int = 10
    text_bytes: int = 1_000_000
    languages: str = "eng"
    engine: str = "auto"
    model_dir: str = ""
    """Where the model that writes down speech lies; empty where none is to be used."""
    sound_seconds: int = 900
    wall_per_second: float = 0
    """What each second of sound adds to ``wall_seconds``."""


class Material(msgspec.Struct, frozen=True):
    """What the fields of a document are found in."""

    pages: list[Page]
    attachments: list[bytes]


class Kind(msgspec.Struct, frozen=True, tag="kind"):
    """What the file is; None where nobody knows."""

    mime: str | None


class Heard(msgspec.Struct, frozen=True, tag="heard"):
    """So many seconds of sound are about to be written down."""

    seconds: int


class PageRead(msgspec.Struct, frozen=True, tag="page"):
    """A page; a second one with the same number takes its place."""

    page: Page
    error: str | None = None


class Laid(msgspec.Struct, frozen=True, tag="laid"):
    """How a page that was sent before is laid out."""

    number: int
    lines: list[Line]


class Attachment(msgspec.Struct, frozen=True, tag="attachment"):
    """XML that travels inside a document."""

    content: bytes


class Read(msgspec.Struct, frozen=True, tag="read"):
    """The text is complete. ``pictures`` are the pages that need OCR; ``error`` says why there is no more."""

    pages_total: int
    truncated: bool = False
    engine: str = ""
    engine_version: str = ""
    pictures: list[int] = []
    error: str | None = None


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """Fields and language; the last answer of a child that has nothing else to say about a document."""

    fields: dict[str, Any]
    language: str | None


Answer = Kind | Heard | PageRead | Laid | Attachment | Read | Finished

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Answer).decode


def framed(answer: Answer) -> bytes:
    """An answer as it goes through the pipe."""
    body = _encode(answer)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


class Frames:
    """Answers out of whatever pieces the pipe hands over."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, piece: bytes) -> Iterator[Answer]:
        """The answers that are complete now. Raises ``msgspec.MsgspecError`` for anything else than answers."""
        self._waiting += piece
        while len(self._waiting) >= LENGTH_BYTES:
            end = LENGTH_BYTES + int.from_bytes(self._waiting[:LENGTH_BYTES], "big")
            if len(self._waiting) < end:
                return
            body = bytes(self._waiting[LENGTH_BYTES:end])
            del self._waiting[:end]
            yield _decode(body)

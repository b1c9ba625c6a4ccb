"""What reading a document yields: lines, pages, and everything about the whole."""

from enum import StrEnum
from typing import Any

import msgspec

from wamcp.vocabulary import DocumentState


class TextSource(StrEnum):
    """Where a page's text comes from: its own text, a machine that read its picture or listened, or data beside it."""

    TEXT = "text"
    OCR = "ocr"
    XML = "xml"
    SPEECH = "speech"


class Line(msgspec.Struct, frozen=True):
    """One line of a page as people see it; gaps between columns are two or more blanks.

    ``box`` is (left, top, right, bottom) from 0 to 1 of the page's width and height, None where nobody knows.
    ``confidence`` is 0 to 1, None for text that is certain.
    """

    text: str
    box: tuple[float, float, float, float] | None = None
    confidence: float | None = None


class Page(msgspec.Struct, frozen=True):
    """One page, sheet, slide or five minutes of sound; ``number`` counts from 1. ``text`` is for reading and searching.

    ``lines`` is how it is laid out, for finding fields; empty where the layout is not known. ``rotation`` is how many
    degrees clockwise its picture had to be turned before it could be read.
    """

    number: int
    text: str
    source: TextSource = TextSource.TEXT
    lines: list[Line] = []
    confidence: float | None = None
    engine: str = ""
    rotation: int = 0


class Extraction(msgspec.Struct, frozen=True):
    """All that one document yields. ``fields`` is the seed's ``extracted_fields_json``: {} when it is no invoice.

    ``error`` is a word of ours (``bomb``, ``killed``, ``broken``), never text of the document; ``mime`` is what its
    bytes say. ``pages_total`` is what it has, ``pages`` what was read; ``truncated`` says that some of it was left out.
    """

    state: DocumentState
    mime: str | None = None
    pages: list[Page] = []
    pages_total: int = 0
    truncated: bool = False
    language: str | None = None
    engine: str = ""
    engine_version: str = ""
    confidence: float | None = None
    fields: dict[str, Any] = {}
    error: str | None = None
    duration_ms: int = 0

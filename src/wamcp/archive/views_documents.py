"""The shapes of what is told of documents: files of messages that a machine reads. Times are UTC."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wamcp.archive.views import ParticipantView


@dataclass(frozen=True, slots=True)
class DocumentView:
    """One document: the file, the message that carries it, and how far it was read.

    ``explanation`` says in a sentence why there is no text, or not all of it, and what to do; ``waiting_since`` is None
    unless it still waits. ``size`` is in bytes, ``confidence`` 0 to 1 and None where nothing was read from pictures.
    ``fields`` are those of docs/documents.md, {} for what is no invoice; ``mime_type`` is what the bytes say, else what
    the sender said; ``sha256`` (hex) is that of the bytes. ``pages_read`` of ``pages_total`` pages were looked at.
    """

    id: int
    conversation_id: int
    phone_number_id: str
    message_id: int | None
    direction: str | None
    sender: ParticipantView | None
    sent_at: datetime
    media_id: int
    filename: str | None
    mime_type: str | None
    size: int | None
    sha256: str | None
    state: str
    error_code: str | None
    explanation: str | None
    waiting_since: datetime | None
    doc_type: str | None
    pages_total: int | None
    pages_read: int
    truncated: bool
    confidence: float | None
    language: str | None
    fields: dict[str, Any]
    read_at: datetime | None


@dataclass(frozen=True, slots=True)
class DocumentPageView:
    """A page that has text: ``source`` is text, ocr or xml; ``characters`` counts those of the text as it is kept."""

    page: int
    source: str
    engine: str | None
    confidence: float | None
    characters: int


@dataclass(frozen=True, slots=True)
class DocumentDetailView:
    """A document with how it was read; ``pages`` are in order, those without text are left out.

    ``storage_key`` is None until the file is stored.
    """

    document: DocumentView
    storage_key: str | None
    attempts: int
    extractor: str | None
    extractor_version: str | None
    ocr_engine: str | None
    ocr_languages: str | None
    duration_ms: int | None
    pages: tuple[DocumentPageView, ...]

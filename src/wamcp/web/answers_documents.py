"""Documents as the admin API's JSON: what was read of them, never their bytes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from wamcp.archive.views import Page
from wamcp.archive.views_documents import DocumentDetailView, DocumentView
from wamcp.visible import strip_hidden
from wamcp.vocabulary import conversation_ref, document_ref, media_ref, message_ref
from wamcp.web.answers import Contact, contact

PAGE_BREAK = "\n\n"


class Document(BaseModel):
    """One document, and how far it was read; the bytes of ``media_id`` are at /admin/media.

    ``explanation`` says why there is no text, or not all of it, and what to do; ``waiting_since`` is null unless it
    waits. ``extracted_fields_json`` is {} for what is no invoice, and null until it was read.
    """

    id: str
    conversation_id: str
    message_id: str | None
    phone_number_id: str
    direction: str | None
    sender: Contact | None
    sent_at: datetime
    media_id: str
    filename: str | None
    mime_type: str | None
    size: int | None
    sha256: str | None
    extraction_status: str
    error_code: str | None
    explanation: str | None
    waiting_since: datetime | None
    doc_type: str | None
    pages_total: int | None
    pages_read: int
    truncated: bool
    ocr_confidence: float | None
    language: str | None
    extracted_fields_json: dict[str, Any] | None
    read_at: datetime | None


class DocumentPage(BaseModel):
    """A page with text: ``source`` text, ocr or xml. ``start`` and ``characters`` say where it is in the whole text."""

    page: int
    source: str
    engine: str | None
    confidence: float | None
    start: int
    characters: int


class DocumentDetail(Document):
    """One document with its text; an empty line stands between pages."""

    storage_key_raw: str | None
    attempts: int
    extractor: str | None
    extractor_version: str | None
    ocr_engine: str | None
    ocr_languages: str | None
    duration_ms: int | None
    extracted_text: str
    pages: list[DocumentPage]


class Documents(BaseModel):
    """One page of documents, newest first."""

    documents: list[Document]
    next_cursor: str | None


def documents(page: Page[DocumentView]) -> Documents:
    """A page of the list as JSON."""
    return Documents(documents=[Document(**_common(item)) for item in page.items], next_cursor=page.next_cursor)


def document_detail(view: DocumentDetailView, texts: Mapping[int, str]) -> DocumentDetail:
    """One document as JSON; ``texts`` are those of its pages by number."""
    shown = [strip_hidden(texts[each.page]) for each in view.pages]
    pages, start = [], 0
    for each, text in zip(view.pages, shown, strict=True):
        pages.append(
            DocumentPage(
                page=each.page,
                source=each.source,
                engine=each.engine,
                confidence=each.confidence,
                start=start,
                characters=len(text),
            )
        )
        start += len(text) + len(PAGE_BREAK)
    return DocumentDetail(
        **_common(view.document),
        storage_key_raw=view.storage_key,
        attempts=view.attempts,
        extractor=view.extractor,
        extractor_version=view.extractor_version,
        ocr_engine=view.ocr_engine,
        ocr_languages=view.ocr_languages,
        duration_ms=view.duration_ms,
        extracted_text=PAGE_BREAK.join(shown),
        pages=pages,
    )


def _common(view: DocumentView) -> dict[str, Any]:
    return {
        "id": document_ref(view.id),
        "conversation_id": conversation_ref(view.conversation_id),
        "message_id": message_ref(view.message_id) if view.message_id is not None else None,
        "phone_number_id": view.phone_number_id,
        "direction": view.direction,
        "sender": contact(view.sender),
        "sent_at": view.sent_at,
        "media_id": media_ref(view.media_id),
        "filename": view.filename,
        "mime_type": view.mime_type,
        "size": view.size,
        "sha256": view.sha256,
        "extraction_status": view.state,
        "error_code": view.error_code,
        "explanation": view.explanation,
        "waiting_since": view.waiting_since,
        "doc_type": view.doc_type,
        "pages_total": view.pages_total,
        "pages_read": view.pages_read,
        "truncated": view.truncated,
        "ocr_confidence": view.confidence,
        "language": view.language,
        "extracted_fields_json": view.fields if view.read_at is not None else None,
        "read_at": view.read_at,
    }

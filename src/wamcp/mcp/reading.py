"""A document for Claude: what the archive knows of it, and as many of its pages as fit, to be gone on with exactly."""

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from wamcp.archive.views_documents import DocumentDetailView, DocumentPageView, DocumentView
from wamcp.mcp import sanitize, shape
from wamcp.mcp.budget import BYTES_PER_TOKEN, TOKENS, Answer, add_notice, compact
from wamcp.vocabulary import Direction, conversation_ref, document_ref, media_ref, message_ref, participant_ref

LOW_CONFIDENCE = 0.75
CONTENT_DIGITS = 8
MAX_VALUE = 200
MAX_SENTENCE = 600
ROOM_FOR_THE_END = 900
"""Bytes that the cursor and what is said of pages and pictures may take."""
ENOUGH = TOKENS * BYTES_PER_TOKEN
"""More characters than these of several pages need not be asked for at once."""
IN_SHORT = {
    "number": "invoice_number",
    "date": "invoice_date",
    "total": "total",
    "currency": "currency",
    "supplier": "supplier",
}
FIELDS = (*IN_SHORT.values(), "net", "tax", "supplier_tax_id")

Place = tuple[int, int]
"""A page and a character of its cleaned text, from which on something is read."""


def row(view: DocumentView) -> Answer:
    """One document in a list; what is not known is left out."""
    found = {
        **_common(view),
        "pages": view.pages_total,
        "why": sanitize.clean_line(view.explanation, MAX_SENTENCE) if view.explanation else None,
        "untrusted_invoice": _invoice(view),
    }
    return {key: value for key, value in found.items() if value is not None}


def writer(view: DocumentView) -> str:
    """Who sent it: us, or the short id of a person."""
    if view.direction == Direction.OUTBOUND:
        return shape.US
    return participant_ref(view.sender.id) if view.sender else "unknown"


def names(views: Iterable[DocumentView]) -> dict[str, str | None]:
    """The names of those who sent the documents, by short id."""
    people = {view.sender.id: view.sender for view in views if view.sender}
    return {participant_ref(key): shape.contact_name(person) for key, person in people.items()}


def refs(view: DocumentView) -> list[str]:
    """The short ids that an answer about it shows."""
    message = [message_ref(view.message_id)] if view.message_id is not None else []
    return [document_ref(view.id), conversation_ref(view.conversation_id), *message]


def needed(view: DocumentDetailView, start: Place) -> list[int]:
    """The numbers of the pages from ``start`` on that may fit, the first in any case."""
    found: list[int] = []
    characters = 0
    for page in view.pages:
        if page.page >= start[0] and (not found or characters < ENOUGH):
            found.append(page.page)
            characters += page.characters
    return found


def read(
    view: DocumentDetailView, texts: Mapping[int, str], start: Place, bookmark: Callable[[int, int], str]
) -> Answer:
    """What is known of the document and its text from ``start`` on, within the budget.

    ``texts`` are those of :func:`needed`, ``bookmark`` makes the cursor of a place.
    """
    answer = _about(view)
    room = TOKENS * BYTES_PER_TOKEN - _size(answer) - ROOM_FOR_THE_END
    shown, end = _fitting([page for page in view.pages if page.page in texts], texts, start, room)
    answer["pages"] = shown
    rest = end or next(((page.page, 0) for page in view.pages if page.page > max(texts, default=1023)), None)
    if rest is not None:
        answer |= {"next_cursor": bookmark(*rest), "truncated": True}
        add_notice(answer, "The text goes on: call again with next_cursor.")
    unsure = [str(page["page"]) for page in shown if (page["confidence"] or 1) < LOW_CONFIDENCE]
    if unsure:
        add_notice(answer, f"Read from pictures and unsure: page {', '.join(unsure[:20])}; compare with the file.")
    return answer


def _common(view: DocumentView) -> Answer:
    return {
        "id": document_ref(view.id),
        "at": shape.minute(view.sent_at),
        "conversation_id": conversation_ref(view.conversation_id),
        "message_id": shape.ref_or_none(view.message_id),
        "from": writer(view),
        "untrusted_file_name": sanitize.clean_line(view.filename, MAX_VALUE) if view.filename else None,
        "file_type": sanitize.clean_line(view.mime_type, MAX_VALUE) if view.mime_type else None,
        "content": view.sha256[:CONTENT_DIGITS] if view.sha256 else None,
        "state": view.state,
        "type": view.doc_type,
    }


def _about(view: DocumentDetailView) -> Answer:
    document = view.document
    answer: Answer = {
        **_common(document),
        "file_id": media_ref(document.media_id),
        "size_bytes": document.size,
        "language": document.language,
        "pages_total": document.pages_total,
        "incomplete": document.truncated,
        "ocr_confidence": document.confidence,
        "untrusted_fields": _fields(document),
        "untrusted_names": names([document]),
        "pages": [],
        "image": None,
        "next_cursor": None,
        "truncated": False,
        "notice": sanitize.clean_line(document.explanation, MAX_SENTENCE) if document.explanation else None,
    }
    if document.fields.get("conflict") is True:
        add_notice(answer, "The data inside the file and its pages disagree about the invoice; the data's are shown.")
    checks = document.fields.get("checks")
    if isinstance(checks, dict) and checks.get("net_plus_tax") is False:
        add_notice(answer, "Net and tax do not make the total: one of them was misread, or there is more to pay.")
    return answer


def _fitting(
    pages: list[DocumentPageView], texts: Mapping[int, str], start: Place, room: int
) -> tuple[list[Answer], Place | None]:
    """Whole pages while they fit; the first is cut when it alone does not. And where to go on, None at the end."""
    shown: list[Answer] = []
    for page in pages:
        cleaned = sanitize.clean(texts[page.page])
        begin = start[1] if page.page == start[0] else 0
        rest = cleaned.text[begin:]
        entry = _page(page, cleaned, rest, is_part=begin > 0)
        if (size := _size(entry) + 1) > room and shown:
            return shown, (page.page, begin)
        if size > room:
            part = rest[: _cut_at(rest, room - (_size(_page(page, cleaned, "", is_part=True)) + 1))]
            return [_page(page, cleaned, part, is_part=True)], (page.page, begin + len(part))
        shown.append(entry)
        room -= size
    return shown, None


def _page(page: DocumentPageView, cleaned: sanitize.Clean, text: str, *, is_part: bool) -> Answer:
    return {
        "page": page.page,
        "source": page.source,
        "confidence": page.confidence,
        "part": is_part,
        "flags": shape.flags(cleaned),
        "untrusted_text": text,
    }


def _cut_at(text: str, room: int) -> int:
    """How many characters of ``text`` fit into ``room`` bytes of JSON, at the end of a line or word where one is near.

    At least one, so that reading always goes on.
    """
    least, most = 1, min(len(text), max(room, 1))
    while least < most:
        middle = (least + most + 1) // 2
        if _size(text[:middle]) - len('""') <= room:
            least = middle
        else:
            most = middle - 1
    for end in ("\n", " "):
        if (found := text.rfind(end, least * 3 // 4, least)) >= 0:
            return found + 1
    while least > 1 and least < len(text) and _hangs_on(text[least]):
        least -= 1
    return least


def _hangs_on(character: str) -> bool:
    """Whether it belongs to the one before it: an accent, a joiner, a variant."""
    return unicodedata.category(character) in ("Mn", "Me", "Cf")


def _size(value: Any) -> int:
    return len(compact(value).encode("utf-8", "replace"))


def _invoice(view: DocumentView) -> Answer | None:
    """The fields in short. The confidence is that of the least sure among number, date and total; the page the total's,
    else the first that is known."""
    fields = view.fields
    found: Answer = {short: _value(fields.get(name)) for short, name in IN_SHORT.items()}
    if not any(found.values()):
        return None
    certain = [sure for name in ("invoice_number", "invoice_date", "total") if (sure := _confidence(fields, name))]
    places = [_evidence(fields, name).get("page") for name in ("total", "invoice_number", "invoice_date")]
    found["confidence"] = min(certain, default=None)
    found["page"] = next((page for page in places if isinstance(page, int)), None)
    found["source"] = _value(fields.get("source"))
    if fields.get("conflict") is True:
        found["conflict"] = True
    return {key: value for key, value in found.items() if value is not None}


def _fields(view: DocumentView) -> Answer | None:
    fields = view.fields
    found = {}
    for name in FIELDS:
        if (value := _value(fields.get(name))) is not None:
            evidence = _evidence(fields, name)
            page, source = evidence.get("page"), evidence.get("source", fields.get("source"))
            found[name] = {
                "value": value,
                "confidence": _confidence(fields, name),
                "page": page if isinstance(page, int) else None,
                "source": _value(source),
            }
    return found or None


def _value(value: Any) -> str | None:
    return sanitize.clean_line(value, MAX_VALUE) if isinstance(value, str) and value.strip() else None


def _confidence(fields: Mapping[str, Any], name: str) -> float | None:
    found = fields.get("confidence")
    sure = found.get(name) if isinstance(found, dict) else None
    return sure if isinstance(sure, int | float) and not isinstance(sure, bool) else None


def _evidence(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = fields.get("evidence")
    one = found.get(name) if isinstance(found, dict) else None
    return one if isinstance(one, dict) else {}

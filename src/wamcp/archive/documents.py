"""Documents: the newest first, one with all that is known of it, and its text page by page.

A grant without documents sees none, as if there were none.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg.rows import dict_row

from wamcp.access.grants import Grant
from wamcp.archive import page
from wamcp.archive.conversations import like_pattern
from wamcp.archive.document_states import explanation, waiting_since
from wamcp.archive.messages import require_conversation
from wamcp.archive.parts import opened
from wamcp.archive.scope import Scope, scope_of
from wamcp.archive.shapes import PARTICIPANT_COLUMNS, bare_letters, participant_view
from wamcp.archive.views import CarriedFileView, Page
from wamcp.archive.views_documents import DocumentDetailView, DocumentPageView, DocumentView
from wamcp.db.session import ReadConnection
from wamcp.errors import NotVisible, Rejected
from wamcp.vocabulary import document_ref

_OFFICE = "application/vnd.openxmlformats-officedocument."
FAMILIES = {
    "docx": f"{_OFFICE}wordprocessingml.document",
    "xlsx": f"{_OFFICE}spreadsheetml.sheet",
    "pptx": f"{_OFFICE}presentationml.presentation",
}
"""Short names of MIME types that do not end in what people call them."""
_MIME = "lower(coalesce(d.mime_detected, f.mime_type))"
_COLUMNS = f"""
  d.id, d.number_id, d.conversation_id, d.sent_at, d.media_row_id, d.state, d.error_code, d.attempts, d.mime_detected,
  d.doc_type, d.pages_total, d.pages_done, d.truncated, d.extractor, d.extractor_version, d.ocr_engine, d.ocr_languages,
  round(d.confidence::numeric, 3)::float8 AS confidence, d.language, d.duration_ms,
  d.extracted_fields_json::text AS fields, d.created_at, d.read_at, d.next_attempt_at, f.filename, f.mime_type, f.size,
  f.storage_key_raw, f.sha256, f.stored_at, f.state AS file_state,
  f.reason AS file_reason, m.id AS message_id, m.direction, {PARTICIPANT_COLUMNS}"""


@dataclass(frozen=True, slots=True)
class DocumentsQuery:
    """Which documents. ``after`` is inclusive, ``before`` exclusive (UTC); ``number`` is one of ours.

    ``mime`` is a whole type (``application/pdf``), its first part (``image``) or its last (``pdf``, also ``docx``,
    ``xlsx``, ``pptx``); ``text`` is looked for in the names of the files.
    """

    conversation_id: int | None = None
    number: str | None = None
    state: str | None = None
    doc_type: str | None = None
    mime: str | None = None
    text: str | None = None
    after: datetime | None = None
    before: datetime | None = None
    limit: int = 50
    cursor: str | None = None


def newest(connection: ReadConnection, grant: Grant, query: DocumentsQuery) -> Page[DocumentView]:
    """One page, newest first. Raises :class:`NotVisible` for an unknown conversation or number, `BadCursor`."""
    limit = page.check_limit(query.limit)
    scope = scope_of(connection, grant, query.number)
    if query.conversation_id is not None:
        require_conversation(connection, scope, query.conversation_id)
    if not grant.documents:
        return Page([], None)
    where, parameters = _filters(connection, query)
    if query.cursor is not None:
        sent, last_id = page.unseal(grant, query, query.cursor)
        where.append("(d.sent_at, d.id) < (%(from_sent)s::timestamptz, %(from_id)s::bigint)")
        parameters |= {"from_sent": page.moment(sent), "from_id": last_id}
    statement = _newest(scope, query.conversation_id, " AND ".join([scope.messages("d"), *where]), limit + 1)
    ids = [row[0] for row in connection.execute(statement, {**scope.parameters(), **parameters})]
    rows = _select(connection, scope, ids[:limit])
    items = [_view(rows[row_id], scope) for row_id in ids[:limit] if row_id in rows]
    more = page.seal(grant, query, [page.micros(items[-1].sent_at), items[-1].id]) if len(ids) > limit else None
    return Page(items, more)


def get(connection: ReadConnection, grant: Grant, document_id: int) -> DocumentDetailView:
    """One document with how it was read. Raises :class:`NotVisible`."""
    scope = scope_of(connection, grant)
    row = _select(connection, scope, [document_id]).get(document_id) if grant.documents else None
    if row is None:
        raise no_document(document_id)
    pages = connection.execute(
        "SELECT page, source, engine, round(confidence::numeric, 3)::float8, length(text) FROM document_pages"
        " WHERE document_id = %s ORDER BY page",
        [document_id],
    ).fetchall()
    return DocumentDetailView(
        document=_view(row, scope),
        storage_key=row["storage_key_raw"],
        attempts=row["attempts"],
        extractor=row["extractor"],
        extractor_version=row["extractor_version"],
        ocr_engine=row["ocr_engine"],
        ocr_languages=row["ocr_languages"],
        duration_ms=row["duration_ms"],
        pages=tuple(DocumentPageView(*found) for found in pages),
    )


def texts(connection: ReadConnection, view: DocumentDetailView, pages: list[int] | None = None) -> dict[int, str]:
    """The text of the pages of a document that :func:`get` gave, in order; of all when none are named."""
    found = connection.execute(
        "SELECT page, text FROM document_pages WHERE document_id = %(id)s::bigint"
        " AND (%(pages)s::int[] IS NULL OR page = ANY(%(pages)s::int[])) ORDER BY page",
        {"id": view.document.id, "pages": pages},
    )
    return dict(found.fetchall())


def bookmark(grant: Grant, view: DocumentDetailView, place: int, offset: int) -> str:
    """A cursor for reading on at a page and a character of it."""
    return page.seal(grant, _Reading(view.document.id), [place, offset, _reading_of(view)])


def bookmarked(grant: Grant, view: DocumentDetailView, cursor: str) -> tuple[int, int]:
    """The page and the character in ``cursor``.

    Raises `BadCursor`, and :class:`Rejected` when the document was read anew since, so that its places moved.
    """
    place, offset, reading = page.unseal(grant, _Reading(view.document.id), cursor)
    if reading != _reading_of(view):
        raise Rejected("The document was read anew meanwhile; call again without a cursor.")
    return place, offset


@dataclass(frozen=True, slots=True)
class _Reading:
    document_id: int


def _reading_of(view: DocumentDetailView) -> int:
    return page.micros(view.document.read_at) if view.document.read_at is not None else 0


def carried(connection: ReadConnection, grant: Grant, number_id: int, wamid: str) -> list[CarriedFileView]:
    """The files of a message that the bearer sees, and their documents where he may have these."""
    found = connection.execute(
        "SELECT f.id, f.state, d.id, d.state FROM message_media x JOIN media f ON f.id = x.media_row_id"
        " LEFT JOIN documents d ON (d.number_id, d.wamid, d.media_row_id) = (x.number_id, x.wamid, x.media_row_id)"
        " AND %(documents)s::bool"
        " WHERE x.number_id = %(number)s AND x.wamid = %(wamid)s ORDER BY f.id",
        {"number": number_id, "wamid": wamid, "documents": grant.documents},
    )
    return [CarriedFileView(*row) for row in found]


def no_document(document_id: int) -> NotVisible:
    """The one answer for documents that do not exist and for those that this client may not see."""
    return NotVisible(f"No document {document_ref(document_id)} is visible to this client: list the documents.")


def _filters(connection: ReadConnection, query: DocumentsQuery) -> tuple[list[str], dict[str, Any]]:
    where: list[str] = []
    parameters: dict[str, Any] = {"conversation": query.conversation_id}
    if query.state is not None:
        where.append("d.state = %(state)s::text")
    if query.doc_type is not None:
        where.append("d.doc_type = %(doc_type)s::text")
    if query.mime is not None:
        mime = _without_nul(query.mime).strip().lower()
        mime = FAMILIES.get(mime, mime)
        where.append(
            f"{_MIME} = %(mime)s::text"
            if "/" in mime
            else f"(split_part({_MIME}, '/', 1) = %(mime)s::text OR split_part({_MIME}, '/', 2) = %(mime)s::text)"
        )
        parameters["mime"] = mime
    if query.text is not None and query.text.strip():
        row = connection.execute("SELECT public.wa_norm(%s)", [_without_nul(query.text).strip()]).fetchone()
        where.append(f"{bare_letters('f.filename')} LIKE %(name_has)s::text")
        parameters["name_has"] = like_pattern(row[0]) if row else ""
    for name, sign in (("after", ">="), ("before", "<")):
        if (moment := page.utc(getattr(query, name))) is not None:
            where.append(f"d.sent_at {sign} %({name})s::timestamptz")
            parameters[name] = moment
    given = {name: getattr(query, name) for name in ("state", "doc_type")}
    words = {name: _without_nul(value) for name, value in given.items() if value is not None}
    return where, {**parameters, **words}


def _newest(scope: Scope, conversation_id: int | None, where: str, count: int) -> str:
    """The SQL of the newest row ids, merged from one range of an index for each number."""
    places = ["d.conversation_id = %(conversation)s::bigint"]
    if conversation_id is None:
        places = [f"d.number_id = {int(number)}" for number in scope.numbers] or ["false"]
    ranges = [
        "(SELECT d.id, d.sent_at FROM documents d JOIN media f ON f.id = d.media_row_id"
        f" WHERE {place} AND {where} ORDER BY d.sent_at DESC, d.id DESC LIMIT {count:d})"
        for place in places
    ]
    return f"SELECT id FROM ({' UNION ALL '.join(ranges)}) d ORDER BY sent_at DESC, id DESC LIMIT {count:d}"


def _select(connection: ReadConnection, scope: Scope, ids: list[int]) -> dict[int, dict[str, Any]]:
    statement = f"""
      SELECT {_COLUMNS} FROM documents d JOIN media f ON f.id = d.media_row_id
      LEFT JOIN messages m ON m.number_id = d.number_id AND m.wamid = d.wamid
      LEFT JOIN participants p ON p.id = m.sender_id AND m.direction = 'inbound'
      WHERE d.id = ANY(%(ids)s::bigint[]) AND {scope.messages("d")}"""
    with connection.cursor(row_factory=dict_row) as cursor:
        return {row["id"]: row for row in cursor.execute(statement, {**scope.parameters(), "ids": ids})}


def _view(row: dict[str, Any], scope: Scope) -> DocumentView:
    fields = opened(row["fields"], scope) if row["fields"] is not None else {}
    return DocumentView(
        id=row["id"],
        conversation_id=row["conversation_id"],
        phone_number_id=scope.numbers[row["number_id"]].phone_number_id,
        message_id=row["message_id"],
        direction=row["direction"],
        sender=participant_view(row, scope),
        sent_at=row["sent_at"].astimezone(UTC),
        media_id=row["media_row_id"],
        filename=row["filename"],
        mime_type=row["mime_detected"] or row["mime_type"],
        size=row["size"],
        sha256=row["sha256"].hex() if row["sha256"] is not None else None,
        state=row["state"],
        error_code=row["error_code"],
        explanation=explanation(row),
        waiting_since=waiting_since(row),
        doc_type=row["doc_type"],
        pages_total=row["pages_total"],
        pages_read=row["pages_done"],
        truncated=row["truncated"],
        confidence=row["confidence"],
        language=row["language"],
        fields=fields if isinstance(fields, dict) else {},
        read_at=row["read_at"].astimezone(UTC) if row["read_at"] is not None else None,
    )


def _without_nul(text: str) -> str:
    return text.replace("\0", "").encode("utf-8", "replace").decode()

"""Documents: a row for each file of a message that a machine may read, and the pages that it made of it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import psycopg
from psycopg.types.json import Json

from wamcp.db.columns import array, columns
from wamcp.db.searchable import search_text
from wamcp.vocabulary import DocumentState, MediaState

NOT_READ = ("sticker", "video")
"""Types of messages whose files hold no text that anybody looks for."""
MAX_PAGES = 1023
"""A page's row id is made of its document's and its number, so that pages of one document stand together."""
NOT_FETCHED = "not_fetched"
"""The error code of a document whose bytes Meta no longer has, or never gave."""
_CLAIMING = 0x57414D43_05
_REUSED = tuple(
    state.value
    for state in DocumentState
    if state not in (DocumentState.PENDING, DocumentState.DOWNLOADING, DocumentState.EXTRACTING, DocumentState.FAILED)
)
"""States that the same bytes come to again with the same reader."""


class WantedDocument(NamedTuple):
    """A document that somebody leased to read it: ``attempts`` counts this one and tells the lease from a later one.

    ``deaths``: so many readers died of it; ``cut_off``: so many workers ended while they read it. ``afresh``: a person
    asked for it, so what was found in the same bytes before does not count. ``error_code`` says why the attempt before
    came to nothing.
    """

    id: int
    storage_key: str
    size: int | None
    sha256: bytes | None
    attempts: int
    deaths: int
    cut_off: int
    afresh: bool
    error_code: str | None


class ReadPage(NamedTuple):
    """A page as it is kept; ``page`` counts from 1, ``confidence`` is 0 to 1 or None for text that is certain."""

    page: int
    source: str
    engine: str | None
    confidence: float | None
    text: str


class ReadDocument(NamedTuple):
    """What came of reading a document; ``reader`` names all that the result depends on besides the bytes."""

    state: DocumentState
    error_code: str | None
    mime_detected: str | None
    doc_type: str | None
    pages_total: int
    truncated: bool
    reader: str
    extractor: str | None
    extractor_version: str | None
    ocr_engine: str | None
    ocr_languages: str | None
    confidence: float | None
    language: str | None
    duration_ms: int
    fields: dict[str, Any]


def keep_documents(connection: psycopg.Connection, carriers: Sequence[tuple[int, str]]) -> None:
    """Keeps a row for each file of the messages (number's row id, wamid), where such files are read at all.

    A row that is there only follows its message, to another conversation for example.
    """
    if carriers:
        moved = connection.execute(_KEEP, [*columns(sorted(set(carriers)), 2), list(NOT_READ)]).fetchall()
        _pages_follow(connection, [row[0] for row in moved])


def move_documents(connection: psycopg.Connection, left: int, entered: int) -> None:
    """Puts the documents of one conversation into another."""
    for table in ("documents", "document_pages"):
        connection.execute(f"UPDATE {table} SET conversation_id = %s WHERE conversation_id = %s", [entered, left])


def file_settled(connection: psycopg.Connection, media_row_id: int) -> None:
    """Lets the documents of a file know that it was stored, or will not be, or is wanted after all.

    To be called in the transaction that wrote so.
    """
    connection.execute(
        f"UPDATE documents d SET state = CASE WHEN f.state IN ('{MediaState.EXPIRED}', '{MediaState.FAILED}')"
        f"  THEN '{DocumentState.FAILED}' ELSE '{DocumentState.PENDING}' END,"
        f" error_code = CASE WHEN f.state IN ('{MediaState.EXPIRED}', '{MediaState.FAILED}') THEN '{NOT_FETCHED}' END,"
        " sha256 = f.sha256, deaths = 0, cut_off = 0, lease_until = NULL,"
        f" next_attempt_at = CASE WHEN f.state = '{MediaState.STORED}' THEN clock_timestamp() END"
        " FROM media f WHERE f.id = d.media_row_id AND d.media_row_id = %s AND (d.next_attempt_at IS NULL AND"
        f" d.state = '{DocumentState.PENDING}' OR d.error_code = '{NOT_FETCHED}'"
        f" OR f.state = '{MediaState.STORED}' AND d.sha256 IS DISTINCT FROM f.sha256)",
        [media_row_id],
    )


def claim_document(connection: psycopg.Connection, seconds: float) -> WantedDocument | None:
    """Leases the document that is due the longest for ``seconds``, and counts the attempt.

    One whose very bytes are being read just now is left until that has ended: then they need not be read again.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_CLAIMING])
        row = connection.execute(
            "WITH due AS (SELECT d.id FROM documents d WHERE "
            + _DUE
            + " AND NOT EXISTS (SELECT FROM documents o WHERE o.sha256 = d.sha256 AND o.id <> d.id"
            "   AND o.lease_until > clock_timestamp())"
            " ORDER BY d.next_attempt_at, d.id LIMIT 1 FOR UPDATE SKIP LOCKED)"
            " UPDATE documents d SET attempts = least(d.attempts + 1, 32000),"
            f" cut_off = least(d.cut_off + (d.state = '{DocumentState.EXTRACTING}')::int, 32000),"
            f" state = '{DocumentState.DOWNLOADING}', pages_done = 0,"
            " lease_until = clock_timestamp() + make_interval(secs => %s)"
            " FROM due, media f WHERE d.id = due.id AND f.id = d.media_row_id"
            " RETURNING d.id, f.storage_key_raw, f.size, d.sha256, d.attempts, d.deaths, d.cut_off, d.afresh,"
            " d.error_code",
            [seconds],
        ).fetchone()
    return None if row is None else WantedDocument(*row)


def count_wanted(connection: psycopg.Connection) -> int:
    """How many documents somebody could read right now, up to a hundred."""
    row = connection.execute(f"SELECT count(*) FROM (SELECT FROM documents d WHERE {_DUE} LIMIT 100) AS due").fetchone()
    return row[0] if row else 0


def reading_on(connection: psycopg.Connection, document: WantedDocument, seconds: float, pages_done: int) -> bool:
    """Writes down how far the reading is, and keeps others away for ``seconds``; False when it is theirs by now."""
    return _update(
        connection,
        document,
        f"state = '{DocumentState.EXTRACTING}', pages_done = %s,"
        " lease_until = clock_timestamp() + make_interval(secs => %s)",
        [pages_done, seconds],
    )


def put_back(
    connection: psycopg.Connection, document: WantedDocument, seconds: float, error_code: str | None, *, died: bool
) -> bool:
    """Lets the document wait ``seconds`` for the next attempt; ``died``: its reader did not live through it.

    That counts for whatever else waits with the same bytes as well: they would kill as many readers each.
    """
    with connection.transaction():
        is_ours = _update(
            connection,
            document,
            f"state = '{DocumentState.PENDING}', lease_until = NULL, error_code = %s, deaths = deaths + %s::int,"
            " next_attempt_at = clock_timestamp() + make_interval(secs => %s)",
            [error_code, int(died), seconds],
        )
        if is_ours and died and document.sha256 is not None:
            connection.execute(
                f"UPDATE documents SET deaths = deaths + 1 WHERE sha256 = %s AND state = '{DocumentState.PENDING}'"
                " AND id <> %s",
                [document.sha256, document.id],
            )
    return is_ours


def reuse(connection: psycopg.Connection, document: WantedDocument, reader: str) -> bool:
    """Takes over what the same ``reader`` found in the same bytes before; False when there is nothing such."""
    if document.sha256 is None or document.afresh:
        return False
    with connection.transaction():
        twin = connection.execute(
            "SELECT id FROM documents WHERE sha256 = %s AND reader = %s AND state = ANY(%s::text[]) AND id <> %s"
            " ORDER BY id LIMIT 1",
            [document.sha256, reader, list(_REUSED), document.id],
        ).fetchone()
        if twin is None:
            return False
        names = ("error_code", *(name for name in ReadDocument._fields if name not in _NAMED_OTHERWISE))
        copied = ", ".join(f"{name} = t.{name}" for name in (*names, "extracted_fields_json", "pages_done"))
        done = connection.execute(
            f"UPDATE documents d SET state = t.state, {copied}, {_SETTLED} FROM documents t"
            f" WHERE t.id = %s AND {_OURS}",
            [twin[0], document.id, document.attempts],
        )
        if done.rowcount == 1:
            connection.execute("DELETE FROM document_pages WHERE document_id = %s", [document.id])
            connection.execute(
                f"INSERT INTO document_pages ({_PAGE_COLUMNS}) SELECT {_PLACE}, p.page, p.source, p.engine,"
                f" p.confidence, p.text, p.search_text FROM {_CARRIED}, document_pages p"
                " WHERE d.id = %s AND p.document_id = %s",
                [document.id, twin[0]],
            )
        return done.rowcount == 1


def note_read(
    connection: psycopg.Connection, document: WantedDocument, found: ReadDocument, pages: Sequence[ReadPage]
) -> bool:
    """Writes down what was read, in place of what was before; False when the document is somebody else's by now."""
    names = [name for name in ReadDocument._fields if name not in ("state", "fields")]
    values = found._asdict()
    kept = [page for page in pages[:MAX_PAGES] if page.text]
    with connection.transaction():
        is_ours = _update(
            connection,
            document,
            f"state = %s, {', '.join(f'{name} = %s' for name in names)}, extracted_fields_json = %s, pages_done = %s,"
            f" {_SETTLED}",
            [found.state.value, *(values[name] for name in names), Json(found.fields), len(pages)],
        )
        if is_ours:
            connection.execute("DELETE FROM document_pages WHERE document_id = %s", [document.id])
            rows = [(*page, search_text(page.text)) for page in kept]
            connection.execute(_KEEP_PAGES, [*columns(rows, len(ReadPage._fields) + 1), document.id])
    return is_ours


def want_again(connection: psycopg.Connection, row_id: int) -> DocumentState | None:
    """Has a document be read at once, whatever came of it; its state then, None where there is none such.

    One whose file was not fetched stays as it is: fetching comes first. One that is being read is left to him.
    """
    row = connection.execute(
        "UPDATE documents d SET"
        f" state = CASE WHEN f.state = '{MediaState.STORED}' AND d.lease_until IS NULL THEN '{DocumentState.PENDING}'"
        "  ELSE d.state END,"
        f" next_attempt_at = CASE WHEN f.state = '{MediaState.STORED}' THEN clock_timestamp() END,"
        " afresh = true, deaths = 0, cut_off = 0"
        " FROM media f WHERE f.id = d.media_row_id AND d.id = %s RETURNING d.state",
        [row_id],
    ).fetchone()
    return None if row is None else DocumentState(row[0])


def file_behind(connection: psycopg.Connection, row_id: int) -> tuple[int, str] | None:
    """The row id and the state of the file that a document is made of; None where there is no such document."""
    return connection.execute(
        "SELECT f.id, f.state FROM documents d JOIN media f ON f.id = d.media_row_id WHERE d.id = %s", [row_id]
    ).fetchone()


def _update(connection: psycopg.Connection, document: WantedDocument, change: str, values: Sequence[Any]) -> bool:
    done = connection.execute(
        f"UPDATE documents d SET {change} WHERE {_OURS}", [*values, document.id, document.attempts]
    )
    return done.rowcount == 1


def _pages_follow(connection: psycopg.Connection, ids: Sequence[int]) -> None:
    if ids:
        connection.execute(
            "UPDATE document_pages p SET conversation_id = d.conversation_id, sent_at = d.sent_at, day = d.day"
            " FROM documents d WHERE d.id = p.document_id AND d.id = ANY(%s::bigint[])"
            " AND (p.conversation_id, p.sent_at) IS DISTINCT FROM (d.conversation_id, d.sent_at)",
            [array(ids)],
        )


_NAMED_OTHERWISE = ("state", "error_code", "fields")
_OURS = f"d.id = %s AND d.attempts = %s AND d.state IN ('{DocumentState.DOWNLOADING}', '{DocumentState.EXTRACTING}')"
_SETTLED = "lease_until = NULL, next_attempt_at = NULL, afresh = false, read_at = clock_timestamp()"
_DUE = (
    "d.state IN ('pending', 'downloading', 'extracting') AND d.next_attempt_at <= clock_timestamp()"
    " AND (d.lease_until IS NULL OR d.lease_until < clock_timestamp())"
)
_PAGE_COLUMNS = (
    "document_id, number_id, conversation_id, sent_at, day, direction, type,"
    " page, source, engine, confidence, text, search_text"
)
_PLACE = "d.id, d.number_id, d.conversation_id, d.sent_at, d.day, m.direction, m.type"
_CARRIED = "documents d JOIN messages m ON m.number_id = d.number_id AND m.wamid = d.wamid"
_KEEP = f"""
WITH placed AS (
  SELECT m.number_id, m.wamid, x.media_row_id, m.conversation_id, m.sent_at, m.day, f.state, f.sha256
  FROM unnest(%s::int[], %s::text[]) AS u (number_id, wamid)
  JOIN message_media x ON x.number_id = u.number_id AND x.wamid = u.wamid
  JOIN messages m ON m.number_id = u.number_id AND m.wamid = u.wamid
  JOIN media f ON f.id = x.media_row_id
  WHERE m.type <> ALL(%s::text[])
  ORDER BY x.media_row_id FOR SHARE OF f
)
INSERT INTO documents AS d (number_id, wamid, media_row_id, conversation_id, sent_at, day, state, error_code, sha256,
  next_attempt_at)
SELECT number_id, wamid, media_row_id, conversation_id, sent_at, day,
  CASE WHEN state IN ('{MediaState.EXPIRED}', '{MediaState.FAILED}') THEN '{DocumentState.FAILED}'
    ELSE '{DocumentState.PENDING}' END,
  CASE WHEN state IN ('{MediaState.EXPIRED}', '{MediaState.FAILED}') THEN '{NOT_FETCHED}' END, sha256,
  CASE WHEN state = '{MediaState.STORED}' THEN now() END
FROM placed
ON CONFLICT (number_id, wamid, media_row_id) DO UPDATE
SET conversation_id = excluded.conversation_id, sent_at = excluded.sent_at, day = excluded.day
WHERE (d.conversation_id, d.sent_at) IS DISTINCT FROM (excluded.conversation_id, excluded.sent_at)
RETURNING d.id
"""
_KEEP_PAGES = f"""
INSERT INTO document_pages ({_PAGE_COLUMNS})
SELECT {_PLACE}, u.page, u.source, u.engine, u.confidence, u.text, u.search_text
FROM unnest(%s::int[], %s::text[], %s::text[], %s::real[], %s::text[], %s::text[])
  AS u (page, source, engine, confidence, text, search_text), {_CARRIED}
WHERE d.id = %s
"""

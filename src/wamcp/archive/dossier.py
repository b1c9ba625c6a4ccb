"""Everything that the archive holds of somebody, as lines of JSON and files, to be handed to whoever asks for it."""

import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any

import psycopg
from psycopg.rows import dict_row

from wamcp.db.columns import array
from wamcp.errors import NotStored
from wamcp.storage.objects import pieces
from wamcp.storage.read import ReadStore

_THEIRS = (
    "(m.sender_id = ANY(%(ids)s::bigint[]) OR m.conversation_id IN"
    " (SELECT id FROM conversations WHERE participant_id = ANY(%(ids)s::bigint[])))"
)
_FILES = (
    "SELECT DISTINCT f.* FROM media f WHERE f.id IN (SELECT x.media_row_id FROM messages m JOIN message_media x"
    f" ON x.number_id = m.number_id AND x.wamid = m.wamid WHERE {_THEIRS}"
    " UNION SELECT s.media_row_id FROM sends s WHERE s.recipient = ANY(%(values)s::text[])) ORDER BY f.id"
)
_OF_DOCUMENTS = f"FROM messages m JOIN documents d ON d.number_id = m.number_id AND d.wamid = m.wamid WHERE {_THEIRS}"
TABLES = {
    "participants": "SELECT * FROM participants WHERE id = ANY(%(ids)s::bigint[]) ORDER BY id",
    "aliases": "SELECT * FROM participant_aliases WHERE participant_id = ANY(%(ids)s::bigint[]) ORDER BY 1, 2, 3",
    "names": "SELECT * FROM participant_names WHERE participant_id = ANY(%(ids)s::bigint[]) ORDER BY 1, 4",
    "merges": "SELECT * FROM merges WHERE from_id = ANY(%(ids)s::bigint[]) OR into_id = ANY(%(ids)s::bigint[])",
    "conversations": "SELECT * FROM conversations WHERE participant_id = ANY(%(ids)s::bigint[]) ORDER BY id",
    "messages": (
        "SELECT m.id, n.phone_number_id, m.wamid, m.conversation_id, m.sender_id, m.direction, m.source, m.type,"
        " m.sent_at, m.reply_to, m.refers_to, m.party_wa_id, m.party_bsuid, m.text, m.content"
        f" FROM messages m JOIN numbers n ON n.id = m.number_id WHERE {_THEIRS} ORDER BY m.sent_at, m.id"
    ),
    "statuses": (
        "SELECT s.* FROM statuses s WHERE s.recipient_id = ANY(%(ids)s::bigint[]) OR EXISTS (SELECT FROM messages m"
        f" WHERE m.number_id = s.number_id AND m.wamid = s.wamid AND {_THEIRS}) ORDER BY s.at"
    ),
    "account_events": "SELECT * FROM account_events WHERE participant_id = ANY(%(ids)s::bigint[]) ORDER BY at, id",
    "media": _FILES,
    "documents": f"SELECT d.* {_OF_DOCUMENTS} ORDER BY d.id",
    "pages": f"SELECT p.document_id, p.page, p.source, p.text FROM document_pages p WHERE p.document_id IN"
    f" (SELECT d.id {_OF_DOCUMENTS}) ORDER BY 1, 2",
    "sends": "SELECT * FROM sends WHERE recipient = ANY(%(values)s::text[]) ORDER BY id",
    "parked": (
        "SELECT p.id, p.event_id, p.item, p.kind, p.reason, encode(p.fragment, 'escape') AS fragment FROM parked p"
        " WHERE EXISTS (SELECT FROM unnest(%(values)s::text[]) AS v"
        " WHERE position(convert_to(v, 'UTF8') IN p.fragment) > 0) ORDER BY p.id"
    ),
    "audit": (
        "SELECT * FROM audit_log WHERE refs && (SELECT array_agg('m' || m.id) FROM messages m"
        f" WHERE {_THEIRS}) OR refs && %(refs)s::text[] ORDER BY id"
    ),
}
"""What goes into which file, each a SELECT of rows."""


def write(
    connection: psycopg.Connection, store: ReadStore, out: zipfile.ZipFile, ids: Sequence[int], values: Sequence[str]
) -> dict[str, int]:
    """Writes ``TABLE.jsonl`` for each table and the bytes of files below ``media/``; returns how many of each.

    ``ids`` are the participants with all who are merged with them, ``values`` their identifiers. One snapshot. A file
    whose bytes are not in the store is in ``media.jsonl`` alone.
    """
    given = {"ids": array(ids), "values": array(values), "refs": array([f"p{each}" for each in ids])}
    counts = {}
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        for table, query in TABLES.items():
            counts[table] = 0
            with out.open(f"{table}.jsonl", "w") as file:
                for row in _rows(connection, query, given):
                    file.write(json.dumps(row, ensure_ascii=False, default=_plain).encode("utf-8", "replace") + b"\n")
                    counts[table] += 1
        files = [(row["id"], row["filename"], row["storage_key_raw"]) for row in _rows(connection, _FILES, given)]
    counts["bytes"] = sum(_copy(store, out, *file) for file in files)
    return counts


def _rows(connection: psycopg.Connection, query: str, given: dict[str, Any]) -> Iterator[dict[str, Any]]:
    with connection.cursor("dossier", row_factory=dict_row) as cursor:
        cursor.itersize = 1000
        yield from cursor.execute(query, given)


def _copy(store: ReadStore, out: zipfile.ZipFile, row_id: int, filename: str | None, key: str | None) -> int:
    if key is None:
        return 0
    name = PurePath(filename or "").name[-100:]
    size = 0
    try:
        with store.open(key) as source, out.open(f"media/f{row_id}{'-' if name else ''}{name}", "w") as file:
            for piece in pieces(source):
                size += file.write(piece)
    except NotStored:
        return 0
    return size


def _plain(value: Any) -> str:
    return value.hex() if isinstance(value, bytes | memoryview) else str(value)

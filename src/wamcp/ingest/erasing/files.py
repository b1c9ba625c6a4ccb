"""The last of an erasure: objects that nobody else's row names, and the room that deleted rows leave behind."""

from collections.abc import Callable, Iterable, Sequence

import psycopg
from psycopg import sql

from wamcp import log
from wamcp.db.columns import array
from wamcp.db.incoming import is_named
from wamcp.ingest.erasing.work import Tally, count
from wamcp.storage.write import WriteStore

TOUCHED = (
    "webhook_events", "parked", "participants", "participant_aliases", "participant_names", "merge_candidates",
    "merges", "conversations", "messages", "statuses", "message_state", "account_events", "unknowns", "media",
    "message_media", "documents", "document_pages", "sends", "send_pace", "echoes", "audit_log", "erasures", "holds",
    "objects_to_delete",
)  # fmt: skip
_CLEARS_STATISTICS = 180000

_log = log.get(__name__)


def note_objects(connection: psycopg.Connection, keys: Iterable[str | None]) -> None:
    """Notes objects to delete, in the transaction that takes away the rows that named them."""
    connection.execute(
        "INSERT INTO objects_to_delete SELECT DISTINCT unnest(%s::text[]) ON CONFLICT DO NOTHING",
        [array(sorted({key for key in keys if key is not None}))],
    )


def delete_objects(
    connection: psycopg.Connection, store: WriteStore, tally: Tally, goes_on: Callable[[], bool] = lambda: True
) -> None:
    """Deletes what was noted and no row names, and forgets that it was noted; safe to repeat, also by two at once.

    A row that came meanwhile with the same bytes has them fetched again. Raises :class:`StoreUnavailable`: then what
    is left stays noted.
    """
    for (key,) in connection.execute("SELECT storage_key FROM objects_to_delete ORDER BY storage_key").fetchall():
        if not goes_on():
            return
        # Whoever notes the same key meanwhile waits until this note is gone, and it is, once the object is.
        with connection.transaction():
            connection.execute("DELETE FROM objects_to_delete WHERE storage_key = %s", [key])
            if not is_named(connection, key) and store.delete(key):
                count(tally, "objects", 1)
            if is_named(connection, key) and store.size(key) is None:
                _fetch_again(connection, key)


def _fetch_again(connection: psycopg.Connection, key: str) -> None:
    _log.warning("object_gone_with_another", key=key[:12])
    connection.execute(
        "UPDATE media SET state = 'pending', next_attempt_at = clock_timestamp(), url = NULL"
        " WHERE storage_key_raw = %s AND direction = 'inbound' AND media_id IS NOT NULL",
        [key],
    )


def clean(connection: psycopg.Connection, tables: Sequence[str]) -> None:
    """Vacuums these tables, and renews their statistics, which hold samples of what stood in them."""
    for table in tables:
        connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier(table)))
        if connection.info.server_version >= _CLEARS_STATISTICS:
            _forget_statistics(connection, table)


def _forget_statistics(connection: psycopg.Connection, table: str) -> None:
    """Of a table that is empty now ANALYZE leaves the old samples."""
    found = connection.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(table))).fetchone()
    if found == (False,):
        connection.execute(
            "SELECT pg_clear_attribute_stats('public', %(table)s, a.attname::text, false) FROM pg_attribute a"
            " WHERE a.attrelid = ('public.' || %(table)s)::regclass AND a.attnum > 0 AND NOT a.attisdropped",
            {"table": table},
        )

"""The last of an erasure: objects that nobody else's row names, and the room that deleted rows leave behind."""

from collections.abc import Sequence

import psycopg
from psycopg import sql

from wamcp import log
from wamcp.db.incoming import is_named
from wamcp.errors import NotStored
from wamcp.ingest.erasing.work import Tally, count
from wamcp.storage.write import WriteStore

TOUCHED = (
    "webhook_events", "parked", "participants", "participant_aliases", "participant_names", "merge_candidates",
    "merges", "conversations", "messages", "statuses", "message_state", "account_events", "unknowns", "media",
    "message_media", "documents", "document_pages", "sends", "send_pace", "echoes", "audit_log", "erasures", "holds",
)  # fmt: skip
_CLEARS_STATISTICS = 180000

_log = log.get(__name__)


def delete_objects(connection: psycopg.Connection, store: WriteStore, work: Tally) -> None:
    """Deletes what no row names; a row that came meanwhile with the same bytes has them fetched again."""
    for key in work.keys:
        if not is_named(connection, key) and store.delete(key):
            count(work, "objects", 1)
    for key in work.keys:
        if is_named(connection, key) and not _is_there(store, key):
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


def _is_there(store: WriteStore, key: str) -> bool:
    try:
        return store.size(key) is not None
    except NotStored:
        return False

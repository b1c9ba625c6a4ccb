"""Retention: what is older than it may be goes, in batches, as the settings say; by default nothing ever does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import psycopg

from wamcp import log
from wamcp.db.columns import array
from wamcp.db.session import NETWORK, be_noticed
from wamcp.ingest.erasing.files import delete_objects, note_objects
from wamcp.ingest.erasing.rows import forget_files, forget_messages
from wamcp.ingest.erasing.work import count
from wamcp.ingest.normalize import lock_writing
from wamcp.settings import Settings
from wamcp.storage.write import WriteStore

BATCH = 1000
_PURGING = 0x57414D43_07

GoesOn = Callable[[], bool]
"""Asked between batches."""

_log = log.get(__name__)


@dataclass(slots=True)
class Purged:
    """How much went, by class."""

    counts: dict[str, int] = field(default_factory=dict)


def purge(settings: Settings, store: WriteStore, goes_on: GoesOn) -> dict[str, int]:
    """Purges what is due until nothing is, or ``goes_on`` says no; how much of each class. One at a time does it.

    Nothing of somebody under a hold goes, nor a raw event that was not understood yet. Messages go once their raw
    events have, so that reprocessing does not bring them back. Objects that an erasure or a purge which died left
    behind go whatever the settings say.
    """
    done = Purged()
    # The lock is the session's: a transaction pooler would leave it with a connection that is somebody else's by then.
    with psycopg.connect(settings.direct_url(), autocommit=True, **NETWORK) as connection:
        be_noticed(connection)
        if connection.execute("SELECT pg_try_advisory_lock(%s)", [_PURGING]).fetchone() != (True,):
            return {}
        try:
            for days, purge_batch in (
                (settings.keep_raw_days, _raw),
                (settings.keep_messages_days, _messages),
                (settings.keep_messages_days, _account_events),
                (settings.keep_messages_days, _sends),
                (settings.keep_media_days, _media),
                (settings.keep_audit_days, _audit),
            ):
                while days is not None and goes_on() and purge_batch(connection, days, done):
                    pass
            delete_objects(connection, store, done, goes_on)
        finally:
            connection.execute("SELECT pg_advisory_unlock(%s)", [_PURGING])
    if any(done.counts.values()):
        _log.info("purged", **{what.replace(" ", "_"): count for what, count in done.counts.items()})
    return done.counts


_HELD_CONVERSATIONS = (
    "SELECT c.id FROM conversations c WHERE c.participant_id IN (SELECT participant_id FROM holds)"
    " OR c.id IN (SELECT m.conversation_id FROM messages m WHERE m.sender_id IN (SELECT participant_id FROM holds))"
)
"""The threads of people under a hold, and the groups in which they spoke."""
_HELD_EVENTS = (
    f"SELECT m.event_id FROM messages m WHERE m.conversation_id IN ({_HELD_CONVERSATIONS})"
    " UNION SELECT s.event_id FROM statuses s WHERE s.recipient_id IN (SELECT participant_id FROM holds)"
    " UNION SELECT a.event_id FROM account_events a WHERE a.participant_id IN (SELECT participant_id FROM holds)"
)


def _raw(connection: psycopg.Connection, days: int, done: Purged) -> bool:
    with connection.transaction():
        lock_writing(connection)
        gone = _ids(
            connection,
            "DELETE FROM webhook_events WHERE id IN (SELECT e.id FROM webhook_events e"
            " WHERE e.received_at < now() - make_interval(days => %s)"
            " AND EXISTS (SELECT FROM applied a WHERE a.event_id = e.id)"
            " AND NOT EXISTS (SELECT FROM webhook_queue q WHERE q.event_id = e.id)"
            f" AND e.id NOT IN ({_HELD_EVENTS}) ORDER BY e.id LIMIT %s) RETURNING id",
            [days, BATCH],
        )
        connection.execute("DELETE FROM parked WHERE event_id = ANY(%s::bigint[])", [array(gone)])
    count(done, "raw events", len(gone))
    return len(gone) == BATCH


def _messages(connection: psycopg.Connection, days: int, done: Purged) -> bool:
    with connection.transaction():
        lock_writing(connection)
        due = _ids(
            connection,
            "SELECT m.id FROM messages m WHERE m.sent_at < now() - make_interval(days => %s)"
            " AND NOT EXISTS (SELECT FROM webhook_events e WHERE e.id = m.event_id)"
            f" AND m.conversation_id NOT IN ({_HELD_CONVERSATIONS}) ORDER BY m.id LIMIT %s",
            [days, BATCH],
        )
        if due:
            forget_messages(connection, done, due)
    return len(due) == BATCH


def _account_events(connection: psycopg.Connection, days: int, done: Purged) -> bool:
    with connection.transaction():
        lock_writing(connection)
        gone = _ids(
            connection,
            "DELETE FROM account_events WHERE id IN (SELECT a.id FROM account_events a"
            " WHERE a.at < now() - make_interval(days => %s) AND a.participant_id IS NOT NULL"
            " AND NOT EXISTS (SELECT FROM webhook_events e WHERE e.id = a.event_id)"
            " AND a.participant_id NOT IN (SELECT participant_id FROM holds) LIMIT %s) RETURNING id",
            [days, BATCH],
        )
    count(done, "account events", len(gone))
    return len(gone) == BATCH


def _sends(connection: psycopg.Connection, days: int, done: Purged) -> bool:
    """Sends that ended, to people without a hold."""
    with connection.transaction():
        lock_writing(connection)
        rows = connection.execute(
            "SELECT s.id, s.media_row_id FROM sends s WHERE s.asked_at < now() - make_interval(days => %s)"
            " AND s.state IN ('sent', 'failed', 'unknown') AND NOT EXISTS (SELECT FROM participant_aliases a"
            "  JOIN holds h USING (participant_id) WHERE a.value = s.recipient) ORDER BY s.id LIMIT %s",
            [days, BATCH],
        ).fetchall()
        ids = array([row[0] for row in rows])
        connection.execute("UPDATE echoes SET send_id = NULL WHERE send_id = ANY(%s::bigint[])", [ids])
        connection.execute("UPDATE sends SET retry_of = NULL WHERE retry_of = ANY(%s::bigint[])", [ids])
        connection.execute("DELETE FROM sends WHERE id = ANY(%s::bigint[])", [ids])
        count(done, "sends", len(rows))
        forget_files(connection, done, [row[1] for row in rows if row[1] is not None])
    return len(rows) == BATCH


def _media(connection: psycopg.Connection, days: int, done: Purged) -> bool:
    """The bytes of files; that there was one, and what was read in it, stays with its message."""
    with connection.transaction():
        rows = connection.execute(
            "WITH due AS (SELECT f.id, f.storage_key_raw FROM media f"
            " WHERE f.state = 'stored' AND f.stored_at < now() - make_interval(days => %s)"
            " AND NOT EXISTS (SELECT FROM documents d WHERE d.media_row_id = f.id"
            "  AND d.state IN ('pending', 'downloading', 'extracting'))"
            " AND NOT EXISTS (SELECT FROM sends s WHERE s.media_row_id = f.id AND s.state IN ('queued', 'sending'))"
            " AND NOT EXISTS (SELECT FROM message_media x JOIN messages m ON m.number_id = x.number_id"
            f"  AND m.wamid = x.wamid WHERE x.media_row_id = f.id AND m.conversation_id IN ({_HELD_CONVERSATIONS}))"
            " ORDER BY f.id LIMIT %s FOR UPDATE SKIP LOCKED)"
            " UPDATE media f SET state = 'expired', storage_key_raw = NULL, next_attempt_at = NULL,"
            "  reason = 'the retention of media (WAMCP_KEEP_MEDIA_DAYS) removed the bytes'"
            " FROM due WHERE f.id = due.id RETURNING due.storage_key_raw",
            [days, BATCH],
        ).fetchall()
        note_objects(connection, (row[0] for row in rows))
    count(done, "files", len(rows))
    return len(rows) == BATCH


def _audit(connection: psycopg.Connection, days: int, done: Purged) -> bool:
    gone = _ids(
        connection,
        "DELETE FROM audit_log WHERE id IN (SELECT id FROM audit_log WHERE at < now() - make_interval(days => %s)"
        " ORDER BY at LIMIT %s) RETURNING id",
        [days, BATCH],
    )
    count(done, "audit rows", len(gone))
    return len(gone) == BATCH


def _ids(connection: psycopg.Connection, query: str, values: Sequence[object]) -> list[int]:
    return [row[0] for row in connection.execute(query, values).fetchall()]

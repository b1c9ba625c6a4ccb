"""Trying again what was parked, after a fix: whole events through the queue, items in their events."""

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from wamcp.db.columns import array
from wamcp.errors import NotVisible
from wamcp.ingest.keep import Again, keep
from wamcp.ingest.merging import events_again
from wamcp.ingest.normalize import lock_writing, patient
from wamcp.vocabulary import BELL

BATCH_EVENTS = 500


@dataclass(frozen=True, slots=True)
class Unparked:
    """How many events were queued, how many were read again at once, and how many items are still parked in these."""

    queued: int
    applied: int
    still_parked: int


def parked_events(url: str) -> list[int]:
    """The ids of all events of which something is parked, oldest first."""
    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute("SELECT DISTINCT event_id FROM parked ORDER BY event_id").fetchall()
    return [row[0] for row in rows]


def replay(url: str, event_ids: Sequence[int]) -> Unparked:
    """Reads events again: those that never could be are queued for the normalizer, the others are kept again at once.

    Nothing changes where nothing has changed. Raises :class:`NotVisible` for an event that does not exist
    or was purged; then nothing is done.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        patient(connection)
        known = _states(connection, event_ids)
        waiting = [event_id for event_id, is_applied in known.items() if not is_applied]
        applied = [event_id for event_id, is_applied in known.items() if is_applied]
        if waiting:
            _queue(connection, waiting)
        for start in range(0, len(applied), BATCH_EVENTS):
            with connection.transaction():
                lock_writing(connection)
                keep(connection, events_again(connection, applied[start : start + BATCH_EVENTS]), Again.YES)
        row = connection.execute(
            "SELECT count(*) FROM parked WHERE event_id = ANY(%s::bigint[])", [array(applied)]
        ).fetchone()
    return Unparked(len(waiting), len(applied), row[0] if row else 0)


def _states(connection: psycopg.Connection, event_ids: Sequence[int]) -> dict[int, bool]:
    """Of each event, whether it was applied."""
    wanted = sorted(set(event_ids))
    rows = connection.execute(
        "SELECT e.id, EXISTS (SELECT FROM applied a WHERE a.event_id = e.id) FROM webhook_events e"
        " WHERE e.id = ANY(%s::bigint[])",
        [array(wanted)],
    ).fetchall()
    found = {row_id: is_applied for row_id, is_applied in rows}
    if missing := [event_id for event_id in wanted if event_id not in found]:
        raise NotVisible(f"There is no event {', '.join(map(str, missing[:10]))} (any longer).")
    return found


def _queue(connection: psycopg.Connection, event_ids: list[int]) -> None:
    with connection.transaction():
        connection.execute("DELETE FROM started WHERE event_id = ANY(%s::bigint[])", [array(event_ids)])
        connection.execute(
            "INSERT INTO webhook_queue (event_id, size) SELECT id, octet_length(body) FROM webhook_events"
            " WHERE id = ANY(%s::bigint[]) ON CONFLICT DO NOTHING",
            [array(event_ids)],
        )
        connection.execute("SELECT pg_notify(%s, '')", [BELL])

"""Webhook events: which of them wait, which were applied, and of which something is parked. Never their bytes."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from wamcp.access.grants import Grant
from wamcp.archive import page
from wamcp.archive.views import Page
from wamcp.db.session import ReadConnection

State = Literal["pending", "parked", "applied"]


@dataclass(frozen=True, slots=True)
class EventsQuery:
    """Which webhook events; all of them without a ``state``."""

    state: State | None = None
    limit: int = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class ParkedView:
    """What was not understood; ``item`` is its place in the event, empty for the event as a whole."""

    item: str
    kind: str
    reason: str
    parked_at: datetime


@dataclass(frozen=True, slots=True)
class EventView:
    """One webhook event; ``size`` (bytes) is known while it waits."""

    id: int
    received_at: datetime
    state: State
    size: int | None
    parked: list[ParkedView]


# A pending event is one in the queue, whatever of it was parked before; what neither waits nor is parked was applied.
_CANDIDATES: dict[State | None, str] = {
    None: "SELECT e.id FROM webhook_events e WHERE {older}",
    "pending": "SELECT e.event_id AS id FROM webhook_queue e WHERE {older_event}",
    "parked": "SELECT DISTINCT e.event_id AS id FROM parked e WHERE {older_event}"
    " AND NOT EXISTS (SELECT FROM webhook_queue q WHERE q.event_id = e.event_id)",
    "applied": "SELECT e.id FROM webhook_events e WHERE {older}"
    " AND NOT EXISTS (SELECT FROM webhook_queue q WHERE q.event_id = e.id)"
    " AND NOT EXISTS (SELECT FROM parked k WHERE k.event_id = e.id)",
}


def newest(connection: ReadConnection, grant: Grant, query: EventsQuery) -> Page[EventView]:
    """One page, the last received first. Events belong to no number: only for bearers without limits."""
    limit = page.check_limit(query.limit)
    [before] = page.unseal(grant, query, query.cursor) if query.cursor is not None else [2**63 - 1]
    candidates = _CANDIDATES[query.state].format(older="e.id < %(before)s", older_event="e.event_id < %(before)s")
    rows = connection.execute(
        f"""
        SELECT e.id, e.received_at, q.size, q.event_id IS NOT NULL
        FROM ({candidates} ORDER BY id DESC LIMIT %(count)s) c
        JOIN webhook_events e ON e.id = c.id LEFT JOIN webhook_queue q ON q.event_id = e.id ORDER BY e.id DESC""",
        {"before": before, "count": limit + 1},
    ).fetchall()
    parked = _parked(connection, [row[0] for row in rows])
    items = [
        EventView(event_id, received.astimezone(UTC), _state(waits, event_id in parked), size, parked.get(event_id, []))
        for event_id, received, size, waits in rows[:limit]
    ]
    return Page(items, page.seal(grant, query, [items[-1].id]) if len(rows) > limit else None)


def _parked(connection: ReadConnection, event_ids: list[int]) -> dict[int, list[ParkedView]]:
    rows = connection.execute(
        "SELECT event_id, item, kind, reason, parked_at FROM parked WHERE event_id = ANY(%s::bigint[])"
        " ORDER BY event_id, item",
        [event_ids],
    )
    found: dict[int, list[ParkedView]] = {}
    for event_id, item, kind, reason, at in rows:
        found.setdefault(event_id, []).append(ParkedView(item, kind, reason, at.astimezone(UTC)))
    return found


def _state(waits: bool, is_parked: bool) -> State:
    return "pending" if waits else "parked" if is_parked else "applied"

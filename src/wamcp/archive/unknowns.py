"""What Meta sent that this release has no word for: counted by kind and path."""

from dataclasses import dataclass
from datetime import UTC, datetime

from wamcp.db.session import ReadConnection

MAX_LISTED = 1_000


@dataclass(frozen=True, slots=True)
class UnknownView:
    """One field, type, key or status, when it came first and last (UTC), and in which events."""

    kind: str
    path: str
    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    first_event_id: int
    last_event_id: int


@dataclass(frozen=True, slots=True)
class UnknownCount:
    """Of one kind: how many different paths, and how often they came in all."""

    kind: str
    paths: int
    seen: int


def unknowns(connection: ReadConnection) -> list[UnknownView]:
    """The 1,000 that came last, the newest first. They belong to no number: only for bearers without limits."""
    rows = connection.execute(
        "SELECT kind, path, count, first_seen_at, last_seen_at, first_event_id, last_event_id FROM unknowns"
        " ORDER BY last_seen_at DESC, kind, path LIMIT %s",
        [MAX_LISTED],
    )
    return [
        UnknownView(kind, path, count, first.astimezone(UTC), last.astimezone(UTC), first_id, last_id)
        for kind, path, count, first, last, first_id, last_id in rows
    ]


def counts(connection: ReadConnection) -> list[UnknownCount]:
    """How many there are of each kind."""
    rows = connection.execute("SELECT kind, count(*), sum(count)::bigint FROM unknowns GROUP BY kind ORDER BY kind")
    return [UnknownCount(kind, paths, seen) for kind, paths, seen in rows]

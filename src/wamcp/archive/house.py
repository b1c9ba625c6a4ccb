"""The state of the house: what waits, what is parked, who works, and whether the schema is this release's."""

from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

from psycopg.rows import class_row

from wamcp.db.revision import is_current
from wamcp.db.session import ReadConnection

COUNTED_UPTO = 10_000
"""Rows of one state are counted up to here, so that looking at the house costs the same however large it is."""
FRESH_S = 60
"""A process that was not heard of for so many seconds does not work, whatever it does."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """Webhooks kept but not yet understood; ``oldest_pending_seconds`` is 0 when nothing waits. Parked by kind."""

    events_pending: int
    oldest_pending_seconds: float
    parked: dict[str, int]


@dataclass(frozen=True, slots=True)
class SlowWork:
    """One kind of slow work: rows by state, but for its good end, each up to :data:`COUNTED_UPTO`.

    ``oldest_seconds`` is how long the oldest waits that somebody could do now, 0 when there is none.
    """

    kind: str
    states: dict[str, int]
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Process:
    """A worker process as its heartbeats tell of it; ``worked_at`` is when it last took work."""

    role: str
    host: str
    pid: int
    version: str
    git_version: str | None
    started_at: datetime
    beat_at: datetime
    worked_at: datetime | None
    seconds_since_beat: float


@dataclass(frozen=True, slots=True)
class Lags:
    """Events understood, cumulated by how many seconds they waited at most (the last bound is infinite)."""

    buckets: list[tuple[float, int]]
    seconds: float


def backlog(connection: ReadConnection) -> Backlog:
    """What waits and what is parked."""
    row = connection.execute(
        "SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(queued_at)), 0)::float8"
        " FROM webhook_queue"
    ).fetchone()
    assert row is not None
    parked = connection.execute("SELECT kind, count(*) FROM parked GROUP BY kind ORDER BY kind").fetchall()
    return Backlog(row[0], max(0.0, row[1]), dict(parked))


def slow_work(connection: ReadConnection) -> list[SlowWork]:
    """Sends, media and documents, by partial indexes alone."""
    # A plan that reads a whole table because few of its rows are asked for may not be taken.
    connection.execute("SET LOCAL enable_seqscan = off")
    return [
        SlowWork(kind, _states(connection, kind, groups), _oldest(connection, kind, due))
        for kind, (groups, due) in _SLOW.items()
    ]


def processes(connection: ReadConnection) -> list[Process]:
    """The worker processes that were heard of lately, by role."""
    with connection.cursor(row_factory=class_row(Process)) as cursor:
        return cursor.execute(
            "SELECT role, host, pid, version, git_version, started_at, beat_at, worked_at,"
            " greatest(0, extract(epoch FROM clock_timestamp() - beat_at))::float8 AS seconds_since_beat"
            " FROM heartbeats ORDER BY role, host, pid"
        ).fetchall()


def lags(connection: ReadConnection) -> Lags:
    """How long events waited to be understood, of all that ever were."""
    rows = connection.execute("SELECT upto, events, seconds FROM event_lags ORDER BY upto").fetchall()
    counts = dict(zip((row[0] for row in rows), accumulate(row[1] for row in rows), strict=True))
    if float("inf") not in counts:
        counts[float("inf")] = sum(row[1] for row in rows)
    return Lags(list(counts.items()), sum(row[2] for row in rows))


def ping(connection: ReadConnection) -> None:
    """Asks the least that can be asked."""
    connection.execute("SELECT 1")


def behind_seconds(connection: ReadConnection) -> float | None:
    """The age of the newest commit that this replica knows, None on a primary. Workers commit every five seconds."""
    row = connection.execute(
        "SELECT greatest(0, extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()))::float8"
        " WHERE pg_is_in_recovery()"
    ).fetchone()
    return row[0] if row else None


def server_version(connection: ReadConnection) -> str:
    """Postgres's version, e.g. ``18.1``."""
    return connection.info.parameter_status("server_version") or ""


def schema_is_current(connection: ReadConnection) -> bool:
    """Whether the migrations of this release have run, and none newer."""
    return is_current(connection)


def _states(connection: ReadConnection, table: str, groups: tuple[tuple[str, ...], ...]) -> dict[str, int]:
    found = {state: 0 for group in groups for state in group}
    for group in groups:
        written = ", ".join(f"'{state}'" for state in group)
        counted = connection.execute(
            f"SELECT state, count(*) FROM (SELECT state FROM {table} WHERE state IN ({written})"
            f" LIMIT {COUNTED_UPTO}) AS found GROUP BY state"
        ).fetchall()
        found.update(dict(counted))
    return found


def _oldest(connection: ReadConnection, table: str, due: str) -> float:
    row = connection.execute(
        f"SELECT extract(epoch FROM clock_timestamp() - next_attempt_at)::float8 FROM {table}"
        f" WHERE state IN ({due}) AND next_attempt_at <= clock_timestamp()"
        " AND (lease_until IS NULL OR lease_until < clock_timestamp()) ORDER BY next_attempt_at LIMIT 1"
    ).fetchone()
    return max(0.0, row[0]) if row else 0.0


# Each group of states has a partial index; the states of the second part are what somebody could work on.
_SLOW: dict[str, tuple[tuple[tuple[str, ...], ...], str]] = {
    "sends": ((("queued",), ("sending", "unknown"), ("failed",)), "'queued'"),
    "media": ((("pending",), ("expired", "failed")), "'pending'"),
    "documents": (
        (
            ("pending", "downloading", "extracting"),
            ("failed", "too_large", "unsupported", "encrypted", "timeout", "quarantined"),
        ),
        "'pending', 'downloading', 'extracting'",
    ),
}

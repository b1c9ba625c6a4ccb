"""The state of the house: what waits, what is parked, and whether the schema is the one this release expects."""

from dataclasses import dataclass

from wamcp.db.revision import is_current
from wamcp.db.session import ReadConnection


@dataclass(frozen=True, slots=True)
class Backlog:
    """Webhooks kept but not yet understood, fetched documents not yet read; an age is 0 when nothing waits.

    Parked by kind.
    """

    events_pending: int
    oldest_pending_seconds: float
    parked: dict[str, int]
    documents_pending: int
    oldest_document_seconds: float


def backlog(connection: ReadConnection) -> Backlog:
    """What waits and what is parked."""
    row = connection.execute(
        "SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(queued_at)), 0)::float8"
        " FROM webhook_queue"
    ).fetchone()
    assert row is not None
    parked = connection.execute("SELECT kind, count(*) FROM parked GROUP BY kind ORDER BY kind").fetchall()
    waiting = connection.execute(
        "SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(f.stored_at)), 0)::float8"
        " FROM documents d JOIN media f ON f.id = d.media_row_id"
        " WHERE d.state IN ('pending', 'downloading', 'extracting') AND d.next_attempt_at IS NOT NULL"
    ).fetchone()
    assert waiting is not None
    return Backlog(row[0], max(0.0, row[1]), dict(parked), waiting[0], max(0.0, waiting[1]))


def ping(connection: ReadConnection) -> None:
    """Asks the least that can be asked."""
    connection.execute("SELECT 1")


def server_version(connection: ReadConnection) -> str:
    """Postgres's version, e.g. ``18.1``."""
    return connection.info.parameter_status("server_version") or ""


def schema_is_current(connection: ReadConnection) -> bool:
    """Whether the migrations of this release have run, and none newer."""
    return is_current(connection)

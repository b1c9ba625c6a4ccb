"""The archive at a glance: how much there is for this bearer, since when, and what is not yet understood."""

from datetime import UTC, datetime

from wamcp.access.grants import Grant
from wamcp.archive.scope import Scope, scope_of
from wamcp.archive.views import StatusView
from wamcp.db.session import ReadConnection


def status(connection: ReadConnection, grant: Grant) -> StatusView:
    """Counts and bounds of what ``grant`` lets its bearer see; pending events and parked ones are the whole house's."""
    scope = scope_of(connection, grant)
    oldest, newest = _bounds(connection, scope)
    return StatusView(
        messages=_messages(connection, scope),
        conversations=_one(connection, f"SELECT count(*) FROM conversations c WHERE {scope.conversations()}", scope),
        oldest=oldest,
        newest=newest,
        numbers=list(scope.numbers.values()),
        events_pending=_one(connection, "SELECT count(*) FROM webhook_queue", scope),
        parked=_one(connection, "SELECT count(*) FROM parked", scope),
    )


def _messages(connection: ReadConnection, scope: Scope) -> int:
    """From the daily counts; only the day on which the bearer's window begins is counted message by message."""
    by_day = (
        "SELECT coalesce(sum(inbound + outbound), 0) FROM daily_counts d WHERE d.number_id = ANY(%(numbers)s::int[])"
    )
    if scope.since is None:
        return _one(connection, by_day, scope)
    first_day = "(floor(extract(epoch FROM %(scope_since)s::timestamptz) / 86400))::int"
    whole_days = _one(connection, f"{by_day} AND d.day > {first_day}", scope)
    rest = f"SELECT count(*) FROM messages m WHERE {scope.messages()} AND m.number_id = ANY(%(numbers)s::int[])"
    end = f"m.sent_at < to_timestamp(({first_day} + 1) * 86400::bigint)"
    return whole_days + _one(connection, f"{rest} AND {end}", scope)


def _bounds(connection: ReadConnection, scope: Scope) -> tuple[datetime | None, datetime | None]:
    ends = [
        f"SELECT {extreme}(e.sent_at) FROM unnest(%(numbers)s::int[]) AS n (id), LATERAL (SELECT m.sent_at"
        f" FROM messages m WHERE m.number_id = n.id AND {scope.messages()}"
        f" ORDER BY m.sent_at {way}, m.id {way} LIMIT 1) e"
        for extreme, way in (("min", "ASC"), ("max", "DESC"))
    ]
    row = connection.execute(f"SELECT ({ends[0]}), ({ends[1]})", _parameters(scope)).fetchone()
    assert row is not None
    oldest, newest = (moment.astimezone(UTC) if moment else None for moment in row)
    return oldest, newest


def _one(connection: ReadConnection, statement: str, scope: Scope) -> int:
    row = connection.execute(statement, _parameters(scope)).fetchone()
    return int(row[0]) if row else 0


def _parameters(scope: Scope) -> dict[str, object]:
    return {**scope.parameters(), "numbers": list(scope.numbers)}

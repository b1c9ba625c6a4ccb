"""How many messages there were: by day, conversation, direction, type or delivery state, exactly."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from wamcp.access.grants import Grant
from wamcp.archive import page
from wamcp.archive.ground import Ground
from wamcp.archive.messages import require_conversation
from wamcp.archive.scope import scope_of
from wamcp.db.session import ReadConnection
from wamcp.vocabulary import DeliveryStatus, Direction, conversation_ref

GroupBy = Literal["day", "conversation", "direction", "type", "status"]
NO_STATUS = "none"
"""The key of outbound messages of which no delivery state is known."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class StatsQuery:
    """What to count and by what. ``after`` is inclusive, ``before`` exclusive (UTC); ``number`` is one of ours."""

    group_by: GroupBy
    conversation_id: int | None = None
    number: str | None = None
    after: datetime | None = None
    before: datetime | None = None
    limit: int = 60


@dataclass(frozen=True, slots=True)
class Counts:
    """Messages by direction; ``failed`` are those outbound ones that did not arrive."""

    inbound: int = 0
    outbound: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class StatsView:
    """Days newest first (``2026-11-20``), all others largest first; ``totals`` are of everything, shown or not."""

    rows: list[tuple[str, Counts]]
    totals: Counts
    more: bool


_KEYS = {"day": "m.day", "conversation": "m.conversation_id", "type": "m.type", "direction": "m.direction"}
_COUNTS = "count(*) FILTER (WHERE m.direction = 'inbound'), count(*) FILTER (WHERE m.direction = 'outbound')"


def message_stats(connection: ReadConnection, grant: Grant, query: StatsQuery) -> StatsView:
    """The counts of all messages kept. Raises :class:`NotVisible` for an unknown conversation or number."""
    limit = page.check_limit(query.limit)
    scope = scope_of(connection, grant, query.number)
    if query.conversation_id is not None:
        require_conversation(connection, scope, query.conversation_id)
    after = max((each for each in (page.utc(query.after), scope.since) if each), default=None)
    ground = Ground(connection, scope, limit + 1, query.conversation_id, after=after, before=page.utc(query.before))
    days = _by_day(ground)
    failed = _failed(ground, query.group_by)
    totals = Counts(
        sum(inbound for inbound, _ in days.values()),
        sum(outbound for _, outbound in days.values()),
        sum(failed.values()),
    )
    found = _groups(ground, query.group_by, days, totals)
    rows = [(_key(query.group_by, key), Counts(*both, failed.get(key, 0))) for key, both in found.items()]
    return StatsView(rows[:limit], totals, len(rows) > limit)


def _groups(
    ground: Ground, group_by: GroupBy, days: dict[int, tuple[int, int]], totals: Counts
) -> dict[Any, tuple[int, int]]:
    """Inbound and outbound of each group in the order of the answer."""
    if group_by == "day":
        return dict(sorted(days.items(), reverse=True))
    if group_by == "direction":
        both = {Direction.INBOUND: (totals.inbound, 0), Direction.OUTBOUND: (0, totals.outbound)}
        return {key.value: counts for key, counts in both.items() if any(counts)}
    if group_by == "status":
        return _by_status(ground)
    return _counted(ground, _KEYS[group_by])


def _by_day(ground: Ground) -> dict[int, tuple[int, int]]:
    """From the daily counts; only days that the span cuts, and conversations, are counted message by message."""
    if ground.conversation_id is not None:
        return _counted(ground, "m.day", limited=False)
    first, last = (None if each is None else (each - _EPOCH) // _DAY for each in (ground.after, ground.before))
    cut = [(each - _EPOCH) // _DAY for each in (ground.after, ground.before) if each and (each - _EPOCH) % _DAY]
    rows = ground.connection.execute(
        "SELECT d.day, sum(d.inbound)::bigint, sum(d.outbound)::bigint FROM daily_counts d"
        " WHERE d.number_id = ANY(%(numbers)s::int[]) AND (%(first)s::int IS NULL OR d.day >= %(first)s::int)"
        " AND (%(last)s::int IS NULL OR d.day < %(last)s::int) AND d.day <> ALL(%(cut)s::int[]) GROUP BY d.day",
        {"numbers": list(ground.scope.numbers), "first": first, "last": last, "cut": cut},
    )
    days = {day: (inbound, outbound) for day, inbound, outbound in rows}
    for day in set(cut):
        days |= _counted(_within_day(ground, day), "m.day", limited=False)
    return days


def _within_day(ground: Ground, day: int) -> Ground:
    begin = _EPOCH + day * _DAY
    after = max(begin, ground.after) if ground.after else begin
    try:
        end = begin + _DAY
    except OverflowError:
        end = datetime.max.replace(tzinfo=UTC)
    return replace(ground, after=after, before=min(end, ground.before) if ground.before else end)


def _counted(ground: Ground, key: str, *, limited: bool = True) -> dict[Any, tuple[int, int]]:
    rows = ground.connection.execute(
        f"SELECT {key}, {_COUNTS} FROM messages m WHERE {ground.place()}"
        f" GROUP BY {key} ORDER BY count(*) DESC, {key} LIMIT {'%(wanted)s' if limited else 'ALL'}",
        ground.parameters(),
    )
    return {value: (inbound, outbound) for value, inbound, outbound in rows}


def _by_status(ground: Ground) -> dict[Any, tuple[int, int]]:
    rows = ground.connection.execute(
        f"""
        SELECT coalesce(s.status, '{NO_STATUS}'), count(*) FROM messages m
        LEFT JOIN message_state s ON s.number_id = m.number_id AND s.wamid = m.wamid
        WHERE m.direction = 'outbound' AND {ground.place()} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %(wanted)s""",
        ground.parameters(),
    )
    return {status: (0, outbound) for status, outbound in rows}


def _failed(ground: Ground, group_by: GroupBy) -> dict[Any, int]:
    key = _KEYS.get(group_by, "s.status")
    rows = ground.connection.execute(
        f"""
        SELECT {key}, count(*) FROM message_state s JOIN messages m ON m.number_id = s.number_id AND m.wamid = s.wamid
        WHERE s.status = '{DeliveryStatus.FAILED}' AND m.direction = 'outbound' AND {ground.place()} GROUP BY 1""",
        ground.parameters(),
    )
    return dict(rows.fetchall())


def _key(group_by: GroupBy, key: Any) -> str:
    if group_by == "day":
        return str((_EPOCH + key * _DAY).date())
    return conversation_ref(key) if group_by == "conversation" else str(key)

"""Gaps: statuses, replies, reactions, edits and revocations that point to messages which never came."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from wamcp.access.grants import Grant
from wamcp.archive import page
from wamcp.archive.scope import Scope, scope_of
from wamcp.db.session import ReadConnection
from wamcp.errors import Rejected

DEFAULT_SPAN = timedelta(days=7)
MAX_SPAN = timedelta(days=31)
MAX_EXAMPLES = 3
KINDS = ("statuses", "replies", "reactions", "edits", "revocations")


@dataclass(frozen=True, slots=True)
class GapsQuery:
    """From ``since`` (inclusive) until ``until`` (exclusive), UTC; the last seven days unless said otherwise."""

    since: datetime | None = None
    until: datetime | None = None
    number: str | None = None


@dataclass(frozen=True, slots=True)
class GapView:
    """What of one ``kind`` (:data:`KINDS`) in one hour pointed nowhere, and at most three of the missing wamids.

    ``examples`` is empty for who may not see phone numbers.
    """

    phone_number_id: str
    hour: datetime
    kind: str
    count: int
    examples: list[str]


@dataclass(frozen=True, slots=True)
class GapsView:
    """The gaps between ``since`` and ``until``, newest hour first."""

    since: datetime
    until: datetime
    gaps: list[GapView]


def gaps(connection: ReadConnection, grant: Grant, query: GapsQuery) -> GapsView:
    """All gaps of the span. Raises :class:`Rejected` for a span that is empty or longer than 31 days, `NotVisible`."""
    scope = scope_of(connection, grant, query.number)
    since, until = _span(query)
    rows = connection.execute(
        _GAPS.format(statuses=_numbers(scope, "s"), messages=_numbers(scope, "m")),
        {
            "numbers": list(scope.numbers),
            "since": max(since, scope.since) if scope.since else since,
            "until": until,
            "examples": MAX_EXAMPLES,
        },
    )
    found = [
        GapView(
            phone_number_id=scope.numbers[number].phone_number_id,
            hour=hour.replace(tzinfo=UTC),
            kind=KINDS[kind],
            count=count,
            examples=sorted(examples) if scope.phones else [],
        )
        for number, hour, kind, count, examples in rows
    ]
    return GapsView(since, until, found)


def _span(query: GapsQuery) -> tuple[datetime, datetime]:
    until = page.utc(query.until) or _later(page.utc(query.since)) or datetime.now(UTC)
    try:
        since = page.utc(query.since) or until - DEFAULT_SPAN
    except OverflowError:
        since = datetime.min.replace(tzinfo=UTC)
    if not timedelta(0) < until - since <= MAX_SPAN:
        raise Rejected(f"since must be earlier than until, by at most {MAX_SPAN.days} days.")
    return since, until


def _later(since: datetime | None) -> datetime | None:
    """A week after ``since``, but not after now."""
    if since is None:
        return None
    now = datetime.now(UTC)
    return now if now - since <= MAX_SPAN else since + DEFAULT_SPAN


def _numbers(scope: Scope, alias: str) -> str:
    return f"{alias}.number_id = ANY(%(numbers)s::int[])" if scope.narrowed else "true"


# What points to the same message is put together first, so that each missing one is looked for once.
_GAPS = """
WITH pointing AS (
  SELECT s.number_id, date_trunc('hour', s.at AT TIME ZONE 'UTC') AS hour, 0 AS kind, s.wamid, count(*) AS n
  FROM statuses s WHERE s.at >= %(since)s AND s.at < %(until)s AND {statuses}
  GROUP BY 1, 2, 3, 4
  UNION ALL
  SELECT m.number_id, date_trunc('hour', m.sent_at AT TIME ZONE 'UTC'), t.kind, t.wamid, count(*)
  FROM messages m, LATERAL (VALUES (1, m.reply_to),
    (CASE m.type WHEN 'reaction' THEN 2 WHEN 'edit' THEN 3 WHEN 'revoke' THEN 4 END, m.refers_to)) AS t (kind, wamid)
  WHERE m.sent_at >= %(since)s AND m.sent_at < %(until)s AND {messages}
    AND (m.reply_to IS NOT NULL OR m.refers_to IS NOT NULL) AND t.wamid IS NOT NULL AND t.kind IS NOT NULL
  GROUP BY 1, 2, 3, 4)
SELECT p.number_id, p.hour, p.kind, sum(p.n)::bigint, (array_agg(p.wamid))[1:%(examples)s]
FROM pointing p
WHERE NOT EXISTS (SELECT FROM messages m WHERE m.number_id = p.number_id AND m.wamid = p.wamid)
GROUP BY p.number_id, p.hour, p.kind ORDER BY p.hour DESC, p.number_id, p.kind
"""

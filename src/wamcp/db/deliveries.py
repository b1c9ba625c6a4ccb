"""Keeping deliveries: every status as a fact, and beside it the furthest state of each message."""

from collections.abc import Sequence
from typing import NamedTuple

import psycopg

from wamcp.db.columns import columns
from wamcp.vocabulary import STATUS_RANK


class StatusRow(NamedTuple):
    """A status as it is kept; ``at`` is unix seconds, ``errors``, ``pricing`` and ``extra`` JSON text.

    ``kind`` is empty for how far a message came.
    """

    number_id: int
    wamid: str
    status: str
    participant: str
    at: int
    recipient_id: int | None
    event_id: int
    errors: str | None
    pricing: str | None
    kind: str
    callback_data: str | None
    extra: str | None


def keep_statuses(connection: psycopg.Connection, rows: Sequence[StatusRow]) -> None:
    """Inserts statuses, each fact once, and moves the shown states forward; never backward, in whatever order."""
    chosen = {row[:5]: row for row in reversed(rows)}
    if not chosen:
        return
    connection.execute(_INSERT_STATUSES, columns([chosen[key] for key in sorted(chosen)], len(StatusRow._fields)))
    best: dict[tuple[int, str], tuple[int, int, str]] = {}
    for row in chosen.values():
        if row.kind:
            continue
        key = (row.number_id, row.wamid)
        candidate = (-STATUS_RANK.get(row.status, 0), row.at, row.status)
        if key not in best or candidate < best[key]:
            best[key] = candidate
    if not best:
        return
    states = [(*key, -best[key][0], best[key][2], best[key][1]) for key in sorted(best)]
    connection.execute(_MOVE_STATES, columns(states, 5))


def restate(connection: psycopg.Connection, keys: Sequence[tuple[int, str]]) -> None:
    """Derives the shown states of these messages (number, wamid) again from the statuses that are left."""
    connection.execute(
        "DELETE FROM message_state s USING unnest(%s::int[], %s::text[]) AS u (n, w)"
        " WHERE s.number_id = u.n AND s.wamid = u.w",
        columns(keys, 2),
    )
    left = connection.execute(
        "SELECT s.number_id, s.wamid, s.status, extract(epoch FROM s.at)::bigint"
        " FROM unnest(%s::int[], %s::text[]) AS u (n, w)"
        " JOIN statuses s ON s.number_id = u.n AND s.wamid = u.w AND s.kind = ''",
        columns(keys, 2),
    ).fetchall()
    best: dict[tuple[int, str], tuple[int, int, str]] = {}
    for number, wamid, status, at in left:
        candidate = (-STATUS_RANK.get(status, 0), at, status)
        best[(number, wamid)] = min(candidate, best.get((number, wamid), candidate))
    states = [(*key, -rank, status, at) for key, (rank, at, status) in sorted(best.items())]
    connection.execute(_MOVE_STATES, columns(states, 5))


_INSERT_STATUSES = """
INSERT INTO statuses AS s (number_id, wamid, status, participant, at, recipient_id, event_id, errors, pricing,
  kind, callback_data, extra)
SELECT u.number_id, u.wamid, u.status, u.participant, to_timestamp(u.at), u.recipient_id, u.event_id,
  u.errors::json, u.pricing::json, u.kind, u.callback_data, u.extra::json
FROM unnest(%s::int[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[],
  %s::text[], %s::text[], %s::text[], %s::text[])
  AS u (number_id, wamid, status, participant, at, recipient_id, event_id, errors, pricing, kind, callback_data, extra)
ON CONFLICT (number_id, wamid, status, participant, at) DO UPDATE SET
  recipient_id = excluded.recipient_id, errors = excluded.errors, pricing = excluded.pricing, kind = excluded.kind,
  callback_data = excluded.callback_data, extra = excluded.extra
WHERE s.event_id = excluded.event_id
  AND (s.recipient_id, s.errors::text, s.pricing::text, s.kind, s.callback_data, s.extra::text) IS DISTINCT FROM
      (excluded.recipient_id, excluded.errors::text, excluded.pricing::text, excluded.kind, excluded.callback_data,
       excluded.extra::text)
"""

# Of equal ranks the earlier status is the one that moved the message there.
_MOVE_STATES = """
INSERT INTO message_state AS s (number_id, wamid, rank, status, at)
SELECT u.number_id, u.wamid, u.rank, u.status, to_timestamp(u.at)
FROM unnest(%s::int[], %s::text[], %s::smallint[], %s::text[], %s::bigint[]) AS u (number_id, wamid, rank, status, at)
ON CONFLICT (number_id, wamid) DO UPDATE SET rank = excluded.rank, status = excluded.status, at = excluded.at
WHERE excluded.rank > s.rank
  OR (excluded.rank = s.rank AND (excluded.at, excluded.status) < (s.at, s.status))
"""

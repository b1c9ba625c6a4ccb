"""Counting what nobody has a word for yet: fields, types, keys and statuses that Meta has added since."""

from collections.abc import Iterable

import psycopg

from wamcp import log
from wamcp.db.columns import columns

_log = log.get(__name__)


def count_unknowns(
    connection: psycopg.Connection, seen: Iterable[tuple[str, str, int, int]], *, quietly: bool = False
) -> None:
    """Counts each (kind, path, event, received at), and logs, unless ``quietly``, each of them that is new."""
    counts: dict[tuple[str, str], list[int]] = {}
    for kind, path, event_id, at in seen:
        count = counts.setdefault((kind, path), [0, at, at, event_id, event_id])
        count[0] += 1
        count[1:] = [min(count[1], at), max(count[2], at), min(count[3], event_id), max(count[4], event_id)]
    if not counts:
        return
    rows = connection.execute(_COUNT, columns([(*key, *counts[key]) for key in sorted(counts)], 7)).fetchall()
    for kind, path, is_new in rows:
        if is_new and not quietly:
            _log.warning("unknown_seen", kind=kind, path=path, event_id=counts[(kind, path)][3])


_COUNT = """
INSERT INTO unknowns AS k (kind, path, count, first_seen_at, last_seen_at, first_event_id, last_event_id)
SELECT u.kind, u.path, u.n, to_timestamp(u.first_at), to_timestamp(u.last_at), u.first_id, u.last_id
FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
  AS u (kind, path, n, first_at, last_at, first_id, last_id)
ON CONFLICT (kind, path) DO UPDATE SET
  count = k.count + excluded.count,
  first_seen_at = least(k.first_seen_at, excluded.first_seen_at),
  last_seen_at = greatest(k.last_seen_at, excluded.last_seen_at),
  first_event_id = least(k.first_event_id, excluded.first_event_id),
  last_event_id = greatest(k.last_event_id, excluded.last_event_id)
RETURNING k.kind, k.path, k.xmax = 0
"""

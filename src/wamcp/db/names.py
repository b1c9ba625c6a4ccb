"""Keeping names: what people were called and when, and the one that is shown."""

from collections.abc import Iterable
from typing import NamedTuple

import psycopg

from wamcp.db.columns import array, columns
from wamcp.db.merges import Merges

NameKey = tuple[int, str, str]
"""(participant, kind, name)"""
SECONDS_PER_DAY = 86_400


class _Seen(NamedTuple):
    """When a name was seen: first at (unix seconds), last on (UTC day number)."""

    first_at: int
    last_day: int


def keep_names(connection: psycopg.Connection, said: Iterable[tuple[NameKey, int]], merges: Merges) -> None:
    """Notes under which names people were seen and when (unix seconds), and shows the one seen on the latest day.

    Of several, the newest is shown. First moment and last day do not depend on the order in which events come, and
    change at most once a day.
    """
    seen: dict[NameKey, _Seen] = {}
    for key, at in said:
        _see(seen, key, _Seen(at, at // SECONDS_PER_DAY))
    if not seen:
        return
    known = _known_names(connection, sorted({key[0] for key in seen}))
    news = {key: now for key, now in seen.items() if key not in known or _see(known, key, now)}
    if news:
        _write_names(connection, news)
        show_names(connection, {key[0] for key in news}, merges)


def show_names(connection: psycopg.Connection, participants: Iterable[int], merges: Merges) -> None:
    """Chooses the shown names of ``participants`` and of those who stand for them, from the names of all they are.

    What somebody calls himself is shown before what the business's contact book calls him.
    """
    pairs = {(each, each) for each in participants}
    for root in {merges.root(each) for each, _ in pairs}:
        pairs.update((root, member) for member in merges.members(root))
    connection.execute(_SHOW, columns(sorted(pairs), 2))


def _see(seen: dict[NameKey, _Seen], key: NameKey, now: _Seen) -> bool:
    before = seen.get(key, now)
    seen[key] = _Seen(min(before.first_at, now.first_at), max(before.last_day, now.last_day))
    return seen[key] != before


def _known_names(connection: psycopg.Connection, participants: list[int]) -> dict[NameKey, _Seen]:
    rows = connection.execute(
        "SELECT participant_id, kind, value, extract(epoch FROM first_seen_at)::bigint, last_seen_day"
        " FROM participant_names WHERE participant_id = ANY(%s::bigint[])",
        [array(participants)],
    ).fetchall()
    return {(row[0], row[1], row[2]): _Seen(row[3], row[4]) for row in rows}


def _write_names(connection: psycopg.Connection, news: dict[NameKey, _Seen]) -> None:
    connection.execute(
        "INSERT INTO participant_names AS n (participant_id, kind, value, first_seen_at, last_seen_day)"
        " SELECT u.id, u.kind, u.value, to_timestamp(u.at), u.day"
        " FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::int[]) AS u (id, kind, value, at, day)"
        " ON CONFLICT (participant_id, kind, value) DO UPDATE SET"
        " first_seen_at = least(n.first_seen_at, excluded.first_seen_at),"
        " last_seen_day = greatest(n.last_seen_day, excluded.last_seen_day)",
        columns([(*key, *news[key]) for key in sorted(news)], 5),
    )


_SHOW = """
UPDATE participants p SET name = s.name, username = s.username FROM (
  SELECT shower AS id, coalesce(max(value) FILTER (WHERE kind = 'name'), max(value) FILTER (WHERE kind = 'book'))
      AS name, max(value) FILTER (WHERE kind = 'username') AS username
  FROM (SELECT DISTINCT ON (u.shower, n.kind) u.shower, n.kind, n.value
        FROM unnest(%s::bigint[], %s::bigint[]) AS u (shower, member)
        LEFT JOIN participant_names n ON n.participant_id = u.member
        ORDER BY u.shower, n.kind, n.last_seen_day DESC, n.first_seen_at DESC, n.value DESC) AS shown
  GROUP BY shower) AS s
WHERE p.id = s.id AND (p.name, p.username) IS DISTINCT FROM (s.name, s.username)
"""

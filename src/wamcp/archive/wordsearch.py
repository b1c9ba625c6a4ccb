"""The newest messages with certain words: by one look into the index, by reading the newest, or slice by slice.

Every way gives the same messages; which is fastest depends on how common the words are, and the statistics tell that.
"""

from collections.abc import Iterator

from wamcp.archive.ground import Ground
from wamcp.archive.terms import Terms

DIRECT_ROWS = 6_000
"""Up to so many expected matches one look into the index and a sort are the fastest way."""
PROBE_ROWS = 2_000
"""So many of the newest messages are read first when the words are common."""
SLICE_HITS = 4_000
"""A slice is as many days as should hold so many matches ..."""
SLICE_ROWS = (32_000, 512_000)
"""... but not fewer and not more messages than this."""


def newest_with_words(ground: Ground, terms: Terms) -> list[int]:
    """The row ids of the newest ``ground.wanted`` messages that match, newest first."""
    if terms.expected <= DIRECT_ROWS and not terms.guessed:
        return _look_up(ground, terms)
    read, hits = _probe(ground, terms)
    if len(hits) >= ground.wanted or read < PROBE_ROWS:
        return hits
    rare_here = terms.guessed and len(hits) * terms.rows / read <= DIRECT_ROWS
    if ground.conversation_id is not None or rare_here:
        return _look_up(ground, terms)
    found: list[int] = []
    for days in _slices(ground.days(), terms):
        found += _look_up(ground, terms, days, len(found))
        if len(found) >= ground.wanted:
            break
    return found


def _probe(ground: Ground, terms: Terms) -> tuple[int, list[int]]:
    """How many of the newest were read, and the matches among them."""
    newest = ground.newest("m.id, m.sent_at, m.tsv, m.direction, m.type", PROBE_ROWS)
    row = ground.connection.execute(
        f"""
        WITH m AS MATERIALIZED ({newest})
        SELECT (SELECT count(*) FROM m),
          ARRAY(SELECT m.id FROM m WHERE m.tsv @@ %(words)s::tsquery AND {ground.filters()}
            ORDER BY m.sent_at DESC, m.id DESC LIMIT %(wanted)s)""",
        {**ground.parameters(), "words": terms.tsquery},
    ).fetchone()
    assert row is not None
    return row[0], row[1]


def _look_up(ground: Ground, terms: Terms, days: list[int] | None = None, have: int = 0) -> list[int]:
    on_days = "true" if days is None else "m.day = ANY(%(days)s::int[])"
    rows = ground.connection.execute(
        f"""
        WITH hits AS MATERIALIZED (
          SELECT m.id, m.sent_at FROM messages m
          WHERE m.tsv @@ %(words)s::tsquery AND {on_days} AND {ground.place()} AND {ground.filters()})
        SELECT id FROM hits ORDER BY sent_at DESC, id DESC LIMIT %(missing)s""",
        {**ground.parameters(), "words": terms.tsquery, "days": days, "missing": ground.wanted - have},
    )
    return [row[0] for row in rows]


def _slices(days: list[tuple[int, int]], terms: Terms) -> Iterator[list[int]]:
    """Days in groups, newest first, each as large as is quickly looked through."""
    least, most = SLICE_ROWS
    size = min(max(SLICE_HITS / terms.share, least), most)
    group: list[int] = []
    rows = 0
    for day, count in days:
        group.append(day)
        rows += count
        if rows >= size:
            yield group
            group, rows = [], 0
    if group:
        yield group

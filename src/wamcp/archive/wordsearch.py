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
PREFIX_DIRECT_ROWS = 20_000
PREFIX_PROBE_ROWS = 20_000
"""The same two bounds for beginnings of words: slices do not help them, since each day collects all words anew."""
SLICE_ROWS = (16_000, 512_000)
"""A slice is as many days as hold so many messages at least, and at most ..."""
SLICE_HITS = 2_000
"""... but not so many that more than these matches should be in it."""
SLICE_MARGIN = 2
"""The first slice should hold so many times the matches that are wanted; each next one is larger."""
SLICE_GROWTH = 4


def newest_with_words(ground: Ground, terms: Terms) -> list[int]:
    """The row ids of the newest ``ground.wanted`` messages that match, newest first."""
    if terms.expected <= DIRECT_ROWS and not terms.guessed:
        return _look_up(ground, terms)
    read, hits = _probe(ground, terms, PROBE_ROWS)
    if len(hits) >= ground.wanted or read < PROBE_ROWS:
        return hits
    if ground.conversation_id is not None:
        return _look_up(ground, terms)
    if terms.prefix:
        return _widely(ground, terms)
    found: list[int] = []
    for days in _slices(ground, terms):
        found += _look_up(ground, terms, days, len(found))
        if len(found) >= ground.wanted:
            break
    return found


def _widely(ground: Ground, terms: Terms) -> list[int]:
    if terms.expected > PREFIX_DIRECT_ROWS:
        read, hits = _probe(ground, terms, PREFIX_PROBE_ROWS)
        if len(hits) >= ground.wanted or read < PREFIX_PROBE_ROWS:
            return hits
    return _look_up(ground, terms)


def _probe(ground: Ground, terms: Terms, rows: int) -> tuple[int, list[int]]:
    """How many of the newest were read, at least when matches are missing, and the matches among them."""
    newest = ground.newest("m.id, m.sent_at, m.tsv, m.direction, m.type", rows)
    row = ground.connection.execute(
        f"""
        WITH m AS MATERIALIZED ({newest}),
          hits AS MATERIALIZED (SELECT ARRAY(
            SELECT m.id FROM m WHERE m.tsv @@ %(words)s::tsquery AND {ground.filters()}
            ORDER BY m.sent_at DESC, m.id DESC LIMIT %(wanted)s) AS ids)
        SELECT CASE WHEN cardinality(hits.ids) < %(wanted)s THEN (SELECT count(*) FROM m) ELSE 0 END, hits.ids
        FROM hits""",
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


def _slices(ground: Ground, terms: Terms) -> Iterator[list[int]]:
    """Days in groups, newest first: as many as should hold enough matches, and more each time they do not."""
    least, most = SLICE_ROWS
    most = max(least, min(most, int(SLICE_HITS / terms.share)))
    size = max(least, min(most, int(SLICE_MARGIN * ground.wanted / terms.likely)))
    group: list[int] = []
    rows = 0
    for day, count in ground.days():
        group.append(day)
        rows += count
        if rows >= size:
            yield group
            group, rows, size = [], 0, min(most, size * SLICE_GROWTH)
    if group:
        yield group

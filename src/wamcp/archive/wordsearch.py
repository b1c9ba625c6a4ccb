"""The newest things with certain words: by one look into the index, by reading the newest rows, or slice by slice.

Every way gives the same things; which is fastest depends on how common the words are, and the statistics tell that.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from wamcp.archive.ground import Ground
from wamcp.archive.searched import MESSAGES, PAGES, Position
from wamcp.archive.terms import Terms


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many rows of a table are worth reading in which way."""

    direct_rows: int
    """Up to so many expected matches one look into the index and a sort are the fastest way."""
    probe_rows: int
    """So many of the newest rows are read first when the words are common."""
    prefix_direct_rows: int
    prefix_probe_rows: int
    """The same two for beginnings of words: slices do not help them, since each day collects all words anew."""
    slice_rows: tuple[int, int]
    """A slice is as many days as hold so many rows at least, and at most ..."""
    slice_hits: int
    """... but not so many that more than these matches should be in it."""


BOUNDS = {
    MESSAGES: Bounds(2_500, 2_000, 20_000, 20_000, (16_000, 512_000), 2_000),
    PAGES: Bounds(5_000, 200, 20_000, 2_000, (1_000, 100_000), 2_000),
}
"""A page is twenty times as long as a message, and its words lie apart from it: reading it is dear.

With so many words to a page the statistics list only those that are in one page of fifty, so that most words may be
that common for all they tell: a look into the index is then cheaper than to read pages first, even if they are.
"""
SLICE_MARGIN = 2
"""The first slice should hold so many times the matches that are wanted; each next one is larger."""
SLICE_GROWTH = 4


def newest_with_words(ground: Ground, terms: Terms) -> list[Position]:
    """The newest ``ground.wanted`` things that match, newest first."""
    bounds = BOUNDS[ground.searched]
    if terms.expected <= bounds.direct_rows and not terms.guessed:
        return _look_up(ground, terms)
    read, hits = _probe(ground, terms, bounds.probe_rows)
    if len(hits) >= ground.wanted or read < bounds.probe_rows:
        return hits
    if ground.conversation_id is not None:
        return _look_up(ground, terms)
    if terms.prefix:
        return _widely(ground, terms, bounds)
    found: list[Position] = []
    for days in _slices(ground, terms, bounds):
        found += _look_up(ground, terms, days, len(found))
        if len(found) >= ground.wanted:
            break
    return found


def _widely(ground: Ground, terms: Terms, bounds: Bounds) -> list[Position]:
    if terms.expected > bounds.prefix_direct_rows:
        read, hits = _probe(ground, terms, bounds.prefix_probe_rows)
        if len(hits) >= ground.wanted or read < bounds.prefix_probe_rows:
            return hits
    return _look_up(ground, terms)


def _probe(ground: Ground, terms: Terms, rows: int) -> tuple[int, list[Position]]:
    """How many of the newest were read, at least when matches are missing, and the matches among them."""
    newest = ground.newest("m.id, m.sent_at, m.tsv, m.direction, m.type", rows)
    row = ground.connection.execute(
        f"""
        WITH m AS MATERIALIZED ({newest}),
          hits AS MATERIALIZED (
            {ground.searched.things} FROM m WHERE m.tsv @@ %(words)s::tsquery AND {ground.filters()}
            ORDER BY sent_at DESC, thing DESC LIMIT %(wanted)s)
        SELECT CASE WHEN (SELECT count(*) FROM hits) < %(wanted)s THEN (SELECT count(*) FROM m) ELSE 0 END,
          ARRAY(SELECT sent_at FROM hits ORDER BY sent_at DESC, thing DESC),
          ARRAY(SELECT thing FROM hits ORDER BY sent_at DESC, thing DESC)""",
        {**ground.parameters(), "words": terms.tsquery},
    ).fetchone()
    assert row is not None
    read, moments, things = row
    return read, list(zip(moments, things, strict=True))


def _look_up(ground: Ground, terms: Terms, days: list[int] | None = None, have: int = 0) -> list[Position]:
    on_days = "true" if days is None else "m.day = ANY(%(days)s::int[])"
    rows = ground.connection.execute(
        f"""
        WITH m AS MATERIALIZED (
          SELECT m.id, m.sent_at FROM {ground.searched.table} m
          WHERE m.tsv @@ %(words)s::tsquery AND {on_days} AND {ground.place()} AND {ground.filters()})
        {ground.searched.things} FROM m ORDER BY sent_at DESC, thing DESC LIMIT %(missing)s""",
        {**ground.parameters(), "words": terms.tsquery, "days": days, "missing": ground.wanted - have},
    )
    return rows.fetchall()


def _slices(ground: Ground, terms: Terms, bounds: Bounds) -> Iterator[list[int]]:
    """Days in groups, newest first: as many as should hold enough matches, and more each time they do not."""
    least, most = bounds.slice_rows
    most = max(least, min(most, int(bounds.slice_hits / terms.share)))
    size = max(least, min(most, int(SLICE_MARGIN * ground.wanted / terms.likely)))
    group: list[int] = []
    rows = 0.0
    for day, messages in ground.days():
        group.append(day)
        rows += messages * terms.density
        if rows >= size:
            yield group
            group, rows, size = [], 0.0, min(most, size * SLICE_GROWTH)
    if group:
        yield group

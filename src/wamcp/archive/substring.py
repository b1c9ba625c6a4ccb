"""When words find nothing: letters inside words, in the newest messages, or in all when there is an index for it."""

from dataclasses import dataclass

from wamcp.archive.conversations import like_pattern
from wamcp.archive.ground import Ground, Position
from wamcp.archive.shapes import bare_letters
from wamcp.words import literals

NEWEST_ROWS = 20_000
"""So many messages are read in one go without an index."""
_TRIGRAM = 3


@dataclass(frozen=True, slots=True)
class Found:
    """Row ids, newest first; ``stopped_at``: how far was looked, when too few were found and older are left."""

    ids: list[int]
    stopped_at: Position | None


def newest_with_letters(ground: Ground, text: str) -> Found:
    """The newest ``ground.wanted`` messages that have every piece of ``text`` somewhere, accents and case aside."""
    patterns = _patterns(ground, text)
    found = _among_newest(ground, patterns)
    if found.stopped_at is None or not _has_index(ground) or max(map(len, patterns.values())) < _TRIGRAM + 2:
        return found
    return Found(_by_index(ground, patterns), None)


def _patterns(ground: Ground, text: str) -> dict[str, str]:
    rows = ground.connection.execute(
        "SELECT public.wa_norm(piece), piece FROM unnest(%s::text[]) AS piece", [literals(text)]
    )
    # An accent by itself is nothing without accents, and nothing is found everywhere.
    return {f"piece{number}": like_pattern(letters or piece) for number, (letters, piece) in enumerate(rows)}


def _among_newest(ground: Ground, patterns: dict[str, str]) -> Found:
    newest = ground.newest("m.id, m.sent_at, m.text, m.direction, m.type", NEWEST_ROWS)
    row = ground.connection.execute(
        f"""
        WITH newest AS MATERIALIZED ({newest}),
          spelt AS (
            SELECT m.id, m.sent_at, {bare_letters("m.text")} AS letters FROM newest m
            WHERE {ground.filters()} ORDER BY m.sent_at DESC, m.id DESC OFFSET 0),
          hits AS MATERIALIZED (SELECT ARRAY(
            SELECT m.id FROM spelt m WHERE {_match("m.letters", patterns)}
            ORDER BY m.sent_at DESC, m.id DESC LIMIT %(wanted)s) AS ids)
        SELECT hits.ids,
          CASE WHEN cardinality(hits.ids) < %(wanted)s THEN (SELECT count(*) FROM newest) END,
          CASE WHEN cardinality(hits.ids) < %(wanted)s THEN (SELECT min(sent_at) FROM newest) END,
          CASE WHEN cardinality(hits.ids) < %(wanted)s
            THEN (SELECT id FROM newest ORDER BY sent_at, id LIMIT 1) END
        FROM hits""",
        {**ground.parameters(), **patterns},
    ).fetchone()
    assert row is not None
    ids, read, sent, row_id = row
    return Found(ids, (sent, row_id) if read == NEWEST_ROWS else None)


def _by_index(ground: Ground, patterns: dict[str, str]) -> list[int]:
    rows = ground.connection.execute(
        f"""
        WITH hits AS MATERIALIZED (
          SELECT m.id, m.sent_at FROM messages m
          WHERE {_match("public.wa_norm(m.text)", patterns)} AND {ground.place()} AND {ground.filters()})
        SELECT id FROM hits ORDER BY sent_at DESC, id DESC LIMIT %(wanted)s""",
        {**ground.parameters(), **patterns},
    )
    return [row[0] for row in rows]


def _match(letters: str, patterns: dict[str, str]) -> str:
    return " AND ".join(f"{letters} LIKE %({name})s" for name in patterns)


def _has_index(ground: Ground) -> bool:
    row = ground.connection.execute(
        "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass('public.messages_substring') AND indisvalid"
    ).fetchone()
    return row is not None

"""When words find nothing: letters inside words, in the newest rows, or in all when there is an index for it."""

from dataclasses import dataclass

from wamcp.archive.conversations import like_pattern
from wamcp.archive.ground import Ground
from wamcp.archive.searched import MESSAGES, PAGE_IDS, PAGES, Position
from wamcp.archive.shapes import bare_letters
from wamcp.db.session import ReadConnection
from wamcp.words import literals

NEWEST_ROWS = {MESSAGES: 20_000, PAGES: 1_200}
"""So many rows are read in one go without an index; of pages never fewer than one document can have ..."""
NEWEST_BYTES = 4_000_000
"""... and of their text no more than this, or one document."""
_TRIGRAM = 3


@dataclass(frozen=True, slots=True)
class Letters:
    """What to look for, as patterns for LIKE by the names of their parameters: all must be found."""

    patterns: dict[str, str]

    def match(self, letters: str) -> str:
        """The predicate on ``letters``, a text without accents and capitals."""
        return " AND ".join(f"{letters} LIKE %({name})s" for name in self.patterns)

    @property
    def fit_an_index(self) -> bool:
        """Whether one of them is long enough for trigrams to tell where it may be."""
        return max(map(len, self.patterns.values())) >= _TRIGRAM + 2


@dataclass(frozen=True, slots=True)
class Found:
    """What was found, newest first; ``stopped_at``: how far was looked, when too few were found and older are left."""

    things: list[Position]
    stopped_at: Position | None


def letters_of(connection: ReadConnection, text: str) -> Letters:
    """Every piece of ``text``, accents and case aside."""
    rows = connection.execute("SELECT public.wa_norm(piece), piece FROM unnest(%s::text[]) AS piece", [literals(text)])
    # An accent by itself is nothing without accents, and nothing is found everywhere.
    patterns = {f"piece{number}": like_pattern(letters or piece) for number, (letters, piece) in enumerate(rows)}
    return Letters(patterns)


def newest_with_letters(ground: Ground, letters: Letters) -> Found:
    """The newest ``ground.wanted`` things that have all of ``letters`` somewhere."""
    found = _among_newest(ground, letters)
    if found.stopped_at is None or not letters.fit_an_index or not _has_index(ground):
        return found
    return Found(_by_index(ground, letters), None)


def _among_newest(ground: Ground, letters: Letters) -> Found:
    newest = ground.newest("m.id, m.sent_at, m.text, m.direction, m.type", NEWEST_ROWS[ground.searched])
    near = newest if ground.searched == MESSAGES else _short_enough(newest)
    # The newest rows come in order from their index, so that this ends with the last match that is wanted.
    rows = ground.connection.execute(
        f"""
        {ground.searched.things} FROM (
          SELECT m.id, m.sent_at, {bare_letters("m.text")} AS letters
          FROM ({near}) m WHERE {ground.filters()} ORDER BY m.sent_at DESC, m.id DESC OFFSET 0) m
        WHERE {letters.match("m.letters")} ORDER BY sent_at DESC, thing DESC LIMIT %(wanted)s""",
        {**ground.parameters(), **letters.patterns},
    )
    things: list[Position] = rows.fetchall()
    stop = _how_far(ground) if len(things) < ground.wanted else None
    if stop is None or ground.searched == MESSAGES:
        return Found(things, stop)
    return Found([thing for thing in things if thing >= stop], stop)


def _how_far(ground: Ground) -> Position | None:
    """The last thing that was read as a whole; None when nothing is left behind it."""
    most = NEWEST_ROWS[ground.searched]
    if ground.searched == MESSAGES:
        newest = ground.newest("m.id, m.sent_at", most)
        last = f"SELECT m.sent_at, m.id FROM ({newest}) m ORDER BY m.sent_at DESC, m.id DESC OFFSET {most - 1:d}"
        return ground.connection.execute(last, ground.parameters()).fetchone()
    row = ground.connection.execute(
        f"""
        WITH newest AS MATERIALIZED ({ground.newest("m.id, m.sent_at, m.text", most)}),
          near AS MATERIALIZED ({_short_enough("SELECT * FROM newest")})
        SELECT m.sent_at, m.id / {PAGE_IDS}, m.first FROM near m
        WHERE (SELECT count(*) FROM newest) = {most:d}
          OR (SELECT count(*) FROM newest) > (SELECT count(*) FROM near)
        ORDER BY m.sent_at, m.id LIMIT 1""",
        ground.parameters(),
    ).fetchone()
    if row is None:
        return None
    sent_at, last_document, first_document = row
    # The last document may not have been read to its end, but for one that was read alone.
    return sent_at, last_document if last_document == first_document else last_document + 1


def _short_enough(newest: str) -> str:
    """The SQL of those of the ``newest`` pages that are read."""
    return f"""
      SELECT * FROM (
        SELECT m.*, sum(octet_length(m.text)) OVER newer - octet_length(m.text) AS bytes,
          first_value(m.id / {PAGE_IDS}) OVER newer AS first
        FROM ({newest}) m WINDOW newer AS (ORDER BY m.sent_at DESC, m.id DESC)) m
      WHERE m.bytes < {NEWEST_BYTES:d} OR m.id / {PAGE_IDS} = m.first"""


def _by_index(ground: Ground, letters: Letters) -> list[Position]:
    rows = ground.connection.execute(
        f"""
        WITH m AS MATERIALIZED (
          SELECT m.id, m.sent_at FROM {ground.searched.table} m
          WHERE {letters.match("public.wa_norm(m.text)")} AND {ground.place()} AND {ground.filters()})
        {ground.searched.things} FROM m ORDER BY sent_at DESC, thing DESC LIMIT %(wanted)s""",
        {**ground.parameters(), **letters.patterns},
    )
    return rows.fetchall()


def _has_index(ground: Ground) -> bool:
    row = ground.connection.execute(
        "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(%s) AND indisvalid",
        [f"public.{ground.searched.table}_substring"],
    ).fetchone()
    return row is not None

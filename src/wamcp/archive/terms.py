"""From the words of a question to the lexemes that Postgres makes of them, and how many rows may hold them."""

import threading
import time
from dataclasses import dataclass
from itertools import pairwise

from wamcp.archive.searched import MESSAGES, Searched
from wamcp.db.session import ReadConnection
from wamcp.words import Unit

STATISTICS_SECONDS = 60.0
_TYPE_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Lexemes:
    """What Postgres makes of one unit of a question: (lexeme, position) in order; ``prefix``: the last may go on."""

    words: list[tuple[str, int]]
    prefix: bool


@dataclass(frozen=True, slots=True)
class Terms:
    """What to ask the index: ``tsquery``, and ``share``, the part of all ``rows`` that can match at most (0 to 1).

    ``likely`` is the part that should match if words came evenly and phrases whole. ``prefix``: there is a beginning
    of a word; ``guessed``: only such, and the statistics list none of them, so ``share`` may be too low. ``density``:
    so many rows there are for each message.
    """

    tsquery: str
    share: float
    likely: float
    prefix: bool
    guessed: bool
    rows: float
    density: float

    @property
    def expected(self) -> float:
        """How many rows the index will have to look at, at most."""
        return self.share * self.rows


@dataclass(frozen=True, slots=True)
class Statistics:
    """What ANALYZE found: the share of rows that hold each of the commonest lexemes; others are below ``least``."""

    shares: dict[str, float]
    least: float
    rows: float
    read_at: float

    def share(self, lexeme: str, prefix: bool) -> tuple[float, bool]:
        """The share of rows with ``lexeme`` (or a word that begins with it), and whether that is a guess."""
        if not prefix:
            return self.shares.get(lexeme, self.least), False
        listed = sum(share for word, share in self.shares.items() if word.startswith(lexeme))
        return min(1.0, listed + self.least), listed == 0.0


def lexemes_of(connection: ReadConnection, units: list[Unit]) -> list[Lexemes]:
    """What ``units`` mean to the index; empty when nothing in them is a word (only signs and pictures)."""
    rows = connection.execute(
        "SELECT u.n::int - 1, t.lexeme, p.position FROM unnest(%s::text[]) WITH ORDINALITY AS u (words, n),"
        " unnest(public.wa_tsv(u.words)) AS t, unnest(t.positions) AS p (position) ORDER BY 1, 3, 2",
        [[unit.text for unit in units]],
    ).fetchall()
    made = [
        Lexemes([(lexeme, position) for at, lexeme, position in rows if at == place], unit.prefix)
        for place, unit in enumerate(units)
    ]
    return [each for each in made if each.words]


def terms_of(
    connection: ReadConnection, asked: list[Lexemes], kind: str | None = None, searched: Searched = MESSAGES
) -> Terms:
    """What to ask the index of ``searched`` for the words ``asked``, of which there is one at least.

    ``kind``: only rows of this type are wanted. It narrows what the index gives, but does not replace a look at the
    row's own type: plain text is not marked among the words of messages, and a very long type is cut there.
    """
    statistics = _statistics(connection, searched)
    phrases: list[str] = []
    shares: list[tuple[float, bool]] = []
    likely = 1.0
    for unit in asked:
        phrases.append(_phrase(unit.words, unit.prefix))
        last = unit.words[-1][1]
        here = [statistics.share(lexeme, unit.prefix and at == last) for lexeme, at in unit.words]
        likely *= min(share for share, _ in here)
        shares += here
    if kind is not None and kind != searched.unmarked:
        marker = f"/{kind[:_TYPE_CHARACTERS]}"
        phrases.append(_quoted(marker))
        shares.append(statistics.share(marker, False))
        likely *= shares[-1][0]
    certain = [share for share, guess in shares if not guess]
    return Terms(
        tsquery=" & ".join(dict.fromkeys(phrases)),
        share=min(certain) if certain else min(share for share, _ in shares),
        likely=likely,
        prefix=any(unit.prefix for unit in asked),
        guessed=not certain,
        rows=statistics.rows,
        density=statistics.rows / max(1.0, _statistics(connection, MESSAGES).rows),
    )


def _phrase(lexemes: list[tuple[str, int]], prefix: bool) -> str:
    parts = [_quoted(lexemes[0][0])]
    for (_, before), (lexeme, position) in pairwise(lexemes):
        parts.append(f"<{position - before}> {_quoted(lexeme)}")
    return f"({' '.join(parts)}{':*' if prefix else ''})"


def _quoted(lexeme: str) -> str:
    escaped = lexeme.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


_lock = threading.Lock()
_read: dict[tuple[str, int, str, str], Statistics] = {}


def _statistics(connection: ReadConnection, searched: Searched) -> Statistics:
    """At most :data:`STATISTICS_SECONDS` old, per database and table."""
    info = connection.info
    place = (info.host, info.port, info.dbname, searched.table)
    found = _read.get(place)
    if found is None or time.monotonic() - found.read_at > STATISTICS_SECONDS:
        found = _read_statistics(connection, searched)
        with _lock:
            _read[place] = found
    return found


def _read_statistics(connection: ReadConnection, searched: Searched) -> Statistics:
    row = connection.execute(
        "SELECT s.most_common_elems::text::text[], s.most_common_elem_freqs, c.reltuples::float8 FROM pg_class c"
        " LEFT JOIN pg_stats s ON s.schemaname = 'public' AND s.tablename = c.relname AND s.attname = 'tsv'"
        " WHERE c.oid = to_regclass(%s)",
        [f"public.{searched.table}"],
    ).fetchone()
    if row is None or not row[0]:
        return Statistics({}, 1.0, max(0.0, row[2]) if row else 0.0, time.monotonic())
    shares = dict(zip(row[0], row[1], strict=False))
    return Statistics(shares, min(shares.values()), max(0.0, row[2]), time.monotonic())

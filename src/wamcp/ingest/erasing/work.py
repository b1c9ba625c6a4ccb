"""What an erasure has done and has still to do: one row, so that one that was cut off goes on where it stood."""

from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import psycopg
from psycopg.types.json import Jsonb

from wamcp.db.tombstones import Named
from wamcp.ingest.erasing.whom import Whom
from wamcp.whatsapp.payload.gone import Gone, Until

STEPS = ("scan", "shared", "audit", "rows", "files", "clean")


class Tally(Protocol):
    """What is counted."""

    counts: dict[str, int]


def count(tally: Tally, what: str, more: int) -> None:
    """Adds to what is told at the end."""
    tally.counts[what] = tally.counts.get(what, 0) + more


@dataclass(slots=True)
class Work:
    """One erasure under way. ``before`` is unix seconds: what is of later belongs to somebody new."""

    id: int
    before: int
    upto: int
    """The last raw event that was there when it began."""
    sends_upto: int
    """The last send likewise."""
    whom: Whom
    step: str = STEPS[0]
    after: int = 0
    """The last raw event that was looked at."""
    counts: dict[str, int] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    """Digests (hex) of account events that a cut event no longer states, and another one may."""

    def save(self, connection: psycopg.Connection) -> None:
        """Writes down where it stands; to be committed with what was done."""
        work = {
            "upto": [self.upto, self.sends_upto],
            "whom": asdict(self.whom),
            "step": self.step,
            "after": self.after,
            "lost": self.lost,
        }
        connection.execute(
            "UPDATE erasures SET work = %s, counts = %s WHERE id = %s", [Jsonb(work), Jsonb(self.counts), self.id]
        )

    def sent(self) -> dict[str, object]:
        """What the sends to them are found by."""
        return self.whom.sent(self.sends_upto)

    def gone(self, named: Named, scopes: dict[str, str]) -> Gone:
        """What is to be cut out of the raw events."""
        identified = {scope for scope, kind, _ in self.whom.aliases if kind == "bsuid"}
        people = {alias: Until(self.before, alias[0] in identified) for alias in self.whom.spelled()}
        return Gone(people, frozenset(named.messages), frozenset(named.callbacks), scopes)


def begun(connection: psycopg.Connection, whom: Whom, by: str) -> Work:
    """A new erasure, from now on."""
    row = connection.execute(
        "INSERT INTO erasures (asked_by, before, counts)"
        " VALUES (%s, floor(extract(epoch FROM clock_timestamp())), '{}') RETURNING id, before,"
        " (SELECT coalesce(max(id), 0) FROM webhook_events), (SELECT coalesce(max(id), 0) FROM sends)",
        [by],
    ).fetchone()
    assert row is not None
    work = Work(row[0], row[1], row[2], row[3], whom)
    work.save(connection)
    return work


def unfinished(connection: psycopg.Connection) -> list[Work]:
    """The erasures that were cut off, the oldest first."""
    rows = connection.execute(
        "SELECT id, before, work, counts FROM erasures WHERE ended_at IS NULL ORDER BY id"
    ).fetchall()
    return [_read(*row) for row in rows]


def ended(connection: psycopg.Connection, work: Work) -> None:
    """Forgets whom it was about."""
    connection.execute(
        "UPDATE erasures SET work = NULL, counts = %s, ended_at = clock_timestamp() WHERE id = %s",
        [Jsonb(work.counts), work.id],
    )


def _read(row_id: int, before: int, written: dict[str, Any], counts: dict[str, int]) -> Work:
    told = written["whom"]
    aliases = [(scope, kind, value) for scope, kind, value in told["aliases"]]
    whom = Whom(told["ids"], aliases, told["names"], told["near"])
    return Work(
        row_id,
        before,
        written["upto"][0],
        written["upto"][1],
        whom,
        written["step"],
        written["after"],
        counts,
        written["lost"],
    )

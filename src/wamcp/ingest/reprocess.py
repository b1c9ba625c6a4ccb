"""Deriving everything again from the raw events: in place and with the same ids, or beside it, to compare."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import psycopg
from psycopg import sql

from wamcp.db.content import BESIDE, DERIVED, lines
from wamcp.db.threads import RECOUNT
from wamcp.errors import Rejected
from wamcp.ingest.keep import Again, Event, keep
from wamcp.ingest.merging import settle
from wamcp.ingest.normalize import lock_writing, patient, writing_locked
from wamcp.whatsapp.payload.envelope import read_event

BATCH_EVENTS = 500
BATCH_BYTES = 16_000_000
SCRATCH = "wamcp_verify"
SHOWN_DIFFERENCES = 20
_VERIFYING = 0x57414D43_03

Progress = Callable[[int, int], None]
"""Called with (events done, events in all)."""


@dataclass(slots=True)
class Replayed:
    """How many events were read again, and how many could not be, their bytes having been purged."""

    events: int = 0
    purged: int = 0


@dataclass(slots=True)
class Difference:
    """What a rebuild would change in one table: rows only in the archive, rows only in the rebuild, some of each."""

    table: str
    only_archive: int
    only_rebuilt: int
    examples: list[str] = field(default_factory=list)


def reprocess(url: str, *, since: datetime | None = None, progress: Progress | None = None) -> Replayed:
    """Replays the applied events (those received from ``since`` on) in their order, upserting by natural key.

    Runs beside a working normalizer: both take turns batch by batch. Rows whose events were purged stay as they are.
    What is unknown is counted again, unless only a part is replayed.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        patient(connection)
        with connection.transaction():
            lock_writing(connection)
            upto = _last_applied(connection)
            if since is None:
                connection.execute("DELETE FROM unknowns")
        again = Again.RECOUNTED if since is None else Again.YES
        done = _replay(connection, since, progress, upto=upto, again=again)
        with connection.transaction():
            lock_writing(connection)
            for statement in RECOUNT:
                connection.execute(statement)
        return done


def verify(url: str, *, progress: Progress | None = None) -> tuple[Replayed, list[Difference]]:
    """Builds the derived tables again in a scratch schema and compares; the archive itself is not touched.

    Differences are listed per table, none when the rebuild equals the archive. Rows of purged events show up as rows
    only in the archive. Raises :class:`Rejected` while another verification runs.
    """
    with psycopg.connect(url, autocommit=True) as connection, _scratch_schema(connection):
        patient(connection)
        upto = _last_applied(connection)
        done = _replay(connection, None, progress, upto=upto, again=Again.RECOUNTED)
        with ExitStack() as stack:
            stack.enter_context(writing_locked(connection))
            newest = _last_applied(connection)
            last = _replay(connection, None, None, after=upto, upto=newest, again=Again.RECOUNTED)
            settle(connection)
            done = Replayed(done.events + last.events, done.purged + last.purged)
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            with connection.transaction():
                connection.execute("SELECT FROM applied LIMIT 1")
                stack.close()  # what the normalizer writes from here on is not in our snapshot
                return done, [found for table in DERIVED if (found := _compare(connection, table)) is not None]


def forget_rebuild(connection: psycopg.Connection) -> None:
    """Removes what a verification that was killed left behind; one that works removes it itself."""
    if connection.execute("SELECT pg_try_advisory_lock(%s)", [_VERIFYING]).fetchone() == (True,):
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(SCRATCH)))
        connection.execute("SELECT pg_advisory_unlock(%s)", [_VERIFYING])


def _replay(
    connection: psycopg.Connection,
    since: datetime | None,
    progress: Progress | None,
    *,
    upto: int,
    again: Again,
    after: int = 0,
) -> Replayed:
    """Keeps again what was applied later than ``after`` and not later than ``upto``, two values of ``applied.seq``."""
    row = connection.execute(
        "SELECT count(*) FROM applied a LEFT JOIN webhook_events e ON e.id = a.event_id"
        " WHERE a.seq > %s AND a.seq <= %s AND (%s::timestamptz IS NULL OR e.received_at >= %s)",
        [after, upto, since, since],
    ).fetchone()
    total = row[0] if row else 0
    done = Replayed()
    while after < upto:
        rows = connection.execute(
            "SELECT seq, event_id, received_at, body FROM ("
            " SELECT *, sum(size) OVER (ORDER BY seq) AS upto FROM ("
            "  SELECT a.seq, a.event_id, extract(epoch FROM e.received_at)::bigint AS received_at, e.body,"
            "   coalesce(octet_length(e.body), 0) AS size"
            "  FROM applied a LEFT JOIN webhook_events e ON e.id = a.event_id"
            "  WHERE a.seq > %s AND a.seq <= %s AND (%s::timestamptz IS NULL OR e.received_at >= %s)"
            "  ORDER BY a.seq LIMIT %s) AS first) AS q WHERE upto - size < %s ORDER BY seq",
            [after, upto, since, since, BATCH_EVENTS, BATCH_BYTES],
        ).fetchall()
        if not rows:
            break
        events = [Event(row[1], row[2], read_event(row[3])) for row in rows if row[3] is not None]
        with connection.transaction():
            lock_writing(connection)
            keep(connection, events, again)
        after = rows[-1][0]
        done.events += len(rows)
        done.purged += sum(row[3] is None for row in rows)
        if progress is not None:
            progress(done.events, total)
    return done


def _last_applied(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT coalesce(max(seq), 0) FROM applied").fetchone()
    return int(row[0]) if row else 0


@contextmanager
def _scratch_schema(connection: psycopg.Connection) -> Iterator[None]:
    if connection.execute("SELECT pg_try_advisory_lock(%s)", [_VERIFYING]).fetchone() != (True,):
        raise Rejected("Another wamcp reprocess --verify works on this database: wait until it has ended.")
    name = sql.Identifier(SCRATCH)
    connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(name))
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(name))
    try:
        for table in (*DERIVED, *BESIDE):
            connection.execute(
                sql.SQL("CREATE UNLOGGED TABLE {}.{} (LIKE public.{} INCLUDING ALL)").format(
                    name, sql.Identifier(table), sql.Identifier(table)
                )
            )
        connection.execute(sql.SQL("SET search_path = {}, public").format(name))
        yield
    finally:
        connection.execute("RESET search_path")
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(name))


def _compare(connection: psycopg.Connection, table: str) -> Difference | None:
    archive, rebuilt = lines(table, "public"), lines(table, SCRATCH)
    found = Difference(table, 0, 0)
    for sign, left, right in (("-", archive, rebuilt), ("+", rebuilt, archive)):
        query = sql.SQL("SELECT * FROM ({}) AS a EXCEPT ALL SELECT * FROM ({}) AS b").format(left, right)
        counted = connection.execute(sql.SQL("SELECT count(*) FROM ({}) AS d").format(query)).fetchone()
        rows = counted[0] if counted else 0
        if sign == "-":
            found.only_archive = rows
        else:
            found.only_rebuilt = rows
        if rows:
            shown = connection.execute(sql.SQL("{} LIMIT %s").format(query), [SHOWN_DIFFERENCES]).fetchall()
            found.examples += [f"{sign} {row[0]}" for row in shown]
    return found if found.only_archive or found.only_rebuilt else None

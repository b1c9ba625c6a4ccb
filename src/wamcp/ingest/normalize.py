"""Understanding what was kept: one normalizer at a time turns queued events into people, conversations and messages."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import psycopg

from wamcp import log
from wamcp.db.columns import array
from wamcp.db.session import NETWORK, be_noticed
from wamcp.db.threads import sort_in_words
from wamcp.ingest.erased import without_erased, write_back
from wamcp.ingest.keep import Event, keep
from wamcp.telemetry import span
from wamcp.vocabulary import BELL, ParkedKind
from wamcp.whatsapp.payload.envelope import read_event
from wamcp.whatsapp.payload.facts import Facts, ParkedFact

BATCH_EVENTS = 2000
BATCH_BYTES = 16_000_000
SILENCE_S = 0.2
SORT_AFTER_EVENTS = 1000
ATTEMPTS = 3
FEW_EVENTS = 50
"""So many are tried together where one of them may be deadly."""
FIRST_PAUSE_S = 0.1
LOST_TIMES = 20
"""So many connections may be lost while one event is understood before that counts as dying of it."""
SERVED_S = 5.0
"""A connection that lasted that long was a good one: the next is tried at once."""
LAGS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 3600.0)
"""Bounds of the classes by which is counted how long events waited to be understood."""
_SEAT = 0x57414D43_01
_WRITING = 0x57414D43_02

_log = log.get(__name__)


class Queued(NamedTuple):
    """An event that waits to be understood; ``received_at`` is unix seconds."""

    id: int
    received_at: int
    body: bytes


Turn = Callable[[psycopg.Connection, int], None]


class ConnectionLost(psycopg.OperationalError):
    """The connection was lost while an event was understood alone."""

    def __init__(self, event_id: int) -> None:
        super().__init__("the connection was lost")
        self.event_id = event_id


def run(url: str, stop: threading.Event, turn: Turn | None = None) -> None:
    """Works the queue off until ``stop``; stands by while another normalizer has the seat; survives the database.

    ``turn`` is called again and again with the connection and with how many events were worked on since.
    """
    turn = turn or (lambda _connection, _worked: None)
    pause, losses, innocent = FIRST_PAUSE_S, Counter[int](), None
    while not stop.is_set():
        began = time.monotonic()
        try:
            with psycopg.connect(url, autocommit=True, application_name="wamcp normalizer", **NETWORK) as connection:
                patient(connection)
                be_noticed(connection)
                if innocent is not None:
                    _take_back(connection, innocent)
                    innocent = None
                _serve(connection, stop, turn)
        except psycopg.OperationalError as error:
            if isinstance(error, ConnectionLost):
                losses[error.event_id] += 1
                innocent = error.event_id if losses[error.event_id] < LOST_TIMES else None
            if time.monotonic() - began > SERVED_S:
                pause = FIRST_PAUSE_S
            _log.warning("database_lost", reason=type(error).__name__, retry_in_s=pause)
            stop.wait(pause)
            pause = min(pause * 2, 5.0)


def work_off(connection: psycopg.Connection, *, alone: bool = False) -> int:
    """Understands one batch of the queue and returns how many events it had; 0 when the queue is empty.

    A batch is one transaction. One that fails, and with ``alone`` every batch, is worked in small parts, and a part
    that fails, or in which a normalizer died, event by event: only what cannot be understood is parked.
    """
    queued = claim(connection)
    if not queued:
        return 0
    if not alone:
        try:
            with span("understand", events=len(queued)):
                apply(connection, queued)
            return len(queued)
        except Exception as error:
            if _is_trouble(error):
                raise
            _log.warning("batch_failed", events=len(queued), reason=type(error).__name__)
    few = len(queued) <= FEW_EVENTS
    for first in range(0, len(queued), FEW_EVENTS):
        _apply_few(connection, queued[first : first + FEW_EVENTS], at_once=not few)
    return len(queued)


def claim(connection: psycopg.Connection) -> list[Queued]:
    """The oldest events of the queue, bounded by count and bytes, at least one if there is any."""
    rows = connection.execute(
        "SELECT e.id, extract(epoch FROM e.received_at)::bigint, e.body FROM ("
        "  SELECT event_id, size, sum(size) OVER (ORDER BY event_id) AS upto"
        "  FROM (SELECT event_id, size FROM webhook_queue ORDER BY event_id LIMIT %s) AS first"
        ") AS q JOIN webhook_events e ON e.id = q.event_id WHERE q.upto - q.size < %s ORDER BY e.id",
        [BATCH_EVENTS, BATCH_BYTES],
        binary=True,
    ).fetchall()
    return [Queued(*row) for row in rows]


def apply(connection: psycopg.Connection, queued: Sequence[Queued]) -> None:
    """Writes what a batch says, notes the order in which it was learned, and takes it off the queue: all or nothing."""
    events = [Event(event.id, event.received_at, read_event(event.body)) for event in queued]
    # In a pipeline Postgres works on a statement while the next one is put together here.
    with connection.pipeline(), connection.transaction():
        lock_writing(connection)
        # Under the lock: whoever is erased meanwhile is known before anything of his is written.
        events, cut = without_erased(connection, events, [event.body for event in queued])
        write_back(connection, cut)
        keep(connection, events)
        _finish(connection, [event.id for event in events])


def lock_writing(connection: psycopg.Connection) -> None:
    """Until the end of the transaction nobody else writes derived rows; reprocessing takes its turns by this."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [_WRITING])


@contextmanager
def writing_locked(connection: psycopg.Connection) -> Iterator[None]:
    """The same across several transactions of ``connection``."""
    connection.execute("SELECT pg_advisory_lock(%s)", [_WRITING])
    try:
        yield
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s)", [_WRITING])


def patient(connection: psycopg.Connection) -> None:
    """Lifts the limits that a database may set for everybody: taking turns, and a rebuild, may last longer."""
    connection.execute(
        "SELECT set_config(name, '0', false) FROM unnest('{statement_timeout,lock_timeout}'::text[]) name"
    )


def _serve(connection: psycopg.Connection, stop: threading.Event, turn: Turn) -> None:
    while not _take_seat(connection):
        turn(connection, 0)
        if stop.wait(1.0):
            return
    connection.execute(f"LISTEN {BELL}")
    _log.info("normalizer_started")
    alone = True  # the batch in which a predecessor may have died is not tried as a whole again
    unsorted = 0
    while not stop.is_set():
        worked = work_off(connection, alone=alone)
        turn(connection, worked)
        alone = False
        unsorted += worked
        if unsorted >= SORT_AFTER_EVENTS or (unsorted and not worked):
            sort_in_words(connection)
            unsorted = 0
        if worked == 0:
            for _ in connection.notifies(timeout=SILENCE_S, stop_after=1):
                pass


def _take_seat(connection: psycopg.Connection) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", [_SEAT]).fetchone()
    return row == (True,)


def _apply_few(connection: psycopg.Connection, queued: Sequence[Queued], at_once: bool) -> None:
    """One by one, or ``at_once`` unless a normalizer tried that before and died of one of them."""
    if at_once and _note(connection, queued):
        try:
            apply(connection, queued)
            return
        except Exception as error:
            if _is_trouble(error):
                raise
    for event in queued:
        _apply_alone(connection, event)


def _note(connection: psycopg.Connection, queued: Sequence[Queued]) -> bool:
    """Notes that these are about to be tried together; False when one of them was noted before."""
    with connection.transaction():
        connection.execute("SET LOCAL synchronous_commit = off")
        noted = connection.execute(
            "INSERT INTO started (event_id, attempts) SELECT u, 0 FROM unnest(%s::bigint[]) u ON CONFLICT DO NOTHING",
            [array([event.id for event in queued])],
        )
    return noted.rowcount == len(queued)


def _apply_alone(connection: psycopg.Connection, event: Queued) -> None:
    try:
        if _start(connection, event.id) >= ATTEMPTS:
            _park(connection, event, ParkedKind.KILLED, f"The normalizer died of this event {ATTEMPTS - 1} times.")
            return
        apply(connection, [event])
    except Exception as error:
        if _is_trouble(error):
            if connection.closed:
                raise ConnectionLost(event.id) from error
            if not isinstance(error, psycopg.errors.OutOfMemory):
                _take_back(connection, event.id)
            raise
        _log.exception("event_failed", event_id=event.id)
        _park(connection, event, ParkedKind.FAILED, _reason(error))


def _start(connection: psycopg.Connection, event_id: int) -> int:
    # It has to outlive this process, not the machine: no need to wait for the disk.
    with connection.transaction():
        connection.execute("SET LOCAL synchronous_commit = off")
        row = connection.execute(
            "INSERT INTO started AS s (event_id, attempts) VALUES (%s, 1)"
            " ON CONFLICT (event_id) DO UPDATE SET attempts = s.attempts + 1 RETURNING attempts",
            [event_id],
        ).fetchone()
    return int(row[0]) if row else 1


def _take_back(connection: psycopg.Connection, event_id: int) -> None:
    """A full disk or a broken network is not the fault of the event that meets it: unlike a death, it is no attempt."""
    connection.execute("UPDATE started SET attempts = attempts - 1 WHERE event_id = %s AND attempts > 0", [event_id])


def _is_trouble(error: Exception) -> bool:
    """Whether Postgres is lost or in trouble; limits that one event exceeds (class 54 of SQLSTATE) are not that."""
    return isinstance(error, psycopg.OperationalError) and not (error.sqlstate or "").startswith("54")


def _park(connection: psycopg.Connection, event: Queued, kind: ParkedKind, reason: str) -> None:
    facts = Facts(parked=[ParkedFact("", kind, reason, None)])
    with connection.transaction():
        keep(connection, [Event(event.id, event.received_at, facts)])
        connection.execute("DELETE FROM webhook_queue WHERE event_id = %s", [event.id])
        connection.execute("DELETE FROM started WHERE event_id = %s", [event.id])
    _log.error("event_parked", event_id=event.id, kind=kind)


def _reason(error: Exception) -> str:
    if isinstance(error, psycopg.Error) and error.diag.message_primary:
        return f"{type(error).__name__}: {error.diag.message_primary}"
    return f"{type(error).__name__} while reading the event"


def _finish(connection: psycopg.Connection, event_ids: list[int]) -> None:
    ids = array(event_ids)
    connection.execute(
        "INSERT INTO applied (event_id) SELECT u FROM unnest(%s::bigint[]) WITH ORDINALITY AS t (u, n) ORDER BY n",
        [ids],
    )
    connection.execute(_LEAVE_QUEUE, [ids])
    connection.execute("DELETE FROM started WHERE event_id = ANY(%s::bigint[])", [ids])


_CLASSES = ", ".join(map(str, LAGS_S))
_LEAVE_QUEUE = f"""
WITH gone AS (
  DELETE FROM webhook_queue WHERE event_id = ANY(%s::bigint[])
  RETURNING greatest(0, extract(epoch FROM clock_timestamp() - queued_at))::float8 AS lag
)
INSERT INTO event_lags AS l (upto, events, seconds)
SELECT (ARRAY[{_CLASSES}, 'Infinity'::float8])[width_bucket(lag, ARRAY[{_CLASSES}]::float8[]) + 1], count(*), sum(lag)
FROM gone GROUP BY 1
ON CONFLICT (upto) DO UPDATE SET events = l.events + excluded.events, seconds = l.seconds + excluded.seconds
"""

"""Sends as rows: written down before Meta is called, leased while somebody works on them, settled afterwards."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import class_row

from wamcp.db.columns import array
from wamcp.vocabulary import SendState

CALLBACK_PREFIX = "wamcp-"
"""How `biz_opaque_callback_data` of our sends begins, by which their statuses are found again."""

INLINE_LEASE_S = 10
"""As long a request works on its own send; what is left then is the worker's."""
CALL_LEASE_S = 60
"""A call of Meta that has not been settled after this long was cut off: nobody knows what came of it."""
_SETTLING = 0x57414D43_04
KEY_DAYS = 7
"""As long an idempotency key is kept."""
NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
"""The character NUL as JSON writes it, which Postgres cannot hold; not a backslash that somebody typed."""


class NewSend(NamedTuple):
    """What is written down of a send before anything else happens; ``body`` is Meta's JSON without the callback."""

    callback: str
    origin: str
    asked_by: str
    idempotency_key: str | None
    fingerprint: bytes
    retry_of: int | None
    phone_number_id: str
    recipient_kind: str
    recipient: str
    type: str
    body: dict[str, Any]
    media_row_id: int | None
    window_open_until: datetime | None
    outside_window: bool


@dataclass(frozen=True, slots=True)
class SendRow:
    """One row of ``sends``."""

    id: int
    callback: str
    origin: str
    asked_by: str
    asked_at: datetime
    fingerprint: bytes
    retry_of: int | None
    phone_number_id: str
    recipient_kind: str
    recipient: str
    type: str
    body: dict[str, Any]
    media_row_id: int | None
    state: str
    attempts: int
    lease_until: datetime | None
    next_attempt_at: datetime
    called_at: datetime | None
    settled_at: datetime | None
    wamid: str | None
    error_code: int | None
    error: dict[str, Any] | None
    reason: str | None
    window_open_until: datetime | None
    outside_window: bool
    leased: bool
    """Whether the lease was still running when the row was read, by the database's clock."""


class Failure(NamedTuple):
    """Why a send did not succeed (yet): Meta's code and answer where there is one, and a reason for people."""

    code: int | None
    answer: dict[str, Any] | None
    reason: str


_COLUMNS = (
    "id, callback, origin, asked_by, asked_at, fingerprint, retry_of, phone_number_id, recipient_kind, recipient, type,"
    " body, media_row_id, state, attempts, lease_until, next_attempt_at, called_at, settled_at, wamid, error_code,"
    " error, reason, window_open_until, outside_window, coalesce(lease_until > clock_timestamp(), false) AS leased"
)


def write_down(connection: psycopg.Connection, new: NewSend, *, leased: bool) -> int | None:
    """Inserts a queued send, leased to the caller for ten seconds or due at once; None when its key is taken."""
    if new.idempotency_key is not None:
        connection.execute(
            "UPDATE sends SET idempotency_key = NULL WHERE idempotency_key = %s"
            " AND asked_at < now() - make_interval(days => %s)",
            [new.idempotency_key, KEY_DAYS],
        )
    row = connection.execute(
        "INSERT INTO sends (callback, origin, asked_by, idempotency_key, fingerprint, retry_of, phone_number_id,"
        " recipient_kind, recipient, type, body, media_row_id, window_open_until, outside_window, state, lease_until)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 'queued',"
        "  CASE WHEN %s THEN clock_timestamp() + make_interval(secs => %s) END)"
        " ON CONFLICT (idempotency_key) DO NOTHING RETURNING id",
        [*new._replace(body=_json(new.body)), leased, INLINE_LEASE_S],  # type: ignore[arg-type]
    ).fetchone()
    return row[0] if row else None


def by_id(connection: psycopg.Connection, send_id: int) -> SendRow | None:
    """The send, None where there is none."""
    return _one(connection, f"SELECT {_COLUMNS} FROM sends WHERE id = %s", [send_id])


def by_key(connection: psycopg.Connection, key: str) -> SendRow | None:
    """The send that was asked for under an idempotency key."""
    return _one(connection, f"SELECT {_COLUMNS} FROM sends WHERE idempotency_key = %s", [key])


class SendsQuery(NamedTuple):
    """Which sends are asked for, newest first; ``before`` is the id of the last one of the page before."""

    state: str | None = None
    origin: str | None = None
    phone_number_id: str | None = None
    recipient: str | None = None
    before: int | None = None
    limit: int = 50


def newest(connection: psycopg.Connection, query: SendsQuery) -> list[SendRow]:
    """The sends that are asked for."""
    with connection.cursor(row_factory=class_row(SendRow)) as cursor:
        return cursor.execute(
            f"SELECT {_COLUMNS} FROM sends WHERE coalesce(state = %(state)s, true)"
            " AND coalesce(origin = %(origin)s, true)"
            " AND coalesce(phone_number_id = %(phone_number_id)s, true) AND coalesce(recipient = %(recipient)s, true)"
            " AND coalesce(id < %(before)s, true) ORDER BY id DESC LIMIT %(limit)s",
            query._asdict(),
        ).fetchall()


def retried_by(connection: psycopg.Connection, send_id: int) -> int | None:
    """The send that tries ``send_id`` again and has not failed, None where there is none.

    Until the transaction ends nobody else can ask this.
    """
    connection.execute("SELECT FROM sends WHERE id = %s FOR UPDATE", [send_id])
    row = connection.execute(
        "SELECT id FROM sends WHERE retry_of = %s AND state <> 'failed' ORDER BY id DESC LIMIT 1", [send_id]
    ).fetchone()
    return row[0] if row else None


def has_earlier(connection: psycopg.Connection, phone_number_id: str, recipient: str) -> bool:
    """Whether an earlier send to this recipient is still waiting, so that a later one has to wait behind it."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM sends WHERE phone_number_id = %s AND recipient = %s"
        " AND state IN ('queued', 'sending'))",
        [phone_number_id, recipient],
    ).fetchone()
    return bool(row and row[0])


_DUE = (
    "sends s WHERE s.state = 'queued' AND s.next_attempt_at <= clock_timestamp()"
    " AND (s.lease_until IS NULL OR s.lease_until < clock_timestamp())"
    " AND s.id = (SELECT e.id FROM sends e WHERE e.phone_number_id = s.phone_number_id AND e.recipient = s.recipient"
    "  AND e.state IN ('queued', 'sending') ORDER BY e.id LIMIT 1)"
)


def claim_due(connection: psycopg.Connection, seconds: float, tired: Sequence[str] = ()) -> SendRow | None:
    """Leases the send that has been due longest for ``seconds``; none of the numbers ``tired``.

    Never one behind an earlier send to the same recipient. The statement is planned each time and asks for the first
    of a pair by its index: with thousands waiting, a plan made for an empty queue compares each of them with each.
    """
    with connection.cursor(row_factory=class_row(SendRow)) as cursor:
        return cursor.execute(
            "UPDATE sends SET lease_until = clock_timestamp() + make_interval(secs => %s) WHERE id = ("
            f"  SELECT s.id FROM {_DUE} AND s.phone_number_id <> ALL(%s::text[])"
            "  ORDER BY s.next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED)"
            f" RETURNING {_COLUMNS}",
            [seconds, array(tired)],
            prepare=False,
        ).fetchone()


def count_due(connection: psycopg.Connection) -> int:
    """How many sends somebody could work on right now, up to a hundred."""
    row = connection.execute(
        f"SELECT count(*) FROM (SELECT FROM {_DUE} ORDER BY s.next_attempt_at LIMIT 100) AS due", prepare=False
    ).fetchone()
    return row[0] if row else 0


def lease_longer(connection: psycopg.Connection, send_id: int, seconds: float) -> None:
    """Keeps others away for ``seconds`` from now, while a file is brought to Meta."""
    connection.execute(
        "UPDATE sends SET lease_until = clock_timestamp() + make_interval(secs => %s)"
        " WHERE id = %s AND state = 'queued'",
        [seconds, send_id],
    )


def begin(connection: psycopg.Connection, send: SendRow, body: dict[str, Any]) -> bool:
    """Marks that Meta is about to be called with ``body``; False when it is no longer queued as it was read.

    From the commit on nobody can be sure that nothing was sent, unless Meta says so.
    """
    with connection.transaction():
        # A server told to commit without waiting for its disk could forget, in a crash, that Meta was called.
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"
        )
        done = connection.execute(
            "UPDATE sends SET state = 'sending', attempts = attempts + 1, called_at = clock_timestamp(),"
            " lease_until = clock_timestamp() + make_interval(secs => %s), error_code = NULL, error = NULL,"
            " reason = NULL, body = %s WHERE id = %s AND state = 'queued' AND attempts = %s",
            [CALL_LEASE_S, _json(body), send.id, send.attempts],
        )
    return done.rowcount == 1


def put_back(connection: psycopg.Connection, send: SendRow, seconds: float, failure: Failure | None = None) -> bool:
    """Queues the send again, due in ``seconds``; ``failure`` says why, None where it only has to wait its turn.

    False, and nothing is done, when it is settled, or when Meta was called by somebody else since ``send`` was read.
    """
    done = connection.execute(
        "UPDATE sends SET state = 'queued', lease_until = NULL,"
        " next_attempt_at = clock_timestamp() + make_interval(secs => %s),"
        " error_code = coalesce(%s, error_code), error = coalesce(%s::json, error), reason = coalesce(%s, reason)"
        " WHERE id = %s AND state IN ('queued', 'sending') AND attempts = %s",
        [seconds, *_told(failure), send.id, send.attempts],
    )
    return done.rowcount == 1


def settle(
    connection: psycopg.Connection,
    send_id: int,
    state: SendState,
    failure: Failure | None = None,
    wamid: str | None = None,
    attempts: int | None = None,
) -> SendRow | None:
    """Writes down how the send ended. None when it had been settled already, so that nobody does it twice.

    ``attempts`` is how often Meta had been called when this was known: after another call it says nothing any more.
    """
    return _one(
        connection,
        "UPDATE sends SET state = %s, lease_until = NULL, settled_at = clock_timestamp(), wamid = coalesce(%s, wamid),"
        " error_code = %s, error = %s::json, reason = %s"
        " WHERE id = %s AND state IN ('queued', 'sending', 'unknown') AND attempts = coalesce(%s, attempts)"
        f" RETURNING {_COLUMNS}",
        [state.value, wamid, *_told(failure), send_id, attempts],
    )


def give_up_on_calls(connection: psycopg.Connection, reason: str) -> list[int]:
    """Calls that were cut off become unknown; returns their ids."""
    rows = connection.execute(
        "UPDATE sends SET state = 'unknown', lease_until = NULL, settled_at = clock_timestamp(), reason = %s"
        " WHERE state = 'sending' AND lease_until < clock_timestamp() RETURNING id",
        [reason],
    ).fetchall()
    return [row[0] for row in rows]


def give_up_waiting(connection: psycopg.Connection, hours: float) -> list[int]:
    """Sends that could not be handed over for ``hours`` fail, keeping the reason of the last attempt."""
    rows = connection.execute(
        "UPDATE sends SET state = 'failed', lease_until = NULL, settled_at = clock_timestamp(),"
        " reason = coalesce(reason, 'nobody worked on it in time')"
        " WHERE state = 'queued' AND asked_at < clock_timestamp() - make_interval(mins => %s)"
        " AND (lease_until IS NULL OR lease_until < clock_timestamp()) RETURNING id",
        [round(hours * 60)],
    ).fetchall()
    return [row[0] for row in rows]


def settles_alone(connection: psycopg.Connection) -> bool:
    """Whether, until the transaction ends, nobody else settles what was cut off."""
    return connection.execute("SELECT pg_try_advisory_xact_lock(%s)", [_SETTLING]).fetchone() == (True,)


def told_by_statuses(connection: psycopg.Connection) -> list[tuple[int, str]]:
    """Unknown sends of which a status speaks: their ids, and the wamids that Meta gave them."""
    return connection.execute(
        "SELECT DISTINCT ON (s.id) s.id, t.wamid FROM sends s JOIN statuses t ON t.callback_data = s.callback"
        f" AND t.callback_data LIKE '{CALLBACK_PREFIX}%%'"
        " WHERE s.state = 'unknown' ORDER BY s.id, t.at",
        [],
    ).fetchall()


def keep_raw(connection: psycopg.Connection, sha256: bytes, body: bytes, bell: str) -> None:
    """Keeps a raw event of ours like one of Meta's, queues it for the normalizer and rings for it."""
    connection.execute(
        "WITH stored AS (INSERT INTO webhook_events (sha256, body) VALUES (%s, %s) ON CONFLICT (sha256) DO NOTHING"
        " RETURNING id) INSERT INTO webhook_queue (event_id, size) SELECT id, %s FROM stored",
        [sha256, body, len(body)],
    )
    connection.execute("SELECT pg_notify(%s, '')", [bell])


def _one(connection: psycopg.Connection, statement: str, values: Sequence[Any]) -> SendRow | None:
    with connection.cursor(row_factory=class_row(SendRow)) as cursor:
        return cursor.execute(statement, values).fetchone()


def _told(failure: Failure | None) -> tuple[int | None, str | None, str | None]:
    if failure is None:
        return None, None, None
    return failure.code, None if failure.answer is None else _json(failure.answer), failure.reason[:1000]


def _json(value: dict[str, Any]) -> str:
    return NUL.sub(r"\1", json.dumps(value, ensure_ascii=False))

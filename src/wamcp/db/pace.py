"""How fast Meta lets us send: one clock per number and one per recipient, as rows that every replica shares."""

from typing import NamedTuple

import psycopg


class Pace(NamedTuple):
    """A rate: one message every ``every_s`` seconds, ``burst`` of them at once after a pause."""

    every_s: float
    burst: int

    @property
    def slack_s(self) -> float:
        """How far the clock may run ahead before somebody has to wait."""
        return self.every_s * (self.burst - 1)


PAIR = Pace(6.0, 45)
"""One message in six seconds to one person, of which 45 may be borrowed from the future (Meta's pair rate)."""


LONGEST_HOLD_S = 3600.0
"""No refusal makes a clock hold for longer."""


def number_pace(per_second: int) -> Pace:
    """The pace of a number: a twentieth of a second's messages may go at once."""
    return Pace(1 / per_second, max(1, per_second // 20))


class Turn(NamedTuple):
    """``is_taken`` says that the turn is ours after ``wait_s`` seconds; else it was not taken and is so far away.

    ``refusals`` is how many in a row had made the clock hold when the turn was taken.
    """

    is_taken: bool
    wait_s: float
    refusals: int = 0


def take_turn(
    connection: psycopg.Connection, phone_number_id: str, recipient: str, pace: Pace, patience_s: float
) -> Turn:
    """Takes the next turn of a clock (``recipient`` '' for that of the number itself) unless it is too far away.

    The clock says when the next message would go if all went evenly (the generic cell rate algorithm, ITU-T I.371).
    The caller commits; until then the clock is locked. What is further away than any hold was set before the
    database's own clock was set back, and counts for nothing.
    """
    row = connection.execute(
        "INSERT INTO send_pace AS p (phone_number_id, recipient, ready_at)"
        " VALUES (%(number)s, %(recipient)s, clock_timestamp() + make_interval(secs => %(every)s))"
        " ON CONFLICT (phone_number_id, recipient) DO UPDATE"
        " SET ready_at = CASE WHEN p.ready_at BETWEEN clock_timestamp() AND clock_timestamp()"
        "   + make_interval(secs => %(odd)s) THEN p.ready_at ELSE clock_timestamp() END"
        "  + make_interval(secs => %(every)s)"
        " WHERE p.ready_at <= clock_timestamp() + make_interval(secs => %(slack)s + %(patience)s)"
        "  OR p.ready_at > clock_timestamp() + make_interval(secs => %(odd)s)"
        " RETURNING extract(epoch FROM ready_at - clock_timestamp())::float8 - %(every)s - %(slack)s, refusals",
        {
            "number": phone_number_id,
            "recipient": recipient,
            "every": pace.every_s,
            "slack": pace.slack_s,
            "patience": patience_s,
            "odd": pace.slack_s + patience_s + 2 * LONGEST_HOLD_S,
        },
    ).fetchone()
    if row is not None:
        return Turn(True, max(0.0, row[0]), row[1])
    far = connection.execute(
        "SELECT extract(epoch FROM ready_at - clock_timestamp())::float8 - %s FROM send_pace"
        " WHERE phone_number_id = %s AND recipient = %s",
        [pace.slack_s, phone_number_id, recipient],
    ).fetchone()
    return Turn(False, max(0.05, far[0]) if far else 0.05)


def hold(
    connection: psycopg.Connection,
    phone_number_id: str,
    recipient: str,
    pace: Pace,
    wait: "Backoff",
    seen: int | None = None,
) -> float:
    """Lets nobody pass for a while after Meta refused; returns the seconds. Each refusal in a row makes it longer.

    ``seen`` is :attr:`Turn.refusals` of the call that was refused: of calls that ran together one counts.
    """
    row = connection.execute(
        "INSERT INTO send_pace AS p (phone_number_id, recipient, ready_at, refusals)"
        " VALUES (%(number)s, %(recipient)s,"
        "  clock_timestamp() + make_interval(secs => %(slack)s + greatest(%(first)s, %(least)s)), 1)"
        " ON CONFLICT (phone_number_id, recipient) DO UPDATE SET"
        " refusals = least(p.refusals + (p.refusals <= coalesce(%(seen)s, 100))::int, 100),"
        " ready_at = greatest(p.ready_at, clock_timestamp() + make_interval(secs => %(slack)s + greatest(%(least)s,"
        "  least(%(most)s, %(first)s * power(%(factor)s,"
        "   least(p.refusals - (p.refusals > coalesce(%(seen)s, 100))::int, 30))))))"
        " RETURNING extract(epoch FROM ready_at - clock_timestamp())::float8 - %(slack)s",
        {
            "number": phone_number_id,
            "recipient": recipient,
            "slack": pace.slack_s,
            "first": wait.first_s,
            "factor": wait.factor,
            "most": wait.most_s,
            "least": wait.least_s,
            "seen": seen,
        },
    ).fetchone()
    return max(0.0, row[0]) if row else wait.first_s


def forget_refusals(connection: psycopg.Connection, phone_number_id: str, recipient: str) -> None:
    """After a success the next refusal is the first one again."""
    for clock in (recipient, ""):  # one after the other, since two locks in another order could wait for each other
        connection.execute(
            "UPDATE send_pace SET refusals = 0 WHERE phone_number_id = %s AND recipient = %s AND refusals > 0",
            [phone_number_id, clock],
        )


def forget_idle(connection: psycopg.Connection) -> int:
    """Removes the clocks of people to whom nothing went for a day: they say the same as none; returns how many."""
    return connection.execute(
        "DELETE FROM send_pace WHERE recipient <> '' AND ready_at < clock_timestamp() - interval '1 day'"
    ).rowcount


class Backoff(NamedTuple):
    """Seconds to wait: ``first_s`` times ``factor`` per refusal in a row, at most ``most_s``, ``least_s`` if asked."""

    first_s: float
    factor: float
    most_s: float
    least_s: float = 0.0


class Stop(NamedTuple):
    """Why nothing is sent with this token: Meta's code where there is one, and what it means."""

    code: int | None
    reason: str


def stop(connection: psycopg.Connection, token_digest: str, why: Stop, probe_s: float) -> None:
    """Stops everything that would be sent with a token; one send may try again every ``probe_s`` seconds."""
    connection.execute(
        "INSERT INTO send_stops (token_digest, code, reason, probe_at)"
        " VALUES (%s, %s, %s, clock_timestamp() + make_interval(secs => %s))"
        " ON CONFLICT (token_digest) DO UPDATE SET code = excluded.code, reason = excluded.reason,"
        " probe_at = excluded.probe_at",
        [token_digest, why.code, why.reason, probe_s],
    )


def stopped(connection: psycopg.Connection, token_digest: str, probe_s: float) -> Stop | None:
    """Why nothing may be sent with the token; None when it may, also for the one that has to try."""
    row = connection.execute("SELECT code, reason FROM send_stops WHERE token_digest = %s", [token_digest]).fetchone()
    if row is None:
        return None
    probing = connection.execute(
        "UPDATE send_stops SET probe_at = clock_timestamp() + make_interval(secs => %s)"
        " WHERE token_digest = %s AND (probe_at <= clock_timestamp()"
        "  OR probe_at > clock_timestamp() + make_interval(secs => %s))",
        [probe_s, token_digest, 2 * probe_s],
    )
    return None if probing.rowcount else Stop(*row)


def resume(connection: psycopg.Connection, token_digest: str) -> None:
    """Lifts the stop: Meta took something that was sent with the token."""
    connection.execute("DELETE FROM send_stops WHERE token_digest = %s", [token_digest])

"""The queue of sends: working on what is due, and settling what was cut off, as far as Meta tells."""

import secrets
from collections.abc import Callable

from wamcp import log
from wamcp.db import pace, sends
from wamcp.db.sends import CALLBACK_PREFIX
from wamcp.db.session import Pool
from wamcp.sending.hand_over import hand_over, keep_sent
from wamcp.sending.means import Means
from wamcp.sending.outcome import Accepted
from wamcp.telemetry import span

LEASE_S = 30
PATIENCE_S = 2.0
"""So long a worker waits for the turn of the send it holds; what is further away is left in the queue."""
LONGEST_WAIT_HOURS = 1.0
"""A send that could not be handed over for so long fails: its words may no longer be true."""

_CUT_OFF = "the call of Meta was cut off: the message may have been sent"
_log = log.get(__name__)


def new_callback() -> str:
    """What Meta is to repeat in the statuses of a send; nobody else can guess it."""
    return CALLBACK_PREFIX + secrets.token_hex(16)


def drain(means: Means, goes_on: Callable[[], bool]) -> int:
    """Hands over what is due, oldest first, until nothing is or ``goes_on`` says no; returns how many it worked on.

    A number from which nothing can go now is left alone, whatever waits at it.
    """
    done = 0
    tired: list[str] = []
    while goes_on():
        with means.pool.connection() as connection:
            send = sends.claim_due(connection, LEASE_S, tired)
        if send is None:
            break
        with span("hand_over", send=send.id):
            went_on = hand_over(means, send, PATIENCE_S, asked_now=False)
        if not went_on:
            tired.append(send.phone_number_id)
        done += 1
    return done


def settle_what_can_be(pool: Pool, waba_id: str | None) -> None:
    """Ends calls that were cut off as unknown, unknown sends of which a status speaks as sent, and what is too old."""
    with pool.connection() as connection:
        cut_off = sends.give_up_on_calls(connection, _CUT_OFF)
        too_old = sends.give_up_waiting(connection, LONGEST_WAIT_HOURS)
        told = sends.told_by_statuses(connection)
    for send_id, wamid in told:
        keep_sent(pool, send_id, Accepted(wamid, None, None), waba_id)
    for event, ids in (("sends_cut_off", cut_off), ("sends_too_old", too_old), ("sends_reconciled", told)):
        if ids:
            _log.warning(event, count=len(ids))


def forget_idle_clocks(pool: Pool) -> None:
    """Removes the clocks of people to whom nothing was sent for long."""
    with pool.connection() as connection:
        pace.forget_idle(connection)


def count_due(pool: Pool) -> int:
    """How many sends somebody could work on now, at most a hundred."""
    with pool.connection() as connection:
        return sends.count_due(connection)

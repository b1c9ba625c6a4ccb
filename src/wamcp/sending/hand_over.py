"""One send on its way to Meta: its turn, the call, and what is written down of the outcome."""

import hashlib
import time
from typing import Any

from wamcp import log
from wamcp.db import pace, sends
from wamcp.db.pace import PAIR, Backoff, Stop, Turn
from wamcp.db.sends import Failure, SendRow
from wamcp.db.session import Pool
from wamcp.db.windows import OurNumber, our_numbers
from wamcp.errors import NotStored, StoreUnavailable
from wamcp.sending.means import Means
from wamcp.sending.outcome import UNREACHABLE, Accepted, Refusal, read_reply
from wamcp.sending.raw import raw_event
from wamcp.sending.uploads import ensure_uploaded
from wamcp.vocabulary import BELL, RecipientKind, SendState, send_ref
from wamcp.whatsapp.graph import Graph
from wamcp.whatsapp.graph_errors import After

PROBE_S = 60.0
LONGEST_UPLOAD_S = 150.0
STORE_TROUBLE = Backoff(5, 2, 60)
NO_TOKEN = Stop(None, "there is no access token: set WHATSAPP_ACCESS_TOKEN")

_log = log.get(__name__)


def hand_over(means: Means, send: SendRow, patience_s: float, *, asked_now: bool) -> None:
    """Takes a queued send that is leased to us as far as it goes; the row says afterwards how far that was.

    It waits at most ``patience_s`` for its turn; when that is further away the send is queued again. Meta is called
    between two commits: what happens between them can be told from the row, whatever happens to this process.
    While the access token is refused, whoever has ``asked_now`` is told so at once; what waits goes on waiting.
    """
    stop = _stop(means)
    if stop is not None or means.graph is None:
        _hold_back(means, send, stop or NO_TOKEN, asked_now)
        return
    body, trouble = _with_file(means, means.graph, send)
    if trouble is not None:
        _note_refusal(means, send, trouble, asked_now)
        return
    turn = _take_turns(means, send, patience_s)
    if not turn.is_taken:
        with means.pool.connection() as connection:
            sends.put_back(connection, send.id, turn.wait_s)
        return
    time.sleep(turn.wait_s)
    with means.pool.connection() as connection:
        if not sends.begin(connection, send.id, body):
            return
    call = {**body, "biz_opaque_callback_data": send.callback}
    outcome = read_reply(means.graph.post(f"{send.phone_number_id}/messages", call))
    if isinstance(outcome, Accepted):
        _note_accepted(means, send, outcome)
    else:
        _note_refusal(means, send, outcome, asked_now)


def keep_sent(pool: Pool, send_id: int, accepted: Accepted, waba_id: str | None) -> bool:
    """Writes down that Meta took the send, and the raw event from which its message is read; False if it was known."""
    with pool.connection() as connection, connection.transaction():
        sent = sends.settle(connection, send_id, SendState.SENT, wamid=accepted.wamid)
        if sent is None:
            return False
        number = _number(our_numbers(connection), sent.phone_number_id, waba_id)
        body = raw_event(sent, number, wa_id=accepted.wa_id, user_id=accepted.user_id)
        sends.keep_raw(connection, hashlib.sha256(body).digest(), body, BELL)
        return True


def _with_file(means: Means, graph: Graph, send: SendRow) -> tuple[dict[str, Any], Refusal | None]:
    """The body with Meta's id of the file that goes with it, which is brought to Meta first, or why it could not be.

    An upload sends nothing to anybody: whatever nobody knows about it may be tried again.
    """
    if send.media_row_id is None:
        return send.body, None
    with means.pool.connection() as connection:
        sends.lease_longer(connection, send.id, LONGEST_UPLOAD_S)
    try:
        found = ensure_uploaded(graph, means.store, means.pool.connection, send.media_row_id)
    except NotStored as gone:
        return send.body, Refusal(After.REFUSED, Failure(None, None, str(gone)), None)
    except StoreUnavailable as trouble:
        return send.body, Refusal(After.LATER, Failure(None, None, str(trouble)), STORE_TROUBLE)
    if isinstance(found, str):
        part = {**send.body.get(send.type, {}), "id": found}
        return {**send.body, send.type: part}, None
    refusal = read_reply(found)
    if isinstance(refusal, Accepted) or refusal.after == After.UNKNOWN:
        return send.body, Refusal(
            After.LATER, Failure(None, None, "the file could not be brought to Meta"), UNREACHABLE
        )
    return send.body, refusal


def _take_turns(means: Means, send: SendRow, patience_s: float) -> Turn:
    """The turn of the pair and that of the number; both or none."""
    with means.pool.connection() as connection, connection.transaction() as whole:
        waits = [0.0]
        clocks = [("", means.pace)]
        if send.recipient_kind != RecipientKind.GROUP:
            clocks.insert(0, (send.recipient, PAIR))
        for recipient, rate in clocks:
            turn = pace.take_turn(connection, send.phone_number_id, recipient, rate, patience_s)
            if not turn.is_taken:
                whole.force_rollback = True
                return turn
            waits.append(turn.wait_s)
        return Turn(True, max(waits))


def _note_accepted(means: Means, send: SendRow, accepted: Accepted) -> None:
    keep_sent(means.pool, send.id, accepted, means.settings.waba_id)
    with means.pool.connection() as connection:
        pace.forget_refusals(connection, send.phone_number_id, send.recipient)
        pace.resume(connection, means.token_digest)
    _log.info("send_accepted", send=send_ref(send.id), type=send.type)


def _note_refusal(means: Means, send: SendRow, refusal: Refusal, asked_now: bool) -> None:
    """Holds still what has to, and ends the send or queues it again."""
    after, failure, wait = refusal.after, refusal.failure, 0.0
    recipient, rate = (send.recipient, PAIR) if after == After.PAIR else ("", means.pace)
    with means.pool.connection() as connection, connection.transaction():
        if refusal.wait is not None:
            wait = pace.hold(connection, send.phone_number_id, recipient, rate, refusal.wait)
        if after == After.REPLACE:
            pace.stop(connection, means.token_digest, Stop(failure.code, failure.reason), PROBE_S)
            wait = PROBE_S
        if after in (After.LATER, After.PAIR) or (after == After.REPLACE and not asked_now):
            sends.put_back(connection, send.id, wait, failure)
        else:
            state = SendState.UNKNOWN if after == After.UNKNOWN else SendState.FAILED
            sends.settle(connection, send.id, state, failure)
    _log.warning("send_refused", send=send_ref(send.id), after=after.value, code=failure.code, wait_s=round(wait, 1))


def _stop(means: Means) -> Stop | None:
    with means.pool.connection() as connection:
        return pace.stopped(connection, means.token_digest, PROBE_S)


def _hold_back(means: Means, send: SendRow, stop: Stop, asked_now: bool) -> None:
    failure = Failure(stop.code, None, stop.reason)
    with means.pool.connection() as connection:
        if asked_now:
            sends.settle(connection, send.id, SendState.FAILED, failure)
        else:
            sends.put_back(connection, send.id, PROBE_S, failure)


def _number(known: list[OurNumber], phone_number_id: str, waba_id: str | None) -> OurNumber:
    """Our number; before its first webhook with the account that is configured."""
    unknown = OurNumber(phone_number_id, None, None, waba_id, None)
    return next((number for number in known if number.phone_number_id == phone_number_id), unknown)

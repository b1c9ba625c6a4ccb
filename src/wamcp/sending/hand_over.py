"""One send on its way to Meta: its turn, the call, and what is written down of the outcome."""

import hashlib
import time
from dataclasses import replace
from typing import Any, NamedTuple

from wamcp import log
from wamcp.db import pace, sends
from wamcp.db.media import forget_uploaded
from wamcp.db.pace import PAIR, Stop
from wamcp.db.sends import Failure, SendRow
from wamcp.db.session import Pool
from wamcp.db.windows import OurNumber, our_numbers
from wamcp.errors import NotStored, StoreUnavailable
from wamcp.metrics import sends_handed_over
from wamcp.sending.means import Means
from wamcp.sending.outcome import Accepted, Refusal, read_reply
from wamcp.sending.raw import raw_event
from wamcp.sending.uploads import ensure_uploaded
from wamcp.vocabulary import BELL, RecipientKind, SendState, send_ref
from wamcp.whatsapp.graph import Graph
from wamcp.whatsapp.graph_errors import After

PROBE_S = 60.0
LONGEST_UPLOAD_S = 150.0
FILE_AGAIN_S = 30.0
"""After trouble with a file that is no trouble of the number's: it alone waits, others go on."""
_MEDIA_CODES = {100, 131008, 131009, 131052, 131053}
"""By these Meta may mean that it does not have the file any more."""
NO_TOKEN = Stop(None, "there is no access token: set WHATSAPP_ACCESS_TOKEN")

_log = log.get(__name__)


class _Turns(NamedTuple):
    """``far`` is the clock whose turn is ``wait_s`` away, None when all are ours; ``refusals`` is told of each."""

    far: str | None
    wait_s: float
    refusals: dict[str, int]


def hand_over(means: Means, send: SendRow, patience_s: float, *, asked_now: bool) -> bool:
    """Takes a queued send that is leased to us as far as it goes; the row says afterwards how far that was.

    It waits at most ``patience_s`` for its turn; when that is further away the send is queued again. Meta is called
    between two commits: what happens between them can be told from the row, whatever happens to this process.
    While the access token is refused, whoever has ``asked_now`` is told so at once; what waits goes on waiting.
    False when nothing else can go from this number now.
    """
    stop = _stop(means)
    if stop is not None or means.graph is None:
        _hold_back(means, send, stop or NO_TOKEN, asked_now)
        return False
    body, trouble = _with_file(means, means.graph, send)
    if trouble is not None:
        _note_refusal(means, send, trouble, asked_now)
        return True
    turns = _take_turns(means, send, patience_s)
    if turns.far is not None:
        with means.pool.connection() as connection:
            sends.put_back(connection, send, turns.wait_s)
        return turns.far != ""
    time.sleep(turns.wait_s)
    with means.pool.connection() as connection:
        if not sends.begin(connection, send, body):
            return True
    _call(means, means.graph, replace(send, attempts=send.attempts + 1, body=body), turns, asked_now)
    return True


def _call(means: Means, graph: Graph, send: SendRow, turns: _Turns, asked_now: bool) -> None:
    """The call, and what is written down of its outcome; ``send`` is as :func:`sends.begin` left it."""
    body = send.body
    call = {**body, "biz_opaque_callback_data": send.callback}
    outcome = read_reply(graph.post(f"{send.phone_number_id}/messages", call))
    if isinstance(outcome, Accepted):
        _note_accepted(means, send, outcome)
        return
    _note_refusal(means, send, outcome, asked_now, turns)
    if send.media_row_id is not None and outcome.failure.code in _MEDIA_CODES:
        with means.pool.connection() as connection:
            forget_uploaded(connection, send.media_row_id, str(body[send.type].get("id")))


def keep_sent(pool: Pool, send_id: int, accepted: Accepted, waba_id: str | None) -> bool:
    """Writes down that Meta took the send, and the raw event from which its message is read; False if it was known."""
    with pool.connection() as connection, connection.transaction():
        sent = sends.settle(connection, send_id, SendState.SENT, wamid=accepted.wamid)
        if sent is None:
            return False
        number = _number(our_numbers(connection), sent.phone_number_id, waba_id)
        body = raw_event(sent, number, wa_id=accepted.wa_id, user_id=accepted.user_id)
        sends.keep_raw(connection, hashlib.sha256(body).digest(), body, BELL)
    sends_handed_over.labels(sent.type, SendState.SENT.value).inc()
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
        return send.body, Refusal(After.LATER, Failure(None, None, str(trouble)), None)
    if isinstance(found, str):
        part = {**send.body.get(send.type, {}), "id": found}
        return {**send.body, send.type: part}, None
    refusal = read_reply(found)
    if isinstance(refusal, Accepted) or refusal.after == After.UNKNOWN:
        return send.body, Refusal(After.LATER, Failure(None, None, "the file could not be brought to Meta"), None)
    return send.body, refusal


def _take_turns(means: Means, send: SendRow, patience_s: float) -> _Turns:
    """The turn of the pair and that of the number; both or none."""
    with means.pool.connection() as connection, connection.transaction() as whole:
        waits, refusals = [0.0], {}
        clocks = [("", means.pace)]
        if send.recipient_kind != RecipientKind.GROUP:
            clocks.insert(0, (send.recipient, PAIR))
        for recipient, rate in clocks:
            turn = pace.take_turn(connection, send.phone_number_id, recipient, rate, patience_s)
            if not turn.is_taken:
                whole.force_rollback = True
                return _Turns(recipient, turn.wait_s, {})
            waits.append(turn.wait_s)
            refusals[recipient] = turn.refusals
        return _Turns(None, max(waits), refusals)


def _note_accepted(means: Means, send: SendRow, accepted: Accepted) -> None:
    keep_sent(means.pool, send.id, accepted, means.settings.waba_id)
    with means.pool.connection() as connection:
        pace.forget_refusals(connection, send.phone_number_id, send.recipient)
        pace.resume(connection, means.token_digest)
    _log.info("send_accepted", send=send_ref(send.id), type=send.type)


def _note_refusal(means: Means, send: SendRow, refusal: Refusal, asked_now: bool, turns: _Turns | None = None) -> None:
    """Holds still what has to, and ends the send or queues it again."""
    after, failure, wait = refusal.after, refusal.failure, FILE_AGAIN_S
    recipient, rate = (send.recipient, PAIR) if after == After.PAIR else ("", means.pace)
    with means.pool.connection() as connection, connection.transaction():
        if refusal.wait is not None:
            seen = turns.refusals.get(recipient) if turns is not None else None
            wait = pace.hold(connection, send.phone_number_id, recipient, rate, refusal.wait, seen)
        if after == After.REPLACE:
            pace.stop(connection, means.token_digest, Stop(failure.code, failure.reason), PROBE_S)
            wait = PROBE_S
        elif failure.code is not None and after != After.UNKNOWN:
            pace.resume(connection, means.token_digest)  # Meta refused something else: it takes the token
        again = after in (After.LATER, After.PAIR) or (after == After.REPLACE and not asked_now)
        result = "again"
        if not (again and sends.put_back(connection, send, wait, failure)):
            # What was given up meanwhile is not queued again: somebody may have sent it once more by hand.
            state = SendState.UNKNOWN if after == After.UNKNOWN else SendState.FAILED
            sends.settle(connection, send.id, state, failure, attempts=send.attempts)
            result = state.value
    sends_handed_over.labels(send.type, result).inc()
    _log.warning("send_refused", send=send_ref(send.id), after=after.value, code=failure.code, wait_s=round(wait, 1))


def _stop(means: Means) -> Stop | None:
    with means.pool.connection() as connection:
        return pace.stopped(connection, means.token_digest, PROBE_S)


def _hold_back(means: Means, send: SendRow, stop: Stop, asked_now: bool) -> None:
    failure = Failure(stop.code, None, stop.reason)
    with means.pool.connection() as connection:
        if asked_now:
            sends.settle(connection, send.id, SendState.FAILED, failure, attempts=send.attempts)
        else:
            sends.put_back(connection, send, PROBE_S, failure)


def _number(known: list[OurNumber], phone_number_id: str, waba_id: str | None) -> OurNumber:
    """Our number; before its first webhook with the account that is configured."""
    unknown = OurNumber(phone_number_id, None, None, waba_id, None)
    return next((number for number in known if number.phone_number_id == phone_number_id), unknown)

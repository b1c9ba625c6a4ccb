"""What Meta's reply says about a send: whether it is gone, may be tried again, or nobody knows."""

from typing import Any, NamedTuple

from wamcp.db.pace import Backoff
from wamcp.db.sends import Failure
from wamcp.whatsapp.graph import Reached, Reply
from wamcp.whatsapp.graph_errors import NO_CODE, After, meaning_of


class Accepted(NamedTuple):
    """Meta took the message: its wamid, and the recipient's identifiers as far as Meta tells them."""

    wamid: str
    wa_id: str | None
    user_id: str | None


class Refusal(NamedTuple):
    """Meta did not take it, or may not have. ``wait`` is how long the number, or the pair, has to hold still."""

    after: After
    failure: Failure
    wait: Backoff | None


UNREACHABLE = Backoff(1, 2, 60)
_TOO_FAST = Backoff(1, 2, 60)
_PAIR = Backoff(4, 4, 3600)
_CALLS = Backoff(60, 2, 3600)
_MAINTENANCE = Backoff(15, 1.5, 120)
_ASKED_TO_WAIT = Backoff(2, 2, 300)
_TROUBLE = Backoff(1, 2, 60)
"""While Meta is in trouble each further message would end as unknown: better to wait with it."""

_WAITS = {130429: _TOO_FAST, 4: _CALLS, 80007: _CALLS, 131057: _MAINTENANCE, 2494100: _MAINTENANCE}
_LONGEST_ASKED_S = 3600.0


def read_reply(reply: Reply) -> Accepted | Refusal:
    """What became of a message, told by Meta's answer to ``POST /messages``."""
    if reply.reached == Reached.NOT_SENT:
        return Refusal(After.LATER, Failure(None, None, f"Meta could not be reached ({reply.reason})"), UNREACHABLE)
    if reply.reached == Reached.UNANSWERED:
        failure = Failure(None, None, f"Meta's answer did not come ({reply.reason}): the message may have been sent")
        return Refusal(After.UNKNOWN, failure, _TROUBLE)
    if reply.error is None and reply.status == 200:
        accepted = _accepted(reply.data or {})
        if accepted is not None:
            return accepted
        failure = Failure(None, None, "the answer is none of Meta's: the message may have been sent")
        return Refusal(After.UNKNOWN, failure, _TROUBLE)
    return _refused(reply)


def _refused(reply: Reply) -> Refusal:
    error = reply.error
    code = NO_CODE if error is None else error.code
    meaning = meaning_of(code, status=reply.status, is_transient=error is not None and error.is_transient)
    failure = Failure(
        None if code == NO_CODE else code,
        {"status": reply.status} if error is None else {"status": reply.status, **error._asdict()},
        meaning.words,
    )
    return Refusal(meaning.after, failure, _wait(meaning.after, code, reply.retry_after_s))


def _wait(after: After, code: int, asked_s: float | None) -> Backoff | None:
    asked = min(asked_s or 0.0, _LONGEST_ASKED_S)
    if after == After.PAIR:
        return _PAIR._replace(least_s=asked)
    if after == After.LATER:
        return _WAITS.get(code, _ASKED_TO_WAIT)._replace(least_s=asked)
    return _TROUBLE if after == After.UNKNOWN else None


def _accepted(data: dict[str, Any]) -> Accepted | None:
    messages, contacts = data.get("messages"), data.get("contacts")
    first = messages[0] if isinstance(messages, list) and messages else None
    wamid = first.get("id") if isinstance(first, dict) else None
    if not isinstance(wamid, str) or not wamid:
        return None
    contact = contacts[0] if isinstance(contacts, list) and contacts else None
    wa_id = contact.get("wa_id") if isinstance(contact, dict) else None
    user_id = contact.get("user_id") if isinstance(contact, dict) else None
    user_id = user_id if isinstance(user_id, str) and user_id else None
    # Seen in production: the digits of a BSUID given as if they were a phone number.
    if not isinstance(wa_id, str) or not wa_id.isdecimal() or (user_id and user_id.rpartition(".")[2] == wa_id):
        wa_id = None
    return Accepted(wamid, wa_id, user_id)

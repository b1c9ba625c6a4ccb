"""The debug echo, the only automatic answer: `Received: ...` to the few people on a list, off by default."""

import psycopg

from wamcp import log
from wamcp.db import echoes, sends
from wamcp.db.echoes import Heard
from wamcp.errors import WamcpError
from wamcp.safety import EchoList, echo_list
from wamcp.sending.desk import take
from wamcp.sending.means import Means
from wamcp.sending.wanted import Recipient, Wanted
from wamcp.settings import Settings
from wamcp.vocabulary import EchoOutcome, RecipientKind, SendOrigin
from wamcp.whatsapp.spellings import spellings

ANSWER = "Received: "
LONGEST = 4096
BATCH = 50

_log = log.get(__name__)


def is_on(settings: Settings) -> bool:
    """Whether anybody may be echoed at all."""
    people = echo_list(settings) if settings.debug_echo_mode and settings.env != "production" else None
    return people is not None and bool(people.phones or people.bsuids)


def anybody_waits(means: Means) -> bool:
    """Whether there is a message to decide about."""
    with means.pool.connection() as connection:
        return bool(echoes.undecided(connection, *_listed(echo_list(means.settings)), 1))


def echo(means: Means) -> int:
    """Decides about every fresh message from the people on the list; returns how many answers it queued."""
    if not is_on(means.settings):
        return 0
    with means.pool.connection() as connection:
        found = echoes.undecided(connection, *_listed(echo_list(means.settings)), BATCH)
    return sum(_decide_alone(means, heard) == EchoOutcome.ANSWERED for heard in found)


def _decide_alone(means: Means, heard: Heard) -> EchoOutcome | None:
    """The decision, None when there was none; trouble with one message holds up no other, and it is tried again."""
    try:
        outcome = _decide(means, heard)
    except (WamcpError, psycopg.Error) as trouble:
        _log.warning("echo_not_decided", reason=type(trouble).__name__)
        return None
    if outcome is not None:
        _log.info("echo_decided", outcome=outcome.value)
    return outcome


def _decide(means: Means, heard: Heard) -> EchoOutcome | None:
    """One decision, in one transaction; None when somebody else was faster.

    The answer is written down under a key of its own before the decision is: a crash in between repeats neither.
    """
    with means.pool.connection() as connection, connection.transaction():
        echoes.lock_person(connection, heard.participant_id)
        if echoes.is_decided(connection, heard.number_id, heard.wamid):
            return None
        written = sends.by_key(connection, _key(heard))
        if written is not None:  # by somebody who was killed before he could say so
            echoes.decide(connection, heard, EchoOutcome.ANSWERED.value, written.id)
            return EchoOutcome.ANSWERED
        outcome, send_id = _refusal(means.settings, heard), None
        seconds = means.settings.debug_echo_rate_limit_seconds
        if outcome is None and echoes.answered_within(
            connection, heard.participant_id, seconds, EchoOutcome.ANSWERED.value
        ):
            outcome = EchoOutcome.TOO_SOON
        if outcome is None:
            outcome = EchoOutcome.ANSWERED
            send_id = take(means, _answer(heard), inline=False).send.id
        echoes.decide(connection, heard, outcome.value, send_id)
        return outcome


def _refusal(settings: Settings, heard: Heard) -> EchoOutcome | None:
    """Why a message is not answered whoever wrote it."""
    if heard.is_ours or heard.text.startswith(ANSWER):
        return EchoOutcome.OURS
    if heard.is_standby:
        return EchoOutcome.STANDBY
    if heard.group_id is not None and not settings.debug_echo_group_fallback:
        return EchoOutcome.GROUP
    return None


def _answer(heard: Heard) -> Wanted:
    body = {"type": "text", "text": {"body": (ANSWER + heard.text)[:LONGEST], "preview_url": False}}
    recipient = _recipient(heard)
    return Wanted(
        recipient=recipient,
        type="text",
        body={"messaging_product": "whatsapp", **_address(recipient), **body},
        sender=heard.phone_number_id,
        idempotency_key=_key(heard),
        asked_by="debug echo",
        origin=SendOrigin.ECHO,
    )


def _key(heard: Heard) -> str:
    return f"echo {heard.phone_number_id} {heard.wamid}"


def _recipient(heard: Heard) -> Recipient:
    if heard.group_id is not None:
        return Recipient(RecipientKind.GROUP, heard.group_id)
    if heard.wa_id is not None:
        return Recipient(RecipientKind.PHONE, heard.wa_id)
    return Recipient(RecipientKind.BSUID, heard.bsuid or "")


def _address(recipient: Recipient) -> dict[str, str]:
    if recipient.kind == RecipientKind.GROUP:
        return {"recipient_type": "group", "to": recipient.value}
    if recipient.kind == RecipientKind.PHONE:
        return {"recipient_type": "individual", "to": f"+{recipient.value}"}
    return {"recipient_type": "individual", "recipient": recipient.value}


def _listed(people: EchoList) -> tuple[list[str], list[str]]:
    return sorted({each for phone in people.phones for each in spellings(phone)}), sorted(people.bsuids)

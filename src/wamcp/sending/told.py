"""What is told about a send: the row in plain words, with Meta's code explained and what became of the message."""

from datetime import UTC, datetime

import psycopg
from pydantic import BaseModel, Field

from wamcp.db.sends import SendRow
from wamcp.vocabulary import RecipientKind, SendOrigin, SendState, conversation_ref, send_ref
from wamcp.whatsapp.graph_errors import NO_CODE, After, meaning_of

_OUTSIDE = (
    "As far as the archive knows, the recipient has not written for 24 hours: Meta may refuse anything but a template."
)
_BEHIND = "It waits its turn: Meta limits how fast a number, and how fast one person, may be written to."


class SendError(BaseModel):
    """Why a message was not sent (yet): in plain words, what to do, and Meta's own words beside them."""

    code: int | None = Field(None, description="Meta's; none where Meta said nothing.")
    meaning: str
    advice: str
    details: str = Field("", description="Meta's own details: they name the parameter at fault.")
    meta_message: str = ""
    trace: str | None = Field(None, description="Meta's trace id, for its support.")


class SendAnswer(BaseModel):
    """One send as it stands. ``to`` is as it was asked for: digits, a BSUID or a group id.

    ``state`` is what is known of handing it over, ``delivery`` the furthest status that Meta has told since, and
    ``warnings`` what may become a problem.
    """

    send_id: str = Field(description="`s12`.")
    state: SendState
    wamid: str | None = None
    to: str
    recipient_kind: RecipientKind
    type: str
    from_phone_number_id: str
    conversation_id: str | None = Field(None, description="`c12`, once the message is in its conversation.")
    origin: SendOrigin = SendOrigin.API
    asked_by: str = ""
    asked_at: datetime
    called_at: datetime | None = Field(None, description="When Meta was called last.")
    settled_at: datetime | None = None
    window_open_until: datetime | None = Field(
        None, description="24 hours after the recipient's last message, as the archive knew it when this was asked."
    )
    warnings: list[str] = []
    error: SendError | None = None
    attempts: int = 0
    next_attempt_at: datetime | None = None
    delivery: str | None = None
    retry_of: str | None = None
    replayed: bool = Field(default=False, exclude=True)
    """Whether this answers a request that was made before with the same idempotency key."""


def answer_of(row: SendRow, conversation_id: int | None, delivery: str | None) -> SendAnswer:
    """The row as people see it; ``delivery`` is the state of its message."""
    waits = row.state == SendState.QUEUED
    warnings = [_OUTSIDE] if row.outside_window and row.state != SendState.FAILED else []
    if waits and not row.leased and row.reason is None:
        warnings.append(_BEHIND)
    return SendAnswer(
        send_id=send_ref(row.id),
        state=SendState(row.state),
        wamid=row.wamid,
        to=row.recipient,
        recipient_kind=RecipientKind(row.recipient_kind),
        type=row.type,
        from_phone_number_id=row.phone_number_id,
        conversation_id=None if conversation_id is None else conversation_ref(conversation_id),
        origin=SendOrigin(row.origin),
        asked_by=row.asked_by,
        asked_at=row.asked_at.astimezone(UTC),
        called_at=_utc(row.called_at),
        settled_at=_utc(row.settled_at),
        window_open_until=_utc(row.window_open_until),
        warnings=warnings,
        error=_error(row),
        attempts=row.attempts,
        next_attempt_at=_utc(row.next_attempt_at) if waits else None,
        delivery=delivery,
        retry_of=None if row.retry_of is None else send_ref(row.retry_of),
    )


def deliveries(connection: psycopg.Connection, rows: list[SendRow]) -> dict[int, tuple[int | None, str | None]]:
    """For each send that has a wamid, the conversation of its message and the furthest status, where known."""
    found = connection.execute(
        "SELECT s.id, m.conversation_id, t.status FROM sends s JOIN numbers n ON n.phone_number_id = s.phone_number_id"
        " LEFT JOIN messages m ON m.number_id = n.id AND m.wamid = s.wamid"
        " LEFT JOIN message_state t ON t.number_id = n.id AND t.wamid = s.wamid"
        " WHERE s.id = ANY(%s::bigint[]) AND s.wamid IS NOT NULL",
        [[row.id for row in rows]],
    ).fetchall()
    return {send_id: (conversation, status) for send_id, conversation, status in found}


def _error(row: SendRow) -> SendError | None:
    if row.reason is None:
        return None
    answer = row.error or {}
    meaning = meaning_of(
        NO_CODE if row.error_code is None else row.error_code,
        status=int(answer.get("status") or 400),
        is_transient=answer.get("is_transient") is True,
    )
    has_code = row.error_code is not None or "status" in answer
    gave_up = row.state == SendState.FAILED and meaning.after in (After.LATER, After.PAIR)
    return SendError(
        code=row.error_code,
        meaning=row.reason,
        advice=meaning.advice if has_code and not gave_up else _advice(row),
        details=answer.get("details") or "",
        meta_message=answer.get("message") or "",
        trace=answer.get("trace"),
    )


def _advice(row: SendRow) -> str:
    if row.state == SendState.UNKNOWN:
        return "wait: a status from Meta settles it; only then, or when you are sure, send it again by hand"
    if row.state == SendState.FAILED:
        return f"nothing was sent: mend the cause, then POST /admin/sends/{send_ref(row.id)}/retry"
    return "nothing: it is tried again by itself"


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)

"""What the asker is told about a send, at once and whenever he asks again."""

from datetime import datetime

from pydantic import BaseModel, Field

from wamcp.vocabulary import RecipientKind, SendState


class SendError(BaseModel):
    """Why a message was not sent: in plain words, what to do, and Meta's own words beside them."""

    code: int | None = None
    meaning: str
    advice: str
    details: str = ""
    meta_message: str = ""
    trace: str | None = None


class SendAnswer(BaseModel):
    """One send as it stands. ``to`` is as it was asked for: digits, a BSUID or a group id.

    ``delivery`` is the furthest status that Meta has told, ``warnings`` what may become a problem.
    """

    send_id: str = Field(description="`s12`.")
    state: SendState
    wamid: str | None = None
    to: str
    recipient_kind: RecipientKind
    type: str
    from_phone_number_id: str
    conversation_id: str | None = Field(None, description="`c12`, once there is a conversation.")
    asked_at: datetime
    window_open_until: datetime | None = None
    warnings: list[str] = []
    error: SendError | None = None
    attempts: int = 0
    next_attempt_at: datetime | None = None
    delivery: str | None = None
    retry_of: str | None = None
    replayed: bool = Field(default=False, exclude=True)
    """Whether this answers a request that was made before with the same idempotency key."""

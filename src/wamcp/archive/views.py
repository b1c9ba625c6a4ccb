"""The shapes of the archive's answers, the same for the admin API and for Claude. Times are UTC."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NumberView:
    """One of our business numbers."""

    phone_number_id: str
    display_phone_number: str | None


@dataclass(frozen=True, slots=True)
class ParticipantView:
    """Somebody who writes to us. ``wa_id`` (usually the phone number's digits) is None when Meta does not tell it."""

    id: int
    name: str | None
    username: str | None
    wa_id: str | None
    bsuid: str | None


@dataclass(frozen=True, slots=True)
class ConversationView:
    """One thread. ``unanswered``: the last word is the customer's. ``reply_window_open_until``: Meta's 24 hours."""

    id: int
    number: NumberView
    participant: ParticipantView | None
    group_id: str | None
    message_count: int
    last_message_at: datetime | None
    last_inbound_at: datetime | None
    last_outbound_at: datetime | None
    unanswered: bool
    reply_window_open_until: datetime | None


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message. ``sender`` is None when we wrote it; ``status`` is the furthest delivery state, if any is known.

    ``wamid`` and ``reply_to`` are None for who may not see phone numbers: Meta writes the customer's into them.
    """

    id: int
    wamid: str | None
    conversation_id: int
    phone_number_id: str
    direction: str
    source: str
    type: str
    sent_at: datetime
    sender: ParticipantView | None
    text: str
    reply_to: str | None
    reply_to_id: int | None
    status: str | None


@dataclass(frozen=True, slots=True)
class StatusView:
    """What the archive holds for this grant, and what is not yet understood."""

    messages: int
    conversations: int
    oldest: datetime | None
    newest: datetime | None
    numbers: list[NumberView]
    events_pending: int
    parked: int


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows of an answer; ``next_cursor`` is None on the last page."""

    items: list[T]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Search results, newest first. ``covered`` says in a sentence what was searched when words found nothing."""

    items: list[MessageView]
    next_cursor: str | None
    matched_by: str
    covered: str | None = field(default=None)

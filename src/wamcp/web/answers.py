"""The archive's answers as the admin API's JSON: short ids, times in UTC."""

from datetime import datetime

from pydantic import BaseModel

from wamcp.archive.views import ConversationView, MessageView, NumberView, Page, ParticipantView, SearchPage
from wamcp.vocabulary import conversation_ref, message_ref, participant_ref


class Number(BaseModel):
    """One of our business numbers."""

    phone_number_id: str
    display_phone_number: str | None


class Contact(BaseModel):
    """Somebody who writes to us; ``wa_id`` is usually the phone number's digits."""

    id: str
    name: str | None
    username: str | None
    wa_id: str | None
    bsuid: str | None


class Conversation(BaseModel):
    """One thread."""

    id: str
    number: Number
    contact: Contact | None
    group_id: str | None
    message_count: int
    last_message_at: datetime | None
    last_inbound_at: datetime | None
    last_outbound_at: datetime | None
    unanswered: bool
    reply_window_open_until: datetime | None


class Message(BaseModel):
    """One message; ``sender`` is null when we wrote it, Meta's ids where phone numbers may not be seen."""

    id: str
    conversation_id: str
    wamid: str | None
    phone_number_id: str
    direction: str
    source: str
    type: str
    sent_at: datetime
    sender: Contact | None
    text: str
    reply_to: str | None
    reply_to_id: str | None
    status: str | None


class Conversations(BaseModel):
    """One page of conversations."""

    conversations: list[Conversation]
    next_cursor: str | None


class Messages(BaseModel):
    """One page of a conversation."""

    messages: list[Message]
    next_cursor: str | None


class SearchResults(BaseModel):
    """One page of search results, newest first; ``matched_by`` is words or substring."""

    messages: list[Message]
    next_cursor: str | None
    matched_by: str
    covered: str | None


class Problem(BaseModel):
    """What went wrong, and in a sentence what to do about it."""

    error: str
    detail: str


def conversations(page: Page[ConversationView]) -> Conversations:
    """A page of the list as JSON."""
    return Conversations(conversations=[_conversation(item) for item in page.items], next_cursor=page.next_cursor)


def messages(page: Page[MessageView]) -> Messages:
    """A page of a conversation as JSON."""
    return Messages(messages=[_message(item) for item in page.items], next_cursor=page.next_cursor)


def results(page: SearchPage) -> SearchResults:
    """A page of search results as JSON."""
    return SearchResults(
        messages=[_message(item) for item in page.items],
        next_cursor=page.next_cursor,
        matched_by=page.matched_by,
        covered=page.covered,
    )


def _conversation(view: ConversationView) -> Conversation:
    return Conversation(
        id=conversation_ref(view.id),
        number=_number(view.number),
        contact=_contact(view.participant),
        group_id=view.group_id,
        message_count=view.message_count,
        last_message_at=view.last_message_at,
        last_inbound_at=view.last_inbound_at,
        last_outbound_at=view.last_outbound_at,
        unanswered=view.unanswered,
        reply_window_open_until=view.reply_window_open_until,
    )


def _message(view: MessageView) -> Message:
    return Message(
        id=message_ref(view.id),
        conversation_id=conversation_ref(view.conversation_id),
        wamid=view.wamid,
        phone_number_id=view.phone_number_id,
        direction=view.direction,
        source=view.source,
        type=view.type,
        sent_at=view.sent_at,
        sender=_contact(view.sender),
        text=view.text,
        reply_to=view.reply_to,
        reply_to_id=message_ref(view.reply_to_id) if view.reply_to_id is not None else None,
        status=view.status,
    )


def _number(view: NumberView) -> Number:
    return Number(phone_number_id=view.phone_number_id, display_phone_number=view.display_phone_number)


def _contact(view: ParticipantView | None) -> Contact | None:
    if view is None:
        return None
    return Contact(
        id=participant_ref(view.id), name=view.name, username=view.username, wa_id=view.wa_id, bsuid=view.bsuid
    )

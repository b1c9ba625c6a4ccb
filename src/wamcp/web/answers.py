"""The archive's answers as the admin API's JSON: short ids, times in UTC."""

from datetime import datetime

from pydantic import BaseModel, Field

from wamcp.archive.views import (
    ConversationView,
    MessageView,
    NumberView,
    Page,
    ParticipantView,
    ReactionView,
    SearchPage,
)
from wamcp.vocabulary import conversation_ref, document_ref, message_ref, participant_ref


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


class Group(BaseModel):
    """A group; ``subject`` is the newest that Meta told."""

    id: str
    subject: str | None


class Conversation(BaseModel):
    """One thread."""

    id: str
    number: Number
    contact: Contact | None
    group_id: str | None
    group: Group | None
    message_count: int
    last_message_at: datetime | None
    last_inbound_at: datetime | None
    last_outbound_at: datetime | None
    unanswered: bool
    reply_window_open_until: datetime | None


class Reaction(BaseModel):
    """A reaction that stands; ``by`` is a participant's id, or us."""

    emoji: str
    by: str | None


class Message(BaseModel):
    """One message; ``sender`` is null when we wrote it, Meta's ids where phone numbers may not be seen.

    ``text`` is that of the last edit when it was ``edited``; ``refers_to`` is what a reaction, an edit or a revocation
    is about.
    """

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
    refers_to: str | None
    refers_to_id: str | None
    forwarded: bool
    edited: bool
    revoked_at: datetime | None
    reactions: list[Reaction]
    status: str | None


class DocumentFound(BaseModel):
    """A document that matches: the first ten ``pages`` with a match of ``page_count``, and the text around the first.

    ``confidence`` (0 to 1) is that of a machine that read a picture or heard a voice, null for text that is certain.
    """

    id: str
    file_name: str | None
    mime_type: str | None
    pages: list[int]
    page_count: int
    snippet: str
    confidence: float | None


class MessageFound(Message):
    """A message that matches; with ``document`` it is a file of the message in which the match is."""

    document: DocumentFound | None


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

    messages: list[MessageFound]
    next_cursor: str | None
    matched_by: str
    covered: str | None


class Problem(BaseModel):
    """What went wrong, and in a sentence what to do about it."""

    error: str
    detail: str
    request_id: str | None = Field(default=None, description="As in the header X-Request-Id and in the log.")


def conversations(page: Page[ConversationView]) -> Conversations:
    """A page of the list as JSON."""
    return Conversations(conversations=[conversation(item) for item in page.items], next_cursor=page.next_cursor)


def messages(page: Page[MessageView]) -> Messages:
    """A page of a conversation as JSON."""
    return Messages(messages=[_message(item) for item in page.items], next_cursor=page.next_cursor)


def results(page: SearchPage) -> SearchResults:
    """A page of search results as JSON."""
    return SearchResults(
        messages=[_found(item) for item in page.items],
        next_cursor=page.next_cursor,
        matched_by=page.matched_by,
        covered=page.covered,
    )


def reacted(view: ReactionView) -> str | None:
    """Whose reaction it is: us, a participant's id, or null when Meta named nobody."""
    if view.ours:
        return "us"
    return participant_ref(view.by.id) if view.by is not None else None


def conversation(view: ConversationView) -> Conversation:
    """A thread as JSON."""
    return Conversation(
        id=conversation_ref(view.id),
        number=_number(view.number),
        contact=contact(view.participant),
        group_id=view.group_id,
        group=Group(id=view.group_id, subject=view.group_subject) if view.group_id is not None else None,
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
        sender=contact(view.sender),
        text=view.text,
        reply_to=view.reply_to,
        reply_to_id=message_ref(view.reply_to_id) if view.reply_to_id is not None else None,
        refers_to=view.refers_to,
        refers_to_id=message_ref(view.refers_to_id) if view.refers_to_id is not None else None,
        forwarded=view.forwarded,
        edited=view.edited,
        revoked_at=view.revoked_at,
        reactions=[Reaction(emoji=each.emoji, by=reacted(each)) for each in view.reactions],
        status=view.status,
    )


def _found(view: MessageView) -> MessageFound:
    hit = view.document
    document = hit and DocumentFound(
        id=document_ref(hit.id),
        file_name=hit.file_name,
        mime_type=hit.mime_type,
        pages=list(hit.pages),
        page_count=hit.page_count,
        snippet=hit.snippet,
        confidence=hit.confidence,
    )
    return MessageFound(**dict(_message(view)), document=document)


def _number(view: NumberView) -> Number:
    return Number(phone_number_id=view.phone_number_id, display_phone_number=view.display_phone_number)


def contact(view: ParticipantView | None) -> Contact | None:
    """Somebody as JSON."""
    if view is None:
        return None
    return Contact(
        id=participant_ref(view.id), name=view.name, username=view.username, wa_id=view.wa_id, bsuid=view.bsuid
    )

"""The shapes of the archive's answers, the same for the admin API and for Claude. Times are UTC."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Generic, TypeVar

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
    """One thread. ``unanswered``: the last word is the customer's. ``reply_window_open_until``: Meta's 24 hours.

    ``group_subject`` is the newest subject that Meta told of the group.
    """

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
    group_subject: str | None = None


@dataclass(frozen=True, slots=True)
class ReactionView:
    """Somebody's reaction to a message as it stands; ``by`` is None for us, and when nobody was named.

    ``ours``: the business reacted. ``wamid`` is that of the reaction, None for who may not see phone numbers.
    """

    emoji: str
    by: ParticipantView | None
    ours: bool
    at: datetime
    wamid: str | None


@dataclass(frozen=True, slots=True)
class RevisionView:
    """An edit, with the new text, or a revocation (``type`` edit or revoke). ``wamid`` as in a reaction."""

    id: int
    wamid: str | None
    at: datetime
    type: str
    text: str | None


@dataclass(frozen=True, slots=True)
class DocumentHit:
    """A document in which a search found something: the first ten ``pages`` with a match of ``page_count`` in all.

    ``snippet`` is the text around the match on the first of them; ``confidence`` is None unless a machine read it from
    a picture or heard it (0 to 1).
    """

    id: int
    file_name: str | None
    mime_type: str | None
    pages: tuple[int, ...]
    page_count: int
    snippet: str
    confidence: float | None


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message. ``sender`` is None when we wrote it; ``status`` is the furthest delivery state, if any is known.

    ``text`` is that of the last edit, where ``edited``. ``refers_to`` is what a reaction, an edit or a revocation is
    about. ``wamid``, ``reply_to`` and ``refers_to`` are None for who may not see phone numbers: Meta writes the
    customer's into them; the row ids beside them are of messages that the bearer may see. ``document`` is what a search
    found in a file of the message, None elsewhere.
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
    edited: bool = False
    revoked_at: datetime | None = None
    reactions: tuple[ReactionView, ...] = ()
    refers_to: str | None = None
    refers_to_id: int | None = None
    forwarded: bool = False
    document: DocumentHit | None = None


@dataclass(frozen=True, slots=True)
class AccountEventView:
    """One account event; ``details`` is what Meta wrote, ``number_id`` our number's row id where it is visible.

    ``subject`` is None where it holds a hidden phone number.
    """

    id: int
    field: str
    event: str
    at: datetime
    waba_id: str | None
    number_id: int | None
    phone_number_id: str | None
    display_phone_number: str | None
    group_id: str | None
    participant: ParticipantView | None
    subject_kind: str | None
    subject: str | None
    severity: str
    text: str
    details: Any
    event_id: int


@dataclass(frozen=True, slots=True)
class MembershipView:
    """Somebody in a group: ``left_at`` is None while he is in it."""

    group_id: str
    subject: str | None
    since: datetime
    left_at: datetime | None


@dataclass(frozen=True, slots=True)
class IdentityView:
    """Somebody as one message names him; what it leaves out is what he was called last."""

    participant_id: int
    name: str | None
    username: str | None
    wa_id: str | None
    bsuid: str | None
    parent_bsuid: str | None


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """One status of an outbound message as Meta told it; ``kind`` is empty for how far the message came."""

    status: str
    at: datetime
    recipient: ParticipantView | None
    participant: str
    errors: Any
    pricing: Any
    kind: str
    callback_data: str | None
    extra: Any
    event_id: int


@dataclass(frozen=True, slots=True)
class CarriedFileView:
    """A file that a message carries, and the document that is made of it, for those who may see documents."""

    id: int
    state: str
    document_id: int | None
    document_state: str | None


@dataclass(frozen=True, slots=True)
class DetailView:
    """All that is known of one wamid. ``message`` is None when Meta never told the message itself.

    ``known_from`` says what did: message, statuses, referring (reactions, edits, revocations), account_events.
    ``content`` has the keys of docs/messages.md, ``files`` are what the message carries; ``original_text`` is None
    unless it was edited; ``deliveries`` are in the order of time, ``event_ids`` ascending.
    """

    known_from: list[str]
    wamid: str | None
    number: NumberView | None
    message: MessageView | None
    sender: IdentityView | None
    recipient: IdentityView | None
    group_id: str | None
    original_text: str | None
    content: dict[str, Any]
    reactions: tuple[ReactionView, ...]
    revisions: tuple[RevisionView, ...]
    revoked_at: datetime | None
    status: str | None
    deliveries: list[DeliveryView]
    account_events: list[AccountEventView]
    event_ids: list[int]
    files: tuple[CarriedFileView, ...] = ()

    @property
    def pricing(self) -> Any:
        """What Meta said it costs: of the first status that tells it."""
        return next((each.pricing for each in self.deliveries if each.pricing is not None), None)

    @property
    def errors(self) -> list[Any]:
        """The errors of the message, and then those of its statuses."""
        told = [self.content.get("errors"), *(each.errors for each in self.deliveries)]
        return [error for errors in told if isinstance(errors, list) for error in errors]


@dataclass(frozen=True, slots=True)
class NameView:
    """What somebody was called (``kind`` name, username or book), since when, and on which day last (UTC).

    ``first_seen_at`` is None here and in the next two when it lies before the bearer's window.
    """

    kind: str
    value: str
    first_seen_at: datetime | None
    last_seen_day: date


@dataclass(frozen=True, slots=True)
class AliasView:
    """One of Meta's identifiers of somebody (``kind`` bsuid, parent_bsuid or wa_id), unique within ``scope``."""

    participant_id: int
    scope: str
    kind: str
    value: str
    first_seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class CandidateView:
    """Somebody who may be the same person, and why."""

    participant: ParticipantView
    reason: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class MergeView:
    """People decided that ``into_id`` stands for ``from_id``; in force unless ``undone_at`` is set."""

    from_id: int
    into_id: int
    made_at: datetime
    made_by: str
    undone_at: datetime | None
    undone_by: str | None


@dataclass(frozen=True, slots=True)
class PersonView:
    """A participant in the list; ``merged_into`` stands for him, if anybody does."""

    participant: ParticipantView
    merged_into: int | None


@dataclass(frozen=True, slots=True)
class PersonDetailView:
    """All that is known of a participant. Aliases are also those of the participants for whom he stands."""

    person: PersonView
    names: list[NameView]
    aliases: list[AliasView]
    conversations: list[ConversationView]
    groups: list[MembershipView]
    candidates: list[CandidateView]
    merges: list[MergeView]
    account_events: list[AccountEventView]


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

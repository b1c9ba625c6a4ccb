"""One message with everything that is known of it, as the admin API's JSON."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from wamcp.archive.views import CarriedFileView, DeliveryView, DetailView, IdentityView, ReactionView, RevisionView
from wamcp.vocabulary import conversation_ref, document_ref, media_ref, message_ref, participant_ref
from wamcp.web.answers import Contact, contact
from wamcp.web.answers_account import AccountEvent, account_event

PARTS = (
    *("quoted", "referral", "referred_product", "media", "interactive", "button", "location", "contacts", "order"),
    *(
        "reaction",
        "edit",
        "revoke",
        "system",
        "identity",
        "unsupported",
        "call",
        "template",
        "flow",
        "history",
        "other",
    ),
)


class Identity(BaseModel):
    """Somebody as the message names him; what it leaves out is what he was called last."""

    participant_id: str
    name: str | None
    username: str | None
    wa_id: str | None
    bsuid: str | None
    parent_bsuid: str | None


class StandingReaction(BaseModel):
    """A reaction that stands; ``by`` is somebody, or us."""

    wamid: str | None
    emoji: str
    at: datetime
    by: Contact | Literal["us"] | None


class Revision(BaseModel):
    """An edit, with the new text, or a revocation."""

    id: str
    wamid: str | None
    at: datetime
    type: str
    text: str | None


class Delivery(BaseModel):
    """A status as Meta told it; ``kind`` is empty for how far the message came."""

    status: str
    at: datetime
    recipient: Contact | None
    participant: str
    errors: Any
    pricing: Any
    kind: str
    callback_data: str | None
    extra: Any
    event_id: int


class CarriedFile(BaseModel):
    """A file that the message carries (f12), and the document (d12) that is made of it, where there is one to see."""

    id: str
    state: str
    document_id: str | None
    document_status: str | None


class MessageDetail(BaseModel):
    """Everything known of a wamid. The fields of the message itself are null when only ``known_from`` others told it.

    ``known_from``: message, statuses, referring (reactions, edits, revocations), account_events. Ids of Meta's are null
    where phone numbers may not be seen.
    """

    known_from: list[str]
    id: str | None = None
    wamid: str | None
    phone_number_id: str | None
    conversation_id: str | None = None
    direction: str | None = None
    source: str | None = None
    type: str | None = None
    sent_at: datetime | None = None
    sender: Identity | None
    recipient: Identity | None
    group_id: str | None
    text: str | None = None
    original_text: str | None
    reply_to: str | None = None
    reply_to_id: str | None = None
    refers_to: str | None = None
    refers_to_id: str | None = None
    forwarded: bool | None = None
    frequently_forwarded: bool | None = None
    quoted: Any = None
    referral: Any = None
    referred_product: Any = None
    media: Any = None
    files: list[CarriedFile]
    interactive: Any = None
    button: Any = None
    location: Any = None
    contacts: Any = None
    order: Any = None
    reaction: Any = None
    edit: Any = None
    revoke: Any = None
    system: Any = None
    identity: Any = None
    unsupported: Any = None
    call: Any = None
    template: Any = None
    flow: Any = None
    history: Any = None
    other: Any = None
    reactions: list[StandingReaction]
    revisions: list[Revision]
    revoked_at: datetime | None
    status: str | None
    statuses: list[Delivery]
    pricing: Any
    errors: list[Any]
    account_events: list[AccountEvent]
    event_ids: list[int]


def message_detail(view: DetailView) -> MessageDetail:
    """The whole of a message as JSON."""
    return MessageDetail(
        known_from=view.known_from,
        wamid=view.wamid,
        phone_number_id=view.number.phone_number_id if view.number is not None else None,
        sender=_identity(view.sender),
        recipient=_identity(view.recipient),
        group_id=view.group_id,
        original_text=view.original_text,
        reactions=[_reaction(each) for each in view.reactions],
        revisions=[_revision(each) for each in view.revisions],
        revoked_at=view.revoked_at,
        status=view.status,
        statuses=[_delivery(each) for each in view.deliveries],
        pricing=view.pricing,
        errors=view.errors,
        account_events=[account_event(each) for each in view.account_events],
        event_ids=view.event_ids,
        files=[_file(each) for each in view.files],
        **_message(view),
        **{part: view.content.get(part) for part in PARTS},
    )


def _message(view: DetailView) -> dict[str, Any]:
    """What only the message itself tells; nothing when it never came."""
    message = view.message
    if message is None:
        return {}
    return {
        "id": message_ref(message.id),
        "conversation_id": conversation_ref(message.conversation_id),
        "direction": message.direction,
        "source": message.source,
        "type": message.type,
        "sent_at": message.sent_at,
        "text": message.text,
        "reply_to": message.reply_to,
        "reply_to_id": message_ref(message.reply_to_id) if message.reply_to_id is not None else None,
        "refers_to": message.refers_to,
        "refers_to_id": message_ref(message.refers_to_id) if message.refers_to_id is not None else None,
        "forwarded": message.forwarded,
        "frequently_forwarded": view.content.get("frequently_forwarded") is True,
    }


def _file(view: CarriedFileView) -> CarriedFile:
    document = document_ref(view.document_id) if view.document_id is not None else None
    return CarriedFile(
        id=media_ref(view.id), state=view.state, document_id=document, document_status=view.document_state
    )


def _identity(view: IdentityView | None) -> Identity | None:
    if view is None:
        return None
    return Identity(
        participant_id=participant_ref(view.participant_id),
        name=view.name,
        username=view.username,
        wa_id=view.wa_id,
        bsuid=view.bsuid,
        parent_bsuid=view.parent_bsuid,
    )


def _reaction(view: ReactionView) -> StandingReaction:
    by = "us" if view.ours else contact(view.by)
    return StandingReaction(wamid=view.wamid, emoji=view.emoji, at=view.at, by=by)


def _revision(view: RevisionView) -> Revision:
    return Revision(id=message_ref(view.id), wamid=view.wamid, at=view.at, type=view.type, text=view.text)


def _delivery(view: DeliveryView) -> Delivery:
    return Delivery(
        status=view.status,
        at=view.at,
        recipient=contact(view.recipient),
        participant=view.participant,
        errors=view.errors,
        pricing=view.pricing,
        kind=view.kind,
        callback_data=view.callback_data,
        extra=view.extra,
        event_id=view.event_id,
    )

"""One item of ``statuses[]``: how far a message of ours came, and with whom."""

from typing import Any

import msgspec

from wamcp.vocabulary import ParkedKind
from wamcp.whatsapp.payload import repair
from wamcp.whatsapp.payload.facts import ParkedFact, Person, StatusFact
from wamcp.whatsapp.payload.people import Company, acquainted, identified
from wamcp.whatsapp.payload.scalars import Id, identifier, mapping, unix_seconds

_ABSENT = msgspec.Raw()
_EMPTY = frozenset({b"", b"null", b"[]", b"{}"})


class _Status(msgspec.Struct, gc=False):
    id: Id
    status: Id
    timestamp: str | int
    recipient_id: Id | None = None
    recipient_user_id: Id | None = None
    recipient_parent_user_id: Id | None = None
    parent_recipient_user_id: Id | None = None
    recipient_type: str | None = None
    recipient_participant_id: Id | None = None
    participant_recipient_id: Id | None = None
    recipient_participant_user_id: Id | None = None
    errors: msgspec.Raw = _ABSENT
    pricing: msgspec.Raw = _ABSENT
    conversation: msgspec.Raw = _ABSENT


_decode_status = msgspec.json.Decoder(_Status).decode


def read_status(raw: msgspec.Raw, number: str, company: Company, path: str) -> StatusFact | ParkedFact:
    """The status written in ``raw`` about a message of our ``number``. Never raises.

    Parked when it has no wamid, status or time; status values that Meta has added since are kept as they are.
    """
    try:
        status = _decode_status(raw)
    except repair.UNREADABLE:
        status = None
    if status is None:
        try:
            status = _status_from(repair.decode(raw))
        except repair.UNREADABLE as error:
            return ParkedFact(path, ParkedKind.MALFORMED.value, f"not readable as JSON: {error}"[:200], bytes(raw))
    at = unix_seconds(status.timestamp)
    if at is None or not status.id or not status.status:
        return ParkedFact(path, ParkedKind.MALFORMED.value, _what_is_missing(status), bytes(raw))
    if status.recipient_type == "group":
        recipient, participant = None, _member(status)
    else:
        recipient, participant = acquainted(*_recipient(status), company), ""
    return StatusFact(
        path,
        number,
        status.id,
        status.status,
        participant,
        at,
        recipient,
        None if status.errors is _ABSENT else _kept(status.errors),
        _pricing(status),
    )


def recipient_of(item: dict[str, Any]) -> Person | None:
    """Whom a status names as the recipient, before the contacts are asked; nobody for a group."""
    status = _status_from(item)
    return None if status.recipient_type == "group" else identified(*_recipient(status))


def _status_from(item: object) -> _Status:
    """A status whose types are not the documented ones, as far as it can be used."""
    known = mapping(item)
    words = {key: identifier(known.get(key)) for key in _WORDS}
    parts = {key: msgspec.Raw(msgspec.json.encode(known[key])) for key in _PARTS if known.get(key)}
    timestamp = unix_seconds(known.get("timestamp")) or ""
    return msgspec.convert(
        {**words, "id": words["id"] or "", "status": words["status"] or "", "timestamp": timestamp}, _Status
    ).__replace__(**parts)


def _recipient(status: _Status) -> tuple[str | None, str | None, str | None]:
    """Phone number, BSUID and parent BSUID; the last was spelled in another way before 2026-05-05."""
    parent = status.recipient_parent_user_id or status.parent_recipient_user_id
    return status.recipient_id, status.recipient_user_id, parent


def _member(status: _Status) -> str:
    """The member of a group whom the status is about; Meta's pages spell the key in two ways."""
    return (
        status.recipient_participant_id or status.participant_recipient_id or status.recipient_participant_user_id or ""
    )


def _pricing(status: _Status) -> bytes | None:
    """The price, which samples of group statuses nest in ``conversation``."""
    if status.pricing is not _ABSENT:
        return _kept(status.pricing)
    if status.conversation is _ABSENT or b'"pricing"' not in bytes(status.conversation):
        return None
    pricing = mapping(repair.decode(status.conversation)).get("pricing")
    return msgspec.json.encode(pricing) if pricing else None


def _kept(raw: msgspec.Raw) -> bytes | None:
    data = bytes(raw)
    return None if data in _EMPTY else data


def _what_is_missing(status: _Status) -> str:
    if not status.id:
        return "a status without id"
    if not status.status:
        return "a status that says nothing"
    return "a status whose timestamp is missing or cannot be read"


_PARTS = ("errors", "pricing", "conversation")
_WORDS = tuple(name for name in _Status.__struct_fields__ if name not in (*_PARTS, "timestamp"))

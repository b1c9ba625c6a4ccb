"""One item of ``statuses[]``: how far a message of ours came, and with whom."""

from typing import Any

import msgspec

from wamcp.vocabulary import DeliveryStatus, ParkedKind, UnknownKind
from wamcp.whatsapp.payload import repair
from wamcp.whatsapp.payload.facts import Facts, ParkedFact, Person, StatusFact
from wamcp.whatsapp.payload.people import Company, acquainted, identified
from wamcp.whatsapp.payload.scalars import Id, identifier, mapping, string, unix_seconds
from wamcp.whatsapp.payload.unknown import ERROR, Shape, note, note_unknown_keys

_ABSENT = msgspec.Raw()


class _Status(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A status of which our columns hold everything but the priced conversation; others take the general way."""

    id: Id
    status: Id
    timestamp: str | int
    recipient_id: Id | None = None
    recipient_user_id: Id | None = None
    recipient_parent_user_id: Id | None = None
    parent_recipient_user_id: Id | None = None
    biz_opaque_callback_data: str | None = None
    errors: msgspec.Raw = _ABSENT
    pricing: msgspec.Raw = _ABSENT
    conversation: msgspec.Raw = _ABSENT


_decode_status = msgspec.json.Decoder(_Status).decode


def read_status(raw: msgspec.Raw, number: str, company: Company, path: str, facts: Facts) -> None:
    """Adds to ``facts`` the status written in ``raw`` about a message of our ``number``. Never raises.

    Parked when it has no wamid, status or time; status values that Meta has added since are kept as they are.
    """
    try:
        status = _decode_status(raw)
    except repair.UNREADABLE:
        _read_raw(raw, number, company, path, facts)
        return
    at = unix_seconds(status.timestamp)
    if at is None or not status.id or status.status not in _KNOWN:
        _read_raw(raw, number, company, path, facts)
        return
    conversation = _kept(status.conversation)
    if conversation is not None and b'"pricing"' in conversation:
        _read_raw(raw, number, company, path, facts)
        return
    parent = status.recipient_parent_user_id or status.parent_recipient_user_id
    facts.statuses.append(
        StatusFact(
            path,
            number,
            status.id,
            status.status,
            "",
            at,
            acquainted(status.recipient_id, status.recipient_user_id, parent, company),
            _kept(status.errors),
            _kept(status.pricing),
            "",
            status.biz_opaque_callback_data or None,
            None if conversation is None else b'{"conversation":' + conversation + b"}",
        )
    )


def recipient_of(item: dict[str, Any]) -> Person | None:
    """Whom a status names as the recipient, before the contacts are asked; in a group the member."""
    return identified(*(_member_ids(item) if _is_of_group(item) else _recipient_ids(item)))


def _read_raw(raw: msgspec.Raw, number: str, company: Company, path: str, facts: Facts) -> None:
    fragment = bytes(raw)
    try:
        item = repair.decode(fragment)
    except repair.UNREADABLE as error:
        reason = f"not readable as JSON: {error}"[:200]
        facts.parked.append(ParkedFact(path, ParkedKind.MALFORMED.value, reason, fragment))
        return
    item = mapping(item)
    wamid, word, at = identifier(item.get("id")), identifier(item.get("status")), unix_seconds(item.get("timestamp"))
    if wamid is None or word is None or at is None:
        reason = _what_is_missing(wamid, word)
        facts.parked.append(ParkedFact(path, ParkedKind.MALFORMED.value, reason, fragment))
        return
    kind = string(item.get("type")) or ""
    of_group = _is_of_group(item)
    ids = _member_ids(item) if of_group else _recipient_ids(item)
    extra = {key: part for key, part in item.items() if key not in _COLUMNS and part not in _BLANK}
    if of_group and (group_id := identifier(item.get("recipient_id"))):
        extra["group_id"] = group_id
    if not kind and word not in _KNOWN:
        note(facts.unknowns, UnknownKind.STATUS, word)
    note_unknown_keys(facts.unknowns, item, SHAPE, "statuses")
    facts.statuses.append(
        StatusFact(
            path,
            number,
            wamid,
            word,
            next((each for each in (ids[0], ids[1]) if each), "") if of_group else "",
            at,
            acquainted(*ids, company),
            repair.encode(item["errors"]) if item.get("errors") else None,
            _pricing(item),
            kind,
            string(item.get("biz_opaque_callback_data")),
            repair.encode(extra) if extra else None,
        )
    )


def _is_of_group(item: dict[str, Any]) -> bool:
    return item.get("recipient_type") == "group"


def _recipient_ids(item: dict[str, Any]) -> tuple[str | None, str | None, str | None]:
    """Phone number, BSUID and parent BSUID; the last was spelled in another way before 2026-05-05."""
    keys = ("recipient_parent_user_id", "parent_recipient_user_id", "parent_user_id")
    parent = next(filter(None, (identifier(item.get(key)) for key in keys)), None)
    return identifier(item.get("recipient_id")), identifier(item.get("recipient_user_id")), parent


def _member_ids(item: dict[str, Any]) -> tuple[str | None, str | None, str | None]:
    """The same of the member of a group whom the status is about; Meta's pages spell the keys in several ways."""
    phone = identifier(item.get("recipient_participant_id")) or identifier(item.get("participant_recipient_id"))
    user = identifier(item.get("recipient_participant_user_id")) or identifier(
        item.get("participant_recipient_user_id")
    )
    parent = identifier(item.get("recipient_participant_parent_user_id"))
    own = _recipient_ids(item)
    return phone, user or own[1], parent or own[2]


def _pricing(item: dict[str, Any]) -> bytes | None:
    """The price, which samples of group statuses nest in ``conversation``."""
    pricing = item.get("pricing") or mapping(item.get("conversation")).get("pricing")
    return repair.encode(pricing) if pricing else None


def _kept(raw: msgspec.Raw) -> bytes | None:
    data = bytes(raw)
    return None if data in _EMPTY else data


def _what_is_missing(wamid: str | None, word: str | None) -> str:
    if wamid is None:
        return "a status without id"
    if word is None:
        return "a status that says nothing"
    return "a status whose timestamp is missing or cannot be read"


_EMPTY = frozenset({b"", b"null", b"[]", b"{}"})
_BLANK: tuple[object, ...] = (None, "", [], {})
_KNOWN = frozenset({*DeliveryStatus, "deleted", "warning"})
_COLUMNS = frozenset(
    {
        "id", "status", "timestamp", "type", "recipient_id", "recipient_user_id", "recipient_parent_user_id",
        "parent_recipient_user_id", "recipient_type", "recipient_participant_id", "participant_recipient_id",
        "recipient_participant_user_id", "participant_recipient_user_id", "recipient_participant_parent_user_id",
        "parent_user_id", "errors", "pricing", "biz_opaque_callback_data",
    }
)  # fmt: skip
SHAPE: Shape = {
    **dict.fromkeys(_COLUMNS),
    "errors": ERROR,
    "pricing": dict.fromkeys(("billable", "pricing_model", "type", "category")),
    "conversation": {
        **dict.fromkeys(("id", "expiration_timestamp", "origin", "pricing")),
    },
    **dict.fromkeys(("payment", "template_id", "message", "recipient_identity_key_hash", "from", "group_id")),
}
"""What a status may have; the last ones are kept in ``extra``."""

"""One item of ``messages[]`` or ``message_echoes[]``: who wrote what, when, to which of our numbers."""

from typing import Any, Literal

import msgspec

from wamcp.vocabulary import Direction, ParkedKind, Source, Standing
from wamcp.whatsapp.payload import repair
from wamcp.whatsapp.payload.facts import MessageFact, ParkedFact, Person
from wamcp.whatsapp.payload.people import Company, acquainted, identified, known
from wamcp.whatsapp.payload.render import KINDS, rendered
from wamcp.whatsapp.payload.scalars import Id, identifier, mapping, objects, string, unix_seconds

GHOST_ERROR = "131060"
"""Meta's "This message is unavailable": the real message may follow with the same wamid."""

_PEOPLE_KEYS = {f"{side}{kind}" for side in ("from", "to") for kind in ("", "_user_id", "_parent_user_id")}
_COMMON_KEYS = _PEOPLE_KEYS | {"id", "timestamp", "type", "context", "referral", "errors", "group_id", "identity"}
_LONGEST_TYPE = 64


class _Body(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    body: str


class _Quote(msgspec.Struct, forbid_unknown_fields=True, gc=False, rename={"from_": "from"}):
    """A quotation and nothing else: forwarded messages and product enquiries carry more keys."""

    id: Id | None = None
    from_: str | None = None
    from_user_id: str | None = None
    from_parent_user_id: str | None = None


class _Text(msgspec.Struct, forbid_unknown_fields=True, gc=False, rename={"from_": "from"}):
    """A text message of which our columns hold everything; whatever has more keys takes the general way."""

    id: Id
    timestamp: str | int
    type: Literal["text"]
    text: _Body
    from_: Id | None = None
    from_user_id: Id | None = None
    from_parent_user_id: Id | None = None
    to: Id | None = None
    to_user_id: Id | None = None
    to_parent_user_id: Id | None = None
    context: _Quote | None = None
    group_id: Id | None = None


_decode_text = msgspec.json.Decoder(_Text).decode


def read_message(raw: msgspec.Raw, number: str, company: Company, path: str, echo: bool) -> MessageFact | ParkedFact:
    """The message written in ``raw`` to our ``number``; parked when it has no wamid, time or other party. Never raises.

    ``echo`` says that the business wrote it on its phone, so that the other party is the recipient.
    """
    try:
        text = _decode_text(raw)
    except repair.UNREADABLE:
        return _read_any(raw, number, company, path, echo)
    sent_at = unix_seconds(text.timestamp)
    if echo:
        person = acquainted(text.to, text.to_user_id, text.to_parent_user_id, company)
    else:
        person = acquainted(text.from_, text.from_user_id, text.from_parent_user_id, company)
    group_id = text.group_id or None
    if sent_at is None or not text.id or (person is None and group_id is None):
        return _read_any(raw, number, company, path, echo)
    return MessageFact(
        path,
        number,
        text.id,
        _OUTBOUND if echo else _INBOUND,
        _ECHO if echo else _WEBHOOK,
        "text",
        sent_at,
        person,
        group_id,
        text.text.body,
        (text.context.id or None) if text.context else None,
        None,
        _MESSAGE,
        None,
    )


def other_party(item: dict[str, Any], echo: bool) -> Person | None:
    """Whom a message names as the other party, before the contacts are asked."""
    person = identified(*_identifiers(item, echo))
    return _before_the_change(item, person) if "system" in item else person


def _identifiers(item: dict[str, Any], echo: bool) -> tuple[str | None, str | None, str | None]:
    side = "to" if echo else "from"
    get = item.get
    return identifier(get(side)), identifier(get(f"{side}_user_id")), identifier(get(f"{side}_parent_user_id"))


def _read_any(raw: msgspec.Raw, number: str, company: Company, path: str, echo: bool) -> MessageFact | ParkedFact:
    fragment = bytes(raw)
    try:
        item = repair.decode(fragment)
    except repair.UNREADABLE as error:
        return ParkedFact(path, ParkedKind.MALFORMED.value, f"not readable as JSON: {error}"[:200], fragment)
    if not isinstance(item, dict):
        return ParkedFact(path, ParkedKind.MALFORMED.value, "a message that is no object", fragment)
    wamid = identifier(item.get("id"))
    sent_at = unix_seconds(item.get("timestamp"))
    if "system" in item:
        person = known(other_party(item, echo), company)
    else:
        person = acquainted(*_identifiers(item, echo), company)
    group_id = identifier(item.get("group_id"))
    if wamid is None or sent_at is None or (person is None and group_id is None):
        return ParkedFact(path, ParkedKind.MALFORMED.value, _what_is_missing(wamid, sent_at), fragment)
    kind = _kind(item)
    return MessageFact(
        path,
        number,
        wamid,
        _OUTBOUND if echo else _INBOUND,
        _ECHO if echo else _WEBHOOK,
        kind,
        sent_at,
        person,
        group_id,
        rendered(kind, item),
        identifier(mapping(item.get("context")).get("id")),
        _target(kind, item),
        _PLACEHOLDER if _is_ghost(kind, item) else _MESSAGE,
        fragment,
    )


def _kind(item: dict[str, Any]) -> str:
    """Meta's type; where it is missing, the known kind, or else the only key that is not common to all messages."""
    stated = string(item.get("type"))
    if stated is not None:
        return stated[:_LONGEST_TYPE]
    present = [key for key in KINDS if key in item] or [key for key in item if key not in _COMMON_KEYS]
    return present[0][:_LONGEST_TYPE] if present and present[0] else "unknown"


def _target(kind: str, item: dict[str, Any]) -> str | None:
    """The wamid that a reaction, an edit or a revocation is about."""
    about = mapping(item.get(kind))
    return identifier(about.get("message_id") or about.get("original_message_id"))


def _is_ghost(kind: str, item: dict[str, Any]) -> bool:
    return kind == "unsupported" and any(
        string(each.get("code")) == GHOST_ERROR for each in objects(item.get("errors"))
    )


def _what_is_missing(wamid: str | None, sent_at: int | None) -> str:
    if wamid is None:
        return "a message without id"
    if sent_at is None:
        return "a message whose timestamp is missing or cannot be read"
    return "a message that names no other party"


def _before_the_change(item: dict[str, Any], person: Person | None) -> Person | None:
    """Whom a system message is about: the identifiers that hold until the change it tells, if any are named."""
    system = mapping(item.get("system"))
    new_id = identifier(system.get("user_id"))
    old_id = identifier(system.get("previous_user_id"))
    old_parent = identifier(system.get("previous_parent_user_id"))
    if person is not None:
        stated = None if person.bsuid == new_id else person.bsuid
        return identified(person.wa_id, old_id or stated, old_parent or (person.parent_bsuid if stated else None)) or (
            person
        )
    if old_id or old_parent:
        return identified(None, old_id, old_parent)
    return identified(
        identifier(system.get("wa_id")) or identifier(system.get("new_wa_id")),
        new_id,
        identifier(system.get("parent_user_id")),
    )


_INBOUND, _OUTBOUND = Direction.INBOUND.value, Direction.OUTBOUND.value
_PLACEHOLDER, _MESSAGE = Standing.PLACEHOLDER.value, Standing.MESSAGE.value
_WEBHOOK, _ECHO = Source.WEBHOOK.value, Source.ECHO.value

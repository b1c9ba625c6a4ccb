"""One item of ``messages[]`` or ``message_echoes[]``: who wrote what, when, to which of our numbers."""

from typing import Any, Literal

import msgspec

from wamcp.vocabulary import Direction, ParkedKind, Source, Standing, UnknownKind
from wamcp.whatsapp.payload import repair
from wamcp.whatsapp.payload.facts import Facts, IdentityFact, MessageFact, ParkedFact, Person, UnknownFact
from wamcp.whatsapp.payload.messages import COMMON_KEYS, MESSAGE_TYPES, SHAPES, is_known, kind_of, read_kind
from wamcp.whatsapp.payload.people import Company, acquainted, identified, known
from wamcp.whatsapp.payload.scalars import Id, identifier, mapping, objects, string, unix_seconds
from wamcp.whatsapp.payload.unknown import ERROR, Shape, note, note_unknown_keys


class Letterbox(msgspec.Struct, frozen=True, gc=False):
    """Through what a list of messages came: our number, the contacts beside it, the way, and whose messages they are.

    ``outbound`` says that the business wrote them, so that the other party is the recipient.
    """

    number: str
    company: Company
    source: str = Source.WEBHOOK.value
    outbound: bool = False


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


def read_message(raw: msgspec.Raw, box: Letterbox, path: str, facts: Facts) -> None:
    """Adds to ``facts`` the message written in ``raw``, which never raises.

    It is parked when it has no wamid, no time or no other party.
    """
    try:
        text = _decode_text(raw)
    except repair.UNREADABLE:
        _read_raw(raw, box, path, facts)
        return
    sent_at = unix_seconds(text.timestamp)
    if box.outbound:
        person = acquainted(text.to, text.to_user_id, text.to_parent_user_id, box.company)
    else:
        person = acquainted(text.from_, text.from_user_id, text.from_parent_user_id, box.company)
    group_id = text.group_id or None
    if sent_at is None or not text.id or (person is None and group_id is None):
        _read_raw(raw, box, path, facts)
        return
    quote = text.context
    facts.messages.append(
        MessageFact(
            path,
            box.number,
            text.id,
            _OUTBOUND if box.outbound else _INBOUND,
            box.source,
            "text",
            sent_at,
            person,
            group_id,
            text.text.body,
            (quote.id or None) if quote else None,
            None,
            _MESSAGE,
            _text_content(quote, person) if quote or (person and person.parent_bsuid) else None,
        )
    )


def read_item(item: dict[str, Any], box: Letterbox, path: str, facts: Facts, **more: Any) -> None:
    """The same for a message that is decoded already; ``more`` is further content, None where there is none."""
    wamid = identifier(item.get("id"))
    sent_at = unix_seconds(item.get("timestamp"))
    if "system" in item:
        person = known(other_party(item, box.outbound), box.company)
    else:
        person = acquainted(*_identifiers(item, box.outbound), box.company)
    group_id = identifier(item.get("group_id"))
    if wamid is None or sent_at is None or (person is None and group_id is None):
        reason = _what_is_missing(wamid, sent_at)
        facts.parked.append(ParkedFact(path, ParkedKind.MALFORMED.value, reason, repair.encode(item)))
        return
    kind = kind_of(item)
    said = read_kind(kind, item)
    content = said.content | _common_content(item, kind) | {key: part for key, part in more.items() if part}
    if others := said.content.get("other", {}) | _others(item, kind):
        content["other"] = others
    if person is not None and person.parent_bsuid:
        content["party"] = {"parent_bsuid": person.parent_bsuid}
    _note_unknown(item, kind, facts.unknowns)
    if kind == "system":
        _note_change(item, person, box.number, sent_at, facts)
    context = mapping(item.get("context"))
    facts.messages.append(
        MessageFact(
            path,
            box.number,
            wamid,
            _OUTBOUND if box.outbound else _INBOUND,
            box.source,
            kind,
            sent_at,
            person,
            group_id,
            said.line,
            identifier(context.get("id")) or identifier(context.get("message_id")),
            said.refers_to,
            said.standing,
            repair.encode(content) if content else None,
        )
    )


def other_party(item: dict[str, Any], echo: bool) -> Person | None:
    """Whom a message names as the other party, before the contacts are asked."""
    person = identified(*_identifiers(item, echo))
    return _before_the_change(item, person) if "system" in item else person


def _identifiers(item: dict[str, Any], echo: bool) -> tuple[str | None, str | None, str | None]:
    side = "to" if echo else "from"
    get = item.get
    return identifier(get(side)), identifier(get(f"{side}_user_id")), identifier(get(f"{side}_parent_user_id"))


def _note_change(item: dict[str, Any], person: Person | None, number: str, at: int, facts: Facts) -> None:
    """That ``person`` has another number or BSUID from ``at`` on, if the system message says so."""
    system = mapping(item.get("system"))
    if person is None or string(system.get("type")) not in _CHANGES:
        return
    phone = identifier(system.get("wa_id")) or identifier(system.get("new_wa_id"))
    new = identified(phone, identifier(system.get("user_id")), identifier(system.get("parent_user_id")))
    if new is not None and (new.bsuid, new.wa_id) != (person.bsuid, person.wa_id):
        facts.identities.append(IdentityFact(number, person, new, at))


def _read_raw(raw: msgspec.Raw, box: Letterbox, path: str, facts: Facts) -> None:
    fragment = bytes(raw)
    try:
        item = repair.decode(fragment)
    except repair.UNREADABLE as error:
        reason = f"not readable as JSON: {error}"[:200]
        facts.parked.append(ParkedFact(path, ParkedKind.MALFORMED.value, reason, fragment))
        return
    if isinstance(item, dict):
        read_item(item, box, path, facts)
    else:
        facts.parked.append(ParkedFact(path, ParkedKind.MALFORMED.value, "a message that is no object", fragment))


def _common_content(item: dict[str, Any], kind: str) -> dict[str, Any]:
    """What every kind of message may carry beside its own part."""
    content: dict[str, Any] = {}
    context = mapping(item.get("context"))
    for key in ("forwarded", "frequently_forwarded"):
        if context.get(key) is True or context.get(key) == "true":
            content[key] = True
    quoted = _quoted(*(identifier(context.get(key)) for key in ("from", "from_user_id", "from_parent_user_id")))
    for key, part in (
        ("referred_product", context.get("referred_product")),
        ("quoted", quoted),
        ("referral", item.get("referral")),
        ("identity", item.get("identity")),
        ("errors", [_straightened(error) for error in objects(item.get("errors"))]),
        ("flow", item.get("flow_definition")),
    ):
        if part:
            content[key] = part
    return content


def _others(item: dict[str, Any], kind: str) -> dict[str, Any]:
    """The keys of a message, and of its context, that have no place of their own."""
    others = {key: part for key, part in item.items() if key not in COMMON_KEYS and part is not None}
    if kind in MESSAGE_TYPES:
        others.pop(kind, None)
    context = mapping(item.get("context"))
    if unplaced := {key: part for key, part in context.items() if key not in _COMMON_SHAPES["context"]}:
        others["context"] = unplaced
    return others


def _straightened(error: dict[str, Any]) -> dict[str, Any]:
    code = error.get("code")
    return {**error, "code": int(code)} if isinstance(code, str) and code.isdecimal() and len(code) < 16 else error


def _text_content(quote: _Quote | None, person: Person | None) -> bytes | None:
    content: dict[str, Any] = {}
    if quote and (quoted := _quoted(quote.from_, quote.from_user_id, quote.from_parent_user_id)):
        content["quoted"] = quoted
    if person and person.parent_bsuid:
        content["party"] = {"parent_bsuid": person.parent_bsuid}
    return msgspec.json.encode(content) if content else None


def _quoted(phone: str | None, user_id: str | None, parent_id: str | None) -> dict[str, str] | None:
    """Whose message was quoted, as far as it is said."""
    person = identified(phone, user_id, parent_id)
    if person is None:
        return None
    named = (("wa_id", person.wa_id), ("bsuid", person.bsuid), ("parent_bsuid", person.parent_bsuid))
    return {key: value for key, value in named if value}


def _note_unknown(item: dict[str, Any], kind: str, found: list[UnknownFact]) -> None:
    if kind in MESSAGE_TYPES:
        note_unknown_keys(found, item.get(kind), SHAPES[kind], f"messages.{kind}")
    elif not is_known(kind):
        note(found, UnknownKind.TYPE, kind)
    if not item.keys() <= COMMON_KEYS | {kind}:
        for key in item.keys() - COMMON_KEYS - {kind} - _RARE_KEYS:
            note(found, UnknownKind.KEY, f"messages.{key}")
    for key, shape in _COMMON_SHAPES.items():
        if key in item:
            note_unknown_keys(found, item[key], shape, f"messages.{key}")


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
_MESSAGE = Standing.MESSAGE.value
_CHANGES = {"user_changed_number", "user_changed_user_id", "customer_changed_number"}
_RARE_KEYS = {"from_logical_id", "biz_opaque_callback_data", "status", "template", "flow"}
_COMMON_SHAPES: dict[str, Shape] = {
    "context": {
        **dict.fromkeys(("from", "id", "message_id", "forwarded", "frequently_forwarded", "from_user_id")),
        "from_parent_user_id": None,
        "referred_product": dict.fromkeys(("catalog_id", "product_retailer_id")),
    },
    "referral": {
        **dict.fromkeys(("source_url", "source_id", "source_type", "headline", "body", "media_type", "image_url")),
        **dict.fromkeys(("video_url", "thumbnail_url", "ctwa_clid", "welcome_message", "ref", "image", "video")),
    },
    "identity": dict.fromkeys(("acknowledged", "created_timestamp", "hash")),
    "history_context": dict.fromkeys(("status",)),
    "errors": ERROR,
}

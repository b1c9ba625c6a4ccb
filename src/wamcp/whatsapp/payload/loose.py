"""The patient way through an envelope that is not quite as documented: what is good is read, the rest is parked."""

from typing import Any

import msgspec

from wamcp.vocabulary import ERASED_FIELD, SENDS_FIELD, ParkedKind, UnknownKind
from wamcp.whatsapp.payload import repair
from wamcp.whatsapp.payload.facts import Facts, NumberFact, ParkedFact
from wamcp.whatsapp.payload.fields import FIELDS, read_unknown
from wamcp.whatsapp.payload.fields.place import Place
from wamcp.whatsapp.payload.fields.reading import our_number
from wamcp.whatsapp.payload.history import read_history
from wamcp.whatsapp.payload.notices import KNOWN as NOTICES
from wamcp.whatsapp.payload.notices import read_notices
from wamcp.whatsapp.payload.people import Contact, contact_from
from wamcp.whatsapp.payload.scalars import identifier, mapping, string, unix_seconds
from wamcp.whatsapp.payload.shapes import MESSAGE_FIELDS, OBJECT, Metadata, Value
from wamcp.whatsapp.payload.standby import flattened
from wamcp.whatsapp.payload.unknown import note, note_unknown_keys
from wamcp.whatsapp.payload.value import read_value

_Object = dict[str, msgspec.Raw]

_decode_object = msgspec.json.Decoder(_Object).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_contact = msgspec.json.Decoder(Contact).decode

_ITEM_LISTS = ("messages", "message_echoes", "statuses")
_PLAIN_KEYS = frozenset({"messaging_product", "metadata", "contacts", *_ITEM_LISTS})
_VALUE_KEYS = _PLAIN_KEYS | {*NOTICES, "standby", "history"}


def read_loosely(body: bytes, facts: Facts) -> None:
    """Adds to ``facts`` what ``body`` says; raises one of ``repair.UNREADABLE`` when it is no JSON object."""
    top = _decode_object(body)
    stated = _plain(top.get("object"))
    if stated is not None and stated != OBJECT:
        _park(facts, "", ParkedKind.UNMODELLED, f"object {_shown(stated)} is not read", None)
        return
    if "entry" not in top:
        _park(facts, "", ParkedKind.MALFORMED, "a body without entry", None)
        return
    _note_extras(top, {"object", "entry"}, "body", facts)
    for index, raw in enumerate(_items(top, "entry", "", facts)):
        _read_entry(raw, f"entry/{index}", facts)


def _read_entry(raw: msgspec.Raw, path: str, facts: Facts) -> None:
    entry = _object(raw, path, facts)
    if entry is None:
        return
    waba_id = identifier(_plain(entry.get("id"))) or ""
    at = unix_seconds(_plain(entry.get("time")))
    _note_extras(entry, {"id", "time", "changes"}, "entry", facts)
    for index, change in enumerate(_items(entry, "changes", path, facts)):
        _read_change(change, waba_id, at, f"{path}/changes/{index}", facts)


def _read_change(raw: msgspec.Raw, waba_id: str, at: int | None, path: str, facts: Facts) -> None:
    change = _object(raw, path, facts)
    if change is None:
        return
    _note_extras(change, {"field", "value"}, "change", facts)
    field = string(_plain(change.get("field")))
    written = change.get("value", msgspec.Raw(b"null"))
    if field is not None and field not in MESSAGE_FIELDS:
        _read_other(written, Place(waba_id, field, path, at), facts)
        return
    value = _object(written, f"{path}/value", facts)
    if value is None:
        return
    if field is None and _VALUE_KEYS.isdisjoint(value):
        _park(facts, path, ParkedKind.MALFORMED, "a change that names no field", raw)
        return
    _read_value(value, waba_id, field or "messages", path, facts)


def _read_other(written: msgspec.Raw, place: Place, facts: Facts) -> None:
    """A field that carries no messages, or one that nobody has a word for, which may carry some all the same."""
    value = _plain(written)
    if place.field == ERASED_FIELD:
        our_number(mapping(value), place, facts)
        return
    read = FIELDS.get(place.field)
    if read is not None:
        read(value, place, facts)
        return
    read_unknown(value, place, facts)
    if isinstance(value, dict) and "metadata" in value and not _VALUE_KEYS.isdisjoint(value):
        parts = _object(written, place.path, facts)
        if parts is not None:
            lists = {key: parts[key] for key in parts if key in _PLAIN_KEYS}
            _read_value(lists, place.waba_id, place.field, place.path, facts)


def _read_value(value: _Object, waba_id: str, field: str, path: str, facts: Facts) -> None:
    metadata = mapping(_plain(value.get("metadata")))
    number = identifier(metadata.get("phone_number_id"))
    display = string(metadata.get("display_phone_number"))
    note_unknown_keys(facts.unknowns, metadata, _METADATA, "metadata")
    beside = {
        key: _plain(raw)
        for key, raw in value.items()
        if key not in _PLAIN_KEYS and not (key == field and key in ("standby", "history")) and bytes(raw) not in _EMPTY
    }
    if beside:
        read_notices(beside, (waba_id, field, path), (number, display), facts)
    _read_items(value, (number, display, waba_id), field, path, facts)
    if field == "standby":
        inner = _object(value.get("standby", msgspec.Raw(b"{}")), f"{path}/standby", facts) or {}
        _read_items(inner, (number, display, waba_id), field, f"{path}/standby", facts)
        others = {key: _plain(raw) for key, raw in inner.items() if key not in _PLAIN_KEYS}
        if others:
            read_notices(others, (waba_id, field, f"{path}/standby"), (number, display), facts)
    if field == "history" and bytes(value.get("history", b"null")) != b"null":
        if number is None:
            _park(facts, f"{path}/history", ParkedKind.MALFORMED, _NO_NUMBER, value["history"])
            return
        named = NumberFact(number, display, waba_id)
        if named not in facts.numbers:
            facts.numbers.append(named)
        read_history(_plain(value["history"]), named, path, facts)


def _read_items(value: _Object, ours: tuple[str | None, str | None, str], field: str, path: str, facts: Facts) -> None:
    """The lists of messages, echoes and statuses of ``value``, which came to ``ours``: number, display, account."""
    lists = {key: _items(value, key, path, facts) for key in _ITEM_LISTS}
    contacts = _contacts(value, path, facts)
    number, display, waba_id = ours
    if number is not None:
        if field in ("standby", SENDS_FIELD):
            lists["message_echoes"] = [flattened(raw) for raw in lists["message_echoes"]]
        if any(lists.values()) or contacts or field != "standby":
            read_value(Value(Metadata(number, display), None, contacts, **lists), waba_id, field, path, facts)
        return
    for key, items in lists.items():
        for index, raw in enumerate(items):
            _park(facts, f"{path}/{key}/{index}", ParkedKind.MALFORMED, _NO_NUMBER, raw)


def _contacts(value: _Object, path: str, facts: Facts) -> list[Contact]:
    contacts = []
    for index, raw in enumerate(_items(value, "contacts", path, facts)):
        try:
            contacts.append(_decode_contact(raw))
        except repair.UNREADABLE:
            known = _plain(raw)
            if isinstance(known, dict):
                note_unknown_keys(facts.unknowns, known, _CONTACT, "contacts")
                contacts.append(contact_from(known))
            else:
                _park(facts, f"{path}/contacts/{index}", ParkedKind.MALFORMED, "a contact that is no object", raw)
    return contacts


def _object(raw: msgspec.Raw, path: str, facts: Facts) -> _Object | None:
    try:
        return _decode_object(raw)
    except repair.UNREADABLE:
        _park(facts, path, ParkedKind.MALFORMED, "not a readable object", raw)
        return None


def _items(parent: _Object, key: str, path: str, facts: Facts) -> list[msgspec.Raw]:
    raw = parent.get(key)
    if raw is None or bytes(raw) == b"null":
        return []
    try:
        return _decode_list(raw)
    except repair.UNREADABLE:
        _park(facts, f"{path}/{key}".lstrip("/"), ParkedKind.MALFORMED, f"{key} is no list", raw)
        return []


def _note_extras(parent: _Object, known: set[str], where: str, facts: Facts) -> None:
    for key in parent:
        if key not in known:
            note(facts.unknowns, UnknownKind.KEY, f"{where}.{key}")


def _park(facts: Facts, path: str, kind: ParkedKind, reason: str, raw: msgspec.Raw | None) -> None:
    facts.parked.append(ParkedFact(path, kind.value, reason, None if raw is None else bytes(raw)))


def _plain(raw: msgspec.Raw | None) -> Any:
    """The value of a part, or None where there is none or it cannot be read."""
    if raw is None:
        return None
    try:
        return repair.decode(raw)
    except repair.UNREADABLE:
        return None


def _shown(word: object) -> str:
    return repr(word)[:80]


_EMPTY = frozenset({b"", b"null", b"[]", b"{}", b'""'})
_NO_NUMBER = "the change names no phone_number_id"
_METADATA = dict.fromkeys(("phone_number_id", "display_phone_number"))
_CONTACT = {
    **dict.fromkeys(("wa_id", "user_id", "parent_user_id", "identity_key_hash", "input")),
    "profile": dict.fromkeys(("name", "username", "country_code")),
}

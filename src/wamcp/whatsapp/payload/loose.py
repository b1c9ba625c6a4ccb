"""The patient way through an envelope that is not quite as documented: what is good is read, the rest is parked."""

from typing import Any

import msgspec

from wamcp.vocabulary import ParkedKind
from wamcp.whatsapp.payload import repair
from wamcp.whatsapp.payload.facts import Facts, ParkedFact
from wamcp.whatsapp.payload.people import Contact, contact_from
from wamcp.whatsapp.payload.scalars import identifier, mapping, string
from wamcp.whatsapp.payload.shapes import MESSAGE_FIELDS, OBJECT, Metadata, Value
from wamcp.whatsapp.payload.value import read_value

_Object = dict[str, msgspec.Raw]

_decode_object = msgspec.json.Decoder(_Object).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_contact = msgspec.json.Decoder(Contact).decode

_ITEM_LISTS = ("messages", "message_echoes", "statuses")
_VALUE_KEYS = frozenset({"messaging_product", "metadata", "contacts", *_ITEM_LISTS})
_EMPTY = frozenset({b"", b"null", b"[]", b"{}", b'""'})


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
    _park_extras(top, frozenset({"object", "entry"}), "", facts)
    for index, raw in enumerate(_items(top, "entry", "", facts)):
        _read_entry(raw, f"entry/{index}", facts)


def _read_entry(raw: msgspec.Raw, path: str, facts: Facts) -> None:
    entry = _object(raw, path, facts)
    if entry is None:
        return
    waba_id = identifier(_plain(entry.get("id"))) or ""
    _park_extras(entry, frozenset({"id", "time", "changes"}), path, facts)
    for index, change in enumerate(_items(entry, "changes", path, facts)):
        _read_change(change, waba_id, f"{path}/changes/{index}", facts)


def _read_change(raw: msgspec.Raw, waba_id: str, path: str, facts: Facts) -> None:
    change = _object(raw, path, facts)
    if change is None:
        return
    field = string(_plain(change.get("field")))
    if field is not None and field not in MESSAGE_FIELDS:
        _park(facts, path, ParkedKind.UNMODELLED, f"field {_shown(field)} is not read yet", raw)
        return
    value = _object(change.get("value", msgspec.Raw(b"null")), f"{path}/value", facts)
    if value is None:
        return
    if field is None and _VALUE_KEYS.isdisjoint(value):
        _park(facts, path, ParkedKind.UNMODELLED, "a change that names no field", raw)
        return
    _park_extras(change, frozenset({"field", "value"}), path, facts)
    _park_extras(value, _VALUE_KEYS, path, facts)
    _read_value(value, waba_id, field or "messages", path, facts)


def _read_value(value: _Object, waba_id: str, field: str, path: str, facts: Facts) -> None:
    lists = {key: _items(value, key, path, facts) for key in _ITEM_LISTS}
    metadata = mapping(_plain(value.get("metadata")))
    number = identifier(metadata.get("phone_number_id"))
    contacts = _contacts(value, path, facts)
    if number is not None:
        named = Metadata(number, string(metadata.get("display_phone_number")))
        read_value(Value(named, None, contacts, **lists), waba_id, field, path, facts)
        return
    for key, items in lists.items():
        for index, raw in enumerate(items):
            _park(facts, f"{path}/{key}/{index}", ParkedKind.MALFORMED, "the change names no phone_number_id", raw)


def _contacts(value: _Object, path: str, facts: Facts) -> list[Contact]:
    contacts = []
    for index, raw in enumerate(_items(value, "contacts", path, facts)):
        try:
            contacts.append(_decode_contact(raw))
        except repair.UNREADABLE:
            known = _plain(raw)
            if isinstance(known, dict):
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


def _park_extras(parent: _Object, known: frozenset[str], path: str, facts: Facts) -> None:
    for key, raw in parent.items():
        if key not in known and bytes(raw) not in _EMPTY:
            name = key[:64]
            _park(facts, f"{path}/{name}".lstrip("/"), ParkedKind.UNMODELLED, f"key {_shown(key)} is not read yet", raw)


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

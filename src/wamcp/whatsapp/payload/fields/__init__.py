"""The webhook fields whose items are neither messages nor statuses: which module reads which."""

from collections.abc import Callable
from functools import partial
from typing import Any

from wamcp.whatsapp.payload.facts import Facts
from wamcp.whatsapp.payload.fields import account_update, accounts, calls, flows, groups, people, templates
from wamcp.whatsapp.payload.fields.place import Place
from wamcp.whatsapp.payload.fields.reading import Reader, note_unknown_keys, park
from wamcp.whatsapp.payload.fields.unknown import read_unknown

__all__ = ["FIELDS", "Place", "read_unknown"]


def _read(reader: Reader, value: object, place: Place, facts: Facts) -> None:
    """Adds what ``value`` says; never raises. A value in which there is nothing that its field is about is parked."""
    if not isinstance(value, dict):
        park(place.path, "a value that is no object", value, facts)
        return
    before = _said(facts)
    if value:
        reader.read(value, place, facts)
    if _said(facts) == before:
        park(place.path, "a value that says nothing of what its field is about", value, facts)
    if reader.known is not None:
        note_unknown_keys("value", value, reader.known, place, facts)


def _said(facts: Facts) -> int:
    return len(facts.account) + len(facts.parked)


_READERS: dict[str, Reader] = {
    **account_update.READERS,
    **accounts.READERS,
    **calls.READERS,
    **flows.READERS,
    **groups.READERS,
    **people.READERS,
    **templates.READERS,
}

FIELDS: dict[str, Callable[[dict[str, Any], Place, Facts], None]] = {
    name: partial(_read, reader) for name, reader in _READERS.items()
}
"""How each field is read: the decoded ``value``, where it stands, and the facts to which what it says is added."""

"""Every webhook field whose items are neither messages nor statuses, by its name."""

from collections.abc import Callable
from functools import partial
from typing import Any

from wamcp.whatsapp.payload.facts import Facts
from wamcp.whatsapp.payload.fields import accounts, calls, flows, groups, numbers, people, templates
from wamcp.whatsapp.payload.fields.place import Place
from wamcp.whatsapp.payload.fields.reading import Reader, note_unknown_keys, park
from wamcp.whatsapp.payload.fields.unknown import read_unknown

__all__ = ["FIELDS", "Place", "read_unknown"]


def _read(reader: Reader, value: object, place: Place, facts: Facts) -> None:
    """Adds what ``value`` says; parked when it is no object, or nothing is said in it. Never raises."""
    if not isinstance(value, dict) or not value:
        park(place.path, f"a change of {place.field} whose value is no object or empty", value, facts)
        return
    before = len(facts.account) + len(facts.parked)
    reader.read(value, place, facts)
    if len(facts.account) + len(facts.parked) == before:
        park(place.path, f"a change of {place.field} that says nothing", value, facts)
    if reader.known is not None:
        note_unknown_keys("value", value, reader.known, place, facts)


FIELDS: dict[str, Callable[[dict[str, Any], Place, Facts], None]] = {
    field: partial(_read, reader)
    for module in (accounts, calls, flows, groups, numbers, people, templates)
    for field, reader in module.READERS.items()
}

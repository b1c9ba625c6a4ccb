"""Contact cards."""

import re
from typing import Any

from wamcp.phones import digits_of
from wamcp.whatsapp.outgoing.limits import count, known_keys, list_of, object_of, refuse, words

MAX_CARDS = 257
MAX_WORDS = 1000
_KEYS = ("name", "phones", "emails", "urls", "addresses", "org", "birthday")
_NAME_KEYS = ("formatted_name", "first_name", "last_name", "middle_name", "suffix", "prefix")
_LISTS = ("phones", "emails", "urls", "addresses")
_SHORT = {"phones": "phone", "emails": "email", "urls": "url"}


def contacts_part(cards: list[Any]) -> list[dict[str, Any]]:
    """``contacts``: Meta's cards, or short ones like ``{"name": "Ana Prado", "phones": ["+1 555 010 0001"]}``.

    Raises :class:`NotSendable`.
    """
    count("contacts", len(cards), MAX_CARDS, "card")
    return [_card(f"contacts[{place}]", card) for place, card in enumerate(cards)]


def _card(field: str, written: object) -> dict[str, Any]:
    card = dict(object_of(field, written))
    known_keys(field, card, _KEYS)
    card["name"] = _name(f"{field}.name", card.get("name"))
    for key in _LISTS:
        if key in card:
            items = list_of(f"{field}.{key}", card[key])
            card[key] = [_item(f"{field}.{key}[{place}]", key, item) for place, item in enumerate(items)]
    if "org" in card:
        object_of(f"{field}.org", card["org"])
    birthday = card.get("birthday")
    if birthday is not None and not (isinstance(birthday, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", birthday)):
        refuse(f"{field}.birthday", "is no date; write YYYY-MM-DD")
    return card


def _name(field: str, written: object) -> dict[str, Any]:
    """Meta wants the whole name and at least one part of it."""
    if written is None:
        refuse(field, 'is missing; write "name": "Ana Prado", or an object with formatted_name and first_name')
    if isinstance(written, str):
        whole = words(field, written, MAX_WORDS)
        return {"formatted_name": whole, "first_name": whole}
    name = object_of(field, written)
    known_keys(field, name, _NAME_KEYS)
    if "formatted_name" not in name:
        refuse(f"{field}.formatted_name", "is missing; write the whole name there")
    for key, part in name.items():
        words(f"{field}.{key}", part, MAX_WORDS)
    if len(name) == 1:
        refuse(field, "has formatted_name alone; add first_name or another part")
    return name


def _item(field: str, key: str, written: object) -> dict[str, Any]:
    if isinstance(written, str) and key in _SHORT:
        written = {_SHORT[key]: written}
    item = object_of(field, written)
    if key == "phones" and not (isinstance(item.get("phone"), str) and digits_of(item["phone"])):
        refuse(f"{field}.phone", "is missing or has no digits; write the number as a string")
    for name, value in item.items():
        words(f"{field}.{name}"[:100], value, MAX_WORDS)
    return item

"""``contacts``: contact cards that were sent."""

from collections.abc import Iterator
from typing import Any

from wamcp.whatsapp.payload.lines import Said, failures, joined, line
from wamcp.whatsapp.payload.scalars import mapping, objects

_NAME = dict.fromkeys(("formatted_name", "first_name", "last_name", "middle_name", "prefix", "suffix"))
SHAPE = {
    "name": _NAME,
    "phones": dict.fromkeys(("phone", "wa_id", "type", "user_id")),
    "emails": dict.fromkeys(("email", "type")),
    "addresses": dict.fromkeys(("street", "city", "state", "zip", "country", "country_code", "type")),
    "org": dict.fromkeys(("company", "department", "title")),
    "urls": dict.fromkeys(("url", "type")),
    "birthday": None,
    "origin": None,
    "vcard": None,
}


def parse(item: dict[str, Any]) -> Said:
    """Names, companies, phone numbers and addresses of all cards."""
    cards = objects(item.get("contacts"))
    words = [word for card in cards for word in _words(card)]
    return Said(line("contacts", [*words, *failures(item)]), {"contacts": cards} if cards else {})


def _words(card: dict[str, Any]) -> Iterator[object]:
    name, org = mapping(card.get("name")), mapping(card.get("org"))
    yield name.get("formatted_name") or joined((name.get("first_name"), name.get("last_name")))
    yield org.get("company")
    for phone in objects(card.get("phones")):
        yield phone.get("phone") or phone.get("wa_id")
    for email in objects(card.get("emails")):
        yield email.get("email")
    for address in objects(card.get("addresses")):
        yield joined((address.get(key) for key in ("street", "zip", "city", "country")), " ")

"""The words by which a message that is more than text is shown and found: one line for each kind."""

from collections.abc import Callable, Iterator
from typing import Any

from wamcp.whatsapp.payload.scalars import mapping, objects

_Words = Iterator[object]


def rendered(kind: str, item: dict[str, Any]) -> str:
    """The searchable line of a message: its own words for a text, else ``[kind]`` and what it carries. Never raises."""
    if kind == "text":
        return _said(mapping(item.get("text")).get("body"))
    label = "voice" if kind == "audio" and mapping(item.get("audio")).get("voice") is True else kind
    return f"[{label}] {_joined(_words(kind, item), ', ')}".rstrip()


def _words(kind: str, item: dict[str, Any]) -> _Words:
    words = _WORDS.get(kind)
    if words is not None:
        return words(item)
    return _everything_said(item.get(kind))


def _caption(kind: str) -> Callable[[dict[str, Any]], _Words]:
    def words(item: dict[str, Any]) -> _Words:
        media = mapping(item.get(kind))
        yield media.get("filename")
        yield media.get("caption")
        yield from _failures(item)

    return words


def _location(item: dict[str, Any]) -> _Words:
    location = mapping(item.get("location"))
    place = _joined(iter((location.get("name"), location.get("address"))), ", ")
    latitude, longitude = _said(location.get("latitude")), _said(location.get("longitude"))
    yield _joined(iter((place, f"({latitude}, {longitude})" if latitude and longitude else None)))
    yield location.get("url")


def _contacts(item: dict[str, Any]) -> _Words:
    for contact in objects(item.get("contacts")):
        name = mapping(contact.get("name"))
        phones = (phone.get("phone") or phone.get("wa_id") for phone in objects(contact.get("phones")))
        emails = (email.get("email") for email in objects(contact.get("emails")))
        yield name.get("formatted_name") or _joined(iter((name.get("first_name"), name.get("last_name"))))
        yield mapping(contact.get("org")).get("company")
        yield from phones
        yield from emails


def _interactive(item: dict[str, Any]) -> _Words:
    interactive = mapping(item.get("interactive"))
    reply = mapping(interactive.get(_said(interactive.get("type"))))
    for key in ("title", "description", "body", "response", "payment_method", "reference_id"):
        yield reply.get(key)
    yield from _failures(item)


def _order(item: dict[str, Any]) -> _Words:
    order = mapping(item.get("order"))
    yield order.get("text")
    for line in objects(order.get("product_items")):
        price = _joined(iter((line.get("item_price"), line.get("currency"))))
        product = _joined(iter((line.get("quantity"), "x", line.get("product_retailer_id"))))
        yield f"{product} ({price})" if price else product


def _unsupported(item: dict[str, Any]) -> _Words:
    yield mapping(item.get("unsupported")).get("type")
    yield from _failures(item)


def _edit(item: dict[str, Any]) -> _Words:
    message = mapping(mapping(item.get("edit")).get("message"))
    kind = _said(message.get("type")) or next(iter(_WORDS.keys() & message.keys()), "text")
    if kind != "edit":
        yield rendered(kind, message)


def _failures(item: dict[str, Any]) -> _Words:
    for error in objects(item.get("errors")):
        yield error.get("title") or error.get("message")


def _of(*keys: str) -> Callable[[dict[str, Any]], _Words]:
    def words(item: dict[str, Any]) -> _Words:
        part = mapping(item.get(keys[0]))
        return (part.get(key) for key in keys[1:])

    return words


def _everything_said(part: object) -> _Words:
    """For kinds that nobody has described yet: their plain words, without ids, links and numbers."""
    for key in ("title", "name", "body", "text", "caption", "description", "message"):
        word = mapping(part).get(key)
        yield word if isinstance(word, str) else None


def _joined(words: _Words, separator: str = " ") -> str:
    return separator.join(filter(None, map(_said, words)))


def _said(value: object) -> str:
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


_WORDS: dict[str, Callable[[dict[str, Any]], _Words]] = {
    "image": _caption("image"),
    "video": _caption("video"),
    "audio": _caption("audio"),
    "document": _caption("document"),
    "sticker": _caption("sticker"),
    "location": _location,
    "contacts": _contacts,
    "interactive": _interactive,
    "button": _of("button", "text"),
    "order": _order,
    "reaction": _of("reaction", "emoji"),
    "system": _of("system", "body"),
    "edit": _edit,
    "revoke": _of("revoke"),
    "unsupported": _unsupported,
}

KINDS = ("text", *_WORDS)
"""The kinds that are known, for messages that do not name theirs."""

"""Meta's checks of a send request before anything else is asked: keys, types, lengths."""

import re
from collections.abc import Callable
from typing import Any

from wamcp.simulator.graph import interactive
from wamcp.simulator.graph.interactive import list_in, object_in, text_in
from wamcp.simulator.graph.trouble import Trouble, invalid, missing, trouble, unexpected

Item = dict[str, Any]
MAX_OPAQUE = 512
BSUID = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")
_TOP = {
    *("messaging_product", "recipient_type", "to", "recipient", "type", "context", "biz_opaque_callback_data"),
    *("messaging_account_id", "paid_messaging_account_id", "recipient_identity_key_hash"),
}
_READ = {"messaging_product", "status", "message_id", "typing_indicator"}
MEDIA = ("image", "video", "audio", "document", "sticker")
_MEDIA_KEYS = {
    "image": {"id", "link", "caption"},
    "video": {"id", "link", "caption"},
    "audio": {"id", "link", "voice"},
    "document": {"id", "link", "caption", "filename"},
    "sticker": {"id", "link"},
}
_CONTACT = {"name", "phones", "emails", "addresses", "org", "urls", "birthday"}


def check(body: Any) -> Item:
    """The send request itself; raises ``Trouble`` for whatever of it Meta would not accept."""
    if not isinstance(body, dict):
        raise Trouble(100, "The body must be a JSON object.")
    if body.get("messaging_product") != "whatsapp":
        raise Trouble(100, "The parameter messaging_product is required.")
    if "status" in body:
        _check_read(body)
        return body
    kind = body.get("type", "text")
    rule = _TYPES.get(kind) if isinstance(kind, str) else None
    if rule is None and kind != "template":
        raise trouble(131051, f"type must be one of {', '.join(sorted((*_TYPES, 'template')))}, got {kind!r}.")
    for key in body.keys() - _TOP - {kind}:
        raise Trouble(100, f'Unexpected key "{key}".')
    _check_envelope(body, kind)
    if rule is not None:
        rule(body)
    return body


def is_read(body: Item) -> bool:
    """Whether it marks a message as read instead of sending one."""
    return "status" in body


def _check_envelope(body: Item, kind: str) -> None:
    if body.get("recipient_type", "individual") not in ("individual", "group"):
        raise invalid("recipient_type must be individual or group.")
    if not body.get("to") and not body.get("recipient"):
        raise missing("to")
    _check_ends(body)
    opaque = body.get("biz_opaque_callback_data", "")
    if not isinstance(opaque, str) or len(opaque) > MAX_OPAQUE:
        raise invalid(f"biz_opaque_callback_data must be a string; the limit is {MAX_OPAQUE} characters.")
    if "context" in body:
        context = object_in(body, "context", "context")
        _check_wamid(context, "context.message_id")
        if kind == "reaction":
            raise invalid("context cannot be used with a reaction.")


def _check_ends(body: Item) -> None:
    to, recipient = body.get("to"), body.get("recipient")
    if to:
        if not isinstance(to, str):
            raise invalid("to must be a string.")
        is_group = body.get("recipient_type") == "group"
        if not is_group and not BSUID.fullmatch(to) and not 5 <= len(digits(to)) <= 20:
            raise invalid(f"to must be a phone number, got {to!r}.")
    elif not isinstance(recipient, str) or not BSUID.fullmatch(recipient):
        raise invalid("recipient must be a business-scoped user id such as US.13491208655302741918.")


def digits(number: str) -> str:
    """The digits of a phone number as it was written."""
    return "".join(character for character in number if character.isascii() and character.isdecimal())


def _check_read(body: Item) -> None:
    for key in body.keys() - _READ:
        raise Trouble(100, f'Unexpected key "{key}".')
    if body["status"] != "read":
        raise invalid("status must be read.")
    _check_wamid(body, "message_id")
    if "typing_indicator" in body:
        typing = object_in(body, "typing_indicator", "typing_indicator")
        if typing.get("type") != "text":
            raise invalid("typing_indicator.type must be text.")


def _check_wamid(holder: Item, name: str) -> None:
    value = holder.get("message_id")
    if not value:
        raise missing(name)
    if not isinstance(value, str) or not value.startswith(("wamid.", "wacid")):
        raise invalid(f"{name} is not the id of a message.")


def _content(body: Item, keys: set[str]) -> Item:
    kind = body.get("type", "text")
    content = object_in(body, kind, kind)
    for key in content.keys() - keys:
        raise unexpected(key, kind)
    return content


def _text(body: Item) -> None:
    content = _content(body, {"body", "preview_url"})
    text_in(content, "body", "text.body", 4096)
    if not isinstance(content.get("preview_url", False), bool):
        raise invalid("text.preview_url must be a boolean.")


def _media(body: Item) -> None:
    kind = body["type"]
    content = _content(body, _MEDIA_KEYS[kind])
    if "id" in content and "link" in content:
        raise invalid(f"{kind} needs either id or link, not both.")
    if not content.get("id") and not content.get("link"):
        raise missing(f"{kind}.id")
    for key in ("id", "link"):
        if key in content and not isinstance(content[key], str):
            raise invalid(f"{kind}.{key} must be a string.")
    if "link" in content and not content["link"].startswith(("https://", "http://")):
        raise invalid(f"{kind}.link must be a public URL that begins with https:// or http://.")
    if content.get("caption"):
        text_in(content, "caption", f"{kind}.caption", 1024)
    if "filename" in content:
        text_in(content, "filename", f"{kind}.filename", 240)


def _location(body: Item) -> None:
    content = _content(body, {"latitude", "longitude", "name", "address"})
    for key, limit in (("latitude", 90), ("longitude", 180)):
        if content.get(key) in (None, ""):
            raise missing(f"location.{key}")
        try:
            fine = -limit <= float(content[key]) <= limit
        except (TypeError, ValueError):
            fine = False
        if not fine:
            raise invalid(f"location.{key} must be a number between -{limit} and {limit}.")


def _contacts(body: Item) -> None:
    for contact in list_in(body, "contacts", "contacts", 257):
        for key in contact.keys() - _CONTACT:
            raise unexpected(key, "contacts")
        name = object_in(contact, "name", "contacts.name")
        text_in(name, "formatted_name", "contacts.name.formatted_name", 1024)
        if not any(value for key, value in name.items() if key != "formatted_name"):
            raise missing("contacts.name.first_name")


def _reaction(body: Item) -> None:
    content = _content(body, {"message_id", "emoji"})
    _check_wamid(content, "reaction.message_id")
    emoji = content.get("emoji")
    if emoji is None:
        raise missing("reaction.emoji")
    if not isinstance(emoji, str) or len(emoji) > 16 or (emoji and emoji.isascii()):
        raise invalid("reaction.emoji must be one emoji.")


def _interactive(body: Item) -> None:
    interactive.check(object_in(body, "interactive", "interactive"))


_TYPES: dict[str, Callable[[Item], None]] = {
    "text": _text,
    **dict.fromkeys(MEDIA, _media),
    "location": _location,
    "contacts": _contacts,
    "reaction": _reaction,
    "interactive": _interactive,
}

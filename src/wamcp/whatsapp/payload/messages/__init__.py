"""The kinds of messages, a module each; a new kind is a module, a line here and a fixture."""

from collections.abc import Callable
from functools import partial
from typing import Any

from wamcp.whatsapp.payload.lines import Said, failures, line, plain_words
from wamcp.whatsapp.payload.messages import (
    audio,
    button,
    contacts,
    document,
    edit,
    image,
    interactive,
    location,
    media_placeholder,
    order,
    reaction,
    revoke,
    sticker,
    system,
    template,
    text,
    unsupported,
    video,
    voice,
)
from wamcp.whatsapp.payload.scalars import string
from wamcp.whatsapp.payload.unknown import Shape

_PEOPLE_KEYS = {f"{side}{kind}" for side in ("from", "to") for kind in ("", "_user_id", "_parent_user_id")}
COMMON_KEYS = _PEOPLE_KEYS | {
    "id", "timestamp", "type", "context", "referral", "errors", "group_id", "identity", "history_context",
    "recipient_type", "recipient", "messaging_product", template.DEFINITION, "flow_definition",
}  # fmt: skip
"""The keys that every kind of message may have."""

LONGEST_TYPE = 64
_SILENT = frozenset({"unknown", "ephemeral", "request_welcome", "ad"})
"""Kinds of old payloads that say nothing of their own."""


_MODULES: dict[str, Any] = {
    "text": text,
    "image": image,
    "video": video,
    "audio": audio,
    "voice": voice,
    "document": document,
    "sticker": sticker,
    "location": location,
    "contacts": contacts,
    "interactive": interactive,
    "button": button,
    "order": order,
    "reaction": reaction,
    "system": system,
    "unsupported": unsupported,
    "edit": edit,
    "revoke": revoke,
    "media_placeholder": media_placeholder,
    "template": template,
}

SHAPES: dict[str, Shape] = {kind: module.SHAPE for kind, module in _MODULES.items()}
"""The known keys of each kind's own part."""


def kind_of(item: dict[str, Any]) -> str:
    """Meta's type; where it is missing, the known kind, or else the only key that is not common to all messages."""
    stated = string(item.get("type"))
    if stated is not None:
        return stated[:LONGEST_TYPE]
    present = [key for key in MESSAGE_TYPES if key in item] or [key for key in item if key not in COMMON_KEYS]
    return present[0][:LONGEST_TYPE] if present and present[0] else "unknown"


def is_known(kind: str) -> bool:
    """Whether this release has a word for ``kind``."""
    return kind in MESSAGE_TYPES or kind in _SILENT


def read_kind(kind: str, item: dict[str, Any]) -> Said:
    """What a message of ``kind`` says; of one that nobody has described, its plain words. Never raises."""
    parse = MESSAGE_TYPES.get(kind)
    if parse is not None:
        return parse(item)
    part = item.get(kind) if kind not in COMMON_KEYS else None
    return Said(line(kind, [*plain_words(part), *failures(item)]), {})


def read_part(item: dict[str, Any]) -> tuple[str, Said]:
    """A message within another: its kind and what it says. An edit within an edit says nothing."""
    kind = kind_of(item)
    return (kind, Said("", {})) if kind == "edit" else (kind, read_kind(kind, item))


MESSAGE_TYPES: dict[str, Callable[[dict[str, Any]], Said]] = {
    **{kind: module.parse for kind, module in _MODULES.items()},
    "edit": partial(edit.parse, read=read_part),
}
"""How each kind is read."""

"""``text``: the words themselves are the line."""

from typing import Any

from wamcp.whatsapp.payload.lines import Said, failures, line, said
from wamcp.whatsapp.payload.scalars import mapping

SHAPE = {"body": None, "preview_url": None}


def parse(item: dict[str, Any]) -> Said:
    """The body, as it was written."""
    text = mapping(item.get("text"))
    body = text.get("body")
    words = body if isinstance(body, str) else said(body)
    if item.get("errors") and not words:
        words = line("text", failures(item))
    others = {key: part for key, part in text.items() if key not in SHAPE}
    return Said(words, {"other": {"text": others}} if others else {})

"""``unsupported``: what the Cloud API does not hand over; with error 131060 the real message may still follow."""

from typing import Any

from wamcp.vocabulary import Standing
from wamcp.whatsapp.payload.lines import Said, failures, line
from wamcp.whatsapp.payload.scalars import mapping, objects, string

SHAPE = {"type": None}
GHOST_ERROR = "131060"
"""Meta's "This message is unavailable": the real message may follow with the same wamid."""


def parse(item: dict[str, Any]) -> Said:
    """Which kind it was, and why it is not there."""
    unsupported = mapping(item.get("unsupported"))
    is_ghost = any(string(each.get("code")) == GHOST_ERROR for each in objects(item.get("errors")))
    words = line("unsupported", [unsupported.get("type"), *failures(item)])
    standing = Standing.PLACEHOLDER if is_ghost else Standing.MESSAGE
    return Said(words, {"unsupported": unsupported} if unsupported else {}, None, standing.value)

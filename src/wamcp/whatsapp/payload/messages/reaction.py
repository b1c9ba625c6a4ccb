"""``reaction``: an emoji to a message, or its removal, which has no emoji."""

from typing import Any

from wamcp.whatsapp.payload.lines import Said, line, said
from wamcp.whatsapp.payload.scalars import identifier, mapping

SHAPE = {"message_id": None, "emoji": None}


def parse(item: dict[str, Any]) -> Said:
    """The emoji; what it was to is added where the message is known."""
    reaction = mapping(item.get("reaction"))
    emoji = said(reaction.get("emoji"))
    content = {**reaction, "removed": not emoji}
    words = line("reaction", [emoji]) if emoji else "[reaction removed]"
    return Said(words, {"reaction": content}, identifier(reaction.get("message_id")))

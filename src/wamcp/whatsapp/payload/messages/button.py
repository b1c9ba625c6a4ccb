"""``button``: the answer to a quick reply button of a template."""

from typing import Any

from wamcp.whatsapp.payload.lines import Said, failures, line
from wamcp.whatsapp.payload.scalars import mapping

SHAPE = {"payload": None, "text": None}


def parse(item: dict[str, Any]) -> Said:
    """What the button said."""
    button = mapping(item.get("button"))
    return Said(line("button", [button.get("text"), *failures(item)]), {"button": button} if button else {})

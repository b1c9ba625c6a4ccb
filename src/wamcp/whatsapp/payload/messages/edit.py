"""``edit``: a message was written anew; its line is that of the new message."""

from collections.abc import Callable
from typing import Any

from wamcp.whatsapp.payload.lines import Said
from wamcp.whatsapp.payload.scalars import identifier, mapping

SHAPE = {"original_message_id": None, "message": None}


def parse(item: dict[str, Any], read: Callable[[dict[str, Any]], tuple[str, Said]]) -> Said:
    """``read`` gives the kind of the inner message and what it says."""
    edit = mapping(item.get("edit"))
    message = mapping(edit.get("message"))
    original = identifier(edit.get("original_message_id"))
    if not message:
        return Said("[edit]", {"edit": edit} if edit else {}, original)
    kind, inner = read(message)
    content: dict[str, Any] = {key: value for key, value in edit.items() if key != "message"} | {"type": kind}
    if inner.content:
        content["content"] = inner.content
    return Said(inner.line, {"edit": content}, original)

"""``revoke``: a message was deleted for everyone."""

from typing import Any

from wamcp.whatsapp.payload.lines import Said
from wamcp.whatsapp.payload.scalars import identifier, mapping

SHAPE = {"original_message_id": None}


def parse(item: dict[str, Any]) -> Said:
    """The message itself stays in the archive, marked."""
    revoke = mapping(item.get("revoke"))
    return Said("[revoked]", {"revoke": revoke} if revoke else {}, identifier(revoke.get("original_message_id")))

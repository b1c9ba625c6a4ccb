"""``system``: WhatsApp's own words about somebody, such as a changed number."""

from typing import Any

from wamcp.whatsapp.payload.lines import Said, failures, line
from wamcp.whatsapp.payload.scalars import mapping

SHAPE = dict.fromkeys(
    (
        "body", "type", "wa_id", "new_wa_id", "user_id", "parent_user_id", "previous_user_id",
        "previous_parent_user_id", "identity", "customer", "username",
    )
)  # fmt: skip


def parse(item: dict[str, Any]) -> Said:
    """The sentence that WhatsApp shows."""
    system = mapping(item.get("system"))
    return Said(line("system", [system.get("body"), *failures(item)]), {"system": system} if system else {})

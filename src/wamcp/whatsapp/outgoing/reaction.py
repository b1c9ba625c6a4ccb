"""One emoji under somebody's message."""

import re
from typing import Any

from wamcp.whatsapp.outgoing.envelope import wamid
from wamcp.whatsapp.outgoing.limits import refuse

_SIGN = (
    "[\u00a9\u00ae\u203c\u2049\u2100-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001fbff]"
    "[\ufe0e\ufe0f]?[\U0001f3fb-\U0001f3ff]?[\U000e0020-\U000e007f]*"
)
_EMOJI = re.compile(f"[0-9#*]\ufe0f?\u20e3|[\U0001f1e6-\U0001f1ff]{{2}}|{_SIGN}(?:\u200d{_SIGN})*")
"""A keycap, a flag, or signs that a zero-width joiner makes one."""


def reaction_part(message_id: str, emoji: str) -> dict[str, Any]:
    """``reaction`` to the wamid ``message_id``; an empty ``emoji`` takes it back. Raises :class:`NotSendable`."""
    if emoji and not _EMOJI.fullmatch(emoji):
        refuse("emoji", 'is not exactly one emoji; give one, or "" to take the reaction back')
    return {"message_id": wamid("message_id", message_id), "emoji": emoji}

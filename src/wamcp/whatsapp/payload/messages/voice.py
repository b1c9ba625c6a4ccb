"""``voice``: how old payloads call a voice note."""

from typing import Any

from wamcp.whatsapp.payload import media
from wamcp.whatsapp.payload.lines import Said

SHAPE = media.SHAPE


def parse(item: dict[str, Any]) -> Said:
    """As a voice note of today."""
    return media.file_said("voice", "voice", item)

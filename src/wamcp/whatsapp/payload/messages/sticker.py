"""``sticker``: file name and caption."""

from typing import Any

from wamcp.whatsapp.payload import media
from wamcp.whatsapp.payload.lines import Said

SHAPE = media.SHAPE


def parse(item: dict[str, Any]) -> Said:
    """What is written on and under it."""
    return media.file_said("sticker", "sticker", item)

"""``audio``: a voice note, or a sound file that was sent."""

from typing import Any

from wamcp.whatsapp.payload import media
from wamcp.whatsapp.payload.lines import Said
from wamcp.whatsapp.payload.scalars import mapping

SHAPE = media.SHAPE


def parse(item: dict[str, Any]) -> Said:
    """A note that was spoken for the chat is labelled ``voice``."""
    label = "voice" if mapping(item.get("audio")).get("voice") is True else "audio"
    return media.file_said(label, "audio", item)

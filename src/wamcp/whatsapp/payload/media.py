"""What messages with a file have in common."""

from typing import Any

from wamcp.whatsapp.payload.lines import Said, failures, line
from wamcp.whatsapp.payload.scalars import mapping

SHAPE = dict.fromkeys(
    ("id", "mime_type", "sha256", "url", "caption", "filename", "voice", "animated", "link", "provider", "file_size")
)


def file_said(label: str, kind: str, item: dict[str, Any]) -> Said:
    """File name and caption under ``label``; the object under ``kind`` is the content's ``media``."""
    media = mapping(item.get(kind))
    words = [media.get("filename"), media.get("caption"), *failures(item)]
    return Said(line(label, words), {"media": media} if media else {})

"""What messages with a file have in common, and which file it is."""

import base64
import binascii
from typing import Any, NamedTuple

from wamcp.whatsapp.payload import repair
from wamcp.whatsapp.payload.lines import Said, failures, line
from wamcp.whatsapp.payload.scalars import identifier, mapping, string

SHAPE = dict.fromkeys(
    ("id", "mime_type", "sha256", "url", "caption", "filename", "voice", "animated", "link", "provider", "file_size")
)
LONGEST_URL = 4000
"""Characters; a longer one is left out, since Meta gives another for the asking."""
SHA256_BYTES = 32


class File(NamedTuple):
    """A file that Meta keeps under ``media_id``; the other words are the webhook's, and nobody has checked them."""

    media_id: str
    url: str | None
    mime_type: str | None
    filename: str | None
    sha256: bytes | None


def file_said(label: str, kind: str, item: dict[str, Any]) -> Said:
    """File name and caption under ``label``; the object under ``kind`` is the content's ``media``."""
    media = mapping(item.get(kind))
    words = [media.get("filename"), media.get("caption"), *failures(item)]
    return Said(line(label, words), {"media": media} if media else {})


def file_in(content: bytes) -> File | None:
    """The file of a message with this content, or of what an edit made of it; None without one that has an id."""
    if b'"media"' not in content:
        return None
    try:
        found = mapping(repair.decode(content))
    except repair.UNREADABLE:
        return None
    media = mapping(found.get("media")) or mapping(mapping(mapping(found.get("edit")).get("content")).get("media"))
    media_id = identifier(media.get("id"))
    if media_id is None:
        return None
    url = string(media.get("url"))
    return File(
        media_id,
        url if url is not None and len(url) <= LONGEST_URL else None,
        string(media.get("mime_type")),
        string(media.get("filename")),
        stated_sha256(media.get("sha256")),
    )


def stated_sha256(written: object) -> bytes | None:
    """The 32 bytes of a hash that Meta writes in Base64, here and there in hex; None for anything else."""
    text = string(written) or ""
    try:
        digest = bytes.fromhex(text) if len(text) == 2 * SHA256_BYTES else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None
    return digest if len(digest) == SHA256_BYTES else None

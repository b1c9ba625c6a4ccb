"""Images, videos, audio, documents and stickers: by link, by Meta's id, or to be uploaded."""

from enum import StrEnum
from typing import Any

from wamcp.whatsapp.outgoing.limits import reference, refuse, words
from wamcp.whatsapp.outgoing.links import public_link

MAX_CAPTION = 1024
MAX_FILENAME = 240


class MediaType(StrEnum):
    """The types of media messages."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    DOCUMENT = "document"
    STICKER = "sticker"


def source_of(media_url: str | None, media_id: str | None, *, is_uploaded: bool = False) -> dict[str, str]:
    """Where the file is: ``{"link": ...}``, ``{"id": ...}``, or ``{}`` for one that is uploaded first.

    Raises :class:`NotSendable` unless exactly one is given.
    """
    given = [name for name, value in (("media_url", media_url), ("media_id", media_id)) if value is not None]
    given += ["file"] * is_uploaded
    if not given:
        refuse("media_url", "is missing; give media_url, media_id, or a file in a multipart form")
    if len(given) > 1:
        refuse(given[1], f"stands beside {given[0]}; give only one of media_url, media_id and file")
    if media_url is not None:
        return {"link": public_link("media_url", media_url)}
    if media_id is not None:
        return {"id": reference("media_id", media_id, "a media id of Meta's")}
    return {}


def media_part(
    kind: MediaType,
    source: dict[str, str],
    *,
    caption: str | None = None,
    filename: str | None = None,
    voice: bool = False,
) -> dict[str, Any]:
    """The part for ``kind``; ``source`` comes from :func:`source_of`. ``voice`` makes audio a voice message.

    Raises :class:`NotSendable`.
    """
    part: dict[str, Any] = dict(source)
    if caption is not None:
        if kind in (MediaType.AUDIO, MediaType.STICKER):
            refuse("caption", f"cannot go with {_named(kind)}; send it as a text")
        part["caption"] = words("caption", caption, MAX_CAPTION, advice="shorten it or send the rest as a text")
    if filename is not None:
        if kind != MediaType.DOCUMENT:
            refuse("filename", f"cannot go with {_named(kind)}; only a document has one: leave it out")
        part["filename"] = file_name(filename)
    if voice:
        if kind != MediaType.AUDIO:
            refuse("voice", f"cannot go with {_named(kind)}; only audio can be a voice message: leave it out")
        part["voice"] = True
    return part


def header_of(kind: str, source: dict[str, str], filename: str | None = None) -> dict[str, Any]:
    """An image, video or document as the header of a template or of buttons. Raises :class:`NotSendable`."""
    if kind not in (MediaType.IMAGE, MediaType.VIDEO, MediaType.DOCUMENT):
        refuse("header.media_type", "is none that a header takes; use image, video or document")
    return {"type": str(kind), str(kind): media_part(MediaType(kind), source, filename=filename)}


def file_name(written: str) -> str:
    """A name under which people see a document. Raises :class:`NotSendable`."""
    words("filename", written, MAX_FILENAME)
    if any(letter in "/\\" or ord(letter) < 32 for letter in written):
        refuse("filename", "holds slashes or control characters; give the name alone, like invoice.pdf")
    return written


def _named(kind: MediaType) -> str:
    return {MediaType.IMAGE: "an image", MediaType.AUDIO: "audio"}.get(kind, f"a {kind}")

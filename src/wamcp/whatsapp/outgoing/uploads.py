"""Which files Meta takes for which type of message, looked at before any of it is kept or sent."""

import re
from pathlib import PurePath
from typing import NamedTuple

from wamcp.whatsapp.outgoing.limits import refuse
from wamcp.whatsapp.outgoing.media import MediaType
from wamcp.whatsapp.outgoing.sniff import OLE, ZIP, opus_channels, sniff, webp_of

FIRST_BYTES = 4096
"""How much of a file :func:`check_upload` looks at."""
MB, KB = 1024 * 1024, 1024
MAX_UPLOAD = 100 * MB

_WORD, _EXCEL, _POINT = "application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"
_OPEN = "application/vnd.openxmlformats-officedocument."
_NEW_WORD, _NEW_EXCEL = f"{_OPEN}wordprocessingml.document", f"{_OPEN}spreadsheetml.sheet"
_NEW_POINT = f"{_OPEN}presentationml.presentation"

_TAKEN: dict[MediaType, tuple[tuple[str, ...], int]] = {
    MediaType.IMAGE: (("image/jpeg", "image/png"), 5 * MB),
    MediaType.VIDEO: (("video/mp4", "video/3gpp"), 16 * MB),
    MediaType.AUDIO: (("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"), 16 * MB),
    MediaType.DOCUMENT: (
        ("text/plain", "application/pdf", _WORD, _EXCEL, _POINT, _NEW_WORD, _NEW_EXCEL, _NEW_POINT),
        MAX_UPLOAD,
    ),
    MediaType.STICKER: (("image/webp",), 500 * KB),
}
_STILL_STICKER, _STICKER_SIDE = 100 * KB, 512
_MAY_BE: dict[str, tuple[str, ...]] = {
    ZIP: (_NEW_WORD, _NEW_EXCEL, _NEW_POINT),
    OLE: (_WORD, _EXCEL, _POINT),
    "video/mp4": ("video/mp4", "audio/mp4"),
    "audio/mpeg": ("audio/mpeg", "audio/aac"),
}
"""What a file can be whose first bytes tell no more than this."""
_ENDINGS = {".docx": _NEW_WORD, ".xlsx": _NEW_EXCEL, ".pptx": _NEW_POINT, ".doc": _WORD, ".xls": _EXCEL, ".ppt": _POINT}
_OTHER_WORDS = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "audio/mp3": "audio/mpeg",
    "audio/m4a": "audio/mp4",
    "audio/x-m4a": "audio/mp4",
    "audio/opus": "audio/ogg",
    "application/ogg": "audio/ogg",
    "audio/x-aac": "audio/aac",
    "audio/aacp": "audio/aac",
    "application/x-pdf": "application/pdf",
}
_UNSAID = ("", "application/octet-stream", "binary/octet-stream")


class Upload(NamedTuple):
    """A file that somebody wants to send: what he says of it, its size in bytes and its first 4,096 bytes."""

    mime_type: str | None
    filename: str | None
    size: int
    first_bytes: bytes


def check_upload(kind: MediaType, upload: Upload, *, voice: bool = False) -> str:
    """The mime type to tell Meta. Raises :class:`NotSendable` for what Meta does not take as ``kind``."""
    if upload.size == 0:
        refuse("file", "is empty; send one with something in it")
    mime_type = _type_of(kind, upload)
    _check_size(kind, upload.size, _TAKEN[kind][1])
    if kind == MediaType.STICKER:
        _check_sticker(upload)
    if mime_type == "audio/ogg" and opus_channels(upload.first_bytes) != 1:
        refuse("file", "is Ogg with something else than one channel of Opus in it; make it mono Opus, or MP3")
    if voice and mime_type != "audio/ogg":
        refuse("voice", f"cannot go with {mime_type}; a voice message is Ogg with Opus: convert it or leave voice out")
    return mime_type


def _type_of(kind: MediaType, upload: Upload) -> str:
    taken = _TAKEN[kind][0]
    only = f"as {kind} Meta takes {', '.join(taken)}"
    found = sniff(upload.first_bytes)
    if found is None:
        refuse("file", f"is of no type that Meta takes, by its first bytes; {only}: convert it first")
    possible = [mime_type for mime_type in _MAY_BE.get(found, (found,)) if mime_type in taken]
    if not possible:
        refuse("file", f"is {found} by its first bytes; {only}: convert it first, or choose another media_type")
    declared = (upload.mime_type or "").partition(";")[0].strip().lower()
    declared = _OTHER_WORDS.get(declared, declared)
    if declared in possible:
        return declared
    if declared not in _UNSAID:
        said = declared if re.fullmatch(r"[a-z]+/[a-z0-9.+-]{1,80}", declared) else "something odd"
        looks = f", but looks like {found}" if declared in taken else ""
        refuse("file", f"is declared as {said}{looks}; {only}: correct the type of the part `file`, or the media_type")
    if len(possible) > 1 and found in (ZIP, OLE):
        ending = _ENDINGS.get(PurePath(upload.filename or "").suffix.lower())
        if ending not in possible:
            refuse("file", f"may be any of {', '.join(possible)}; say which as the type of the part `file`")
        return ending
    return possible[0]


def _check_size(what: str, size: int, limit: int) -> None:
    if size > limit:
        advice = "make it smaller" if what == MediaType.DOCUMENT else "make it smaller or send it as a document"
        refuse("file", f"has {_readable(size)}; as {what} Meta takes at most {_readable(limit)}: {advice}")


def _check_sticker(upload: Upload) -> None:
    image = webp_of(upload.first_bytes)
    if image is None:
        refuse("file", "has an odd WebP header; save it again")
    if (image.width, image.height) != (_STICKER_SIDE, _STICKER_SIDE):
        refuse("file", f"has {image.width} x {image.height} pixels; a sticker has 512 x 512: scale it")
    if not image.is_animated:
        _check_size("still sticker", upload.size, _STILL_STICKER)


def _readable(size: int) -> str:
    """In the unit of the limit; rounded up, so that what is too large never looks as large as allowed."""
    unit, name = (MB, "MB") if size >= MB else (KB, "KB")
    tenths = -(-size * 10 // unit)
    return f"{tenths / 10:,.1f} {name}".replace(".0 ", " ")

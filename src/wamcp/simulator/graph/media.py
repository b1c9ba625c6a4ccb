"""The media of the invented account: uploaded or put in by hand, with ids and URLs that expire."""

import base64
import hashlib
import itertools
import secrets
import time
from dataclasses import dataclass
from typing import NamedTuple

from wamcp.simulator.graph.trouble import trouble

KEPT_BYTES = 500_000_000
_MB = 1_000_000
_OFFICE = "application/vnd.openxmlformats-officedocument."
_KINDS: dict[str, tuple[int, tuple[str, ...]]] = {
    "image": (5 * _MB, ("image/jpeg", "image/png")),
    "video": (16 * _MB, ("video/mp4", "video/3gpp")),
    "audio": (16 * _MB, ("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg", "audio/opus")),
    "sticker": (500_000, ("image/webp",)),
    "document": (
        100 * _MB,
        (
            *("text/plain", "application/pdf", "application/msword", "application/vnd.ms-excel"),
            *("application/vnd.ms-powerpoint", f"{_OFFICE}wordprocessingml.document"),
            *(f"{_OFFICE}spreadsheetml.sheet", f"{_OFFICE}presentationml.presentation"),
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Media:
    """One file; ``until`` is Unix seconds, ``number`` the business number that may use it (None: any)."""

    id: str
    content: bytes
    mime: str
    sha256: bytes
    number: str | None
    until: float


class Link(NamedTuple):
    """What a download URL leads to, until when."""

    media_id: str
    until: float


def kind_of(mime: str) -> str | None:
    """The kind of message that can carry this type of file."""
    plain = bare(mime)
    return next((kind for kind, (_, mimes) in _KINDS.items() if plain in mimes), None)


def bare(mime: str) -> str:
    """``mime`` without its parameters."""
    return mime.split(";")[0].strip().lower()


def check_upload(mime: str, size: int) -> None:
    """Raises ``Trouble`` for a type that WhatsApp does not take, or a file that is too large or empty."""
    kind = kind_of(mime)
    if kind is None:
        allowed = ", ".join(mime for _, mimes in _KINDS.values() for mime in mimes)
        raise trouble(100, f"Param file must be a file with one of the following types: {allowed}. Received: {mime}.")
    limit = _KINDS[kind][0]
    if size > limit:
        raise trouble(131053, f"The file has {size} bytes; the limit for {kind} is {limit} bytes.")
    if size == 0:
        raise trouble(131053, "The file is empty.")


class MediaStore:
    """Everything uploaded, up to 500 MB; beyond that the oldest is forgotten."""

    def __init__(self) -> None:
        self._media: dict[str, Media] = {}
        self._links: dict[str, Link] = {}
        self._bytes = 0
        self._ids = itertools.count(4_000_000_000_000_000 + secrets.randbelow(10**9) * 1000)

    def add(
        self, content: bytes, mime: str, number: str | None, seconds: float, *, media_id: str | None = None
    ) -> Media:
        """Keeps a file for ``seconds`` under a new id, or under ``media_id``, whatever was there."""
        if media_id is not None:
            self.remove(media_id)
        media = Media(
            media_id or str(next(self._ids)),
            content,
            mime,
            hashlib.sha256(content).digest(),
            number,
            time.time() + seconds,
        )
        self._media[media.id] = media
        self._bytes += len(content)
        while self._bytes > KEPT_BYTES and len(self._media) > 1:
            self.remove(next(iter(self._media)))
        return media

    def find(self, media_id: str) -> Media | None:
        """The file with this id, None when there is none or it has expired."""
        media = self._media.get(media_id)
        return media if media is not None and time.time() < media.until else None

    def remove(self, media_id: str) -> None:
        """Forgets a file; its URLs lead nowhere then."""
        media = self._media.pop(media_id, None)
        self._bytes -= len(media.content) if media is not None else 0

    def link(self, media: Media, seconds: float) -> str:
        """The path of a new URL of ``media``, which is good for ``seconds``."""
        name = secrets.token_urlsafe(24)
        if len(self._links) > 10_000:
            self._links = {key: link for key, link in self._links.items() if link.until > time.time()}
        self._links[name] = Link(media.id, time.time() + seconds)
        return f"/_media/{name}"

    def at(self, name: str) -> Media | None:
        """What the URL with this name leads to, None when it has expired or never was."""
        link = self._links.get(name)
        return self.find(link.media_id) if link is not None and time.time() < link.until else None


def hash_of(media: Media, form: str, *, wrong: bool = False) -> str:
    """The stated SHA-256 in ``form`` (hex or base64); ``wrong``: of something else."""
    digest = hashlib.sha256(media.sha256).digest() if wrong else media.sha256
    return digest.hex() if form == "hex" else base64.b64encode(digest).decode("ascii")

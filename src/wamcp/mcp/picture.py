"""The picture that a document is, as it came: nobody here parses a stranger's bytes, so only small ones are shown."""

from typing import NamedTuple

from wamcp.access.grants import Grant
from wamcp.archive.views_documents import DocumentDetailView
from wamcp.errors import WamcpError
from wamcp.storage.read import ReadStore
from wamcp.vocabulary import media_ref

MAX_BYTES = 256 * 1024


class Picture(NamedTuple):
    """Its bytes, as they are stored, and what they begin like."""

    content: bytes
    mime_type: str


def picture_of(store: ReadStore, grant: Grant, view: DocumentDetailView) -> Picture | str:
    """The picture, or a sentence that says why it is not shown."""
    if not grant.media:
        return "The picture is not shown: this client's token may not see files (it was made without --media)."
    file = media_ref(view.document.media_id)
    if view.storage_key is None:
        return "The picture is not shown: its file was not fetched."
    try:
        content = store.read(view.storage_key, 0, MAX_BYTES + 1)
    except WamcpError as error:
        return f"The picture is not shown: {error}"
    mime_type = sniffed(content)
    if mime_type is None:
        return f"There is no picture to show, as {file} is no JPEG, PNG or WebP; people find it at /admin/media/{file}."
    if len(content) > MAX_BYTES:
        kilobytes = MAX_BYTES // 1024
        return f"The picture is larger than {kilobytes} KB and not shown; people find it at /admin/media/{file}."
    return Picture(content, mime_type)


def sniffed(content: bytes) -> str | None:
    """The MIME type of a picture by its first bytes; None for anything else."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    return "image/webp" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else None

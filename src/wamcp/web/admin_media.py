"""Files over HTTP: their bytes, as something to be saved and never to be opened here; and fetching one again."""

from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from wamcp.archive.asking import asking, translating
from wamcp.archive.files import file_of
from wamcp.errors import NotStored
from wamcp.media.again import fetch_again
from wamcp.settings import Settings
from wamcp.storage.objects import PIECE_BYTES
from wamcp.storage.read import ReadStore, open_store
from wamcp.vocabulary import media_ref
from wamcp.web import asked
from wamcp.whatsapp.files import clean_filename, clean_mime_type

router = APIRouter(prefix="/admin/media", tags=["admin"], **asked.documented)

Ref = Annotated[str, Path(description="`f12` or `12`.")]
_bytes: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}


class Wanted(BaseModel):
    """``state`` is pending, to be fetched soon, or stored."""

    id: str
    state: str


@router.get("/{media_id}", response_class=StreamingResponse, responses=_bytes)
def get_media(request: Request, media_id: Ref) -> StreamingResponse:
    """The bytes of a file that a message carries."""
    with asking(request.app.state.reader) as connection:
        found = file_of(connection, asked.grant_of(request), asked.media_id(media_id))
    if found.storage_key is None:
        because = f" ({found.reason})" if found.reason else ""
        raise NotStored(f"{found.id} is {found.state}{because}; POST /admin/media/{found.id}/fetch asks Meta for it.")
    settings: Settings = request.app.state.settings
    store = open_store(settings)
    size = store.size(found.storage_key)
    if size is None:
        raise NotStored(f"The bytes of {found.id} are not in the object store (any more).")
    asked.note_shown(request, [found.id])
    return StreamingResponse(
        _pieces(store, found.storage_key),
        media_type=clean_mime_type(found.mime_type),
        headers={"content-length": str(size), **_guarding(clean_filename(found.filename))},
    )


@router.post("/{media_id}/fetch")
def fetch_media(request: Request, media_id: Ref) -> Wanted:
    """Ask Meta for a file once more, also for one that has expired. What is stored stays as it is."""
    asked.unlimited_grant(request)
    settings: Settings = request.app.state.settings
    wanted = asked.media_id(media_id)
    with translating():
        state = fetch_again(settings.direct_url(), open_store(settings), wanted)
    asked.note_shown(request, [media_ref(wanted)])
    return Wanted(id=media_ref(wanted), state=state)


def _guarding(filename: str) -> dict[str, str]:
    """Headers by which no browser opens what strangers sent as a page of ours."""
    return {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(filename, safe='')}",
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox; default-src 'none'",
        "cross-origin-resource-policy": "same-origin",
        "cache-control": "private, no-store",
    }


def _pieces(store: ReadStore, key: str) -> Iterator[bytes]:
    with store.open(key) as file:
        while piece := file.read(PIECE_BYTES):
            yield piece

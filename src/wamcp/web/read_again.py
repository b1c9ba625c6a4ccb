"""Having a document read again, over HTTP. Only for keys without limits; it is audited."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel

from wamcp.archive.asking import translating
from wamcp.documents.again import read_again
from wamcp.settings import Settings
from wamcp.vocabulary import document_ref
from wamcp.web import asked

router = APIRouter(prefix="/admin/documents", tags=["operate"], **asked.documented)

Ref = Annotated[str, Path(description="`d12` or `12`.")]


class WantedDocument(BaseModel):
    """``state`` is pending, to be read soon, or downloading or extracting where it is being read just now."""

    id: str
    state: str


@router.post("/{document_id}/extract")
def extract_document(request: Request, document_id: Ref) -> WantedDocument:
    """Read a document once more, whatever came of it. What was found before is replaced by what is found then."""
    asked.unlimited_grant(request)
    settings: Settings = request.app.state.settings
    wanted = asked.document_id(document_id)
    with translating():
        state = read_again(settings.direct_url(), wanted)
    asked.note_shown(request, [document_ref(wanted)])
    return WantedDocument(id=document_ref(wanted), state=state)

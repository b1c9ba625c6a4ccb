"""The admin API's reads of documents: what came as files, how far it was read, and what it says."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel

from wamcp.archive import documents as papers
from wamcp.archive.asking import asking
from wamcp.archive.documents import DocumentsQuery
from wamcp.archive.page import MAX_LIMIT
from wamcp.vocabulary import DocumentState
from wamcp.web import answers_documents as answers
from wamcp.web import asked

router = APIRouter(prefix="/admin/documents", tags=["admin"], **asked.documented)

Ref = Annotated[str, Path(description="`d12` or `12`.")]


class DocumentParameters(BaseModel):
    """What `/admin/documents` takes."""

    conversation_id: str | None = Query(None, description="`c123` or `123`.")
    number: str | None = Query(None, description="One of our numbers: Meta's id of it, or the number.")
    state: DocumentState | None = None
    doc_type: str | None = Query(None, description="`invoice`: invoices and receipts.")
    mime: str | None = Query(None, description="`application/pdf`, or a part of a type: `pdf`, `image`, `docx`.")
    q: str | None = Query(None, description="Letters in the name of the file.")
    after: str | None = Query(None, description="ISO 8601, or seconds since 1970; inclusive.")
    before: str | None = Query(None, description="ISO 8601, or seconds since 1970; exclusive.")
    limit: int = Query(50, ge=1, le=MAX_LIMIT)
    cursor: str | None = Query(None, description="`next_cursor` of the page before.")


@router.get("")
def list_documents(request: Request, given: Annotated[DocumentParameters, Query()]) -> answers.Documents:
    """Documents and how far they were read, newest first."""
    query = DocumentsQuery(
        conversation_id=asked.conversation_id(given.conversation_id) if given.conversation_id is not None else None,
        number=given.number,
        state=given.state,
        doc_type=given.doc_type,
        mime=given.mime,
        text=given.q,
        after=asked.moment(given.after),
        before=asked.moment(given.before),
        limit=given.limit,
        cursor=given.cursor,
    )
    with asking(request.app.state.reader) as connection:
        page = papers.newest(connection, asked.grant_of(request), query)
    answer = answers.documents(page)
    asked.note_shown(request, [item.id for item in answer.documents])
    return answer


@router.get("/{document_id}")
def get_document(request: Request, document_id: Ref) -> answers.DocumentDetail:
    """One document with its text and what is known of how it was read; its bytes are at `/admin/media`."""
    with asking(request.app.state.reader) as connection:
        found = papers.get(connection, asked.grant_of(request), asked.document_id(document_id))
        texts = papers.texts(connection, found)
    answer = answers.document_detail(found, texts)
    asked.note_shown(request, [answer.id])
    return answer

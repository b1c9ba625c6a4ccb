"""The admin API's reads: conversations, their messages, search. The gate in front of it knows and records who asks."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel

from wamcp.archive import conversations as threads
from wamcp.archive import messages as letters
from wamcp.archive.asking import asking
from wamcp.archive.conversations import ConversationsQuery
from wamcp.archive.messages import MessagesQuery
from wamcp.archive.page import MAX_LIMIT
from wamcp.archive.search import SearchIn, SearchQuery, search
from wamcp.web import answers, asked
from wamcp.web.asked import Cursor, Limit, Moment

router = APIRouter(prefix="/admin", tags=["admin"], **asked.documented)

Ref = Annotated[str, Path(description="`c123` or `123`.")]


@router.get("/conversations")
def list_conversations(
    request: Request,
    limit: Limit = 50,
    offset: Annotated[int, Query(ge=0, le=1_000_000, description="Rows to skip; `cursor` is quicker.")] = 0,
    cursor: Cursor = None,
) -> answers.Conversations:
    """The most recently updated conversations."""
    query = ConversationsQuery(limit=limit, offset=offset, cursor=cursor)
    with asking(request.app.state.reader) as connection:
        page = threads.list_newest(connection, asked.grant_of(request), query)
    answer = answers.conversations(page)
    asked.note_shown(request, [item.id for item in answer.conversations])
    return answer


@router.get("/conversations/{conversation_id}/messages")
def list_messages(
    request: Request, conversation_id: Ref, limit: Limit = 50, before_ts: Moment = None, cursor: Cursor = None
) -> answers.Messages:
    """The recent messages of a conversation, newest first; `before_ts` itself is not included."""
    query = MessagesQuery(
        asked.conversation_id(conversation_id), before=asked.moment(before_ts), limit=limit, cursor=cursor
    )
    with asking(request.app.state.reader) as connection:
        page = letters.of_conversation(connection, asked.grant_of(request), query)
    answer = answers.messages(page)
    asked.note_shown(request, [item.id for item in answer.messages])
    return answer


class SearchParameters(BaseModel):
    """What `/admin/search/messages` takes."""

    q: str = Query(description='Words, a "phrase", or the beginning of a word with a star (invo*); 200 characters.')
    conversation_id: str | None = Query(None, description="`c123` or `123`.")
    number: str | None = Query(None, description="One of our numbers: Meta's id of it, or the number.")
    direction: Literal["inbound", "outbound"] | None = None
    type: str | None = Query(None, description="A message type, e.g. `text`, `image`, `document`.")
    after: str | None = Query(None, description="ISO 8601, or seconds since 1970; inclusive.")
    before: str | None = Query(None, description="ISO 8601, or seconds since 1970; exclusive.")
    search_in: SearchIn = Query("all", description="Only messages, only documents (the files of messages), or both.")
    limit: int = Query(50, ge=1, le=MAX_LIMIT)
    cursor: str | None = Query(None, description="`next_cursor` of the page before.")


@router.get("/search/messages")
def search_messages(request: Request, given: Annotated[SearchParameters, Query()]) -> answers.SearchResults:
    """Messages and documents with these words, newest first; when there are none, with these letters inside words."""
    query = SearchQuery(
        given.q,
        conversation_id=asked.conversation_id(given.conversation_id) if given.conversation_id is not None else None,
        number=given.number,
        direction=given.direction,
        type=given.type,
        after=asked.moment(given.after),
        before=asked.moment(given.before),
        search_in=given.search_in,
        limit=given.limit,
        cursor=given.cursor,
    )
    with asking(request.app.state.reader) as connection:
        page = search(connection, asked.grant_of(request), query)
    answer = answers.results(page)
    documents = [item.document.id for item in answer.messages if item.document is not None]
    asked.note_shown(request, [*(item.id for item in answer.messages), *documents])
    return answer

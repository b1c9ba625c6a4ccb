"""The admin API's reads: conversations, their messages, search. The gate in front of it knows and records who asks."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Security
from fastapi.security import APIKeyHeader
from pydantic import BaseModel

from wamcp.access.grants import Grant
from wamcp.archive import conversations as threads
from wamcp.archive import messages as letters
from wamcp.archive.asking import asking
from wamcp.archive.conversations import ConversationsQuery
from wamcp.archive.messages import MessagesQuery
from wamcp.archive.page import MAX_LIMIT
from wamcp.archive.search import SearchQuery, search
from wamcp.errors import NotVisible, Rejected
from wamcp.vocabulary import row_id
from wamcp.web import answers
from wamcp.web.auth import HEADER

_key = APIKeyHeader(name=HEADER, auto_error=False, description="ADMIN_API_KEY, or an admin token.")
_problems: dict[int | str, dict[str, Any]] = {
    status: {"model": answers.Problem} for status in (400, 401, 403, 404, 422, 503)
}
documented: dict[str, Any] = {"dependencies": [Security(_key)], "responses": _problems}
router = APIRouter(prefix="/admin", tags=["admin"], **documented)

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many rows, at most.")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before.")]
Moment = Annotated[str | None, Query(description="ISO 8601, or seconds since 1970. Without a zone it is UTC.")]
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
        page = threads.list_newest(connection, grant_of(request), query)
    answer = answers.conversations(page)
    note_shown(request, [item.id for item in answer.conversations])
    return answer


@router.get("/conversations/{conversation_id}/messages")
def list_messages(
    request: Request, conversation_id: Ref, limit: Limit = 50, before_ts: Moment = None, cursor: Cursor = None
) -> answers.Messages:
    """The recent messages of a conversation, newest first; `before_ts` itself is not included."""
    query = MessagesQuery(_conversation(conversation_id), before=_moment(before_ts), limit=limit, cursor=cursor)
    with asking(request.app.state.reader) as connection:
        page = letters.of_conversation(connection, grant_of(request), query)
    answer = answers.messages(page)
    note_shown(request, [item.id for item in answer.messages])
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
    limit: int = Query(50, ge=1, le=MAX_LIMIT)
    cursor: str | None = Query(None, description="`next_cursor` of the page before.")


@router.get("/search/messages")
def search_messages(request: Request, given: Annotated[SearchParameters, Query()]) -> answers.SearchResults:
    """Messages with these words, newest first; when there are none, messages with these letters inside words."""
    query = SearchQuery(
        given.q,
        conversation_id=_conversation(given.conversation_id) if given.conversation_id is not None else None,
        number=given.number,
        direction=given.direction,
        type=given.type,
        after=_moment(given.after),
        before=_moment(given.before),
        limit=given.limit,
        cursor=given.cursor,
    )
    with asking(request.app.state.reader) as connection:
        page = search(connection, grant_of(request), query)
    answer = answers.results(page)
    note_shown(request, [item.id for item in answer.messages])
    return answer


def grant_of(request: Request) -> Grant:
    """What the bearer of the key may see."""
    grant: Grant = request.state.grant
    return grant


def note_shown(request: Request, refs: list[str]) -> None:
    request.state.shown.extend(refs)


def _conversation(written: str) -> int:
    found = row_id(written, "c")
    if found is None:
        raise NotVisible(f"{written[:40]!r} is no conversation id: it looks like c123 or 123; list the conversations.")
    return found


def _moment(written: str | None) -> datetime | None:
    """A moment written as ISO 8601 or as seconds since 1970. Raises :class:`Rejected`."""
    if written is None:
        return None
    # A plus sign that was not percent-encoded arrives as a blank.
    text = re.sub(r" (\d\d:?\d\d)$", r"+\1", written.strip())
    try:
        if re.fullmatch(r"-?\d+(\.\d+)?", text):
            return datetime.fromtimestamp(float(text), UTC)
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise Rejected(
            f"{written[:40]!r} is no time: write ISO 8601 (2026-03-02T12:00:00Z) or seconds since 1970 (1772452800)."
        ) from None

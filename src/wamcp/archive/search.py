"""Search: words first; when they find nothing, letters inside words. Newest first is the only order."""

from dataclasses import dataclass
from datetime import datetime

from wamcp.access.grants import Grant
from wamcp.archive import page
from wamcp.archive.ground import Ground
from wamcp.archive.messages import by_row_ids, require_conversation
from wamcp.archive.scope import scope_of
from wamcp.archive.substring import NEWEST_ROWS, Found, newest_with_letters
from wamcp.archive.terms import terms_of
from wamcp.archive.views import MessageView, SearchPage
from wamcp.archive.wordsearch import newest_with_words
from wamcp.db.session import ReadConnection
from wamcp.errors import Rejected
from wamcp.vocabulary import Direction
from wamcp.words import parse_query

_WORDS, _LETTERS = 0, 1
_MESSAGE = 0


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What to look for and where: ``text`` as :func:`wamcp.words.parse_query` reads it; ``number`` is one of ours.

    ``after`` is inclusive, ``before`` exclusive (UTC).
    """

    text: str
    conversation_id: int | None = None
    number: str | None = None
    direction: str | None = None
    type: str | None = None
    after: datetime | None = None
    before: datetime | None = None
    limit: int = 50
    cursor: str | None = None


def search(connection: ReadConnection, grant: Grant, query: SearchQuery) -> SearchPage:
    """One page of what matches, newest first.

    Raises :class:`Rejected` for an empty or overlong text, `NotVisible` for an unknown conversation or number,
    `BadCursor`.
    """
    limit = page.check_limit(query.limit)
    units = parse_query(query.text)
    position = page.unseal(grant, query, query.cursor) if query.cursor is not None else None
    ground = _ground(connection, grant, query, position)
    if position is None or position[0] == _WORDS:
        terms = terms_of(connection, units, ground.type)
        ids = newest_with_words(ground, terms) if terms else []
        if ids or position is not None:
            items = by_row_ids(connection, ground.scope, ids[:limit])
            more = _after(grant, query, _WORDS, items[-1]) if len(ids) > limit else None
            return SearchPage(items, more, "words")
    found = newest_with_letters(ground, query.text)
    items = by_row_ids(connection, ground.scope, found.ids[:limit])
    return SearchPage(items, _after_letters(grant, query, found, items), "substring", _covered(query, found, limit))


def _ground(connection: ReadConnection, grant: Grant, query: SearchQuery, position: list[int] | None) -> Ground:
    if query.direction is not None and query.direction not in set(Direction):
        raise Rejected(f"direction is {query.direction[:40]!r}: ask for inbound or outbound.")
    scope = scope_of(connection, grant, query.number)
    if query.conversation_id is not None:
        require_conversation(connection, scope, query.conversation_id)
    return Ground(
        connection=connection,
        scope=scope,
        wanted=query.limit + 1,
        conversation_id=query.conversation_id,
        direction=query.direction,
        type=query.type.replace("\0", "") if query.type else None,
        after=page.utc(query.after),
        before=page.utc(query.before),
        start=(page.moment(position[1]), position[3]) if position is not None else None,
    )


def _after(grant: Grant, query: SearchQuery, mode: int, last: MessageView) -> str:
    return page.seal(grant, query, [mode, page.micros(last.sent_at), _MESSAGE, last.id])


def _after_letters(grant: Grant, query: SearchQuery, found: Found, items: list[MessageView]) -> str | None:
    """Further matches, or, where looking stopped at a bound, the messages older than that."""
    if len(found.ids) > query.limit:
        return _after(grant, query, _LETTERS, items[-1])
    if found.stopped_at is None:
        return None
    sent, row_id = found.stopped_at
    return page.seal(grant, query, [_LETTERS, page.micros(sent), _MESSAGE, row_id])


def _covered(query: SearchQuery, found: Found, limit: int) -> str:
    looked = "No message has these words; looked" if query.cursor is None else "Looked"
    looked += " for the letters inside words"
    if len(found.ids) > limit:
        return f"{looked}: these are the newest messages that have them. next_cursor goes on."
    if found.stopped_at is None:
        return f"{looked}, in every message that the filters allow."
    back_to = found.stopped_at[0].strftime("%Y-%m-%d %H:%M UTC")
    return (
        f"{looked}, in {NEWEST_ROWS:,} messages that the filters allow, back to {back_to}."
        " next_cursor goes on with older ones."
    )

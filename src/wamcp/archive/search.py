"""Search: words first; when they find nothing, letters inside words. Newest first is the only order.

Messages and documents are found alike. A document stands at the time of its message, once however many of its pages
match, and before its message; the message is not told a second time when its own words match as well.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from wamcp.access.grants import Grant
from wamcp.archive import page
from wamcp.archive.found import Match, told_by_documents, views_of
from wamcp.archive.ground import Ground
from wamcp.archive.messages import require_conversation
from wamcp.archive.scope import scope_of
from wamcp.archive.searched import MESSAGES, PAGE_IDS, PAGES, Position, Searched
from wamcp.archive.shapes import bare_letters
from wamcp.archive.substring import letters_of, newest_with_letters
from wamcp.archive.terms import Lexemes, lexemes_of, terms_of
from wamcp.archive.views import MessageView, SearchPage
from wamcp.archive.wordsearch import newest_with_words
from wamcp.db.session import ReadConnection
from wamcp.errors import Rejected
from wamcp.vocabulary import Direction
from wamcp.words import parse_query

SearchIn = Literal["all", "messages", "documents"]
_WORDS, _LETTERS = 0, 1
_MESSAGE, _DOCUMENT = 0, 1
_LAST_ID = 2**63 - 1

Place = tuple[datetime, int, int]
"""Where a thing stands among all, the newest being the greatest: its time, kind and row id."""


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What to look for and where: ``text`` as :func:`wamcp.words.parse_query` reads it; ``number`` is one of ours.

    ``after`` is inclusive, ``before`` exclusive (UTC). Of documents, direction and type are those of their messages.
    """

    text: str
    conversation_id: int | None = None
    number: str | None = None
    direction: str | None = None
    type: str | None = None
    after: datetime | None = None
    before: datetime | None = None
    search_in: SearchIn = "all"
    limit: int = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to search: ``find`` gives what matches on a ground, and how far it looked if it stopped at a bound."""

    find: Callable[[Ground], tuple[list[Position], Position | None]]
    match: Match


def search(connection: ReadConnection, grant: Grant, query: SearchQuery) -> SearchPage:
    """One page of what matches, newest first.

    Raises :class:`Rejected` for an empty or overlong text, `NotVisible` for an unknown conversation or number,
    `BadCursor`.
    """
    limit = page.check_limit(query.limit)
    units = parse_query(query.text)
    position = page.unseal(grant, query, query.cursor) if query.cursor is not None else None
    start = (page.moment(position[1]), position[2], position[3]) if position is not None else None
    ground = _ground(connection, grant, query)
    tables = _tables(grant, query)
    if position is None or position[0] == _WORDS:
        asked = lexemes_of(connection, units)
        way = _by_words(ground, query, asked)
        found, _ = _newest(ground, tables, way, start) if asked else ([], None)
        if found or position is not None:
            more = _sealed(grant, query, _WORDS, found[limit - 1]) if len(found) > limit else None
            return SearchPage(_views(ground, found[:limit], way), more, "words")
    way = _by_letters(ground, query)
    found, stopped_at = _newest(ground, tables, way, start)
    further = found[limit - 1] if len(found) > limit else stopped_at
    more = _sealed(grant, query, _LETTERS, further) if further is not None else None
    covered = _covered(grant, query, None if len(found) > limit else stopped_at, len(found) > limit)
    return SearchPage(_views(ground, found[:limit], way), more, "substring", covered)


def _ground(connection: ReadConnection, grant: Grant, query: SearchQuery) -> Ground:
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
    )


def _tables(grant: Grant, query: SearchQuery) -> list[Searched]:
    """What is looked through; who may not see documents finds none."""
    wanted = {"messages": [MESSAGES], "documents": [PAGES]}.get(query.search_in, [MESSAGES, PAGES])
    return [table for table in wanted if table == MESSAGES or grant.documents]


def _by_words(ground: Ground, query: SearchQuery, asked: list[Lexemes]) -> _Way:
    terms = {table: terms_of(ground.connection, asked, ground.type, table) for table in (MESSAGES, PAGES) if asked}
    words = terms[PAGES].tsquery if asked else ""

    def find(ground: Ground) -> tuple[list[Position], Position | None]:
        return newest_with_words(ground, terms[ground.searched]), None

    return _Way(find, Match("p.tsv @@ %(words)s::tsquery", {"words": words}, query.text, words=True))


def _by_letters(ground: Ground, query: SearchQuery) -> _Way:
    letters = letters_of(ground.connection, query.text)

    def find(ground: Ground) -> tuple[list[Position], Position | None]:
        found = newest_with_letters(ground, letters)
        return found.things, found.stopped_at

    return _Way(find, Match(letters.match(bare_letters("p.text")), letters.patterns, query.text, words=False))


def _newest(ground: Ground, tables: list[Searched], way: _Way, start: Place | None) -> tuple[list[Place], Place | None]:
    """What is wanted of all ``tables`` together, older than ``start``; how far was looked, where a bound came first."""
    found: list[Place] = []
    while True:
        batch, stopped_at = _merged(ground, tables, way, start)
        found += _told_once(ground, tables, way, batch, start)
        if len(found) >= ground.wanted or len(batch) < ground.wanted:
            return found, stopped_at
        start = batch[-1]


def _merged(ground: Ground, tables: list[Searched], way: _Way, start: Place | None) -> tuple[list[Place], Place | None]:
    found: list[Place] = []
    stops: list[Place] = []
    for table in tables:
        kind = _MESSAGE if table == MESSAGES else _DOCUMENT
        things, stop = way.find(replace(ground, searched=table, start=_start(kind, start)))
        found += [(sent_at, kind, thing) for sent_at, thing in things]
        if len(things) == ground.wanted:  # what is older than all of these is not wanted of the next table
            ground = replace(ground, after=things[-1][0])
        stops += [(stop[0], kind, stop[1])] if stop is not None else []
    stopped_at = max(stops, default=None)
    # What is older than where one of them stopped may have something missing in between.
    whole = [place for place in found if stopped_at is None or place >= stopped_at]
    return sorted(whole, reverse=True)[: ground.wanted], stopped_at


def _start(kind: int, start: Place | None) -> Position | None:
    """Where rows of ``kind`` begin that are older than ``start``; at the same moment documents come first."""
    if start is None:
        return None
    sent_at, start_kind, thing = start
    if kind == _MESSAGE:
        return sent_at, thing if start_kind == _MESSAGE else _LAST_ID
    return sent_at, thing * PAGE_IDS if start_kind == _DOCUMENT else 0


def _told_once(
    ground: Ground, tables: list[Searched], way: _Way, batch: list[Place], start: Place | None
) -> list[Place]:
    """``batch``, which was found older than ``start``, without messages whose own document is found, too."""
    if len(tables) < 2:
        return batch
    # A document stands right before its message, at the same moment: in this batch, or in the one that ended there.
    moments = {sent_at for sent_at, kind, _ in batch if kind == _DOCUMENT}
    moments |= {start[0]} if start is not None else set()
    messages = [thing for sent_at, kind, thing in batch if kind == _MESSAGE and sent_at in moments]
    told = told_by_documents(ground.connection, messages, way.match)
    return [place for place in batch if place[1] == _DOCUMENT or place[2] not in told]


def _views(ground: Ground, found: list[Place], way: _Way) -> list[MessageView]:
    things = [(kind == _DOCUMENT, thing) for _, kind, thing in found]
    return views_of(ground.connection, ground.scope, things, way.match)


def _sealed(grant: Grant, query: SearchQuery, mode: int, place: Place) -> str:
    sent_at, kind, thing = place
    return page.seal(grant, query, [mode, page.micros(sent_at), kind, thing])


def _covered(grant: Grant, query: SearchQuery, stopped_at: Place | None, more: bool) -> str:
    looked_in = query.search_in if grant.documents or query.search_in != "all" else "messages"
    nothing, every, newest = _SPOKEN[looked_in]
    looked = f"{nothing} has these words; looked" if query.cursor is None else "Looked"
    looked += " for the letters inside words"
    if more:
        return f"{looked}: these are the newest {newest} that have them. next_cursor goes on."
    if stopped_at is None:
        return f"{looked}, in every {every} that the filters allow."
    back_to = stopped_at[0].strftime("%Y-%m-%d %H:%M UTC")
    return (
        f"{looked}, in the newest {newest} that the filters allow, back to {back_to}."
        " next_cursor goes on with older ones."
    )


_SPOKEN = {
    "messages": ("No message", "message", "messages"),
    "documents": ("No document", "document", "documents"),
    "all": ("No message and no document", "message and document", "messages and documents"),
}

"""Conversations: the list, newest first, one by id, and suggestions while somebody types a name."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from wamcp.access.grants import Grant
from wamcp.archive import page
from wamcp.archive.memberships import subjects
from wamcp.archive.scope import Scope, scope_of
from wamcp.archive.shapes import IS_PHONE, PARTICIPANT_COLUMNS, UNANSWERED, bare_letters, conversation_view
from wamcp.archive.views import ConversationView, Page
from wamcp.db.merges import Merges, merges_in_force
from wamcp.db.session import ReadConnection
from wamcp.errors import NotVisible
from wamcp.vocabulary import NOT_SHOWN, conversation_ref, row_id

MAX_SUGGESTIONS = 20


@dataclass(frozen=True, slots=True)
class ConversationsQuery:
    """Which conversations: ``text`` in the contact's name, username or phone number; ``number`` is one of ours.

    ``active_after`` (UTC): the last message is not older. ``offset`` is ignored beside a ``cursor``.
    """

    text: str | None = None
    number: str | None = None
    active_after: datetime | None = None
    unanswered_only: bool = False
    limit: int = 50
    offset: int = 0
    cursor: str | None = None


def list_newest(connection: ReadConnection, grant: Grant, query: ConversationsQuery) -> Page[ConversationView]:
    """One page, the most recently active first. Raises :class:`NotVisible` for an unknown number, `BadCursor`."""
    limit = page.check_limit(query.limit)
    scope = scope_of(connection, grant, query.number)
    where: list[str] = []
    parameters: dict[str, Any] = {
        "active_after": page.utc(query.active_after), "count": limit + 1, "offset": query.offset
    }  # fmt: skip
    if query.active_after is not None:
        where.append("c.last_message_at >= %(active_after)s::timestamptz")
    if query.unanswered_only:
        where.append(UNANSWERED)
    if query.text is not None and query.text.strip():
        where.append(named(scope))
        parameters |= patterns(connection, query.text)
    if query.cursor is not None:
        active, last_id = page.unseal(grant, query, query.cursor)
        where.append("(c.last_message_at, c.id) < (%(from_active)s::timestamptz, %(from_id)s::bigint)")
        parameters |= {"from_active": page.moment(active), "from_id": last_id, "offset": 0}
    rows = _select(connection, scope, where, parameters)
    items = _views(connection, scope, rows[:limit])
    return Page(items, _next_cursor(grant, query, items[-1]) if len(rows) > limit else None)


def get(connection: ReadConnection, grant: Grant, conversation_id: int) -> ConversationView:
    """One conversation. Raises :class:`NotVisible`."""
    scope = scope_of(connection, grant)
    rows = _select(connection, scope, ["c.id = %(id)s::bigint"], {"id": conversation_id, "count": 1, "offset": 0})
    if not rows:
        raise NotVisible(
            f"No conversation {conversation_ref(conversation_id)} is visible to this client:"
            " list the conversations and take an id from there."
        )
    return _views(connection, scope, rows)[0]


def with_participant(connection: ReadConnection, scope: Scope, participant_id: int) -> list[ConversationView]:
    """The conversations of one participant, one for each of our numbers, the most recently active first."""
    where = ["c.participant_id = %(participant)s::bigint"]
    parameters = {"participant": participant_id, "count": len(scope.numbers), "offset": 0}
    return _views(connection, scope, _select(connection, scope, where, parameters))


def complete(connection: ReadConnection, grant: Grant, prefix: str) -> list[ConversationView]:
    """At most 20 conversations whose short id begins with ``prefix`` or whose contact's name has it."""
    if not prefix.strip():
        return []
    scope = scope_of(connection, grant)
    wanted = named(scope)
    parameters: dict[str, Any] = {"count": MAX_SUGGESTIONS, "offset": 0, **patterns(connection, prefix)}
    if row_id(prefix.strip(), "c") is not None:
        wanted = f"({wanted} OR c.id::text LIKE %(id_begins)s)"
        parameters["id_begins"] = prefix.strip().removeprefix("c") + "%"
    return _views(connection, scope, _select(connection, scope, [wanted], parameters))


def like_pattern(text: str) -> str:
    """A LIKE pattern that finds ``text`` anywhere, taking its wildcards literally."""
    escaped = text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{escaped}%"


def named(scope: Scope) -> str:
    """The predicate on the participant ``p``: name, username or phone number has the text of :func:`patterns`.

    Of masked numbers only the end is looked at that is shown. The numbers of participants who were merged find the one
    who stands for them.
    """
    phone = "a.value" if scope.phones else "right(a.value, 4)"
    name = "p.name" if scope.phones else f"CASE WHEN {IS_PHONE} THEN right(p.name, 4) ELSE p.name END"
    return f"""({bare_letters(name)} LIKE %(name_has)s OR {bare_letters("p.username")} LIKE %(name_has)s
      OR %(phone_has)s::text IS NOT NULL AND EXISTS (SELECT 1 FROM participant_aliases a
        WHERE a.participant_id = p.id AND a.kind = 'wa_id' AND {phone} LIKE %(phone_has)s)
      OR %(phone_has)s::text IS NOT NULL AND EXISTS (SELECT 1
        FROM unnest(%(merged)s::bigint[], %(stand_in)s::bigint[]) AS u (merged, stand_in)
        JOIN participant_aliases a ON a.participant_id = u.merged
        WHERE u.stand_in = p.id AND a.kind = 'wa_id' AND {phone} LIKE %(phone_has)s))"""


def patterns(connection: ReadConnection, text: str) -> dict[str, Any]:
    """The values of :func:`named` for what somebody typed."""
    text = text.strip().replace("\0", "")
    row = connection.execute("SELECT public.wa_norm(%s)", [text.removeprefix("@")]).fetchone()
    bare = "".join(character for character in text if character not in " +()-./")
    digits = bare if bare.isascii() and bare.isdecimal() else None
    merges = merges_in_force(connection) if digits else Merges()
    return {
        "name_has": like_pattern(row[0] if row else text),
        "phone_has": f"%{digits}%" if digits else None,
        "merged": list(merges.into),
        "stand_in": [merges.root(each) for each in merges.into],
    }


def _views(connection: ReadConnection, scope: Scope, rows: list[dict[str, Any]]) -> list[ConversationView]:
    called = subjects(connection, [row["group_id"] for row in rows if row["group_id"] is not None])
    return [conversation_view(row, scope, called.get(row["group_id"])) for row in rows]


def _select(
    connection: ReadConnection, scope: Scope, where: list[str], parameters: dict[str, Any]
) -> list[dict[str, Any]]:
    count = "c.message_count"
    if scope.since is not None:
        count = (
            f"(SELECT count(*) FROM messages m WHERE m.conversation_id = c.id AND {scope.messages()}"
            " AND m.type <> ALL(%(not_shown)s::text[]))"
        )
    statement = f"""
      SELECT c.id, c.number_id, c.group_id, {count} AS message_count, c.last_message_at, c.last_inbound_at,
        c.last_outbound_at, now() AS read_at, {PARTICIPANT_COLUMNS}
      FROM conversations c LEFT JOIN participants p ON p.id = c.participant_id
      WHERE {" AND ".join([scope.conversations(), *where])}
      ORDER BY c.last_message_at DESC NULLS LAST, c.id DESC LIMIT %(count)s OFFSET %(offset)s"""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement, {**scope.parameters(), "not_shown": list(NOT_SHOWN), **parameters}).fetchall()


def _next_cursor(grant: Grant, query: ConversationsQuery, last: ConversationView) -> str:
    assert last.last_message_at is not None
    return page.seal(grant, query, [page.micros(last.last_message_at), last.id])

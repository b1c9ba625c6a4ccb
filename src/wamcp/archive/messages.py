"""Messages: a conversation page by page, the surroundings of one message, and single ones by id."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from psycopg.rows import dict_row

from wamcp.access.grants import Grant
from wamcp.archive import page
from wamcp.archive.afterwards import NOTHING, Afterwards, afterwards
from wamcp.archive.parts import shown_text
from wamcp.archive.scope import Scope, scope_of
from wamcp.archive.shapes import PARTICIPANT_COLUMNS, participant_view
from wamcp.archive.views import MessageView, Page
from wamcp.db.session import ReadConnection
from wamcp.errors import NotVisible
from wamcp.vocabulary import NOT_SHOWN, conversation_ref, message_ref

Order = Literal["newest", "oldest"]


@dataclass(frozen=True, slots=True)
class MessagesQuery:
    """Which messages of one conversation. ``after`` is inclusive, ``before`` exclusive (UTC).

    ``around`` is a message's row id: the first page then has it in its middle.
    """

    conversation_id: int
    order: Order = "newest"
    after: datetime | None = None
    before: datetime | None = None
    around: int | None = None
    limit: int = 50
    cursor: str | None = None


def of_conversation(connection: ReadConnection, grant: Grant, query: MessagesQuery) -> Page[MessageView]:
    """One page of a conversation. Raises :class:`NotVisible` for an unknown conversation or message, `BadCursor`."""
    limit = page.check_limit(query.limit)
    scope = scope_of(connection, grant)
    require_conversation(connection, scope, query.conversation_id)
    parameters = {
        **scope.parameters(),
        "conversation": query.conversation_id,
        "not_shown": list(NOT_SHOWN),
        "after": page.utc(query.after),
        "before": page.utc(query.before),
    }
    if query.cursor is not None:
        sent, row_id = page.unseal(grant, query, query.cursor)
        ids = _step(connection, scope, query, {**parameters, **_from((page.moment(sent), row_id))}, limit + 1)
    elif query.around is not None:
        ids = _surroundings(connection, scope, query, parameters)
    else:
        ids = _step(connection, scope, query, parameters, limit + 1)
    items = by_row_ids(connection, scope, ids[:limit])
    return Page(items, _next_cursor(grant, query, items) if len(ids) > limit else None)


def by_ids(connection: ReadConnection, grant: Grant, ids: list[int]) -> list[MessageView]:
    """The visible ones among ``ids``, in the order asked for."""
    return by_row_ids(connection, scope_of(connection, grant), ids)


def get(connection: ReadConnection, grant: Grant, row_id: int) -> MessageView:
    """One message. Raises :class:`NotVisible`."""
    found = by_ids(connection, grant, [row_id])
    if not found:
        raise no_message(row_id)
    return found[0]


def no_message(row_id: int) -> NotVisible:
    """The one answer for messages that do not exist and for those that this client may not see."""
    return NotVisible(f"No message {message_ref(row_id)} is visible to this client: search for it, or list messages.")


def by_row_ids(connection: ReadConnection, scope: Scope, ids: list[int]) -> list[MessageView]:
    """The messages ``ids`` that lie in ``scope``, in that order."""
    if not ids:
        return []
    rows = _select(connection, scope, ids)
    directions = {(row["number_id"], row["wamid"]): row["direction"] for row in rows.values() if row["referred"]}
    later = afterwards(connection, scope, directions, directions)
    return [
        message_view(rows[row_id], scope, later.get((rows[row_id]["number_id"], rows[row_id]["wamid"]), NOTHING))
        for row_id in ids
        if row_id in rows
    ]


def message_view(row: dict[str, Any], scope: Scope, later: Afterwards) -> MessageView:
    """The message in ``row`` as it stands after what became of it."""
    kind, text = row["type"], row["text"]
    return MessageView(
        id=row["id"],
        wamid=row["wamid"] if scope.phones else None,
        conversation_id=row["conversation_id"],
        phone_number_id=scope.numbers[row["number_id"]].phone_number_id,
        direction=row["direction"],
        source=row["source"],
        type=kind,
        sent_at=row["sent_at"].astimezone(UTC),
        sender=participant_view(row, scope),
        text=shown_text(kind, text, scope) if later.text is None else later.text,
        reply_to=row["reply_to"] if scope.phones else None,
        reply_to_id=row["reply_to_id"],
        status=row["status"],
        edited=later.text is not None,
        revoked_at=later.revoked_at,
        reactions=later.reactions,
        refers_to=row["refers_to"] if scope.phones else None,
        refers_to_id=row["refers_to_id"],
        forwarded=_is_forwarded(row["content"]),
    )


def require_conversation(connection: ReadConnection, scope: Scope, conversation_id: int) -> None:
    """Raises :class:`NotVisible` unless ``scope`` has this conversation."""
    found = connection.execute(
        f"SELECT 1 FROM conversations c WHERE c.id = %(id)s::bigint AND {scope.conversations()}",
        {**scope.parameters(), "id": conversation_id},
    ).fetchone()
    if found is None:
        raise NotVisible(
            f"No conversation {conversation_ref(conversation_id)} is visible to this client:"
            " list the conversations and take an id from there."
        )


def _select(connection: ReadConnection, scope: Scope, ids: list[int]) -> dict[int, dict[str, Any]]:
    def named(column: str) -> str:
        return (
            f"(SELECT r.id FROM messages r WHERE r.number_id = m.number_id AND r.wamid = m.{column}"
            f" AND {scope.messages('r')})"
        )

    statement = f"""
      SELECT m.id, m.wamid, m.number_id, m.conversation_id, m.direction, m.source, m.type, m.sent_at, m.text,
        m.reply_to, m.refers_to, m.content, s.status, {named("reply_to")} AS reply_to_id,
        {named("refers_to")} AS refers_to_id, {PARTICIPANT_COLUMNS},
        EXISTS (SELECT FROM messages r WHERE r.number_id = m.number_id AND r.refers_to = m.wamid) AS referred
      FROM messages m
      LEFT JOIN participants p ON p.id = m.sender_id AND m.direction = 'inbound'
      LEFT JOIN message_state s ON s.number_id = m.number_id AND s.wamid = m.wamid
      WHERE m.id = ANY(%(ids)s::bigint[]) AND {scope.messages()}"""
    with connection.cursor(row_factory=dict_row) as cursor:
        return {row["id"]: row for row in cursor.execute(statement, {**scope.parameters(), "ids": ids})}


def _is_forwarded(content: object) -> bool:
    return isinstance(content, dict) and True in (content.get("forwarded"), content.get("frequently_forwarded"))


def _from(start: tuple[datetime, int]) -> dict[str, Any]:
    return {"from_sent": start[0], "from_id": start[1]}


def _step(
    connection: ReadConnection, scope: Scope, query: MessagesQuery, parameters: dict[str, Any], count: int
) -> list[int]:
    """Row ids from the start (exclusive, when parameters have one) onwards in the order of ``query``."""
    newest = query.order == "newest"
    where = ["m.conversation_id = %(conversation)s::bigint", "m.type <> ALL(%(not_shown)s::text[])", scope.messages()]
    if query.after is not None:
        where.append("m.sent_at >= %(after)s::timestamptz")
    if query.before is not None:
        where.append("m.sent_at < %(before)s::timestamptz")
    if "from_sent" in parameters:
        sign = "<" if newest else ">"
        where.append(f"(m.sent_at, m.id) {sign} (%(from_sent)s::timestamptz, %(from_id)s::bigint)")
    way = "DESC" if newest else "ASC"
    statement = f"""
      SELECT m.id FROM messages m WHERE {" AND ".join(where)}
      ORDER BY m.sent_at {way}, m.id {way} LIMIT %(count)s"""
    return [row[0] for row in connection.execute(statement, {**parameters, "count": count})]


def _surroundings(
    connection: ReadConnection, scope: Scope, query: MessagesQuery, parameters: dict[str, Any]
) -> list[int]:
    """The message asked for in the middle of a page in the order of ``query``, and one more at the end if there is."""
    centre = connection.execute(
        "SELECT m.sent_at, m.id FROM messages m WHERE m.id = %(around)s::bigint"
        f" AND m.conversation_id = %(conversation)s::bigint AND {scope.messages()}",
        {**parameters, "around": query.around},
    ).fetchone()
    if centre is None:
        raise NotVisible(
            f"No message {message_ref(query.around or 0)} is visible in {conversation_ref(query.conversation_id)}:"
            " take the id and its conversation from one row of an earlier answer."
        )
    bounds = {**parameters, **_from(centre)}
    backwards = _reversed(query)
    ahead = _step(connection, scope, backwards, bounds, query.limit // 2)[::-1]
    behind = _step(connection, scope, query, bounds, query.limit - len(ahead))
    return [*ahead, centre[1], *behind]


def _reversed(query: MessagesQuery) -> MessagesQuery:
    order: Order = "oldest" if query.order == "newest" else "newest"
    return MessagesQuery(query.conversation_id, order, query.after, query.before)


def _next_cursor(grant: Grant, query: MessagesQuery, items: list[MessageView]) -> str:
    last = items[-1]
    return page.seal(grant, query, [page.micros(last.sent_at), last.id])

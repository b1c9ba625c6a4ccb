"""One message with everything that is known of it, also when Meta told only what became of it."""

from dataclasses import dataclass
from datetime import UTC
from typing import Any

from psycopg.rows import dict_row

from wamcp.access.grants import Grant
from wamcp.archive.account_events import about_subject
from wamcp.archive.afterwards import NOTHING, Afterwards, afterwards
from wamcp.archive.documents import carried
from wamcp.archive.messages import by_row_ids, no_message
from wamcp.archive.parts import shown, shown_text
from wamcp.archive.scope import Scope, scope_of
from wamcp.archive.shapes import PARTICIPANT_COLUMNS, looks_like_phone, mask, participant_view
from wamcp.archive.views import AccountEventView, DeliveryView, DetailView, IdentityView
from wamcp.db.session import ReadConnection
from wamcp.errors import NotVisible, Rejected
from wamcp.vocabulary import Direction, row_id

MAX_DELIVERIES = 1_000
"""So many statuses of one message are told, the first ones; in groups each member has some."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a wamid is known: our number's row id, None for account events of no number; the message's row id."""

    number: int | None
    message: int | None
    account_events: list[AccountEventView]


def find(connection: ReadConnection, grant: Grant, written: str, number: str | None = None) -> DetailView:
    """Everything about the message that is meant by a wamid or, where no ``number`` is named, by ``m123``.

    Raises as :func:`by_wamid` does.
    """
    short = row_id(written.lower(), "m") if number is None and written[:1] in ("m", "M") else None
    try:
        return by_wamid(connection, grant, written, number)
    except NotVisible:
        if short is None:
            raise
        return by_row_id(connection, grant, short)


def by_wamid(connection: ReadConnection, grant: Grant, wamid: str, number: str | None = None) -> DetailView:
    """Everything about ``wamid`` at the number that ``number`` names: Meta's id of it, or the number itself.

    Raises :class:`NotVisible` for what nobody knows or this bearer may not see, :class:`Rejected` when several numbers
    know it and none is named.
    """
    scope = scope_of(connection, grant, number)
    places = _places(connection, scope, wamid.replace("\0", ""))
    if not places:
        raise NotVisible(
            f"No message {wamid[:200]!r} is visible to this client, and nothing that refers to it:"
            " check that it is whole, or search for the message."
        )
    if len(places) > 1:
        names = ", ".join(scope.numbers[place.number].phone_number_id for place in places if place.number is not None)
        raise Rejected(f"Several of our numbers know this wamid: say which one by phone_number_id ({names}).")
    return _detail(connection, grant, scope, wamid, places[0])


def by_row_id(connection: ReadConnection, grant: Grant, message_id: int) -> DetailView:
    """Everything about one message. Raises :class:`NotVisible`."""
    scope = scope_of(connection, grant)
    found = connection.execute(
        f"SELECT m.number_id, m.wamid FROM messages m WHERE m.id = %(id)s::bigint AND {scope.messages()}",
        {**scope.parameters(), "id": message_id},
    ).fetchone()
    if found is None:
        raise no_message(message_id)
    number, wamid = found
    account_events = [each for each in about_subject(connection, scope, wamid) if each.number_id in (number, None)]
    return _detail(connection, grant, scope, wamid, _Place(number, message_id, account_events))


def _places(connection: ReadConnection, scope: Scope, wamid: str) -> list[_Place]:
    """Where ``wamid`` is known. A message before the bearer's window hides all that is known of it."""
    account_events = about_subject(connection, scope, wamid)
    rows = connection.execute(
        f"""
        SELECT n.id, m.id, m.id IS NOT NULL AND {scope.messages()},
          EXISTS (SELECT FROM statuses s WHERE s.number_id = n.id AND s.wamid = %(wamid)s
            AND {_in_window(scope, "s.at")})
          OR EXISTS (SELECT FROM messages r WHERE r.number_id = n.id AND r.refers_to = %(wamid)s
            AND {scope.messages("r")})
        FROM unnest(%(numbers)s::int[]) AS n (id) LEFT JOIN messages m ON m.number_id = n.id AND m.wamid = %(wamid)s
        ORDER BY n.id""",
        {**scope.parameters(), "numbers": list(scope.numbers), "wamid": wamid},
    ).fetchall()
    places = []
    for number, message, is_visible, is_referred_to in rows:
        here = [each for each in account_events if each.number_id == number]
        if is_visible or (message is None and (is_referred_to or here)):
            places.append(_Place(number, message, here))
    nowhere = [each for each in account_events if each.number_id is None]
    if len(places) == 1:
        return [_Place(places[0].number, places[0].message, places[0].account_events + nowhere)]
    return places or ([_Place(None, None, nowhere)] if nowhere else [])


def _in_window(scope: Scope, moment: str) -> str:
    return "true" if scope.since is None else f"{moment} >= %(scope_since)s::timestamptz"


def _detail(connection: ReadConnection, grant: Grant, scope: Scope, wamid: str, place: _Place) -> DetailView:
    row = _row(connection, place.message) if place.message is not None else None
    messages = by_row_ids(connection, scope, [place.message]) if place.message is not None else []
    message = messages[0] if messages else None
    later, deliveries, status = NOTHING, list[DeliveryView](), None
    if place.number is not None:
        key = (place.number, wamid)
        directions = {key: message.direction} if message else {}
        later = afterwards(connection, scope, [key], directions).get(key, NOTHING)
        deliveries = _deliveries(connection, scope, place.number, wamid)
        status = _state(connection, place.number, wamid) if message or deliveries else None
    content = row["content"] if row and isinstance(row["content"], dict) else {}
    return DetailView(
        known_from=_known_from(message is not None, deliveries, later, place.account_events),
        wamid=wamid if scope.phones else None,
        number=scope.numbers[place.number] if place.number is not None else None,
        message=message,
        sender=_identity(row, scope) if message and message.direction == Direction.INBOUND else None,
        recipient=_identity(row, scope) if message and message.direction == Direction.OUTBOUND else None,
        group_id=row["group_id"] if row else None,
        original_text=shown_text(row["type"], row["text"], scope) if row and later.text is not None else None,
        content=shown(content, scope),
        reactions=later.reactions,
        revisions=later.revisions,
        revoked_at=later.revoked_at,
        status=status,
        deliveries=deliveries,
        account_events=place.account_events,
        event_ids=_events(row, deliveries, later, place.account_events),
        files=tuple(carried(connection, grant, place.number, wamid)) if message and place.number is not None else (),
    )


def _known_from(
    has_message: bool, deliveries: list[DeliveryView], later: Afterwards, account_events: list[AccountEventView]
) -> list[str]:
    told = {
        "message": has_message,
        "statuses": deliveries,
        "referring": later.events,
        "account_events": account_events,
    }
    return [name for name, found in told.items() if found]


def _events(
    row: dict[str, Any] | None,
    deliveries: list[DeliveryView],
    later: Afterwards,
    account_events: list[AccountEventView],
) -> list[int]:
    found = {row["event_id"]} if row else set()
    return sorted(
        found | {each.event_id for each in deliveries} | set(later.events) | {each.event_id for each in account_events}
    )


def _row(connection: ReadConnection, message_id: int) -> dict[str, Any] | None:
    """What lists do not tell of a message, and the other party: the sender, or whom the conversation is with."""
    statement = f"""
      SELECT m.event_id, m.type, m.text, m.content, m.party_wa_id, m.party_bsuid, c.group_id,
        (SELECT value FROM participant_aliases a WHERE a.participant_id = p.id AND a.kind = 'parent_bsuid'
          ORDER BY first_seen_at DESC, value DESC LIMIT 1) AS parent_bsuid, {PARTICIPANT_COLUMNS}
      FROM messages m JOIN conversations c ON c.id = m.conversation_id
      LEFT JOIN participants p
        ON p.id = CASE WHEN m.direction = 'inbound' THEN m.sender_id ELSE c.participant_id END
      WHERE m.id = %s"""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement, [message_id]).fetchone()


def _identity(row: dict[str, Any] | None, scope: Scope) -> IdentityView | None:
    person = participant_view(row, scope) if row else None
    if row is None or person is None:
        return None
    content = row["content"] if isinstance(row["content"], dict) else {}
    party = content.get("party")
    parent = party.get("parent_bsuid") if isinstance(party, dict) else None
    stated = row["party_wa_id"]
    if stated is not None and not scope.phones:
        stated = mask(stated)
    return IdentityView(
        participant_id=person.id,
        name=person.name,
        username=person.username,
        wa_id=stated or person.wa_id,
        bsuid=row["party_bsuid"] or person.bsuid,
        parent_bsuid=parent or row["parent_bsuid"],
    )


def _deliveries(connection: ReadConnection, scope: Scope, number: int, wamid: str) -> list[DeliveryView]:
    statement = f"""
      SELECT s.status, s.at, s.participant, s.errors, s.pricing, s.kind, s.callback_data, s.extra, s.event_id,
        {PARTICIPANT_COLUMNS}
      FROM (SELECT s.* FROM statuses s WHERE s.number_id = %(number)s AND s.wamid = %(wamid)s
        AND {_in_window(scope, "s.at")} ORDER BY s.at, s.status, s.participant LIMIT %(most)s) s
      LEFT JOIN participants p ON p.id = s.recipient_id
      ORDER BY s.at, s.status, s.participant"""
    parameters = {**scope.parameters(), "number": number, "wamid": wamid, "most": MAX_DELIVERIES}
    with connection.cursor(row_factory=dict_row) as cursor:
        return [_delivery(row, scope) for row in cursor.execute(statement, parameters)]


def _delivery(row: dict[str, Any], scope: Scope) -> DeliveryView:
    participant = row["participant"]
    return DeliveryView(
        status=row["status"],
        at=row["at"].astimezone(UTC),
        recipient=participant_view(row, scope),
        participant=mask(participant) if not scope.phones and looks_like_phone(participant) else participant,
        errors=shown(row["errors"], scope),
        pricing=shown(row["pricing"], scope),
        kind=row["kind"],
        callback_data=row["callback_data"],
        extra=shown(row["extra"], scope),
        event_id=row["event_id"],
    )


def _state(connection: ReadConnection, number: int, wamid: str) -> str | None:
    found = connection.execute(
        "SELECT status FROM message_state WHERE number_id = %s AND wamid = %s", [number, wamid]
    ).fetchone()
    return found[0] if found else None

"""The 24-hour window of a conversation, and the number that sends: what is asked of the archive before a send."""

from datetime import datetime
from typing import NamedTuple

import psycopg

from wamcp.db.columns import array
from wamcp.db.merges import merges_in_force
from wamcp.vocabulary import NOT_SAID, AliasKind, RecipientKind
from wamcp.whatsapp.spellings import spellings

_OPEN_NOTHING = (*NOT_SAID, "unsupported")


class OurNumber(NamedTuple):
    """One of our numbers as far as it is known; ``id`` is None before its first webhook."""

    phone_number_id: str
    id: int | None
    display_phone_number: str | None
    waba_id: str | None
    scope: str | None


class Place(NamedTuple):
    """The conversation with a recipient, None before the first message, and until when anything may be answered."""

    conversation_id: int | None
    window_open_until: datetime | None


NOWHERE = Place(None, None)


def our_numbers(connection: psycopg.Connection) -> list[OurNumber]:
    """Every number of which a webhook told."""
    rows = connection.execute(
        "SELECT phone_number_id, id, display_phone_number, waba_id, scope FROM numbers ORDER BY id"
    ).fetchall()
    return [OurNumber(*row) for row in rows]


def place_of(connection: psycopg.Connection, number: OurNumber, kind: RecipientKind, recipient: str) -> Place:
    """The conversation with ``recipient``, and 24 hours after his last message (Meta's customer service window).

    Calls count, reactions, system messages and what Meta could not show do not. A group has no window that we know of.
    """
    if number.id is None:
        return NOWHERE
    if kind == RecipientKind.GROUP:
        condition, value = "c.group_id = %s", recipient
    else:
        participant = _participant(connection, number.scope or "", kind, recipient)
        if participant is None:
            return NOWHERE
        condition, value = "c.participant_id = %s::bigint", str(participant)
    row = connection.execute(
        "SELECT c.id, (SELECT max(m.sent_at) + interval '24 hours' FROM messages m WHERE m.conversation_id = c.id"
        "  AND m.sent_at > now() - interval '24 hours' AND m.direction = 'inbound' AND m.type <> ALL(%s::text[]))"
        f" FROM conversations c WHERE c.number_id = %s AND {condition}",
        [array(_OPEN_NOTHING), number.id, value],
    ).fetchone()
    return Place(*row) if row else NOWHERE


def wamid_of(connection: psycopg.Connection, phone_number_id: str | None, message_id: int) -> str | None:
    """The wamid of the message ``m123``, None where there is none at this number (None: at any)."""
    row = connection.execute(
        "SELECT m.wamid FROM messages m JOIN numbers n ON n.id = m.number_id"
        " WHERE m.id = %s AND coalesce(n.phone_number_id = %s, true)",
        [message_id, phone_number_id],
    ).fetchone()
    return row[0] if row else None


def _participant(connection: psycopg.Connection, scope: str, kind: RecipientKind, recipient: str) -> int | None:
    if kind == RecipientKind.PHONE:
        kinds, values = [AliasKind.WA_ID], list(spellings(recipient))
    else:
        kinds, values = [AliasKind.BSUID, AliasKind.PARENT_BSUID], [recipient]
    row = connection.execute(
        "SELECT participant_id FROM participant_aliases WHERE scope = %s AND kind = ANY(%s::text[])"
        " AND value = ANY(%s::text[]) ORDER BY kind, value = %s DESC LIMIT 1",
        [scope, array([kind.value for kind in kinds]), array(values), recipient],
    ).fetchone()
    return merges_in_force(connection).root(row[0]) if row else None

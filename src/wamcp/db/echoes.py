"""What the debug echo asks: which messages it has not decided about, and what it decided."""

from datetime import datetime
from typing import NamedTuple

import psycopg

from wamcp.db.columns import array
from wamcp.db.merges import merges_in_force
from wamcp.db.windows import our_numbers
from wamcp.phones import digits_of
from wamcp.vocabulary import NOT_SAID, AliasKind, Direction, Source
from wamcp.whatsapp.spellings import spellings

FRESH_MINUTES = 5
"""Older messages are never echoed: an archive that was down does not answer yesterday's. Nor what is dated ahead."""
_SILENT = (*NOT_SAID, "unsupported", "media_placeholder", "call")
"""Types of which nothing was said, or not yet."""
_STANDBY_HOURS = 24
_LOOKED_AT = 2000
"""At the fastest that Meta allows a number, these are the messages of 25 seconds."""


class Heard(NamedTuple):
    """An inbound message from somebody on the list, about which nothing has been decided."""

    number_id: int
    phone_number_id: str
    wamid: str
    text: str
    participant_id: int | None
    wa_id: str | None
    bsuid: str | None
    group_id: str | None
    sent_at: datetime
    is_ours: bool
    """One of our own numbers wrote it."""
    is_standby: bool
    """Another app, or Meta's agent, has this conversation."""


def undecided(connection: psycopg.Connection, phones: list[str], bsuids: list[str], most: int) -> list[Heard]:
    """Fresh inbound messages from these people, oldest first; they are known by all that they were merged with."""
    merged = merges_in_force(connection)
    pairs = [(member, merged.root(member)) for member in merged.into]
    ours = {
        each for number in our_numbers(connection) for each in spellings(digits_of(number.display_phone_number or ""))
    }
    rows = connection.execute(
        _UNDECIDED,
        {
            "minutes": FRESH_MINUTES,
            "inbound": Direction.INBOUND.value,
            "webhook": Source.WEBHOOK.value,
            "standby": Source.STANDBY.value,
            "standby_hours": _STANDBY_HOURS,
            "silent": array(_SILENT),
            "wa_id": AliasKind.WA_ID.value,
            "phones": array(phones),
            "bsuids": array(bsuids),
            "ours": array(sorted(ours)),
            "members": array([member for member, _ in pairs]),
            "roots": array([root for _, root in pairs]),
            "looked_at": _LOOKED_AT,
            "most": most,
        },
    ).fetchall()
    return [Heard(*row) for row in rows]


_HE = """SELECT m.sender_id UNION ALL SELECT p.member
    FROM unnest(%(members)s::bigint[], %(roots)s::bigint[]) AS p (member, root) WHERE p.root = m.sender_id"""
_UNDECIDED = f"""
SELECT n.id, n.phone_number_id, m.wamid, m.text, m.sender_id, m.party_wa_id, m.party_bsuid, c.group_id, m.sent_at,
  coalesce(m.party_wa_id = ANY(%(ours)s::text[]), false)
  OR EXISTS (SELECT FROM participant_aliases a WHERE a.participant_id IN ({_HE})
    AND a.kind = %(wa_id)s AND a.value = ANY(%(ours)s::text[])),
  EXISTS (SELECT FROM messages s WHERE s.conversation_id = m.conversation_id AND s.source = %(standby)s
    AND s.sent_at > now() - make_interval(hours => %(standby_hours)s))
FROM numbers n
CROSS JOIN LATERAL (
  SELECT * FROM messages m WHERE m.number_id = n.id AND m.sent_at > now() - make_interval(mins => %(minutes)s)
  AND m.sent_at < now() + make_interval(mins => %(minutes)s) ORDER BY m.sent_at DESC LIMIT %(looked_at)s) m
JOIN conversations c ON c.id = m.conversation_id
WHERE m.direction = %(inbound)s AND m.source = %(webhook)s AND m.type <> ALL(%(silent)s::text[])
  AND NOT EXISTS (SELECT FROM echoes e WHERE e.number_id = m.number_id AND e.wamid = m.wamid)
  AND (m.party_wa_id = ANY(%(phones)s::text[]) OR m.party_bsuid = ANY(%(bsuids)s::text[])
    OR EXISTS (SELECT FROM participant_aliases a WHERE a.participant_id IN ({_HE})
      AND a.value = ANY(CASE WHEN a.kind = %(wa_id)s THEN %(phones)s::text[] ELSE %(bsuids)s::text[] END)))
ORDER BY m.sent_at, m.id LIMIT %(most)s
"""


def lock_person(connection: psycopg.Connection, participant_id: int | None) -> None:
    """Lets nobody else decide about this person until the transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtext('wamcp echo'), %s)", [(participant_id or 0) % 2**31])


def is_decided(connection: psycopg.Connection, number_id: int, wamid: str) -> bool:
    """Whether somebody was faster."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM echoes WHERE number_id = %s AND wamid = %s)", [number_id, wamid]
    ).fetchone()
    return bool(row and row[0])


def answered_within(connection: psycopg.Connection, participant_id: int | None, seconds: float, outcome: str) -> bool:
    """Whether this person was echoed in the last ``seconds``."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM echoes WHERE participant_id = %s AND outcome = %s"
        " AND decided_at > clock_timestamp() - make_interval(secs => %s))",
        [participant_id, outcome, seconds],
    ).fetchone()
    return bool(row and row[0])


def decide(connection: psycopg.Connection, heard: Heard, outcome: str, send_id: int | None) -> None:
    """Writes down what was decided about a message."""
    connection.execute(
        "INSERT INTO echoes (number_id, wamid, participant_id, outcome, send_id) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        [heard.number_id, heard.wamid, heard.participant_id, outcome, send_id],
    )

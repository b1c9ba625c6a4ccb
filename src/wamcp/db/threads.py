"""Keeping threads: conversations, their messages, and the counts that are read from them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import psycopg

from wamcp.db.columns import array, columns
from wamcp.db.reactions import tell_waiting
from wamcp.vocabulary import NOT_SAID, NOT_SHOWN, Direction

SECONDS_PER_DAY = 86_400


class Thread(NamedTuple):
    """What makes a conversation: our number and either a participant or a group."""

    number_id: int
    participant_id: int | None
    group_id: str | None


class MessageRow(NamedTuple):
    """A message as it is kept; ``sent_at`` is unix seconds, ``content`` JSON text.

    ``party_*`` is the other party as this message names it, ``standing`` one of :class:`wamcp.vocabulary.Standing`.
    """

    number_id: int
    wamid: str
    conversation_id: int
    sender_id: int | None
    event_id: int
    direction: str
    source: str
    type: str
    sent_at: int
    standing: int
    reply_to: str | None
    refers_to: str | None
    party_wa_id: str | None
    party_bsuid: str | None
    text: str
    search_text: str | None
    content: str | None


class Written(NamedTuple):
    """The messages that were sent to Postgres, and its answer, which may still be on its way."""

    rows: dict[tuple[int, str], MessageRow]
    answer: psycopg.Cursor[Any]


class _Counted(NamedTuple):
    """Where and how a message is counted; ``inbound``, ``shown`` and ``said`` are 1 or 0."""

    conversation_id: int
    sent_at: int
    inbound: int
    shown: int
    said: int


def keep_conversations(connection: psycopg.Connection, threads: set[Thread]) -> dict[Thread, int]:
    """The conversation of every thread; unknown ones are created."""
    wanted = sorted(threads, key=lambda thread: (thread.number_id, thread.participant_id or 0, thread.group_id or ""))
    found = _select_conversations(connection, wanted)
    missing = [thread for thread in wanted if thread not in found]
    if missing:
        connection.execute(
            "INSERT INTO conversations (number_id, participant_id, group_id)"
            " SELECT * FROM unnest(%s::int[], %s::bigint[], %s::text[]) ON CONFLICT DO NOTHING",
            columns(missing, 3),
        )
        found.update(_select_conversations(connection, missing))
    return found


def keep_messages(connection: psycopg.Connection, rows: Sequence[MessageRow]) -> Written | None:
    """Inserts messages, each once per (number, wamid); :func:`count_messages` has to count what was written.

    The first delivery of a wamid wins, except that one of higher standing replaces it (a real message its ghost), and
    that the event a row came from may rewrite it: so replaying events in the order in which they were applied changes
    nothing.
    """
    chosen: dict[tuple[int, str], MessageRow] = {}
    for row in rows:
        earlier = chosen.get((row.number_id, row.wamid))
        if earlier is None or row.standing > earlier.standing:
            chosen[(row.number_id, row.wamid)] = row
    if not chosen:
        return None
    return Written(
        chosen, connection.execute(_INSERT_MESSAGES, columns([chosen[key] for key in sorted(chosen)], _MESSAGE_COLUMNS))
    )


def count_messages(connection: psycopg.Connection, said: Written | None) -> None:
    """Counts the new messages in their conversations and on their days, and moves what a replaced ghost counted.

    Reactions that waited for one of them then say what they were to.
    """
    if said is None:
        return
    chosen, written = said.rows, said.answer.fetchall()
    new = [chosen[(number_id, wamid)] for number_id, wamid, old in written if old is None]
    _count(connection, new)
    replaced = [(_Counted(*old), chosen[(number_id, wamid)]) for number_id, wamid, old in written if old is not None]
    _count_moved(connection, [(old, row) for old, row in replaced if old != _counted(row)])
    tell_waiting(connection, [(number_id, wamid) for number_id, wamid, _ in written])


def sort_in_words(connection: psycopg.Connection) -> None:
    """Moves newly written words from the index's pending list to their places.

    Sorted in together they cost half of what each costs alone, and the list, through which every search has to read,
    stays short. Harmless beside readers and writers.
    """
    for index in ("messages_words", "document_pages_words"):
        connection.execute("SELECT gin_clean_pending_list(%s)", [index])


_NOT_SHOWN, _NOT_SAID = f"'{array(NOT_SHOWN)}'", f"'{array(NOT_SAID)}'"
_MESSAGE_COLUMNS = len(MessageRow._fields)
_INSERT_MESSAGES = f"""
INSERT INTO messages AS m (number_id, wamid, conversation_id, sender_id, event_id, direction, source, type,
  sent_at, day, standing, reply_to, refers_to, party_wa_id, party_bsuid, text, search_text, content)
SELECT u.number_id, u.wamid, u.conversation_id, u.sender_id, u.event_id, u.direction, u.source, u.type,
  to_timestamp(u.sent_at), floor(u.sent_at / 86400.0)::int, u.standing, u.reply_to, u.refers_to, u.party_wa_id,
  u.party_bsuid, u.text, u.search_text, u.content::json
FROM unnest(%s::int[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[],
  %s::bigint[], %s::smallint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
  AS u (number_id, wamid, conversation_id, sender_id, event_id, direction, source, type,
        sent_at, standing, reply_to, refers_to, party_wa_id, party_bsuid, text, search_text, content)
ON CONFLICT (number_id, wamid) DO UPDATE SET
  conversation_id = excluded.conversation_id, sender_id = excluded.sender_id, event_id = excluded.event_id,
  direction = excluded.direction, source = excluded.source, type = excluded.type, sent_at = excluded.sent_at,
  day = excluded.day, standing = excluded.standing, reply_to = excluded.reply_to, refers_to = excluded.refers_to,
  party_wa_id = excluded.party_wa_id, party_bsuid = excluded.party_bsuid, text = excluded.text,
  search_text = excluded.search_text, content = excluded.content
WHERE (m.event_id = excluded.event_id OR m.standing < excluded.standing)
  AND (m.conversation_id, m.sender_id, m.event_id, m.direction, m.source, m.type, m.sent_at, m.standing, m.reply_to,
       m.refers_to, m.party_wa_id, m.party_bsuid, m.text, m.search_text, m.content::text)
    IS DISTINCT FROM
      (excluded.conversation_id, excluded.sender_id, excluded.event_id, excluded.direction, excluded.source,
       excluded.type, excluded.sent_at, excluded.standing, excluded.reply_to, excluded.refers_to, excluded.party_wa_id,
       excluded.party_bsuid, excluded.text, excluded.search_text, excluded.content::text)
RETURNING m.number_id, m.wamid, CASE WHEN m.xmax = 0 THEN NULL ELSE (
  SELECT ARRAY[o.conversation_id, extract(epoch FROM o.sent_at)::bigint, (o.direction = 'inbound')::int,
    (o.type <> ALL({_NOT_SHOWN}))::int, (o.type <> ALL({_NOT_SAID}))::int]
  FROM messages o WHERE o.id = m.id) END
"""
"""Says of a row that was there how it was counted: a query sees the table as it was before its statement."""

_RECOUNT_WHERE = f"""
UPDATE conversations c SET message_count = t.n, last_message_at = t.newest,
  last_inbound_at = t.inbound, last_outbound_at = t.outbound
FROM (SELECT k.id, count(m.id)::int AS n, max(m.sent_at) AS newest,
        max(m.sent_at) FILTER (WHERE m.direction = 'inbound' AND m.type <> ALL({_NOT_SAID})) AS inbound,
        max(m.sent_at) FILTER (WHERE m.direction = 'outbound' AND m.type <> ALL({_NOT_SAID})) AS outbound
      FROM conversations k LEFT JOIN messages m ON m.conversation_id = k.id AND m.type <> ALL({_NOT_SHOWN})
      WHERE %s GROUP BY k.id) t
WHERE c.id = t.id AND (c.message_count, c.last_message_at, c.last_inbound_at, c.last_outbound_at)
  IS DISTINCT FROM (t.n, t.newest, t.inbound, t.outbound)
"""
RECOUNT_THREADS = _RECOUNT_WHERE % "k.id = ANY(%s::bigint[])"
"""Counts the conversations with the given ids again from their messages."""

RECOUNT = (
    _RECOUNT_WHERE % "true",
    "DELETE FROM daily_counts",
    """
    INSERT INTO daily_counts (number_id, day, inbound, outbound)
    SELECT number_id, day, count(*) FILTER (WHERE direction = 'inbound'), count(*) FILTER (WHERE direction = 'outbound')
    FROM messages GROUP BY number_id, day
    """,
)
"""Counts everything again from the messages; to be run while nobody else counts."""


def _select_conversations(connection: psycopg.Connection, threads: Sequence[Thread]) -> dict[Thread, int]:
    people = [(t.number_id, t.participant_id) for t in threads if t.participant_id is not None]
    groups = [(t.number_id, t.group_id) for t in threads if t.group_id is not None]
    rows = connection.execute(
        "SELECT c.number_id, c.participant_id, NULL, c.id FROM conversations c"
        " JOIN unnest(%s::int[], %s::bigint[]) AS u (n, p) ON c.number_id = u.n AND c.participant_id = u.p"
        " UNION ALL SELECT c.number_id, NULL, c.group_id, c.id FROM conversations c"
        " JOIN unnest(%s::int[], %s::text[]) AS g (n, g) ON c.number_id = g.n AND c.group_id = g.g",
        [*columns(people, 2), *columns(groups, 2)],
    ).fetchall()
    return {Thread(number, participant, group): row_id for number, participant, group, row_id in rows}


def _count(connection: psycopg.Connection, rows: list[MessageRow]) -> None:
    if not rows:
        return
    threads: dict[int, list[int]] = {}
    days: dict[tuple[int, int], list[int]] = {}
    for row in rows:
        inbound = row.direction == Direction.INBOUND
        if row.type not in NOT_SHOWN:
            thread = threads.setdefault(row.conversation_id, [0, 0, 0, 0])
            thread[0] += 1
            thread[1] = max(thread[1], row.sent_at)
            if row.type not in NOT_SAID:
                thread[2 if inbound else 3] = max(thread[2 if inbound else 3], row.sent_at)
        day = days.setdefault((row.number_id, row.sent_at // SECONDS_PER_DAY), [0, 0])
        day[0 if inbound else 1] += 1
    connection.execute(_COUNT_THREADS, columns([(key, *threads[key]) for key in sorted(threads)], 5))
    connection.execute(_COUNT_DAYS, columns([(*key, *days[key]) for key in sorted(days)], 4))


def _count_moved(connection: psycopg.Connection, moved: list[tuple[_Counted, MessageRow]]) -> None:
    """A ghost may have been counted in another conversation, on another day, than the message that replaced it."""
    if not moved:
        return
    threads = {thread for old, row in moved for thread in (old.conversation_id, row.conversation_id)}
    connection.execute(RECOUNT_THREADS, [array(sorted(threads))])
    days: dict[tuple[int, int], list[int]] = {}
    for old, row in moved:
        for counted, change in ((old, -1), (_counted(row), 1)):
            day = days.setdefault((row.number_id, counted.sent_at // SECONDS_PER_DAY), [0, 0])
            day[1 - counted.inbound] += change
    connection.execute(_COUNT_DAYS, columns([(*key, *days[key]) for key in sorted(days)], 4))
    connection.execute("DELETE FROM daily_counts WHERE inbound = 0 AND outbound = 0")


def _counted(row: MessageRow) -> _Counted:
    shown, said = int(row.type not in NOT_SHOWN), int(row.type not in NOT_SAID)
    return _Counted(row.conversation_id, row.sent_at, int(row.direction == Direction.INBOUND), shown, said)


_COUNT_THREADS = """
UPDATE conversations c SET message_count = c.message_count + u.n,
  last_message_at = greatest(c.last_message_at, to_timestamp(u.newest)),
  last_inbound_at = greatest(c.last_inbound_at, to_timestamp(nullif(u.inbound, 0))),
  last_outbound_at = greatest(c.last_outbound_at, to_timestamp(nullif(u.outbound, 0)))
FROM unnest(%s::bigint[], %s::int[], %s::bigint[], %s::bigint[], %s::bigint[]) AS u (id, n, newest, inbound, outbound)
WHERE c.id = u.id
"""

_COUNT_DAYS = """
INSERT INTO daily_counts AS d (number_id, day, inbound, outbound)
SELECT * FROM unnest(%s::int[], %s::int[], %s::int[], %s::int[])
ON CONFLICT (number_id, day) DO UPDATE SET
  inbound = d.inbound + excluded.inbound, outbound = d.outbound + excluded.outbound
"""

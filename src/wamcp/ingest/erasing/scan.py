"""Looking through all raw events, and cutting out of them what is to go; what they still say is kept anew."""

from collections.abc import Sequence

import psycopg

from wamcp.db.account import digest
from wamcp.db.columns import array, columns
from wamcp.db.tombstones import Named
from wamcp.ingest.erased import scopes_of, write_back
from wamcp.ingest.erasing.work import Work, count
from wamcp.ingest.keep import Again, Event, keep
from wamcp.ingest.normalize import lock_writing
from wamcp.whatsapp.payload.cutting import CutEvent, cut_out
from wamcp.whatsapp.payload.envelope import read_event
from wamcp.whatsapp.payload.facts import Facts
from wamcp.whatsapp.payload.gone import Gone

BATCH_EVENTS = 1000
BATCH_BYTES = 16_000_000


def named_by(connection: psycopg.Connection, work: Work) -> Named:
    """Their messages, as far as rows still tell: of their conversations, of theirs in groups, and sent to them.

    Of a status or a send without message it is known by its recipient only.
    """
    values = work.sent()
    rows = connection.execute(
        "SELECT n.phone_number_id, m.wamid FROM messages m JOIN numbers n ON n.id = m.number_id"
        " WHERE m.conversation_id IN (SELECT id FROM conversations WHERE participant_id = ANY(%(ids)s::bigint[]))"
        " OR m.sender_id = ANY(%(ids)s::bigint[])"
        " UNION SELECT n.phone_number_id, s.wamid FROM statuses s JOIN numbers n ON n.id = s.number_id"
        " WHERE s.recipient_id = ANY(%(ids)s::bigint[]) AND s.participant = ''"
        " AND NOT EXISTS (SELECT FROM messages m WHERE m.number_id = s.number_id AND m.wamid = s.wamid)",
        values,
    ).fetchall()
    sent = connection.execute(f"SELECT s.phone_number_id, s.wamid, s.callback {SENT_TO_THEM}", values).fetchall()
    messages = {(number, wamid) for number, wamid in rows} | {(row[0], row[1]) for row in sent if row[1] is not None}
    return Named(set(), messages, {row[2] for row in sent})


SENT_TO_THEM = (
    "FROM sends s LEFT JOIN numbers n ON n.phone_number_id = s.phone_number_id"
    " WHERE s.recipient_kind <> 'group' AND s.recipient = ANY(%(values)s::text[])"
    " AND s.id <= %(upto)s AND coalesce(n.scope = ANY(%(scopes)s::text[]), true) AND NOT EXISTS (SELECT FROM messages m"
    "  JOIN conversations c ON c.id = m.conversation_id WHERE m.number_id = n.id AND m.wamid = s.wamid"
    "  AND c.participant_id <> ALL(%(ids)s::bigint[]))"
)
"""The sends to one of their identifiers, without those that are in the thread of somebody else."""


def scan(connection: psycopg.Connection, work: Work, named: Named) -> bool:
    """One batch; False when there is nothing more to look at."""
    gone = work.gone(named, scopes_of(connection))
    rows = connection.execute(
        "SELECT id, extract(epoch FROM received_at)::bigint, body FROM ("
        "  SELECT *, sum(octet_length(body)) OVER (ORDER BY id) AS upto FROM ("
        "    SELECT id, received_at, body FROM webhook_events WHERE id > %s ORDER BY id LIMIT %s) AS first"
        ") AS q WHERE upto - octet_length(body) < %s ORDER BY id",
        [work.after, BATCH_EVENTS, BATCH_BYTES],
    ).fetchall()
    if not rows:
        return False
    found = [row_id for row_id, at, body in rows if cut_out(body, gone, at if row_id > work.upto else 0) is not None]
    with connection.transaction():
        lock_writing(connection)
        work.after = rows[-1][0]
        if found:
            count(work, "raw events", _cut(connection, work, found, gone))
        work.save(connection)
    return True


def _cut(connection: psycopg.Connection, work: Work, ids: Sequence[int], gone: Gone) -> int:
    """Cuts these events, under the lock, and keeps what those that were applied still say, in their order."""
    rows = connection.execute(
        "SELECT e.id, extract(epoch FROM e.received_at)::bigint, e.body, a.seq FROM webhook_events e"
        " LEFT JOIN applied a ON a.event_id = e.id WHERE e.id = ANY(%s::bigint[]) ORDER BY a.seq NULLS LAST, e.id",
        [array(ids)],
    ).fetchall()
    cut, again, before, after = dict[int, bytes](), list[Event](), list[Facts](), list[Facts]()
    for event_id, received_at, body, seq in rows:
        found: CutEvent | None = cut_out(body, gone, received_at if event_id > work.upto else 0)
        if found is None:
            continue
        cut[event_id] = found.body
        if seq is not None:
            again.append(Event(event_id, received_at, found.after))
            before.append(found.before)
            after.append(found.after)
    write_back(connection, cut)
    # A place that is another item's by now would keep the fragment of the one that stood there.
    connection.execute(
        "DELETE FROM parked WHERE event_id = ANY(%s::bigint[]) AND kind NOT IN ('failed', 'killed')",
        [array([event.id for event in again])],
    )
    _uncount(connection, before, after)
    said = {mark for facts in after for mark in _digests(facts)}
    work.lost = sorted({*work.lost, *({mark for facts in before for mark in _digests(facts)} - said)})
    keep(connection, again, Again.YES)
    return len(cut)


def keep_shared(connection: psycopg.Connection, work: Work) -> None:
    """An account event is kept once, whoever states it: what others state of what was lost is kept from them.

    Only those can be alike although one was about somebody and one was not whose details do not say about whom.
    """
    lost, after = set(work.lost), 0
    while lost and (
        rows := connection.execute(
            "SELECT e.id, extract(epoch FROM e.received_at)::bigint, e.body FROM webhook_events e WHERE e.id > %s"
            " AND EXISTS (SELECT FROM applied a WHERE a.event_id = e.id)"
            f" AND ({' OR '.join(_UNNAMED)}) ORDER BY e.id LIMIT 20",
            [after],
        ).fetchall()
    ):
        after = rows[-1][0]
        events = [Event(row_id, received_at, read_event(body)) for row_id, received_at, body in rows]
        again = [event for event in events if not lost.isdisjoint(_digests(event.facts))]
        with connection.transaction():
            lock_writing(connection)
            keep(connection, again, Again.YES)


_UNNAMED = [
    f"position('\"{key}\"'::bytea IN e.body) > 0"
    for key in ("history", "user_actions", "errors", "conversation_context")
]


def _digests(facts: Facts) -> set[str]:
    return {
        digest(told.field, told.waba_id, told.phone_number_id, told.at, details=told.details).hex()
        for told in facts.account
    }


def _uncount(connection: psycopg.Connection, before: Sequence[Facts], after: Sequence[Facts]) -> None:
    """Takes back the counts of what was unknown in what was cut out."""
    counts: dict[tuple[str, str], int] = {}
    for sign, each in ((1, before), (-1, after)):
        for unknown in (unknown for facts in each for unknown in facts.unknowns):
            key = (unknown.kind, unknown.path)
            counts[key] = counts.get(key, 0) + sign
    rows = [(*key, count) for key, count in sorted(counts.items()) if count]
    if rows:
        connection.execute(
            "UPDATE unknowns k SET count = k.count - u.n FROM unnest(%s::text[], %s::text[], %s::bigint[])"
            " AS u (kind, path, n) WHERE k.kind = u.kind AND k.path = u.path",
            columns(rows, 3),
        )
        connection.execute("DELETE FROM unknowns WHERE count <= 0")

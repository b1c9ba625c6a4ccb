"""Merging participants and undoing it: people decide who is one person, and everything of him is put together."""

import psycopg

from wamcp import log
from wamcp.db.columns import array
from wamcp.db.merges import merges_in_force, move, note_merge, note_undone
from wamcp.db.names import show_names
from wamcp.errors import NotVisible, Rejected
from wamcp.ingest.keep import Again, Event, keep
from wamcp.ingest.normalize import lock_writing, patient
from wamcp.vocabulary import participant_ref
from wamcp.whatsapp.payload.envelope import read_event

BATCH_EVENTS = 500

_log = log.get(__name__)


def merge(url: str, from_id: int, into_id: int, by: str) -> None:
    """From now on ``into_id`` stands for ``from_id``: conversations, messages, statuses, events move to him.

    Identifiers and names stay where they are, so that it can be undone. Raises :class:`NotVisible` for unknown
    participants, :class:`Rejected` for a merge that cannot be.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        patient(connection)
        with connection.transaction():
            lock_writing(connection)
            _require(connection, from_id, into_id)
            merges = merges_in_force(connection)
            into_id = merges.root(into_id)
            if from_id in merges.into:
                raise Rejected(
                    f"{participant_ref(from_id)} is merged into {participant_ref(merges.into[from_id])} already:"
                    " undo that first."
                )
            if from_id == into_id:
                raise Rejected(f"{participant_ref(from_id)} cannot be merged into himself.")
            note_merge(connection, from_id, into_id, by)
            move(connection, from_id, into_id)
            show_names(connection, [from_id], merges_in_force(connection))
    _log.info("participants_merged", gone=participant_ref(from_id), into=participant_ref(into_id), by=by)


def unmerge(url: str, from_id: int, by: str) -> int:
    """Undoes the merge of ``from_id``: the events of the one who stood for him are read again, as two persons.

    Returns who stood for him. What came from webhooks whose bytes were purged stays with that one. Raises
    :class:`Rejected` when ``from_id`` is not merged.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        patient(connection)
        with connection.transaction():
            lock_writing(connection)
            _require(connection, from_id)
            before = merges_in_force(connection)
            if from_id not in before.into:
                raise Rejected(f"{participant_ref(from_id)} is not merged into anybody.")
            stood = before.into[from_id]
            note_undone(connection, from_id, by)
            read_again(connection, before.root(from_id))
            after = merges_in_force(connection)
            show_names(connection, [from_id, before.root(from_id)], after)
    _log.info("merge_undone", gone=participant_ref(from_id), into=participant_ref(stood), by=by)
    return stood


def settle(connection: psycopg.Connection) -> None:
    """Puts every row of a rebuilt schema under whom the merges in force put it."""
    merges = merges_in_force(connection)
    for member in sorted(merges.into):
        move(connection, member, merges.root(member))
    if merges.into:
        show_names(connection, merges.into, merges)


def _require(connection: psycopg.Connection, *participants: int) -> None:
    rows = connection.execute(
        "SELECT DISTINCT participant_id FROM participant_aliases WHERE participant_id = ANY(%s::bigint[])",
        [array(participants)],
    ).fetchall()
    for participant in participants:
        if (participant,) not in rows:
            raise NotVisible(
                f"There is no participant {participant_ref(participant)}: GET /admin/participants lists them."
            )


def read_again(connection: psycopg.Connection, participant: int) -> None:
    """Keeps the events again that speak of ``participant``."""
    rows = connection.execute(
        "SELECT a.event_id FROM applied a WHERE a.event_id IN ("
        " SELECT m.event_id FROM messages m WHERE m.sender_id = %(id)s"
        " UNION SELECT m.event_id FROM messages m JOIN conversations c ON c.id = m.conversation_id"
        " WHERE c.participant_id = %(id)s"
        " UNION SELECT s.event_id FROM statuses s WHERE s.recipient_id = %(id)s"
        " UNION SELECT e.event_id FROM account_events e WHERE e.participant_id = %(id)s) ORDER BY a.seq",
        {"id": participant},
    ).fetchall()
    ids = [row[0] for row in rows]
    for start in range(0, len(ids), BATCH_EVENTS):
        keep(connection, events_again(connection, ids[start : start + BATCH_EVENTS]), Again.YES)


def events_again(connection: psycopg.Connection, ids: list[int]) -> list[Event]:
    """The events ``ids``, read again, in the order in which they were applied; without those that were purged."""
    rows = connection.execute(
        "SELECT e.id, extract(epoch FROM e.received_at)::bigint, e.body FROM webhook_events e"
        " JOIN applied a ON a.event_id = e.id WHERE e.id = ANY(%s::bigint[]) ORDER BY a.seq",
        [array(ids)],
    ).fetchall()
    return [Event(row_id, received_at, read_event(body)) for row_id, received_at, body in rows]

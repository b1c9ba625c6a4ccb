"""Merges of participants: who stands for whom, as people decided it."""

from dataclasses import dataclass, field
from typing import Any

import psycopg

from wamcp.db.columns import array
from wamcp.db.documents import move_documents
from wamcp.db.threads import RECOUNT_THREADS


@dataclass(frozen=True, slots=True)
class Merges:
    """The merges in force, as chains of ``from`` to ``into``."""

    into: dict[int, int] = field(default_factory=dict)

    def root(self, participant: int) -> int:
        """Who stands for ``participant``; himself where he was not merged."""
        while (merged := self.into.get(participant)) is not None:
            participant = merged
        return participant

    def members(self, root: int) -> list[int]:
        """``root`` and everybody for whom he stands, also through others."""
        return [root, *sorted(each for each in self.into if self.root(each) == root)]


def merges_in_force(connection: psycopg.Connection) -> Merges:
    """The merges of the schema at hand; of people who are not known (yet) there is none.

    They are found by one alias of each side, which holds in a rebuilt schema too, where ids are others.
    """
    return read_merges(ask_for_merges(connection))


def ask_for_merges(connection: psycopg.Connection) -> psycopg.Cursor[Any]:
    """The same for a pipeline: the question, whose answer :func:`read_merges` waits for."""
    return connection.execute(
        "SELECT f.participant_id, i.participant_id FROM merges m"
        " JOIN participant_aliases f ON (f.scope, f.kind, f.value) = (m.from_scope, m.from_kind, m.from_value)"
        " JOIN participant_aliases i ON (i.scope, i.kind, i.value) = (m.into_scope, m.into_kind, m.into_value)"
        " WHERE m.undone_at IS NULL"
    )


def read_merges(answer: psycopg.Cursor[Any]) -> Merges:
    """What :func:`ask_for_merges` asked."""
    return Merges(dict(answer.fetchall()))


def note_merge(connection: psycopg.Connection, from_id: int, into_id: int, by: str) -> None:
    """Writes down that ``into_id`` stands for ``from_id`` from now on; ``by`` says who decided it."""
    connection.execute(
        "INSERT INTO merges (from_id, into_id, from_scope, from_kind, from_value, into_scope, into_kind, into_value,"
        " made_by) SELECT %s, %s, f.scope, f.kind, f.value, i.scope, i.kind, i.value, %s"
        " FROM (SELECT * FROM participant_aliases WHERE participant_id = %s ORDER BY scope, kind, value LIMIT 1) f,"
        " (SELECT * FROM participant_aliases WHERE participant_id = %s ORDER BY scope, kind, value LIMIT 1) i",
        [from_id, into_id, by, from_id, into_id],
    )


def note_undone(connection: psycopg.Connection, from_id: int, by: str) -> None:
    """Writes down that nobody stands for ``from_id`` any longer."""
    connection.execute(
        "UPDATE merges SET undone_at = now(), undone_by = %s WHERE from_id = %s AND undone_at IS NULL", [by, from_id]
    )


def move(connection: psycopg.Connection, member: int, root: int) -> None:
    """Puts what stands under ``member`` under ``root``, and counts their conversations again."""
    connection.execute(
        "INSERT INTO conversations (number_id, participant_id)"
        " SELECT c.number_id, %s FROM conversations c WHERE c.participant_id = %s"
        " AND EXISTS (SELECT FROM messages m WHERE m.conversation_id = c.id) ON CONFLICT DO NOTHING",
        [root, member],
    )
    moved = connection.execute(
        "SELECT f.id, i.id FROM conversations f JOIN conversations i USING (number_id)"
        " WHERE f.participant_id = %s AND i.participant_id = %s",
        [member, root],
    ).fetchall()
    for left, entered in moved:
        connection.execute("UPDATE messages SET conversation_id = %s WHERE conversation_id = %s", [entered, left])
        move_documents(connection, left, entered)
    connection.execute("UPDATE messages SET sender_id = %s WHERE sender_id = %s", [root, member])
    connection.execute("UPDATE statuses SET recipient_id = %s WHERE recipient_id = %s", [root, member])
    connection.execute("UPDATE account_events SET participant_id = %s WHERE participant_id = %s", [root, member])
    threads = sorted({thread for pair in moved for thread in pair})
    connection.execute(RECOUNT_THREADS, [array(threads)])

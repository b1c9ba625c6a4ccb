"""People are erased out of an invented town that knows every kind of webhook: nothing of them, all of the others."""

from pathlib import Path

import psycopg

from tests.integration.test_erasing import written_in
from tests.understanding import rows, understand
from wamcp.ingest.erasing.erase import erase
from wamcp.ingest.reprocess import verify
from wamcp.simulator.faults import Faults
from wamcp.simulator.traffic import traffic
from wamcp.storage.directory.write import DirectoryWriter

EVENTS = 1500
LONGEST_COMMON = 8
"""Shorter identifiers may stand in numbers by chance."""


def test_a_town_without_some_of_its_people(db: psycopg.Connection, database_url: str, tmp_path: Path) -> None:
    town = list(traffic(11, EVENTS, "all", Faults(duplicates=0.05, reorder=8, batches=0.05, odd=0.05), 1.0))
    understand(db, *town)
    assert verify(database_url)[1] == []
    store, gone = DirectoryWriter(tmp_path / "objects"), set[str]()
    busy = rows(
        db,
        "SELECT participant_id FROM conversations WHERE participant_id IS NOT NULL GROUP BY 1"
        " ORDER BY sum(message_count) DESC LIMIT 3",
    )
    in_groups = rows(
        db,
        "SELECT DISTINCT sender_id FROM messages m JOIN conversations c ON c.id = m.conversation_id"
        " WHERE c.group_id IS NOT NULL AND sender_id IS NOT NULL ORDER BY 1 LIMIT 3",
    )
    for person in {row[0] for row in busy + in_groups}:
        hers = [
            value
            for (value,) in rows(db, "SELECT value FROM participant_aliases WHERE participant_id = %s", person)
            if len(value) > LONGEST_COMMON
        ]
        wamids = [
            row[0]
            for row in rows(
                db,
                "SELECT wamid FROM messages WHERE sender_id = %(p)s OR conversation_id IN"
                " (SELECT id FROM conversations WHERE participant_id = %(p)s)".replace("%(p)s", str(person)),
            )
        ]
        others = "SELECT wamid, text FROM messages WHERE wamid <> ALL(%s) AND type <> 'reaction' ORDER BY wamid"
        before = rows(db, others, wamids)
        erase(database_url, store, [f"p{person}"], "test")
        assert rows(db, others, wamids) == before
        everything = written_in(db).split("\n")
        assert [line for line in everything if any(word in line for word in [*hers, *wamids])] == []
        assert verify(database_url)[1] == []
        gone.update(wamids)
    # The whole town once more, in other bytes: no message of theirs comes back.
    understand(db, *(body + b" " for body in town))
    assert rows(db, "SELECT wamid FROM messages WHERE wamid = ANY(%s)", sorted(gone)) == []
    assert verify(database_url)[1] == []

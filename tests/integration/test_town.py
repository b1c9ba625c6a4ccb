"""A whole invented town, against its own truth: what it said is what the archive holds, and can be derived again."""

from collections.abc import Iterable

import psycopg

from tests.understanding import queue, rows
from wamcp.db.content import checksum
from wamcp.ingest.normalize import work_off
from wamcp.ingest.reprocess import reprocess, verify
from wamcp.simulator.faults import Faults
from wamcp.simulator.lives import lives
from wamcp.simulator.said import Said, SaidMessage

FAULTS = Faults(duplicates=0.05, reorder=20, batches=0.03, odd=0.05, broken=0.02, early=0.1)


def truth_of(said: Iterable[Said]) -> dict[tuple[str, str], SaidMessage]:
    """Of several messages with one wamid the one of the highest standing, the first among equals."""
    told: dict[tuple[str, str], SaidMessage] = {}
    for each in said:
        for message in each.messages:
            key = (message.phone_number_id, message.wamid)
            if key not in told or message.standing > told[key].standing:
                told[key] = message
    return told


def test_the_archive_holds_what_the_town_said_and_can_derive_it_again(
    db: psycopg.Connection, database_url: str
) -> None:
    said = list(lives(11, 3000, faults=FAULTS, people=150))
    for start in range(0, len(said), 500):
        queue(db, *(each.body for each in said[start : start + 500]))
        while work_off(db):
            pass
    held = {
        (number, wamid): (kind, direction, sent_at, reply_to, refers_to, group_id, text)
        for number, wamid, kind, direction, sent_at, reply_to, refers_to, group_id, text in rows(
            db,
            "SELECT n.phone_number_id, m.wamid, m.type, m.direction, extract(epoch FROM m.sent_at)::bigint, m.reply_to,"
            " m.refers_to, c.group_id, m.text FROM messages m JOIN numbers n ON n.id = m.number_id"
            " JOIN conversations c ON c.id = m.conversation_id",
        )
    }
    truth = truth_of(said)
    assert held.keys() == truth.keys()
    for key, message in truth.items():
        told = (message.type, message.direction, message.sent_at, message.reply_to, message.refers_to, message.group_id)
        assert held[key][:6] == told, key
        if message.text is not None:
            assert held[key][6] == message.text, key
    statuses = {
        (status.phone_number_id, status.wamid, status.status, status.participant, status.at)
        for each in said
        for status in each.statuses
        if status.kind != "call"  # those are account events
    }
    assert statuses == set(
        rows(
            db,
            "SELECT n.phone_number_id, s.wamid, s.status, s.participant, extract(epoch FROM s.at)::bigint"
            " FROM statuses s JOIN numbers n ON n.id = s.number_id WHERE s.extra->>'source' IS DISTINCT FROM 'history'",
        )
    )
    happened = {row[0] for row in rows(db, "SELECT DISTINCT field FROM account_events")}
    assert {field for each in said for field in each.account} <= happened
    assert rows(db, "SELECT count(*) FROM parked WHERE kind <> 'malformed'") == [(0,)]
    before = checksum(db)
    assert verify(database_url)[1] == []
    reprocess(database_url)
    assert checksum(db) == before

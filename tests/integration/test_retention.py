"""Retention: off by default; what is due goes and is counted; holds, neighbours and what is not understood stay."""

from pathlib import Path

import psycopg
import pytest

from tests.understanding import queue, rows, understand
from tests.webhooks import change, event, message_event, text
from wamcp.errors import Misconfigured, StoreUnavailable
from wamcp.ingest import retention
from wamcp.ingest.reprocess import verify
from wamcp.ingest.retention import purge
from wamcp.settings import load
from wamcp.storage.directory.write import DirectoryWriter

ANA, RUI = "15550100101", "15550100102"
THEN = 1_600_000_000
"""Years before these tests."""


@pytest.fixture
def store(tmp_path: Path) -> DirectoryWriter:
    return DirectoryWriter(tmp_path / "objects")


def run(url: str, store: DirectoryWriter, **days: str) -> dict[str, int]:
    settings = load({"DATABASE_URL": url, **{f"WAMCP_KEEP_{name.upper()}_DAYS": value for name, value in days.items()}})
    return {what: count for what, count in purge(settings, store, lambda: True).items() if count}


def age(db: psycopg.Connection) -> None:
    """Makes all that came so far forty days old."""
    db.execute("UPDATE webhook_events SET received_at = received_at - interval '40 days'")
    db.execute("UPDATE media SET stored_at = stored_at - interval '40 days'")
    db.execute("UPDATE audit_log SET at = at - interval '40 days'")


def test_nothing_goes_by_itself(db: psycopg.Connection, database_url: str, store: DirectoryWriter) -> None:
    understand(db, message_event("w.1", "old", at=THEN))
    age(db)
    assert run(database_url, store) == {}


def test_messages_go_once_their_raw_events_have(
    db: psycopg.Connection, database_url: str, store: DirectoryWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    understand(db, *(message_event(f"w.{n}", f"old {n}", at=THEN + n) for n in range(5)))
    age(db)
    reaction = {"id": "r", "timestamp": str(THEN), "type": "reaction", "from": RUI,
                "reaction": {"message_id": "w.0", "emoji": "!"}}  # fmt: skip
    understand(db, event(change(messages=[reaction])), message_event("w.new", "old, but told of today", at=THEN))
    assert run(database_url, store, raw="30", messages="30") == {"raw events": 5, "messages": 5}
    assert rows(db, "SELECT wamid, text FROM messages ORDER BY wamid") == [
        ("r", "[reaction] !"),
        ("w.new", "old, but told of today"),
    ]
    assert rows(db, "SELECT sum(inbound) FROM daily_counts") == [(2,)]
    done, differences = verify(database_url)
    assert done.purged == 5
    assert {each.table for each in differences} <= {
        "participant_names"
    }  # since when he was called so is not told any more
    assert all(each.only_rebuilt <= 1 for each in differences)


def test_whoever_is_held_and_what_is_not_understood_stay(
    db: psycopg.Connection, database_url: str, store: DirectoryWriter
) -> None:
    understand(db, message_event("w.1", "hers", sender=ANA, at=THEN), message_event("w.2", "his", sender=RUI, at=THEN))
    queue(db, message_event("w.3", "waits", sender=RUI, at=THEN))
    db.execute(
        "INSERT INTO holds SELECT participant_id, now(), 'x', 'a case' FROM participant_aliases WHERE value = %s", [ANA]
    )
    age(db)
    assert run(database_url, store, raw="8", messages="8") == {"raw events": 1, "messages": 1}
    assert rows(db, "SELECT text FROM messages") == [("hers",)]
    assert rows(db, "SELECT count(*) FROM webhook_queue q JOIN webhook_events e ON e.id = q.event_id") == [(1,)]


def test_bytes_go_and_the_message_stays(db: psycopg.Connection, database_url: str, store: DirectoryWriter) -> None:
    for number, (who, content) in enumerate(((ANA, b"old"), (RUI, b"old"), (RUI, b"older"))):
        image = {
            "id": f"w.{number}",
            "timestamp": str(THEN),
            "type": "sticker",
            "from": who,
            "sticker": {"id": str(number)},
        }
        understand(db, event(change(messages=[image])))
        stored = store.put([content], cap=99)
        db.execute(
            "UPDATE media SET state = 'stored', stored_at = now(), sha256 = %s, storage_key_raw = %s"
            " WHERE media_id = %s",
            [stored.sha256, stored.key, str(number)],
        )
    db.execute("UPDATE media SET stored_at = now() - interval '40 days' WHERE media_id <> '0'")
    assert run(database_url, store, media="30") == {"files": 2, "objects": 1}
    assert rows(db, "SELECT state FROM media ORDER BY id") == [("stored",), ("expired",), ("expired",)]
    assert rows(db, "SELECT count(*) FROM messages") == [(3,)]
    assert len([path for path in store.root.rglob("*") if path.is_file()]) == 1
    assert verify(database_url)[1] == []


class Refusing(DirectoryWriter):
    """A store that can be read, and refuses to delete."""

    def delete(self, key: str) -> bool:
        raise StoreUnavailable("It is down.")


def test_objects_that_cannot_be_deleted_stay_noted(
    db: psycopg.Connection, database_url: str, store: DirectoryWriter
) -> None:
    image = {"id": "w.1", "timestamp": str(THEN), "type": "sticker", "from": RUI, "sticker": {"id": "1"}}
    understand(db, event(change(messages=[image])))
    stored = store.put([b"old"], cap=99)
    db.execute("UPDATE media SET state = 'stored', sha256 = %s, storage_key_raw = %s", [stored.sha256, stored.key])
    db.execute("UPDATE media SET stored_at = now() - interval '40 days'")
    with pytest.raises(StoreUnavailable):
        run(database_url, Refusing(store.root), media="30")
    assert rows(db, "SELECT storage_key FROM objects_to_delete") == [(stored.key,)]
    assert run(database_url, store) == {"objects": 1} and store.size(stored.key) is None
    assert rows(db, "SELECT count(*) FROM objects_to_delete") == [(0,)]


def test_old_audit_rows_go(db: psycopg.Connection, database_url: str, store: DirectoryWriter) -> None:
    audited = "INSERT INTO audit_log (actor, action, target, parameters, outcome) VALUES ('mcp', 'r', %s, '{}', 'ok')"
    db.execute(audited, ["old"])
    age(db)
    db.execute(audited, ["new"])
    assert run(database_url, store, audit="30") == {"audit rows": 1}
    assert rows(db, "SELECT target FROM audit_log") == [("new",)]


def test_only_one_purges_at_a_time(db: psycopg.Connection, database_url: str, store: DirectoryWriter) -> None:
    understand(db, event(change(messages=[text("w.1", "old", at=THEN)])))
    age(db)
    db.execute("SELECT pg_advisory_lock(%s)", [retention._PURGING])
    assert run(database_url, store, raw="8") == {}
    db.execute("SELECT pg_advisory_unlock(%s)", [retention._PURGING])
    assert run(database_url, store, raw="8") == {"raw events": 1}


@pytest.mark.parametrize(
    "given",
    [{"RAW": "7"}, {"RAW": "0"}, {"MEDIA": "0"}, {"AUDIT": "-1"}, {"MESSAGES": "30"}, {"RAW": "60", "MESSAGES": "30"}],
)
def test_days_that_cannot_be_meant_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match="WAMCP_KEEP_"):
        load({f"WAMCP_KEEP_{name}_DAYS": value for name, value in given.items()})

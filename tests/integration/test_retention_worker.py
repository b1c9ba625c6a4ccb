"""Retention by real workers: what is due goes at their start, a kill leaves nothing half, and no object stays."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.understanding import rows, understand
from tests.webhooks import change, contact, event, message_event
from tests.working import Program, eventually
from wamcp.ingest import retention
from wamcp.ingest.reprocess import verify
from wamcp.storage.directory.write import DirectoryWriter

pytestmark = pytest.mark.embedded

ANA, RUI = "15550100101", "15550100102"
THEN = 1_600_000_000
"""Years before these tests."""
KEPT = {"WAMCP_KEEP_RAW_DAYS": "30", "WAMCP_KEEP_MESSAGES_DAYS": "30", "WAMCP_KEEP_AUDIT_DAYS": "30"}
DIES_AT_AN_OBJECT = (
    "import os; from wamcp.storage.directory.write import DirectoryWriter as W;"
    " W.delete = lambda self, key: os.kill(os.getpid(), 9); from wamcp.cli.main import main; main()"
)

Start = Callable[..., Program]


@pytest.fixture
def store(tmp_path: Path) -> DirectoryWriter:
    return DirectoryWriter(tmp_path / "objects")


@pytest.fixture
def start(tmp_path: Path, database_url: str, valkey_url: str, store: DirectoryWriter) -> Iterator[Start]:
    """Starts a command, by itself a worker with these settings; it is ended with the test."""
    environ = {
        "DATABASE_URL": database_url,
        "REDIS_URL": valkey_url,
        "WAMCP_ENV": "development",
        "WAMCP_OBJECT_DIR": str(store.root),
        "WAMCP_MIGRATE_ON_START": "false",
        "WAMCP_EXTRACTORS": "0",
    }
    started: list[Program] = []

    def begin(settings: dict[str, str], *words: str, code: str | None = None) -> Program:
        words = words or ("worker", "--only", "celery")
        started.append(Program(tmp_path, environ | settings, *words, code=code))
        return started[-1]

    yield begin
    for program in started:
        program.kill()


def stickers(db: psycopg.Connection, store: DirectoryWriter, who: str, *wamids: str) -> None:
    """A message with a file for each, the bytes of which are there."""
    for wamid in wamids:
        sticker = {"id": wamid, "timestamp": str(THEN), "type": "sticker", "from": who, "sticker": {"id": f"f.{wamid}"}}
        understand(db, event(change(contacts=[contact(who, "Somebody")], messages=[sticker])))
        stored = store.put([f"the bytes of {wamid}".encode()], cap=99)
        db.execute(
            "UPDATE media SET state = 'stored', stored_at = now(), sha256 = %s, storage_key_raw = %s,"
            " next_attempt_at = NULL WHERE media_id = %s",
            [stored.sha256, stored.key, f"f.{wamid}"],
        )


def age(db: psycopg.Connection) -> None:
    """Makes all that came so far forty days old."""
    db.execute("UPDATE webhook_events SET received_at = received_at - interval '40 days'")
    db.execute("UPDATE media SET stored_at = stored_at - interval '40 days'")


def objects(store: DirectoryWriter) -> int:
    return sum(path.is_file() for path in (store.root / "raw").rglob("*"))


def wamids(db: psycopg.Connection) -> list[str]:
    return [wamid for (wamid,) in rows(db, "SELECT wamid FROM messages ORDER BY wamid")]


@contextmanager
def held_up(url: str, statement: str) -> Iterator[None]:
    """Holds what ``statement`` locks, as a slow disk would hold up whoever wants it."""
    with psycopg.connect(url) as other:
        other.execute(statement)
        yield
        other.rollback()


def waits(db: psycopg.Connection, words: str) -> bool:
    """Whether a statement that begins with ``words`` waits for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return rows(db, f"{query} AND starts_with(query, %s)", words) != [(0,)]


def nobody_purges(db: psycopg.Connection) -> bool:
    """Whether Postgres has noticed that the process which purged is dead."""
    query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND (classid::bigint << 32) | objid::bigint = %s"
    return rows(db, query, retention._PURGING) == [(0,)]


def killed_while(db: psycopg.Connection, worker: Program, words: str) -> None:
    """Kills ``worker`` once a statement of its waits."""
    assert eventually(lambda: waits(db, words), 60), worker.said
    worker.signal(signal.SIGKILL)
    worker.wait()


def test_a_worker_purges_when_it_starts_and_leaves_who_is_held(
    db: psycopg.Connection, store: DirectoryWriter, start: Start
) -> None:
    stickers(db, store, ANA, "hers")
    stickers(db, store, RUI, "his 1", "his 2")
    db.execute(
        "INSERT INTO holds SELECT participant_id, now(), 'x', 'a case' FROM participant_aliases WHERE value = %s", [ANA]
    )
    age(db)
    understand(db, message_event("new", "told of today", sender=RUI, at=THEN))
    worker = start(KEPT)
    assert eventually(lambda: "purged" in worker.said, 60), worker.said
    assert wamids(db) == ["hers", "new"] and objects(store) == 1
    (line,) = [line for line in worker.said.splitlines() if "purged" in line]
    for counted in ('"raw_events": 2', '"messages": 2', '"files": 2', '"objects": 2'):
        assert counted in line
    assert rows(db, "SELECT count(*) FROM webhook_events") == [(2,)]
    assert rows(db, "SELECT state FROM media") == [("stored",)]
    assert rows(db, "SELECT count(*) FROM objects_to_delete") == [(0,)]


def test_one_that_is_killed_within_a_batch_leaves_nothing_half(
    db: psycopg.Connection, database_url: str, store: DirectoryWriter, start: Start
) -> None:
    stickers(db, store, RUI, "his 1", "his 2")
    age(db)
    counted = "SELECT (SELECT sum(inbound) FROM daily_counts), (SELECT sum(message_count) FROM conversations)"
    before = rows(db, counted)
    with held_up(database_url, "SELECT FROM messages WHERE wamid = 'his 2' FOR UPDATE"):
        killed_while(db, start(KEPT), "DELETE FROM messages")
    assert eventually(lambda: nobody_purges(db), 30)
    assert wamids(db) == ["his 1", "his 2"] and rows(db, counted) == before
    assert rows(db, "SELECT count(*) FROM media WHERE state = 'stored'") == [(2,)] and objects(store) == 2
    worker = start(KEPT)
    assert eventually(lambda: "purged" in worker.said, 60), worker.said
    assert wamids(db) == [] and objects(store) == 0
    assert rows(db, "SELECT count(*) FROM media") == [(0,)] and rows(db, "SELECT count(*) FROM daily_counts") == [(0,)]


def test_one_that_is_killed_before_the_objects_leaves_none_behind(
    db: psycopg.Connection, database_url: str, store: DirectoryWriter, start: Start
) -> None:
    """The audit comes after the rows of messages and files, and before their objects."""
    stickers(db, store, RUI, "his 1", "his 2")
    age(db)
    with held_up(database_url, "LOCK TABLE audit_log IN EXCLUSIVE MODE"):
        killed_while(db, start(KEPT), "DELETE FROM audit_log")
    assert eventually(lambda: nobody_purges(db), 30)
    assert wamids(db) == [] and rows(db, "SELECT count(*) FROM media") == [(0,)]
    assert objects(store) == 2, "it was killed too late to prove anything"
    worker = start({})
    assert eventually(lambda: objects(store) == 0, 60), worker.said
    assert eventually(lambda: rows(db, "SELECT count(*) FROM objects_to_delete") == [(0,)])


def test_the_files_of_somebody_erased_go_though_the_command_was_killed(
    db: psycopg.Connection, database_url: str, store: DirectoryWriter, start: Start
) -> None:
    stickers(db, store, ANA, "hers")
    stickers(db, store, RUI, "his")
    erasing = start({}, "contact", "erase", f"+{ANA}", "--yes", code=DIES_AT_AN_OBJECT)
    assert erasing.wait(60) == -signal.SIGKILL, erasing.said
    assert wamids(db) == ["his"] and objects(store) == 2
    worker = start({})
    assert eventually(lambda: objects(store) == 1, 60), worker.said
    again = start({}, "contact", "erase")
    assert again.wait(60) == 0, again.said
    assert rows(db, "SELECT count(*) FROM erasures WHERE ended_at IS NULL") == [(0,)]
    assert verify(database_url)[1] == []

"""Understanding under trouble: odd orders, outsized values, a database that refuses for a while, rebuilds at once."""

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.integration.test_normalize import GHOST, queue, rows, understand
from tests.webhooks import change, contact, event, message_event, status, text
from wamcp.db.content import DERIVED
from wamcp.db.deliveries import StatusRow
from wamcp.errors import Rejected
from wamcp.ingest import reprocess
from wamcp.ingest.normalize import lock_writing, run
from wamcp.ingest.reprocess import verify


@pytest.fixture
def db(database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def test_a_number_belongs_to_the_account_that_named_it_first_also_within_a_batch(
    db: psycopg.Connection, database_url: str
) -> None:
    first = event(change(messages=[text("wamid.1", "one")]), account="111")
    nameless = change(messages=[text("wamid.2", "two")])
    del nameless["value"]["metadata"]["display_phone_number"]
    understand(db, first, event(nameless, account="222"))
    assert rows(db, "SELECT scope, waba_id, display_phone_number FROM numbers") == [("111", "222", "1555010001")]
    understand(db, event(nameless | {"x": 1}, account="333"))
    assert verify(database_url)[1] == []


@pytest.mark.parametrize("together", [True, False])
def test_a_ghost_counts_where_its_real_message_belongs(
    db: psycopg.Connection, database_url: str, together: bool
) -> None:
    ghost = event(change(messages=[GHOST | {"from": "15550100109", "timestamp": "1770200000"}]))
    bodies = [ghost, message_event("wamid.g", "I saw your ad")]
    for batch in [bodies] if together else [[body] for body in bodies]:
        understand(db, *batch)
    assert rows(
        db,
        "SELECT message_count, extract(epoch FROM last_message_at)::int, extract(epoch FROM last_inbound_at)::int"
        " FROM conversations WHERE message_count > 0 OR last_message_at IS NOT NULL",
    ) == [(1, 1_770_000_000, 1_770_000_000)]
    assert rows(db, "SELECT day, inbound, outbound FROM daily_counts WHERE inbound + outbound <> 0") == [(20486, 1, 0)]
    assert verify(database_url)[1] == []


def test_outsized_names_and_words_keep_their_message(db: psycopg.Connection) -> None:
    dice = random.Random(1)
    name = "".join(chr(dice.randrange(0x4E00, 0x9FFF)) for _ in range(100_000))
    rare = "".join(chr(dice.randrange(0x20000, 0x2A000)) for _ in range(150_000))
    handle = contact("15550100102", "Bia", user_id="BR.1")
    handle["profile"]["username"] = name
    understand(
        db,
        message_event("wamid.1", "hello", name=name),
        event(change(contacts=[handle], messages=[text("wamid.2", "hi", sender="15550100102")])),
        message_event("wamid.3", rare),
    )
    assert rows(db, "SELECT kind, reason FROM parked") == []
    assert rows(db, "SELECT wamid, length(text) FROM messages ORDER BY wamid") == [
        ("wamid.1", 5),
        ("wamid.2", 2),
        ("wamid.3", 150_000),
    ]


def test_what_exceeds_a_limit_of_postgres_is_parked_with_its_reason_and_the_connection_is_kept(
    db: psycopg.Connection,
) -> None:
    db.execute("CREATE INDEX ON messages (text)")
    dice = random.Random(1)
    outsized = "".join(chr(dice.randrange(0x4E00, 0x9FFF)) for _ in range(10_000))
    understand(db, message_event("wamid.1", "fine"), message_event("wamid.2", outsized))
    ((kind, reason),) = rows(db, "SELECT kind, reason FROM parked")
    assert (kind, "ProgramLimitExceeded" in reason) == ("failed", True)
    assert rows(db, "SELECT wamid FROM messages") == [("wamid.1",)]


@contextmanager
def normalizer(url: str) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(url, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)


def wait_for_no_queue(db: psycopg.Connection) -> None:
    deadline = time.monotonic() + 20
    while rows(db, "SELECT count(*) FROM webhook_queue") != [(0,)]:
        assert time.monotonic() < deadline
        time.sleep(0.02)


FULL_DISK = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION full_disk();
"""


def test_a_full_disk_parks_nothing_and_everything_flows_after(db: psycopg.Connection, database_url: str) -> None:
    db.execute(FULL_DISK)
    queue(db, message_event("wamid.1", "one"), message_event("wamid.2", "two"))
    with normalizer(database_url):
        time.sleep(2)
        assert rows(db, "SELECT kind FROM parked") == []
        db.execute("DROP TRIGGER full_disk ON messages")
        wait_for_no_queue(db)
    assert rows(db, "SELECT count(*) FROM messages") == [(2,)]
    assert rows(db, "SELECT count(*) FROM started") == [(0,)]


def test_a_statement_timeout_of_the_database_does_not_end_the_wait_for_a_rebuild(
    db: psycopg.Connection, database_url: str
) -> None:
    name = psycopg.sql.Identifier(db.info.dbname)
    db.execute(psycopg.sql.SQL("ALTER DATABASE {} SET statement_timeout = '100ms'").format(name))
    queue(db, message_event("wamid.1", "one"))
    with db.transaction():
        lock_writing(db)
        with normalizer(database_url):
            time.sleep(2)
            assert rows(db, "SELECT count(*) FROM started WHERE attempts > 1") == [(0,)]
    with normalizer(database_url):
        wait_for_no_queue(db)
    assert rows(db, "SELECT count(*) FROM messages") == [(1,)]


def test_two_verifications_do_not_share_a_schema(db: psycopg.Connection, database_url: str) -> None:
    understand(db, *(message_event(f"wamid.{number}", "hello") for number in range(30)))
    ids = rows(db, "SELECT id, xmin FROM messages ORDER BY id")
    refused: list[str] = []

    def second(_done: int, _total: int) -> None:
        with pytest.raises(Rejected) as error:
            verify(database_url)
        refused.append(str(error.value))

    assert verify(database_url, progress=second)[1] == []
    assert len(refused) == 1
    assert rows(db, "SELECT id, xmin FROM messages ORDER BY id") == ids


def test_verifying_lets_the_normalizer_work_while_it_compares(
    db: psycopg.Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = reprocess._compare
    understand(db, message_event("wamid.0", "hello"))

    def compare(connection: psycopg.Connection, table: str) -> Any:
        understand(db, message_event(f"wamid.{table}", "meanwhile"))
        return real(connection, table)

    db.execute("SET lock_timeout = '2s'")
    monkeypatch.setattr(reprocess, "_compare", compare)
    assert verify(database_url)[1] == []
    assert rows(db, "SELECT count(*) FROM messages") == [(1 + len(DERIVED),)]


def test_rebuilding_reads_large_events_a_few_at_a_time(
    db: psycopg.Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reprocess, "BATCH_BYTES", 50_000)
    understand(db, *(message_event(f"wamid.{number}", "x" * 20_000) for number in range(10)))
    steps: list[int] = []
    assert verify(database_url, progress=lambda done, _total: steps.append(done))[1] == []
    assert steps == [3, 6, 9, 10]


@pytest.mark.parametrize("command", [["reprocess", "--verify"], ["checksum"], ["migrate"], ["worker"]])
@pytest.mark.parametrize("url", ["postgresql://wamcp:hush@127.0.0.1:1/wamcp", "postgres//wamcp:hush@127.0.0.1/wamcp"])
def test_a_database_that_cannot_be_reached_is_said_in_a_sentence(command: list[str], url: str, tmp_path: Path) -> None:
    env = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": url,
        "WAMCP_ENV": "development",
        "REDIS_URL": "redis://127.0.0.1:1",
    }
    said = subprocess.run(
        [sys.executable, "-m", "wamcp.cli.main", *command], env=env, cwd=tmp_path, capture_output=True, text=True
    )
    assert said.returncode == 1
    assert "Traceback" not in said.stderr
    assert "DATABASE_URL" in said.stderr
    assert "hush" not in said.stderr


def test_an_error_of_a_statement_whose_answer_nobody_reads_parks_its_event_alone(
    db: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wamcp.ingest import keep as keeping

    real = keeping.keep_statuses

    def fragile(connection: psycopg.Connection, rows: list[StatusRow]) -> None:
        if any(row.status == "poison" for row in rows):
            connection.execute("SELECT 1 / 0")
        real(connection, rows)

    monkeypatch.setattr(keeping, "keep_statuses", fragile)
    poison = event(change(statuses=[status("wamid.p", "poison")], messages=[text("wamid.p", "with it")]))
    understand(db, message_event("wamid.1", "fine"), poison, message_event("wamid.2", "fine"))
    assert db.execute("SELECT wamid FROM messages ORDER BY wamid").fetchall() == [("wamid.1",), ("wamid.2",)]
    assert db.execute("SELECT kind, reason FROM parked").fetchall() == [("failed", "DivisionByZero: division by zero")]
    assert db.execute("SELECT count(*) FROM applied").fetchone() == (2,)
    assert db.execute("SELECT message_count FROM conversations").fetchone() == (2,)

"""Upgrading beside the previous release: webhooks are kept and understood all the while, and nobody waits long."""

import asyncio
import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from alembic import command
from sqlalchemy.pool import NullPool

from tests.e2e.figures import acknowledged_in
from tests.e2e.meta import Ledger, Meta, takes_webhooks, webhook
from tests.patience import PATIENCE
from tests.understanding import rows
from tests.working import APP_SECRET, Program, eventually
from wamcp.db import migrate as migration
from wamcp.db.migrate import _config, engine_of, migrate
from wamcp.db.revision import HEAD
from wamcp.embedded.ports import free_port
from wamcp.errors import Misconfigured
from wamcp.settings import load

LONGEST_S = 2.0 * PATIENCE
BEFORE = "0004"
FILES = 20_000

KEEP = (
    "WITH stored AS (INSERT INTO webhook_events (sha256, body) VALUES (%s, %s) RETURNING id)"
    " INSERT INTO webhook_queue SELECT id, 1 FROM stored"
)
UNDERSTAND = (
    "WITH m AS (INSERT INTO messages (number_id, wamid, conversation_id, event_id, direction, source, type, sent_at,"
    " day, text) VALUES (1, %s, 1, 1, 'inbound', 'webhook', 'image', now(), 1, 'hello')),"
    " f AS (INSERT INTO media (phone_number_id, direction, state, media_id) VALUES ('1', 'inbound', 'stored', %s)"
    " RETURNING id) INSERT INTO message_media SELECT 1, %s, id FROM f"
)
ASK = "SELECT count(*) FROM messages m JOIN message_media x USING (number_id, wamid) WHERE m.wamid = %s"


@pytest.fixture
def before(empty_database: str) -> Iterator[str]:
    """An archive of the previous release, with content."""
    with engine_of(empty_database, poolclass=NullPool).begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, BEFORE)
    with psycopg.connect(empty_database, autocommit=True) as db:
        db.execute(
            "INSERT INTO media (phone_number_id, direction, state, media_id)"
            " SELECT '1', 'inbound', 'stored', n::text FROM generate_series(1, %s) n", [FILES])  # fmt: skip
        db.execute(
            "INSERT INTO messages (number_id, wamid, conversation_id, event_id, direction, source, type, sent_at, day,"
            " text) SELECT 1, 'w.' || n, 1, 1, 'inbound', 'webhook', 'document', now(), 1, 'hello'"
            " FROM generate_series(1, %s) n", [FILES])  # fmt: skip
        db.execute("INSERT INTO message_media SELECT 1, 'w.' || media_id, id FROM media")
    yield empty_database


class Traffic:
    """Statements of the previous release, one after the other, and how long each took."""

    def __init__(self, url: str) -> None:
        self.seconds: list[float] = []
        self.failures: list[str] = []
        self._url, self._stop, self._numbers = url, threading.Event(), count()
        self._threads = [
            threading.Thread(target=self._run, args=(each,)) for each in (self._keep, self._write, self._ask)
        ]

    def __enter__(self) -> "Traffic":
        for thread in self._threads:
            thread.start()
        time.sleep(0.5)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, work: Callable[[psycopg.Connection, str], None]) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._stop.is_set():
                began = time.monotonic()
                try:
                    work(connection, f"t.{next(self._numbers)}")
                except psycopg.Error as error:
                    self.failures.append(str(error))
                self.seconds.append(time.monotonic() - began)

    @staticmethod
    def _keep(connection: psycopg.Connection, name: str) -> None:
        connection.execute(KEEP, [hashlib.sha256(name.encode()).digest(), name.encode()])

    @staticmethod
    def _write(connection: psycopg.Connection, name: str) -> None:
        connection.execute(UNDERSTAND, [name] * 3)

    @staticmethod
    def _ask(connection: psycopg.Connection, name: str) -> None:
        connection.execute(ASK, [name])


@pytest.mark.fault(17)
def test_nobody_waits_long_while_the_schema_changes(
    before: str, record_property: Callable[[str, object], None]
) -> None:
    with Traffic(before) as traffic, psycopg.connect(before) as slow:
        slow.execute("UPDATE media SET reason = 'slow' WHERE media_id = '1'")  # holds the table against a foreign key
        ends = threading.Timer(3.0 * PATIENCE, slow.commit)
        ends.start()
        began = time.monotonic()
        migrate(load({"DATABASE_URL": before}))
        took = time.monotonic() - began
        ends.join()
        until = len(traffic.seconds)
        # The previous release goes on beside the new schema, and may be gone back to.
        assert eventually(lambda: len(traffic.seconds) - until > 20)
        time.sleep(1)
        after = len(traffic.seconds) - until
    record_property(
        "figure",
        f"{len(traffic.seconds):,} statements of the previous release: {len(traffic.failures)} failed, the longest wait"
        f" {max(traffic.seconds):.2f} s; {after} of them on the new schema",
    )
    assert took > 2.5 * PATIENCE  # it had to wait for the slow one
    assert traffic.failures == []
    assert max(traffic.seconds) < LONGEST_S
    assert len(traffic.seconds) > 200
    with psycopg.connect(before) as db:
        assert rows(db, "SELECT version_num FROM alembic_version") == [(HEAD,)]
        assert rows(db, "SELECT count(*) >= %s FROM documents", FILES) == [(True,)]


def test_a_table_that_is_never_free_leaves_the_old_schema_whole(before: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration, "LOCK_ATTEMPTS", 2)
    monkeypatch.setattr(migration, "LOCK_S", 0.1)
    with psycopg.connect(before) as slow:
        slow.execute("UPDATE media SET reason = 'slow' WHERE media_id = '1'")
        with pytest.raises(Misconfigured, match="pg_stat_activity"):
            migrate(load({"DATABASE_URL": before}))
    with psycopg.connect(before) as db:
        assert rows(db, "SELECT version_num FROM alembic_version") == [(BEFORE,)]
        assert rows(db, "SELECT to_regclass('documents')") == [(None,)]
    migrate(load({"DATABASE_URL": before}))


@pytest.mark.slow
@pytest.mark.fault(17)
def test_webhooks_are_kept_while_the_schema_changes(
    before: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    port, run, rate = free_port(), 0x1700, 50
    environ = {
        "DATABASE_URL": before,
        "WAMCP_ENV": "development",
        "WAMCP_PORT": str(port),
        "WHATSAPP_APP_SECRET": APP_SECRET,
        "ADMIN_API_KEY": "a key of invented letters",
        "WAMCP_MIGRATE_ON_START": "false",
    }
    door = Program(tmp_path, environ, "api", "--only", "door")
    command = [sys.executable, "-m", "wamcp.cli.main", "migrate"]

    async def story(meta: Meta) -> None:
        migrating = await asyncio.create_subprocess_exec(
            *command, cwd=tmp_path, env={**os.environ, **environ}, stderr=subprocess.DEVNULL
        )
        ended, numbers = asyncio.create_task(migrating.wait()), count()
        while not ended.done():
            await meta.deliver_steadily([webhook(next(numbers), run) for _ in range(rate)], rate)
        assert await ended == 0

    try:
        assert eventually(lambda: takes_webhooks(port, APP_SECRET.encode(), webhook(0, 0x17)), 60), door.said
        with Ledger(tmp_path / "ledger") as ledger:
            meta = Meta(port, APP_SECRET.encode(), ledger)
            asyncio.run(story(meta))
            promised = set(ledger.digests())
    finally:
        door.kill()
    with psycopg.connect(before) as db:
        kept = {digest for (digest,) in rows(db, "SELECT sha256 FROM webhook_events")}
        assert rows(db, "SELECT version_num FROM alembic_version") == [(HEAD,)]
    record_property(
        "figure",
        f"{BEFORE} to {HEAD} at {rate}/s: {len(promised - kept)} of {len(promised):,} lost, {acknowledged_in(meta)},"
        f" {meta.answers.get(503, 0)} refused",
    )
    assert promised <= kept and len(promised) == meta.answers[200] > 0
    assert max(meta.seconds[200]) < LONGEST_S

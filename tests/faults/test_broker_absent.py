"""No broker when everything starts, then an empty one: webhooks do not notice, files are fetched once it is there."""

import asyncio
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.e2e.figures import acknowledged_in, is_unnoticed
from tests.e2e.meta import Ledger, Meta, takes_webhooks, webhook
from tests.fetching_office import file_event, mail_room
from tests.understanding import rows
from tests.working import APP_SECRET, Doorbell, Program, eventually
from wamcp.embedded.ports import free_port
from wamcp.embedded.scratch import temporary_directory

FILES, TEXTS, RATE = 20, 400, 100


@pytest.mark.embedded
@pytest.mark.slow
@pytest.mark.fault(4)
@pytest.mark.timeout(180)
def test_without_a_broker_at_the_start_webhooks_are_understood_and_files_come_later(
    database_url: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    port = free_port()
    with temporary_directory() as home, mail_room(database_url, tmp_path / "objects") as room:
        bell = Doorbell(home)
        bell.kill()
        for kept in home.rglob("*"):
            if kept.name.startswith(("appendonly", "dump")):
                shutil.rmtree(kept, ignore_errors=True)
                kept.unlink(missing_ok=True)
        environ = room.environ | {
            "REDIS_URL": bell.url(),
            "WAMCP_PORT": str(port),
            "WHATSAPP_APP_SECRET": APP_SECRET,
            "ADMIN_API_KEY": "a key of invented letters",
            "WAMCP_MIGRATE_ON_START": "false",
            "WAMCP_EXTRACTORS": "0",
        }
        programs = [Program(tmp_path, environ, *words) for words in (["api"], ["worker"])]
        try:
            assert eventually(lambda: takes_webhooks(port, APP_SECRET.encode(), webhook(0, 0x405)), 60), programs[
                0
            ].said
            files = [room.put_in(b"file %d" % number) for number in range(FILES)]
            bodies = [webhook(number, 0x404) for number in range(TEXTS)]
            bodies += [file_event(file, room.config.phone_number_id) for file in files]
            with Ledger(tmp_path / "ledger") as ledger:
                meta = Meta(port, APP_SECRET.encode(), ledger)
                asyncio.run(meta.deliver_steadily(bodies, RATE))
                promised = set(ledger.digests())
            assert eventually(lambda: understood(room.db) == len(bodies) + 1, 60), programs[1].said
            assert rows(room.db, "SELECT count(*) FROM media WHERE state = 'pending'") == [(FILES,)]
            began = time.monotonic()
            bell.start()
            fetched = "SELECT count(*), max(attempts) FROM media WHERE state = 'stored'"
            assert eventually(lambda: rows(room.db, fetched) == [(FILES, 1)], 90), programs[1].said
            caught_up = time.monotonic() - began
            asked = room.asked("/_media/")
        finally:
            for program in programs:
                program.kill()
            bell.kill()
        kept_now = {digest for (digest,) in rows(room.db, "SELECT sha256 FROM webhook_events")}
    record_property(
        "figure",
        f"none at the start, then an empty one: {len(promised - kept_now)} of {len(promised)} lost, every answer 200,"
        f" {acknowledged_in(meta)}; all understood without it; {FILES} files fetched once each,"
        f" {caught_up:.1f} s after it came",
    )
    assert is_unnoticed(meta, len(bodies)), meta.answers
    assert promised <= kept_now
    assert asked == FILES


def understood(db: psycopg.Connection) -> int:
    return int(rows(db, "SELECT count(*) FROM messages")[0][0])

"""Database and objects are gone, and a backup is there: the archive comes back, byte for byte."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.understanding import rows, understand
from wamcp.db.content import checksum
from wamcp.db.migrate import migrate
from wamcp.embedded.scratch import TemporaryPostgres
from wamcp.ingest.reprocess import verify
from wamcp.settings import load
from wamcp.simulator.lives import lives
from wamcp.storage.directory.write import DirectoryWriter

EVENTS, PEOPLE, FILES = 1500, 100, 40


def wamcp(url: str, objects: Path, cwd: Path, *words: str) -> float:
    """Runs a command; the seconds that it took."""
    began = time.monotonic()
    environ = os.environ | {"DATABASE_URL": url, "WAMCP_OBJECT_DIR": str(objects)}
    command = [sys.executable, "-m", "wamcp.cli.main", *words]
    done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return time.monotonic() - began


@pytest.mark.slow
@pytest.mark.fault(18)
@pytest.mark.timeout(240)
def test_what_was_backed_up_comes_back_byte_for_byte(
    postgres: TemporaryPostgres, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    url = postgres.clone("migrated", lambda template: migrate(load({"DATABASE_URL": template})))
    store = DirectoryWriter(tmp_path / "objects")
    with psycopg.connect(url, autocommit=True) as db:
        understand(db, *(each.body for each in lives(18, EVENTS, people=PEOPLE)))
        for number, (media,) in enumerate(rows(db, "SELECT id FROM media ORDER BY id LIMIT %s", FILES)):
            stored = store.put([b"file %d " % number * 10_000], cap=10**6)
            db.execute(
                "UPDATE media SET state = 'stored', sha256 = %s, size = %s, storage_key_raw = %s WHERE id = %s",
                [stored.sha256, stored.size, stored.key, media],
            )
        before, raw = checksum(db), rows(db, "SELECT id, sha256 FROM webhook_events ORDER BY id")
        keys = [key for (key,) in rows(db, "SELECT storage_key_raw FROM media WHERE state = 'stored'")]
    assert len(keys) == FILES and len(raw) > 1000
    saving = wamcp(url, store.root, tmp_path, "backup", "--to", "backup")
    postgres.drop(url)
    shutil.rmtree(store.root)

    url = postgres.create()
    bringing = wamcp(url, store.root, tmp_path, "restore", "--from", "backup", "--into-empty")
    with psycopg.connect(url, autocommit=True) as db:
        assert rows(db, "SELECT id, sha256(body) FROM webhook_events ORDER BY id") == raw
        assert checksum(db) == before
        messages = rows(db, "SELECT count(*) FROM messages")[0][0]
    whole = [hashlib.sha256(store.read(key, 0, 10**6)).hexdigest() == key.rpartition("/")[2] for key in keys]
    differences = verify(url)[1]
    record_property(
        "figure",
        f"{len(raw):,} events, {messages:,} messages, {len(keys)} files: {whole.count(False)} lost, checksums equal,"
        f" and derived again without a difference; backup {saving:.1f} s, restore {bringing:.1f} s",
    )
    assert all(whole) and differences == []
    postgres.drop(url)

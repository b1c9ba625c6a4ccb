"""Backup and restore with real pg_dump: equal checksums, every byte checked, nothing overwritten."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from alembic import command
from sqlalchemy.pool import NullPool

from tests.s3_servers import serving
from tests.understanding import rows, understand
from tests.webhooks import change, event, message_event
from wamcp.backup.bring_back import bring_back, check, try_out
from wamcp.backup.make import back_up
from wamcp.backup.programs import pick
from wamcp.db.content import checksum
from wamcp.db.migrate import _config, engine_of, migrate
from wamcp.db.revision import HEAD
from wamcp.embedded.scratch import TemporaryPostgres
from wamcp.errors import BackupFailed, Rejected
from wamcp.ingest.normalize import work_off
from wamcp.ingest.reprocess import verify
from wamcp.settings import load
from wamcp.storage.directory.write import DirectoryWriter
from wamcp.storage.write import open_store

THEN = "1770000000"


def picture(wamid: str, media_id: str) -> bytes:
    image = {"id": wamid, "timestamp": THEN, "type": "image", "from": "15550100101", "image": {"id": media_id}}
    return event(change(messages=[image]))


@pytest.fixture
def store(tmp_path: Path, db: psycopg.Connection) -> DirectoryWriter:
    """The objects of an archive with five messages and two files."""
    store = DirectoryWriter(tmp_path / "objects")
    understand(
        db,
        *(message_event(f"w.{n}", f"olá {n}", name="José") for n in range(3)),
        picture("p1", "1"),
        picture("p2", "2"),
    )
    for media_id, content in (("1", b"one"), ("2", b"two" * 100_000)):
        stored = store.put([content], cap=10**6)
        db.execute(
            "UPDATE media SET state = 'stored', sha256 = %s, storage_key_raw = %s WHERE media_id = %s",
            [stored.sha256, stored.key, media_id],
        )
    return store


@pytest.fixture
def bins(postgres: TemporaryPostgres) -> list[Path]:
    return [postgres.cluster.bin]


@pytest.fixture
def target(postgres: TemporaryPostgres) -> Iterator[str]:
    url = postgres.create()
    yield url
    postgres.drop(url)


def test_a_backup_comes_back_with_the_same_checksum(
    db: psycopg.Connection, database_url: str, store: DirectoryWriter, target: str, bins: list[Path], tmp_path: Path
) -> None:
    back_up(database_url, store, tmp_path / "backup", bins)
    assert check(tmp_path / "backup").objects == 2
    assert try_out(tmp_path / "backup", database_url, bins) == []
    elsewhere = DirectoryWriter(tmp_path / "elsewhere")
    migrate(load({"DATABASE_URL": target}))
    settings = load({"DATABASE_URL": target})
    manifest, differences = bring_back(settings, elsewhere, tmp_path / "backup", bins, into_empty=False)
    assert differences == [] and manifest.rows["messages"] == 5
    with psycopg.connect(target, autocommit=True) as restored:
        assert checksum(restored) == checksum(db)
        assert {key: elsewhere.size(key) for (key,) in rows(restored, "SELECT storage_key_raw FROM media")} == {
            key: store.size(key) for (key,) in rows(db, "SELECT storage_key_raw FROM media")
        }
        understand(restored, message_event("w.9", "goes on"))
        assert rows(restored, "SELECT count(*) FROM messages WHERE tsv @@ to_tsquery('public.wa', 'ola')") == [(3,)]
    assert verify(target)[1] == []


def test_the_schema_of_the_release_before_is_saved_and_comes_back_as_ours(
    db: psycopg.Connection, database_url: str, store: DirectoryWriter, target: str, bins: list[Path], tmp_path: Path
) -> None:
    with engine_of(database_url, poolclass=NullPool).begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.downgrade(config, "0004")
    manifest = back_up(database_url, store, tmp_path / "backup", bins)
    assert (manifest.revision, manifest.checksum) == ("0004", {})
    elsewhere = DirectoryWriter(tmp_path / "elsewhere")
    _, differences = bring_back(load({"DATABASE_URL": target}), elsewhere, tmp_path / "backup", bins, into_empty=True)
    assert differences == []
    with psycopg.connect(target, autocommit=True) as restored:
        assert rows(restored, "SELECT version_num FROM alembic_version") == [(HEAD,)]
        assert rows(restored, "SELECT count(*) FROM messages") == [(5,)]


def test_the_second_time_only_what_is_new_is_copied_and_what_is_gone_is_dropped(
    db: psycopg.Connection, database_url: str, store: DirectoryWriter, bins: list[Path], tmp_path: Path
) -> None:
    to = tmp_path / "backup"
    first = back_up(database_url, store, to, bins)
    copies = {path: path.stat().st_mtime_ns for path in (to / "objects" / "raw").rglob("*") if path.is_file()}
    db.execute("DELETE FROM documents")
    db.execute("DELETE FROM message_media WHERE wamid = 'p1'")
    db.execute("DELETE FROM media WHERE media_id = '1'")
    second = back_up(database_url, store, to, bins)
    left = {path: path.stat().st_mtime_ns for path in (to / "objects" / "raw").rglob("*") if path.is_file()}
    assert len(copies) == 2 and len(left) == 1 and left.items() <= copies.items()
    assert not (to / first.database_file).exists() and check(to) == second


@pytest.mark.fault(18)
def test_messages_that_arrive_meanwhile_do_not_disturb_it(
    db: psycopg.Connection,
    database_url: str,
    store: DirectoryWriter,
    bins: list[Path],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    stop, written = threading.Event(), []

    def arrive() -> None:
        with psycopg.connect(database_url, autocommit=True) as mine:
            while not stop.is_set():
                written.append(len(written))
                understand(mine, message_event(f"m.{len(written)}", "more"))

    thread = threading.Thread(target=arrive)
    thread.start()
    try:
        before = len(written)
        back_up(database_url, store, tmp_path / "backup", bins)
        during = len(written) - before
    finally:
        stop.set()
        thread.join()
    assert during > 5
    assert try_out(tmp_path / "backup", database_url, bins) == []
    while work_off(db):
        pass
    record_property("figure", f"{during} messages came while it was made: the copy is whole and without a difference")


@pytest.mark.parametrize("victim", ["database-*.dump", "objects-*.txt", "objects/raw/*/*"])
def test_a_changed_byte_is_found(
    database_url: str, store: DirectoryWriter, bins: list[Path], tmp_path: Path, target: str, victim: str
) -> None:
    back_up(database_url, store, tmp_path / "backup", bins)
    path = sorted((tmp_path / "backup").glob(victim))[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(BackupFailed, match="not what was written"):
        check(tmp_path / "backup")
    with pytest.raises(BackupFailed):
        bring_back(load({"DATABASE_URL": target}), store, tmp_path / "backup", bins, into_empty=True)
    with psycopg.connect(target) as untouched:
        assert rows(untouched, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


def test_an_object_that_is_lost_or_broken_fails_the_backup(
    db: psycopg.Connection, database_url: str, store: DirectoryWriter, bins: list[Path], tmp_path: Path
) -> None:
    ((key,),) = rows(db, "SELECT storage_key_raw FROM media WHERE media_id = '2'")
    store.path(key).write_bytes(b"other bytes")
    with pytest.raises(BackupFailed, match="other bytes than its name"):
        back_up(database_url, store, tmp_path / "backup", bins)
    store.delete(key)
    with pytest.raises(BackupFailed, match="it is lost"):
        back_up(database_url, store, tmp_path / "backup", bins)
    with pytest.raises(BackupFailed, match="holds no backup"):
        check(tmp_path / "backup")


def test_what_is_not_empty_or_newer_is_refused(
    database_url: str, store: DirectoryWriter, bins: list[Path], tmp_path: Path, target: str
) -> None:
    to = tmp_path / "backup"
    back_up(database_url, store, to, bins)
    settings = load({"DATABASE_URL": database_url})
    with pytest.raises(Rejected, match="holds an archive"):
        bring_back(settings, store, to, bins, into_empty=False)
    with pytest.raises(Rejected, match="--into-empty wants"):
        bring_back(settings, store, to, bins, into_empty=True)
    with psycopg.connect(target, autocommit=True) as other:
        other.execute("CREATE TABLE theirs (a int)")
    with pytest.raises(Rejected, match="something else"):
        bring_back(load({"DATABASE_URL": target}), store, to, bins, into_empty=False)
    told = json.loads((to / "manifest.json").read_text())
    (to / "manifest.json").write_text(json.dumps(told | {"revision": "9999"}))
    with pytest.raises(Rejected, match="restore with that release"):
        bring_back(load({"DATABASE_URL": target}), store, to, bins, into_empty=False)
    with pytest.raises(BackupFailed, match="no pg_dump for Postgres 99"):
        pick(bins, 99)


def test_the_commands_do_the_same(database_url: str, store: DirectoryWriter, target: str, tmp_path: Path) -> None:
    def run(url: str, objects: Path, *words: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "wamcp.cli.main", *words], cwd=tmp_path, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=os.environ | {"DATABASE_URL": url, "WAMCP_OBJECT_DIR": str(objects)})  # fmt: skip
        return done.returncode, done.stdout

    code, told = run(database_url, store.root, "backup", "--to", "b")
    assert code == 0 and "2 objects of 300,003 bytes" in told, told
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o700
    code, told = run(database_url, store.root, "backup", "--verify", "b", "--scratch")
    assert code == 0 and "No difference" in told, told
    code, told = run(target, tmp_path / "new", "restore", "--from", "b", "--into-empty")
    assert code == 0 and "No difference" in told, told
    assert run(database_url, store.root, "backup")[0] == 2
    assert "holds an archive" in run(database_url, store.root, "restore", "--from", "b")[1]


def test_a_bucket_is_copied_and_filled_again(
    db: psycopg.Connection, database_url: str, store: DirectoryWriter, target: str, bins: list[Path], tmp_path: Path
) -> None:
    keys = [key for (key,) in rows(db, "SELECT storage_key_raw FROM media")]
    with serving("nanio", tmp_path / "s3") as server:
        bucket = open_store(load(server.environ()))
        for key in keys:
            with store.open(key) as content:
                bucket.put(content, cap=10**6)
        back_up(database_url, bucket, tmp_path / "backup", bins)
        again = open_store(load(server.environ()))
        settings = load({"DATABASE_URL": target})
        assert bring_back(settings, again, tmp_path / "backup", bins, into_empty=True)[1] == []
        assert [again.size(key) for key in keys] == [store.size(key) for key in keys]

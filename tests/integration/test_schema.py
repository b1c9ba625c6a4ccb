"""The schema: what the migrations make is what tables.py says, and the two limited logins are limited."""

from collections.abc import Callable

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy.pool import NullPool

from wamcp.db import logins
from wamcp.db.migrate import engine_of, head, migrate
from wamcp.db.revision import HEAD, is_current
from wamcp.db.tables import metadata
from wamcp.embedded.scratch import TemporaryPostgres
from wamcp.errors import Misconfigured
from wamcp.settings import Settings, load


def test_the_migrations_make_what_tables_py_says(database_url: str) -> None:
    with engine_of(database_url, poolclass=NullPool).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_migrating_twice_changes_nothing(settings: Settings) -> None:
    assert migrate(settings) == []
    with psycopg.connect(settings.direct_url()) as connection:
        assert is_current(connection)
    assert head() == HEAD


def test_the_schema_of_the_next_release_is_good_enough_and_that_of_the_previous_is_not(settings: Settings) -> None:
    """While an upgrade goes on, the old processes stay ready beside the new schema, and the new ones wait for it."""
    with psycopg.connect(settings.direct_url()) as connection:
        for found, good in ((int(HEAD) + 1, True), (int(HEAD) - 1, False)):
            connection.execute("UPDATE alembic_version SET version_num = %s", [f"{found:04d}"])
            assert is_current(connection) is good
        connection.rollback()


def test_the_schema_of_a_newer_release_is_left_as_it_is(settings: Settings) -> None:
    """Going back to the previous release begins with its ``wamcp migrate``."""
    newer = f"{int(HEAD) + 1:04d}"
    with psycopg.connect(settings.direct_url(), autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", [newer])
        assert migrate(settings) == []
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(newer,)]


def test_letters_inside_words_have_indexes_where_they_are_wanted(database_url: str) -> None:
    for _ in range(2):
        migrate(load({"DATABASE_URL": database_url, "WAMCP_SUBSTRING_INDEX": "true"}))
    with psycopg.connect(database_url) as connection:
        made = connection.execute(
            "SELECT indrelid::regclass::text FROM pg_index WHERE indexrelid::regclass::text LIKE '%_substring'"
            " AND indisvalid ORDER BY 1"
        ).fetchall()
    assert made == [("document_pages",), ("messages",)]


def test_the_first_migration_can_be_undone(database_url: str) -> None:
    from alembic import command

    from wamcp.db.migrate import _config

    with engine_of(database_url, poolclass=NullPool).begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    with psycopg.connect(database_url) as plain:
        left = plain.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert left == [("alembic_version",)]


def test_the_objects_of_an_erasure_that_was_cut_off_are_noted_by_the_migration(database_url: str) -> None:
    from alembic import command

    from wamcp.db.migrate import _config

    def moved(to: Callable[[Config, str], None], revision: str) -> None:
        with engine_of(database_url, poolclass=NullPool).begin() as connection:
            config = _config()
            config.attributes["connection"] = connection
            to(config, revision)

    moved(command.downgrade, "0008")
    with psycopg.connect(database_url, autocommit=True) as connection:
        work = '{"keys": ["raw/aa/one", "raw/bb/two"]}'
        connection.execute("INSERT INTO erasures (asked_by, before, work, counts) VALUES ('x', 1, %s, '{}')", [work])
        moved(command.upgrade, "head")
        noted = connection.execute("SELECT storage_key FROM objects_to_delete ORDER BY 1").fetchall()
    assert noted == [("raw/aa/one",), ("raw/bb/two",)]


def test_a_database_that_does_not_fold_letters_is_refused_with_the_statement_to_use(
    postgres: TemporaryPostgres,
) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS t_ascii")
        connection.execute("CREATE DATABASE t_ascii TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C' LOCALE_PROVIDER libc")
    url = postgres.url.rpartition("/")[0] + "/t_ascii"
    try:
        with pytest.raises(Misconfigured, match="CREATE DATABASE wamcp TEMPLATE template0"):
            migrate(load({"DATABASE_URL": url}))
    finally:
        postgres.drop(url)


WRITES = [
    "INSERT INTO numbers (phone_number_id, waba_id, scope) VALUES ('1', '1', '1')",
    "UPDATE messages SET text = ''",
    "DELETE FROM messages",
    "TRUNCATE messages",
    "DROP TABLE messages",
    "ALTER TABLE messages ADD COLUMN x int",
    "CREATE TABLE x (a int)",
    "CREATE TEMP TABLE x (a int)",
    "CREATE SCHEMA x",
    "SELECT lo_create(0)",
    "SELECT lo_from_bytea(0, '\\x00')",
    "SELECT pg_notify('wamcp_events', '')",
    "SELECT nextval('messages_id_seq')",
    "COPY messages TO PROGRAM 'true'",
    "SELECT pg_read_file('/etc/hostname')",
]


@pytest.mark.parametrize("statement", WRITES)
@pytest.mark.parametrize("guard", ["on", "off"])
def test_the_reader_cannot_write_even_when_it_drops_its_own_guard(
    settings: Settings, statement: str, guard: str
) -> None:
    with psycopg.connect(logins.reader_url(settings), autocommit=True) as connection:
        connection.execute(f"SET default_transaction_read_only = {guard}")
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)) as refused:
            connection.execute(statement)
        if guard == "off":
            assert isinstance(refused.value, psycopg.errors.InsufficientPrivilege)


@pytest.mark.parametrize("column", ["webhook_events.body", "audit_log.parameters", "parked.fragment"])
def test_the_reader_sees_no_raw_bytes_and_no_audit(settings: Settings, column: str) -> None:
    table, name = column.split(".")
    with (
        psycopg.connect(logins.reader_url(settings)) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(f"SELECT {name} FROM {table}")


def test_the_reader_has_its_limits(settings: Settings) -> None:
    with psycopg.connect(logins.reader_url(settings)) as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("3s",)
        assert connection.execute("SHOW default_transaction_read_only").fetchone() == ("on",)


def test_the_auditor_can_only_add_rows(settings: Settings) -> None:
    with psycopg.connect(logins.audit_url(settings), autocommit=True) as connection:
        connection.execute(
            "INSERT INTO audit_log (actor, action, target, parameters, outcome) VALUES ('mcp', 'read', 'x', '{}', 'ok')"
        )
        for statement in ("SELECT * FROM audit_log", "DELETE FROM audit_log", "SELECT text FROM messages"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)

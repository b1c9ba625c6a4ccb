"""Brings the database to the newest schema, under a lock, and checks that it can do what search needs."""

import time
from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

from wamcp import log
from wamcp.db import logins
from wamcp.errors import Misconfigured
from wamcp.settings import Settings

_LOCK = 0x57414D4350  # "WAMCP"
LOCK_S = 1.0
LOCK_ATTEMPTS = 60
LOCK_PAUSE_S = 0.25
STATEMENT_S = 3600.0
"""As long as one statement of a revision may take, whatever the database sets for everybody."""
_CREATE_DATABASE = (
    "create the database anew: on Postgres 17 and newer\n"
    "  CREATE DATABASE wamcp TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"
    " LOCALE 'C.UTF-8';\n"
    "and on Postgres 16\n"
    "  CREATE DATABASE wamcp TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER libc LOCALE 'C.UTF-8';"
)


def migrate(settings: Settings) -> list[str]:
    """Applies what is missing and creates both logins; returns SQL that a superuser still has to run.

    The schema of a newer release is left as it is, so that going back to this one works. Raises
    :class:`Misconfigured` when the database is not UTF-8 or does not fold non-ASCII letters.
    """
    url = settings.direct_url()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        _check_version(connection)
        if newer := _newer(connection):
            log.get(__name__).warning("schema_is_newer", found=newer, ours=head())
            return []
        _upgrade(url)
        _check_letters(connection)
        if settings.substring_index:
            _create_substring_indexes(connection)
        refused = logins.create_logins(connection, settings)
    log.get(__name__).info("database_migrated", revision=head(), left_to_a_superuser=len(refused))
    return refused


def head() -> str:
    """The newest revision among the migrations; :data:`wamcp.db.revision.HEAD` has to say the same."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def revisions() -> set[str]:
    """Every schema that this release knows."""
    return {each.revision for each in ScriptDirectory.from_config(_config()).walk_revisions()}


def engine_of(url: str, **how: Any) -> Engine:
    """SQLAlchemy on ``url``, read as libpq does: SQLAlchemy by itself knows no address with several hosts."""
    return create_engine("postgresql+psycopg://", connect_args=conninfo_to_dict(url), **how)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _upgrade(url: str) -> None:
    """Applies each missing revision in a transaction of its own, beside whatever the previous release is doing.

    Whoever comes after a statement that waits for a lock waits as well, so none waits longer than :data:`LOCK_S`: the
    revision is taken back and tried again. Raises :class:`Misconfigured` when the lock was never to be had.
    """
    engine = engine_of(url, poolclass=NullPool)
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    script = ScriptDirectory.from_config(_config())
    for revision in reversed([each.revision for each in script.iterate_revisions("head", current or "base")]):
        for attempt in range(1, LOCK_ATTEMPTS + 1):
            try:
                _apply(engine, revision)
                break
            except psycopg.errors.LockNotAvailable:
                log.get(__name__).info("migration_waits", revision=revision, attempt=attempt)
                time.sleep(min(LOCK_PAUSE_S * attempt, 5.0))
        else:
            raise Misconfigured(
                f"Schema {revision} could not be applied: somebody holds a table for longer than {LOCK_S:.0f} s, time"
                " and again. Nothing of it was changed; end what runs for long (see pg_stat_activity), and try again."
            )


def _apply(engine: Engine, revision: str) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_S * 1000:.0f}ms'")
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{STATEMENT_S:.0f}s'")
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def _newer(connection: psycopg.Connection) -> str | None:
    """The revision at which the database stands, when it is one that only a newer release knows."""
    if connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,):
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row is not None and row[0] > head() else None


def _check_version(connection: psycopg.Connection) -> None:
    if connection.info.server_version < 160000:
        version = connection.info.parameter_status("server_version")
        raise Misconfigured(f"Postgres {version} is too old: WAMCP needs 16 or newer.")
    encoding = connection.execute("SHOW server_encoding").fetchone()
    if encoding != ("UTF8",):
        raise Misconfigured(f"The database's encoding is not UTF8: {_CREATE_DATABASE}")


def _check_letters(connection: psycopg.Connection) -> None:
    folds = connection.execute("SELECT lower('É') = 'é' AND cardinality(public.show_trgm('हिन्दी')) > 0").fetchone()
    if folds != (True,):
        raise Misconfigured(
            f"The database does not fold letters beyond ASCII, so search would miss words: {_CREATE_DATABASE}"
        )


def _create_substring_indexes(connection: psycopg.Connection) -> None:
    for table in ("messages", "document_pages"):
        connection.execute(
            f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {table}_substring ON {table}"
            " USING gin (public.wa_norm(text) public.gin_trgm_ops) WITH (fastupdate = on)"
        )

"""Brings the database to the newest schema, under a lock, and checks that it can do what search needs."""

from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from wamcp import log
from wamcp.db import logins
from wamcp.errors import Misconfigured
from wamcp.settings import Settings

_LOCK = 0x57414D4350  # "WAMCP"
_CREATE_DATABASE = (
    "create the database anew: on Postgres 17 and newer\n"
    "  CREATE DATABASE wamcp TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"
    " LOCALE 'C.UTF-8';\n"
    "and on Postgres 16\n"
    "  CREATE DATABASE wamcp TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER libc LOCALE 'C.UTF-8';"
)


def migrate(settings: Settings) -> list[str]:
    """Applies what is missing and creates both logins; returns SQL that a superuser still has to run.

    Raises :class:`Misconfigured` when the database is not UTF-8 or does not fold non-ASCII letters.
    """
    url = settings.direct_url()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        _check_version(connection)
        _upgrade(url)
        _check_letters(connection)
        if settings.substring_index:
            _create_substring_index(connection)
        refused = logins.create_logins(connection, settings)
    log.get(__name__).info("database_migrated", revision=head(), left_to_a_superuser=len(refused))
    return refused


def head() -> str:
    """The newest revision among the migrations; :data:`wamcp.db.revision.HEAD` has to say the same."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def revisions() -> set[str]:
    """Every schema that this release knows."""
    return {each.revision for each in ScriptDirectory.from_config(_config()).walk_revisions()}


def sqlalchemy_url(url: str) -> str:
    """``url`` as SQLAlchemy wants it, with the psycopg 3 driver named."""
    return "postgresql+psycopg://" + url.split("://", 1)[1]


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _upgrade(url: str) -> None:
    engine = create_engine(sqlalchemy_url(url), poolclass=NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL lock_timeout = '10s'")
        if MigrationContext.configure(connection).get_current_revision() == head():
            return
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


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


def _create_substring_index(connection: psycopg.Connection) -> None:
    connection.execute(
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_substring ON messages"
        " USING gin (public.wa_norm(text) public.gin_trgm_ops) WITH (fastupdate = on)"
    )

"""Bringing a backup back, and proving that one can be: every file by its hash, the whole in a database of its own."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from wamcp.backup import programs
from wamcp.backup.make import LARGEST, OBJECTS, Progress
from wamcp.backup.manifest import Manifest, keys, read, sha256_of
from wamcp.db.content import checksum
from wamcp.db.migrate import migrate, revisions
from wamcp.db.revision import HEAD
from wamcp.errors import BackupFailed, Rejected
from wamcp.settings import Settings
from wamcp.storage.directory.write import DirectoryWriter
from wamcp.storage.write import WriteStore

_CONTENT = ("webhook_events", "messages", "sends", "media")


def check(directory: Path) -> Manifest:
    """Compares every file of a backup with its SHA-256. Raises :class:`BackupFailed` naming the first that is wrong."""
    manifest = read(directory)
    for name, expected in (
        (manifest.database_file, manifest.database_sha256),
        (manifest.objects_file, manifest.objects_sha256),
    ):
        if sha256_of(directory / name) != expected:
            raise BackupFailed(f"{directory / name} is not what was written: its SHA-256 differs.")
    for key, _ in keys(directory, manifest):
        if sha256_of(directory / OBJECTS / key) != key.rpartition("/")[2]:
            raise BackupFailed(f"The object {key} in {directory} is not what was written: its SHA-256 differs.")
    return manifest


def try_out(directory: Path, url: str, bins: list[Path]) -> list[str]:
    """Restores into a database of its own on the server of ``url``, and drops it again; what differs, by table."""
    manifest = read(directory)
    with _scratch(url) as scratch:
        _restore(directory, manifest, scratch, bins)
        return _differences(manifest, scratch)


def bring_back(
    settings: Settings,
    store: WriteStore,
    directory: Path,
    bins: list[Path],
    *,
    into_empty: bool,
    progress: Progress = lambda _: None,
) -> tuple[Manifest, list[str]]:
    """Restores objects and database, migrates, creates the logins; returns what differs from the backup, by table.

    The target may have WAMCP's tables as long as nothing is in them, with ``into_empty`` no tables at all. Raises
    :class:`Rejected` for a target with content or a backup of a newer release, :class:`BackupFailed`.
    """
    manifest = read(directory)
    if manifest.revision not in revisions():
        raise Rejected(
            f"The backup is of schema {manifest.revision} (WAMCP {manifest.version}), which this release does not know:"
            " restore with that release or a newer one."
        )
    url = settings.direct_url()
    _require_empty(url, into_empty)
    progress("checking the backup")
    check(directory)
    progress(f"{manifest.objects} objects")
    source = DirectoryWriter(directory / OBJECTS)
    for key, _ in keys(directory, manifest):
        with source.open(key) as file:
            if store.put(file, cap=LARGEST).key != key:
                raise BackupFailed(f"The object {key} changed while it was copied.")
    progress("database")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET client_min_messages = warning")
        connection.execute("DROP SCHEMA IF EXISTS public CASCADE")
        connection.execute("CREATE SCHEMA public")
    _restore(directory, manifest, url, bins)
    refused = migrate(settings)
    return manifest, _differences(manifest, url) + [f"left to a superuser: {each}" for each in refused]


def _restore(directory: Path, manifest: Manifest, url: str, bins: list[Path]) -> None:
    with psycopg.connect(url) as connection:
        server = connection.info.server_version // 10000
    found = programs.pick(bins, max(server, manifest.server))
    programs.restore(found, url, directory / manifest.database_file, server)


def _differences(manifest: Manifest, url: str) -> list[str]:
    """Rows are counted in every table; hashes are compared where this release makes them as that one did."""
    found = []
    with psycopg.connect(url, autocommit=True) as connection:
        for table, rows in manifest.rows.items():
            row = connection.execute(sql.SQL("SELECT count(*) FROM public.{}").format(sql.Identifier(table))).fetchone()
            if row != (rows,):
                found.append(f"{table}: {rows} rows in the backup, {row[0] if row else 0} restored")
        if manifest.revision == HEAD:
            for table, (_, value) in checksum(connection).items():
                if manifest.checksum.get(table, [0, value])[1] != value:
                    found.append(f"{table}: the checksum differs")
    return found


def _require_empty(url: str, into_empty: bool) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        tables = {row[0] for row in rows}
        if into_empty and tables:
            raise Rejected("The target has tables; --into-empty wants a database without any: create one.")
        if tables and "alembic_version" not in tables:
            raise Rejected("The target is a database of something else: create one for WAMCP.")
        for table in tables.intersection(_CONTENT):
            if (
                connection.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(sql.Identifier(table))).fetchone()
                is not None
            ):
                raise Rejected(f"The target holds an archive ({table} has rows); restore into an empty database.")


@contextmanager
def _scratch(url: str) -> Iterator[str]:
    """A database of its own, gone afterwards."""
    name = f"wamcp_tried_{secrets.token_hex(6)}"
    with psycopg.connect(url, autocommit=True) as connection:
        try:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        except psycopg.errors.InsufficientPrivilege:
            raise Rejected(
                "The owner may not create databases: ALTER ROLE ... CREATEDB, or leave out --scratch."
            ) from None
        try:
            parts = urlsplit(url)
            yield urlunsplit((parts.scheme, parts.netloc, f"/{name}", parts.query, parts.fragment))
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

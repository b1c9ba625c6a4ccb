"""Making a backup: one snapshot of the database, then the objects that it names, while everything goes on."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg import sql

from wamcp.backup import programs
from wamcp.backup.manifest import NAME, Manifest, keys, read, settle, sha256_of, write
from wamcp.db.content import checksum
from wamcp.db.revision import HEAD
from wamcp.errors import BackupFailed, NotStored
from wamcp.storage.directory.write import DirectoryWriter
from wamcp.storage.read import ReadStore
from wamcp.version import version

OBJECTS = "objects"
LARGEST = 2**40
_DUMP = (
    "--format=custom", "--no-owner", "--no-privileges", "--no-comments", "--exclude-schema=wamcp_verify",
    "--lock-wait-timeout=60000",
)  # fmt: skip

Progress = Callable[[str], None]
"""Called with what is being done."""


def back_up(url: str, store: ReadStore, to: Path, bins: list[Path], progress: Progress = lambda _: None) -> Manifest:
    """Writes a backup into the directory ``to``; one that is there is replaced once the new one is whole.

    Objects that are there already are not copied again. Raises :class:`BackupFailed`.
    """
    to.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chmod(to, 0o700)  # noqa: PTH101 - it may have been there with other rights
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    dump, listed = to / f"database-{stamp}.dump", to / f"objects-{stamp}.txt"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET statement_timeout = 0")
        progress("database")
        found = _dump(connection, url, dump, bins)
        progress(f"{len(found.objects)} objects")
        sizes = _copy(connection, store, to, found.objects)
    listed.write_text("".join(f"{key} {size}\n" for key, size in sizes.items()))
    for path in (dump, listed):
        _flush(path)
    manifest = Manifest(
        made_at=datetime.now(UTC).isoformat(),
        version=version(),
        revision=found.revision,
        server=found.server,
        database_file=dump.name,
        database_sha256=sha256_of(dump),
        database_bytes=dump.stat().st_size,
        objects_file=listed.name,
        objects_sha256=sha256_of(listed),
        objects=len(sizes),
        objects_bytes=sum(sizes.values()),
        checksum=found.checksum,
        rows=found.rows,
        gone=len(found.objects) - len(sizes),
    )
    settle(to)
    write(to, manifest)
    _tidy(to)
    return manifest


class _Snapshot(NamedTuple):
    """What the database held when it was dumped: ``objects`` are the keys that rows name."""

    server: int
    revision: str
    checksum: dict[str, list[int | str]]
    rows: dict[str, int]
    objects: list[str]


def _dump(connection: psycopg.Connection, url: str, to: Path, bins: list[Path]) -> _Snapshot:
    server = connection.info.server_version // 10000
    program = programs.pick(bins, server) / "pg_dump"
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    with connection.transaction():
        snapshot = _one(connection, "SELECT pg_export_snapshot()")
        programs.run(program, url, *_DUMP, "--snapshot", snapshot, "--file", str(to))
        named = connection.execute(
            "SELECT DISTINCT storage_key_raw FROM media WHERE storage_key_raw IS NOT NULL AND state = 'stored'"
            " ORDER BY 1"
        ).fetchall()
        revision = _one(connection, "SELECT version_num FROM alembic_version")
        content = checksum(connection) if revision == HEAD else {}
        return _Snapshot(
            server,
            revision,
            {table: [rows, value] for table, (rows, value) in content.items()},
            _counts(connection),
            [row[0] for row in named],
        )


def _copy(connection: psycopg.Connection, store: ReadStore, to: Path, wanted: list[str]) -> dict[str, int]:
    """Copies what is not there; each object is checked by its name, which is its SHA-256. Returns the sizes."""
    copies, sizes = DirectoryWriter(to / OBJECTS), dict[str, int]()
    for key in wanted:
        size = store.size(key)
        if size is not None and copies.size(key) == size:
            sizes[key] = size
            continue
        try:
            with store.open(key) as source:
                stored = copies.put(source, cap=LARGEST)
        except NotStored:
            if _is_named(connection, key):
                raise BackupFailed(
                    f"The object {key} is named by a file and is not in the store: it is lost."
                ) from None
            continue
        if stored.key != key:
            copies.delete(stored.key)
            raise BackupFailed(f"The object {key} has other bytes than its name says: its disk has lost something.")
        sizes[key] = stored.size
    return sizes


def _is_named(connection: psycopg.Connection, key: str) -> bool:
    return bool(_one(connection, "SELECT EXISTS (SELECT FROM media WHERE storage_key_raw = %s)", key))


def _tidy(to: Path) -> None:
    """Removes what the manifest does not name: the backup before, and objects that were erased since."""
    manifest = read(to)
    kept = {manifest.database_file, manifest.objects_file, NAME}
    for path in [*to.glob("database-*.dump"), *to.glob("objects-*.txt")]:
        if path.name not in kept:
            path.unlink()
    named = {key for key, _ in keys(to, manifest)}
    root = to / OBJECTS
    for path in (root / "raw").glob("*/*") if root.is_dir() else ():
        if f"raw/{path.parent.name}/{path.name}" not in named:
            path.unlink()


def _counts(connection: psycopg.Connection) -> dict[str, int]:
    tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
    query = sql.SQL("SELECT count(*) FROM public.{}")
    found = {}
    for (table,) in tables:
        row = connection.execute(query.format(sql.Identifier(table))).fetchone()
        found[table] = row[0] if row else 0
    return found


def _one(connection: psycopg.Connection, query: str, *values: str) -> str:
    row = connection.execute(query, values).fetchone()
    if row is None:
        raise BackupFailed("The database has no schema of WAMCP: run wamcp migrate.")
    return row[0]  # type: ignore[no-any-return]


def _flush(path: Path) -> None:
    path.chmod(0o600)
    with path.open("rb") as file:
        os.fsync(file.fileno())

"""What a backup says of itself: ``manifest.json``, written last, in one step, so that there is always a whole one."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from wamcp.errors import BackupFailed

NAME = "manifest.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """One backup. ``checksum`` is the archive's by table (rows, hash), ``rows`` counts every table.

    The checksum is empty when the archive had the schema of another release, as before an upgrade.

    ``objects_file`` lists the objects, a key and a size in bytes on each line. ``gone`` counts objects that a row named
    when the database was read, and that nobody named any more when they were to be copied.
    """

    made_at: str
    version: str
    revision: str
    server: int
    database_file: str
    database_sha256: str
    database_bytes: int
    objects_file: str
    objects_sha256: str
    objects: int
    objects_bytes: int
    checksum: dict[str, list[int | str]]
    rows: dict[str, int]
    gone: int
    format: int = FORMAT


def read(directory: Path) -> Manifest:
    """Raises :class:`BackupFailed` when there is no backup that this release knows."""
    try:
        found = json.loads((directory / NAME).read_text())
    except (OSError, ValueError) as error:
        raise BackupFailed(f"{directory} holds no backup: {NAME} cannot be read ({error}).") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise BackupFailed(f"{directory / NAME} is of a format that this release does not know: use a newer WAMCP.")
    try:
        return Manifest(**found)
    except TypeError as error:
        raise BackupFailed(f"{directory / NAME} is not whole: {error}.") from None


def write(directory: Path, manifest: Manifest) -> None:
    """Puts ``manifest`` in the place of the one before, durably."""
    path = directory / NAME
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("w") as file:
        json.dump(asdict(manifest), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    settle(directory)


def settle(directory: Path) -> None:
    """Flushes the names in a directory."""
    number = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def keys(directory: Path, manifest: Manifest) -> Iterator[tuple[str, int]]:
    """The objects of a backup: key, size in bytes."""
    with (directory / manifest.objects_file).open() as file:
        for line in file:
            key, _, size = line.partition(" ")
            yield key, int(size)


def sha256_of(path: Path) -> str:
    """Of a file's bytes, in hex. Raises :class:`BackupFailed` when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BackupFailed(f"{path} cannot be read ({error.strerror}).") from None

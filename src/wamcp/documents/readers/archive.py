"""The parts of an office document: each is read as a stream, and what unpacks to too much is refused."""

import posixpath
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO, cast

from wamcp.documents.readers import markup
from wamcp.documents.trouble import Bomb, Encrypted

PART_BYTES = 64_000_000
ALL_BYTES = 256_000_000
RATIO = 200
_SMALL_BYTES = 1_000_000
"""Below this a part may be packed as well as it likes."""
_ENCRYPTED = 0x1


class Archive:
    """A zip file of parts, counted while they are read."""

    def __init__(self, file: BinaryIO) -> None:
        self._zip = zipfile.ZipFile(file)
        self._left = ALL_BYTES
        self._entries = {entry.filename: entry for entry in self._zip.infolist()}

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    @contextmanager
    def part(self, name: str) -> Iterator[BinaryIO]:
        """A part to read. Raises :class:`Bomb` for one that is too large, also while it is read; ``KeyError``."""
        entry = self._entries[name]
        if entry.flag_bits & _ENCRYPTED:
            raise Encrypted
        if entry.file_size > PART_BYTES or entry.file_size > max(_SMALL_BYTES, RATIO * entry.compress_size):
            raise Bomb
        with self._zip.open(entry) as opened:
            yield cast(BinaryIO, _Counted(opened, self))

    def events(self, name: str) -> Iterator[markup.Event]:
        """The XML of a part; nothing when there is no such part."""
        if name in self:
            with self.part(name) as file:
                yield from markup.events(file)

    def relations(self, name: str) -> dict[str, tuple[str, str]]:
        """What a part refers to: id → (the last word of the kind of relation, name of the other part)."""
        folder, own = posixpath.split(name)
        found = {}
        for event in self.events(f"{folder}/_rels/{own}.rels"):
            if isinstance(event, markup.Start) and event.attributes.get("TargetMode") != "External":
                target = event.attributes.get("Target", "")
                path = target.lstrip("/") if target.startswith("/") else posixpath.join(folder, target)
                kind = event.attributes.get("Type", "").rpartition("/")[2]
                found[event.attributes.get("Id", "")] = (kind, posixpath.normpath(path))
        return found

    def spend(self, size: int) -> None:
        """Counts what was unpacked. Raises :class:`Bomb` when it is too much in all."""
        self._left -= size
        if self._left < 0:
            raise Bomb


class _Counted:
    def __init__(self, file: IO[bytes], archive: Archive) -> None:
        self._file = file
        self._archive = archive

    def read(self, size: int) -> bytes:
        piece = self._file.read(size)
        self._archive.spend(len(piece))
        return piece

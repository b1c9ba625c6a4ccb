"""Putting objects into a directory: written beside, flushed, renamed, so that a half-written object is never seen."""

import hashlib
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from wamcp.errors import NotStored, StoreUnavailable, TooLarge
from wamcp.storage.directory.read import DirectoryReader, telling
from wamcp.storage.objects import RAW, Readable, Stored, is_key, key_of, pieces

INCOMING = "incoming"
"""Where objects are written before they have a name; on the same file system, since they are renamed from there."""
SPARE_BYTES = 100_000_000
"""As large as Meta's largest file: with less room than that, media will be lost soon."""


class DirectoryWriter(DirectoryReader):
    """The same objects, and how they come and go. Directories are made for their owner alone, and so are files."""

    def put(self, source: Readable | Iterable[bytes], *, cap: int) -> Stored:
        """See ``WriteStore``."""
        digest, size = hashlib.sha256(), 0
        with self._incoming() as (file, written):
            for piece in pieces(source):
                size += len(piece)
                if size > cap:
                    raise TooLarge(f"The file is larger than {cap:,} bytes, which is the most that is kept here.")
                digest.update(piece)
                with self._writing():
                    file.write(piece)
            stored = Stored(key_of(digest.digest()), digest.digest(), size)
            # A file of another size is not what its name says: the disk lost a part of it, and here it is again.
            if self.size(stored.key) != size:
                self._name(file, written, self.path(stored.key))
        self._settle(self.path(stored.key).parent)
        return stored

    def delete(self, key: str) -> bool:
        """See ``WriteStore``."""
        path = self.path(key)
        try:
            with telling("changed", self.root):
                path.unlink()
        except NotStored:
            return False
        self._settle(path.parent)
        return True

    def sweep(self, older_than_s: float = 86_400.0) -> int:
        """See ``WriteStore``."""
        before, swept = time.time() - older_than_s, 0
        incoming = self.root / INCOMING
        if not incoming.is_dir():
            return 0
        with telling("changed", self.root):
            for path in list(incoming.iterdir()):
                with suppress(FileNotFoundError):  # its put has ended since
                    if path.stat().st_mtime <= before:
                        path.unlink()
                        swept += 1
        return swept

    def keys(self, older_than_s: float = 86_400.0) -> Iterator[str]:
        """See ``WriteStore``."""
        before = time.time() - older_than_s
        with telling("read", self.root):
            for path in (self.root / RAW).glob("*/*"):
                key = f"{RAW}/{path.parent.name}/{path.name}"
                with suppress(FileNotFoundError):  # somebody removed it since
                    if is_key(key) and path.stat().st_mtime <= before:
                        yield key

    def place(self) -> str:
        """See ``WriteStore``."""
        return str(self.root)

    def free_bytes(self) -> int | None:
        """See ``WriteStore``."""
        with telling("measured", self.root):
            found = os.statvfs(self._nearest())
        return found.f_bavail * found.f_frsize

    def trouble(self) -> str | None:
        """See ``WriteStore``."""
        place = self._nearest()
        if not place.is_dir():
            return f"WAMCP_OBJECT_DIR cannot be {self.root}, since {place} is no directory; name another one."
        if not os.access(place, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
            return f"{place} cannot be written to; give it to the user that runs WAMCP, or set WAMCP_OBJECT_DIR."
        try:
            free = self.free_bytes() or 0
        except StoreUnavailable as error:
            return str(error)
        if free < SPARE_BYTES:
            return f"The disk of {self.root} has {free // 1_000_000} MB left; make room before files are refused."
        return None

    @contextmanager
    def _incoming(self) -> Iterator[tuple[BinaryIO, Path]]:
        """A new file without a name; gone afterwards, unless it was given one."""
        path = self.root / INCOMING / secrets.token_hex(16)
        with self._writing():
            _make(path.parent)
            file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")
        try:
            yield file, path
        finally:
            # A full disk shows again when what is left in the buffer is flushed; it was told already.
            with suppress(OSError):
                file.close()
            with suppress(OSError):
                path.unlink()

    def _name(self, file: BinaryIO, written: Path, path: Path) -> None:
        with self._writing():
            file.flush()
            os.fsync(file.fileno())
            _make(path.parent)
            written.replace(path)

    def _settle(self, directory: Path) -> None:
        """Flushes the names: of the object, and of the directories above it, which another put may just have made."""
        with self._writing():
            for each in (directory, directory.parent, self.root):
                _flush(each)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with telling("written", self.root):
                yield
        except NotStored:
            raise StoreUnavailable(f"The object store in {self.root} went away while it was written to.") from None

    def _nearest(self) -> Path:
        """The root, or what exists of the way to it."""
        return next(path for path in (self.root, *self.root.parents) if os.path.lexists(path))


def _make(directory: Path) -> None:
    """Makes a directory and those above it that are missing, each for its owner alone."""
    if directory.is_dir():
        return
    _make(directory.parent)
    with suppress(FileExistsError):
        directory.mkdir(mode=0o700)
    _flush(directory.parent)


def _flush(directory: Path) -> None:
    number = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)

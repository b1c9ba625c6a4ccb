"""Reading objects out of a directory."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from wamcp.errors import NotStored, StoreUnavailable
from wamcp.storage.objects import check_key


@contextmanager
def telling(doing: str, root: Path) -> Iterator[None]:
    """Says a failure of the file system in the words of the store: NotStored, or StoreUnavailable with the reason."""
    try:
        yield
    except FileNotFoundError:
        raise NotStored() from None
    except OSError as error:
        raise StoreUnavailable(
            f"The object store in {root} cannot be {doing} ({error.strerror or error}); check the disk and who owns it."
        ) from error


class DirectoryReader:
    """Objects below ``root``, each a file whose path is its key."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def size(self, key: str) -> int | None:
        """See ``ReadStore``."""
        path = self.path(key)
        try:
            with telling("read", self.root):
                return path.stat().st_size
        except NotStored:
            return None

    def open(self, key: str) -> BinaryIO:
        """See ``ReadStore``."""
        path = self.path(key)
        with telling("read", self.root):
            return path.open("rb")

    def read(self, key: str, start: int, length: int) -> bytes:
        """See ``ReadStore``."""
        with self.open(key) as file, telling("read", self.root):
            file.seek(start)
            return file.read(length)

    def path(self, key: str) -> Path:
        """The file of an object, there or not."""
        return self.root / check_key(key)

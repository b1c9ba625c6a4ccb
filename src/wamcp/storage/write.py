"""Writing into the object store."""

import secrets
from collections.abc import Iterable, Iterator
from typing import Protocol

from wamcp.errors import NotStored, StoreUnavailable
from wamcp.storage.directory.write import DirectoryWriter
from wamcp.storage.objects import Readable, Stored
from wamcp.storage.place import Bucket, Chosen, place_of
from wamcp.storage.read import ReadStore

ABANDONED_S = 86_400.0


class WriteStore(ReadStore, Protocol):
    """The objects, to be read and written from any thread."""

    def put(self, source: Readable | Iterable[bytes], *, cap: int) -> Stored:
        """Keeps the bytes of ``source``, streamed, and returns once they would survive a power cut.

        Either the whole object becomes visible or none; what is there already is not written again. More than ``cap``
        bytes raise ``TooLarge``, a store that cannot take them ``StoreUnavailable``; what ``source`` raises is passed.
        """
        ...

    def delete(self, key: str) -> bool:
        """Removes an object; whether there was one.

        The caller sees to it that no row names it, nor comes to while this runs: equal bytes share one object.
        """
        ...

    def sweep(self, older_than_s: float = ABANDONED_S) -> int:
        """Removes what puts that died left behind at least ``older_than_s`` seconds ago; how many."""
        ...

    def keys(self, older_than_s: float = ABANDONED_S) -> Iterator[str]:
        """The keys of all objects that were written at least ``older_than_s`` seconds ago; other files are left out."""
        ...

    def place(self) -> str:
        """Where the objects lie, for people."""
        ...

    def free_bytes(self) -> int | None:
        """How much may still be put, None when nobody knows."""
        ...

    def trouble(self) -> str | None:
        """Why nothing can be put, as a sentence, as far as one sees without putting anything; None when all is well."""
        ...


def open_store(settings: Chosen) -> WriteStore:
    """The store that the settings name. Touches nothing: what is missing is made with the first object.

    Raises ``Misconfigured``.
    """
    place = place_of(settings)
    if isinstance(place, Bucket):
        from wamcp.storage.s3.write import S3Writer  # see wamcp.storage.read

        return S3Writer(place)
    return DirectoryWriter(place)


def probe(store: WriteStore) -> str | None:
    """Puts, reads and removes a few random bytes. None when that works, else a sentence that says what to do."""
    if found := store.trouble():
        return found
    content = b"wamcp probe " + secrets.token_bytes(16)
    try:
        stored = store.put([content], cap=len(content))
        came_back = store.read(stored.key, 0, len(content) + 1)
        store.delete(stored.key)
    except (StoreUnavailable, NotStored) as error:
        return str(error)
    if came_back != content:
        return "The object store gives back other bytes than were put; check its disk, and do not trust what it holds."
    return None

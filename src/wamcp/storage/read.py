"""Reading from the object store; this side cannot write."""

from typing import BinaryIO, Protocol

from wamcp.storage.directory.read import DirectoryReader
from wamcp.storage.place import Bucket, Chosen, place_of


class ReadStore(Protocol):
    """The objects, to be read from any thread. Every method raises ``BadKey`` for what is no key of an object.

    ``NotStored`` is raised when there is no such object, ``StoreUnavailable`` when the store cannot be asked.
    """

    def size(self, key: str) -> int | None:
        """The bytes of an object, None when there is none: whether it exists."""
        ...

    def open(self, key: str) -> BinaryIO:
        """An object as a binary file, seekable; to be closed by the caller."""
        ...

    def read(self, key: str, start: int, length: int) -> bytes:
        """At most ``length`` bytes from ``start`` on, both 0 or more; fewer, or none, at the end."""
        ...


def open_store(settings: Chosen) -> ReadStore:
    """The store that the settings name. Touches nothing. Raises ``Misconfigured``."""
    place = place_of(settings)
    if isinstance(place, Bucket):
        # The client of S3 costs half a second of every start; most installations have a directory.
        from wamcp.storage.s3.read import S3Reader

        return S3Reader(place)
    return DirectoryReader(place)

"""What an object is: bytes under a key that is made of their SHA-256, so that equal bytes are kept once."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from wamcp.errors import BadKey

PIECE_BYTES = 256 * 1024
RAW = "raw"
_KEY = re.compile(RAW + r"/([0-9a-f]{2})/\1[0-9a-f]{62}")


class Readable(Protocol):
    """A binary file, as far as it is needed here."""

    def read(self, size: int, /) -> bytes: ...


class Stored(NamedTuple):
    """What was put into the store: ``size`` in bytes, ``sha256`` in its 32 bytes."""

    key: str
    sha256: bytes
    size: int


def key_of(sha256: bytes) -> str:
    """The key of the content with this SHA-256 (32 bytes)."""
    return check_key(f"{RAW}/{sha256.hex()[:2]}/{sha256.hex()}")


def check_key(key: str) -> str:
    """``key`` as it is. Raises :class:`BadKey` unless :func:`key_of` may have made it: nothing else becomes a path."""
    if not is_key(key):
        raise BadKey()
    return key


def is_key(key: str) -> bool:
    """Whether :func:`key_of` may have made it."""
    return _KEY.fullmatch(key) is not None


def pieces(source: Readable | Iterable[bytes]) -> Iterator[bytes]:
    """The bytes of ``source`` from where it stands, never a whole large file at once."""
    read = getattr(source, "read", None)
    if read is None:
        yield from source  # type: ignore[misc]
        return
    while piece := read(PIECE_BYTES):
        yield piece

"""Reading objects out of a bucket."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

import certifi
import urllib3
from minio import Minio
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3.response import BaseHTTPResponse

from wamcp.errors import Misconfigured, NotStored, StoreUnavailable
from wamcp.storage.objects import PIECE_BYTES, check_key
from wamcp.storage.place import Bucket

CONNECT_S = 3.0
READ_S = 15.0
"""So long a server may be silent within an answer."""
RETRIES = 2
"""Of what did not reach the server, and of its 5xx. Objects are named by their content, so a put may be repeated."""
CONNECTIONS = 16

_ABSENT = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchObject", "ResourceNotFound", "NotFound"})
_BEYOND = "InvalidRange"


def client_of(bucket: Bucket, *, connect_s: float = CONNECT_S, read_s: float = READ_S, retries: int = RETRIES) -> Minio:
    """A client for any number of threads, whose every request ends in bounded time. Asks nothing yet.

    Raises :class:`Misconfigured` for names that no server takes.
    """
    http = urllib3.PoolManager(
        maxsize=CONNECTIONS,
        timeout=urllib3.Timeout(connect=connect_s, read=read_s),
        retries=urllib3.Retry(total=retries, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504], redirect=0),
        cert_reqs="CERT_REQUIRED",
        ca_certs=os.environ.get("SSL_CERT_FILE") or certifi.where(),
    )
    try:
        return Minio(
            bucket.host,
            bucket.access_key,
            bucket.secret_key,
            secure=bucket.is_secure,
            region=bucket.region,
            http_client=http,
        )
    except ValueError as error:
        raise Misconfigured(f"MINIO_ENDPOINT is refused: {error}.") from None


def code_of(error: MinioException) -> str:
    """What a server complains of, in one word of S3 or ``HTTP`` and the status."""
    if isinstance(error, S3Error):
        return error.code or "no code"
    if isinstance(error, InvalidResponseError):
        # The client reads errors that call themselves text/xml as no XML; the status tells as much.
        status = error._code
        return "NoSuchKey" if status == 404 else _BEYOND if status == 416 else f"HTTP {status}"
    return f"HTTP {error.status_code}" if isinstance(error, ServerError) else type(error).__name__


@contextmanager
def telling(doing: str, bucket: Bucket) -> Iterator[None]:
    """Says a failure of the server in the words of the store: NotStored, or StoreUnavailable with the reason."""
    try:
        yield
    except MinioException as error:
        code = code_of(error)
        if code in _ABSENT:
            raise NotStored() from None
        raise StoreUnavailable(
            f"The object store {bucket.address} cannot be {doing} ({code}); check MINIO_ENDPOINT, its keys and bucket."
        ) from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise StoreUnavailable(
            f"The object store {bucket.address} does not answer ({_named(error)}); check MINIO_ENDPOINT and the server."
        ) from error


class S3Reader:
    """Objects in ``bucket``, whose keys there are the keys of the objects."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self._client = client_of(bucket)

    def size(self, key: str) -> int | None:
        """See ``ReadStore``."""
        check_key(key)
        try:
            with telling("read", self.bucket):
                return self._client.stat_object(self.bucket.name, key).size
        except NotStored:
            return None

    def open(self, key: str) -> BinaryIO:
        """See ``ReadStore``. It is read as a stream, and asked for again after a jump."""
        size = self.size(key)
        if size is None:
            raise NotStored
        return cast(BinaryIO, io.BufferedReader(_Streamed(self, key, size), PIECE_BYTES))

    def read(self, key: str, start: int, length: int) -> bytes:
        """See ``ReadStore``."""
        size = self.size(key)
        if size is None:
            raise NotStored
        length = min(length, size - start)
        if length <= 0:
            return b""
        with telling("read", self.bucket):
            answer = self.ask(key, start, length)
            try:
                return answer.read()
            finally:
                answer.close()
                answer.release_conn()

    def ask(self, key: str, start: int, length: int = 0) -> BaseHTTPResponse:
        """The bytes from ``start`` on, all of them with a ``length`` of 0, to be read and released by the caller."""
        return self._client.get_object(self.bucket.name, key, offset=start, length=length)


class _Streamed(io.RawIOBase):
    """An object as a file: one answer that is read on, until somebody seeks elsewhere."""

    def __init__(self, reader: S3Reader, key: str, size: int) -> None:
        self._reader, self._key, self._size = reader, key, size
        self._at = 0
        self._answer: BaseHTTPResponse | None = None

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Where it stands."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves, as of any file."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("negative seek position")
        if base + offset != self._at:
            self._let_go()
            self._at = base + offset
        return self._at

    def readinto(self, buffer: object) -> int:
        """At least one byte, but at the end."""
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        wanted = min(len(view), self._size - self._at)
        if wanted <= 0:
            return 0
        with telling("read", self._reader.bucket):
            if self._answer is None:
                self._answer = self._reader.ask(self._key, self._at)
            piece = self._answer.read(wanted)
        if not piece:
            raise StoreUnavailable(f"The object store {self._reader.bucket.address} broke off within an object.")
        view[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def close(self) -> None:
        """Ends what is being read."""
        self._let_go()
        super().close()

    def _let_go(self) -> None:
        if self._answer is not None:
            self._answer.close()
            self._answer.release_conn()
            self._answer = None


def _named(error: Exception) -> str:
    """What went wrong, without addresses: the name of the innermost cause."""
    reason = getattr(error, "reason", None)
    return type(reason if isinstance(reason, Exception) else error).__name__

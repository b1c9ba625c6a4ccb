"""Putting objects into a bucket: gathered on this machine first, because their name is the hash of all their bytes."""

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import IO, TypeVar

from minio.datatypes import Upload
from minio.error import MinioException

from wamcp.errors import NotStored, StoreUnavailable, TooLarge
from wamcp.storage.objects import RAW, Readable, Stored, is_key, key_of, pieces
from wamcp.storage.s3.read import S3Reader, client_of, code_of, telling

PART_BYTES = 8 * 1024 * 1024
"""Larger files go in parts of so much, which is also what one put holds in memory."""
LOOK_S = 2.0
"""How long a look at the store may wait for it; people wait for that."""
_THERE = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists", "HTTP 409"})
"""Another put made it meanwhile; whether it is ours the next request tells."""

_T = TypeVar("_T")


class S3Writer(S3Reader):
    """The same objects, and how they come and go. The bucket is made with the first of them where it is missing."""

    def put(self, source: Readable | Iterable[bytes], *, cap: int) -> Stored:
        """See ``WriteStore``; durable as the server's answer is."""
        with tempfile.TemporaryFile() as spool:
            digest, size = hashlib.sha256(), 0
            for piece in pieces(source):
                size += len(piece)
                if size > cap:
                    raise TooLarge(f"The file is larger than {cap:,} bytes, which is the most that is kept here.")
                digest.update(piece)
                _spooled(spool, piece)
            stored = Stored(key_of(digest.digest()), digest.digest(), size)
            # An object of another size is not what its name says; it is put again.
            if self.size(stored.key) != size:
                try:
                    self._in_the_bucket(lambda: self._upload(stored, spool))
                except StoreUnavailable:
                    # Some servers refuse one of two who put the same at once; then the other's object is there.
                    if self.size(stored.key) != size:
                        raise
                if self.size(stored.key) != size:
                    raise StoreUnavailable(
                        f"The object store {self.bucket.address} took {size:,} bytes and has another number of them."
                    )
        return stored

    def delete(self, key: str) -> bool:
        """See ``WriteStore``."""
        if self.size(key) is None:
            return False
        with telling("changed", self.bucket):
            self._client.remove_object(self.bucket.name, key)
        return True

    def sweep(self, older_than_s: float = 86_400.0) -> int:
        """See ``WriteStore``: uploads in parts that nobody ended. Servers that cannot list them have none."""
        before, swept = datetime.now(UTC) - timedelta(seconds=older_than_s), 0
        try:
            with telling("changed", self.bucket):
                for upload in self._unfinished():
                    if upload.upload_id and upload.initiated_time is not None and upload.initiated_time <= before:
                        self._client._abort_multipart_upload(
                            self.bucket.name, upload.object_name or "", upload.upload_id
                        )
                        swept += 1
        except NotStored:
            return swept
        return swept

    def keys(self, older_than_s: float = 86_400.0) -> Iterator[str]:
        """See ``WriteStore``."""
        before = datetime.now(UTC) - timedelta(seconds=older_than_s)
        try:
            with telling("read", self.bucket):
                for found in self._client.list_objects(self.bucket.name, prefix=f"{RAW}/", recursive=True):
                    key, written = found.object_name, found.last_modified
                    if key and is_key(key) and written is not None and written <= before:
                        yield key
        except NotStored:
            return

    def place(self) -> str:
        """See ``WriteStore``."""
        return self.bucket.address

    def free_bytes(self) -> int | None:
        """See ``WriteStore``; S3 does not tell."""
        return None

    def trouble(self) -> str | None:
        """See ``WriteStore``; within a few seconds."""
        client = client_of(self.bucket, connect_s=LOOK_S, read_s=LOOK_S, retries=0)
        try:
            with telling("asked", self.bucket):
                client.bucket_exists(self.bucket.name)
        except NotStored:
            return None
        except StoreUnavailable as error:
            return str(error)
        return None

    def _upload(self, stored: Stored, spool: IO[bytes]) -> None:
        spool.seek(0)
        self._client.put_object(
            self.bucket.name,
            stored.key,
            spool,  # type: ignore[arg-type]
            stored.size,
            part_size=PART_BYTES,
            num_parallel_uploads=1,
        )

    def _in_the_bucket(self, work: Callable[[], _T]) -> _T:
        """What ``work`` returns; when the bucket was missing, it is made, and ``work`` done again."""
        try:
            with telling("written", self.bucket):
                return work()
        except NotStored:
            with telling("written", self.bucket):
                self._make_bucket()
                return work()

    def _make_bucket(self) -> None:
        try:
            if self._client.bucket_exists(self.bucket.name):
                return
        except MinioException:
            pass  # some servers cannot say that there is none; whether one can be made tells more
        try:
            self._client.make_bucket(self.bucket.name)
        except MinioException as error:
            if code_of(error) not in _THERE:
                raise

    def _unfinished(self) -> Iterable[Upload]:
        found = self._client._list_multipart_uploads(self.bucket.name, prefix=f"{RAW}/")
        return list(found.uploads)


def _spooled(spool: IO[bytes], piece: bytes) -> None:
    try:
        spool.write(piece)
    except OSError as error:
        raise StoreUnavailable(
            f"A file cannot be gathered in {tempfile.gettempdir()} ({error.strerror}); make room there, or set TMPDIR."
        ) from error

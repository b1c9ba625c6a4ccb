"""Keeping files that go out: which bytes they are, and by which id Meta knows them."""

from datetime import datetime
from typing import NamedTuple, Protocol

import psycopg

from wamcp.errors import NotStored
from wamcp.vocabulary import Direction, MediaState
from wamcp.whatsapp.files import clean_filename, clean_mime_type


class Bytes(Protocol):
    """What the object store says of what was put into it: the key, the SHA-256 in 32 bytes, the size in bytes."""

    @property
    def key(self) -> str: ...
    @property
    def sha256(self) -> bytes: ...
    @property
    def size(self) -> int: ...


class UploadRow(NamedTuple):
    """A file to be sent from the number that Meta calls ``phone_number_id``; ``size`` in bytes.

    ``is_known`` says whether Meta will know ``media_id`` for another day, ``read_at`` is when the database was asked.
    """

    phone_number_id: str
    storage_key: str
    size: int
    mime_type: str | None
    filename: str | None
    media_id: str | None
    is_known: bool
    read_at: datetime


def keep_upload(
    connection: psycopg.Connection, phone_number_id: str, stored: Bytes, mime_type: str | None, filename: str | None
) -> int:
    """The id of a row for a file that was put into the store, to be sent from one number; type and name are cleaned.

    A row of the same bytes, type, name and number serves again, and with it the id by which Meta knows it. Two calls at
    once get the same row: a request is told from another by it.
    """
    values = {
        "number": phone_number_id,
        "sha256": stored.sha256,
        "key": stored.key,
        "size": stored.size,
        "mime": clean_mime_type(mime_type),
        "name": None if filename is None else clean_filename(filename),
        "direction": Direction.OUTBOUND,
        "state": MediaState.STORED,
    }
    with connection.transaction():
        connection.execute(
            "SELECT pg_advisory_xact_lock(hashtext('wamcp upload'), hashtext(encode(%s, 'hex')))", [stored.sha256]
        )
        row = connection.execute(_FOUND_OR_MADE, values).fetchone()
    assert row is not None
    return int(row[0])


_FOUND_OR_MADE = (
    "WITH found AS (SELECT id FROM media WHERE sha256 = %(sha256)s AND phone_number_id = %(number)s"
    " AND direction = %(direction)s AND state = %(state)s AND storage_key_raw = %(key)s"
    " AND mime_type = %(mime)s AND filename IS NOT DISTINCT FROM %(name)s::text ORDER BY id LIMIT 1),"
    " made AS (INSERT INTO media (phone_number_id, direction, state, mime_type, filename, size, sha256,"
    " storage_key_raw, stored_at) SELECT %(number)s, %(direction)s, %(state)s, %(mime)s, %(name)s, %(size)s,"
    " %(sha256)s, %(key)s, now() WHERE NOT EXISTS (SELECT FROM found) RETURNING id)"
    " SELECT id FROM found UNION ALL SELECT id FROM made"
)


def upload_of(connection: psycopg.Connection, row_id: int) -> UploadRow:
    """The file in this row. Raises :class:`NotStored` when there is no such row, or its bytes are not in the store."""
    row = connection.execute(
        "SELECT m.phone_number_id, m.storage_key_raw, m.size, m.mime_type, m.filename, m.media_id,"
        " coalesce(m.media_id IS NOT NULL AND m.media_id_until > now() + interval '1 day', false), now()"
        " FROM media m WHERE m.id = %s AND m.state = %s AND m.storage_key_raw IS NOT NULL AND m.size IS NOT NULL",
        [row_id, MediaState.STORED],
    ).fetchone()
    if row is None:
        raise NotStored("The file to be sent is not kept (any more); send the request again with the file.")
    return UploadRow(*row)


def note_uploaded(connection: psycopg.Connection, row_id: int, media_id: str, until: datetime) -> bool:
    """Notes by which id Meta knows the file of this row, and until when.

    False, and nothing noted, when the id belongs to another row of the same number: ids are unique there.
    """
    try:
        with connection.transaction():
            connection.execute(
                "UPDATE media SET media_id = %s, media_id_until = %s WHERE id = %s", [media_id, until, row_id]
            )
    except psycopg.errors.UniqueViolation:
        return False
    return True


def forget_uploaded(connection: psycopg.Connection, row_id: int, media_id: str) -> None:
    """Notes that Meta may not know the file of this row by ``media_id`` any more: it is brought there again."""
    connection.execute(
        "UPDATE media SET media_id = NULL, media_id_until = NULL WHERE id = %s AND media_id = %s", [row_id, media_id]
    )


def stored_keys(connection: psycopg.Connection) -> list[str]:
    """The keys of all objects that rows name, once each, in order."""
    rows = connection.execute(
        "SELECT DISTINCT storage_key_raw FROM media WHERE storage_key_raw IS NOT NULL ORDER BY storage_key_raw"
    ).fetchall()
    return [key for (key,) in rows]

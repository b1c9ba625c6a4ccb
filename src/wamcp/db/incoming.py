"""Files that came with messages: a row each, which waits until the bytes were fetched from Meta."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import psycopg

from wamcp.db.columns import columns
from wamcp.db.documents import file_settled
from wamcp.vocabulary import Direction, MediaState
from wamcp.whatsapp.files import clean_filename, clean_mime_type

KNOWN_DAYS = 7
"""So long Meta knows a file by the id of a webhook."""
URL_MINUTES = 5
"""So long the URL in a webhook is good."""
TOO_OLD = f"Meta keeps a file for {KNOWN_DAYS} days, and this one was older when it was first read of"
_WORDS = 1000


class IncomingFile(NamedTuple):
    """A file of one message, as its webhook names it; ``received_at`` is unix seconds."""

    number_id: int
    wamid: str
    phone_number_id: str
    media_id: str
    url: str | None
    mime_type: str | None
    filename: str | None
    stated_sha256: bytes | None
    event_id: int
    received_at: int


class WantedFile(NamedTuple):
    """A file that somebody leased to fetch it: ``attempts`` counts this one and tells the lease from a later one.

    ``url`` is None unless it may still be good; ``is_old`` says that Meta need not know the file any more.
    """

    id: int
    phone_number_id: str
    media_id: str
    url: str | None
    mime_type: str | None
    stated_sha256: bytes | None
    attempts: int
    is_old: bool


class FetchedFile(NamedTuple):
    """What is known of a file once it is stored; ``reason`` says what is odd about it, None for nothing."""

    storage_key: str
    sha256: bytes
    size: int
    mime_type: str | None
    stated_sha256: bytes | None
    reason: str | None


def keep_incoming(connection: psycopg.Connection, files: Sequence[IncomingFile]) -> None:
    """Keeps a row for each file, once for (number, Meta's id), and which message carries it.

    A row that is there stays as it is, however far it has come. What Meta no longer has to know begins as expired.
    """
    if not files:
        return
    rows = [
        file._replace(
            mime_type=None if file.mime_type is None else clean_mime_type(file.mime_type),
            filename=None if file.filename is None else clean_filename(file.filename),
        )
        for file in files
    ]
    connection.execute(_KEEP, [*columns(rows, len(IncomingFile._fields))])


def link_sent(connection: psycopg.Connection, messages: Sequence[tuple[int, str]]) -> None:
    """Says which files our own messages (number's row id, wamid) carry, as far as we have the bytes of them.

    The sends know it; a schema that is built beside the archive has no files of theirs.
    """
    if messages:
        connection.execute(
            "INSERT INTO message_media (number_id, wamid, media_row_id) SELECT u.number_id, u.wamid, f.id"
            " FROM unnest(%s::int[], %s::text[]) AS u (number_id, wamid) JOIN numbers n ON n.id = u.number_id"
            " JOIN sends s ON s.phone_number_id = n.phone_number_id AND s.wamid = u.wamid"
            f" JOIN media f ON f.id = s.media_row_id AND f.direction = '{Direction.OUTBOUND}' ON CONFLICT DO NOTHING",
            columns(list(messages), 2),
        )


def claim_wanted(connection: psycopg.Connection, seconds: float) -> WantedFile | None:
    """Leases the file that is due the longest for ``seconds``, and counts the attempt."""
    row = connection.execute(
        "UPDATE media m SET attempts = least(attempts + 1, 32000),"
        " lease_until = clock_timestamp() + make_interval(secs => %s)"
        " WHERE id = (SELECT id FROM media WHERE state = 'pending' AND next_attempt_at <= clock_timestamp()"
        "  AND (lease_until IS NULL OR lease_until < clock_timestamp())"
        "  ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED)"
        " RETURNING id, phone_number_id, media_id,"
        f"  CASE WHEN media_id_until > clock_timestamp() + interval '{KNOWN_DAYS} days {-URL_MINUTES} minutes'"
        "   THEN url END,"
        "  mime_type, stated_sha256, attempts, coalesce(media_id_until < clock_timestamp(), true)",
        [seconds],
    ).fetchone()
    return None if row is None else WantedFile(*row)


def count_wanted(connection: psycopg.Connection) -> int:
    """How many files somebody could fetch right now, up to a hundred."""
    row = connection.execute(
        "SELECT count(*) FROM (SELECT FROM media WHERE state = 'pending' AND next_attempt_at <= clock_timestamp()"
        " AND (lease_until IS NULL OR lease_until < clock_timestamp()) LIMIT 100) AS due"
    ).fetchone()
    return row[0] if row else 0


def lease_longer(connection: psycopg.Connection, file: WantedFile, seconds: float) -> bool:
    """Keeps others away for ``seconds`` from now; False when the file is somebody else's by now."""
    return _update(connection, file, "lease_until = clock_timestamp() + make_interval(secs => %s)", [seconds])


def put_back(connection: psycopg.Connection, file: WantedFile, seconds: float, reason: str | None) -> bool:
    """Lets the file wait ``seconds`` for the next attempt; its URL is not used again."""
    return _update(
        connection,
        file,
        "lease_until = NULL, url = NULL, next_attempt_at = clock_timestamp() + make_interval(secs => %s),"
        " reason = coalesce(%s, reason)",
        [seconds, reason and reason[:_WORDS]],
    )


def give_up(connection: psycopg.Connection, file: WantedFile, state: MediaState, reason: str) -> bool:
    """Writes down that the file is not to be had: ``state`` is expired or failed."""
    return _settle(
        connection,
        file,
        "state = %s, lease_until = NULL, url = NULL, next_attempt_at = NULL, reason = %s",
        [state.value, reason[:_WORDS]],
    )


def note_stored(connection: psycopg.Connection, file: WantedFile, found: FetchedFile) -> bool:
    """Writes down what was fetched; False when somebody else did."""
    return _settle(
        connection,
        file,
        f"state = '{MediaState.STORED}', lease_until = NULL, url = NULL, next_attempt_at = NULL,"
        " stored_at = clock_timestamp(), storage_key_raw = %s, sha256 = %s, size = %s,"
        " mime_type = coalesce(mime_type, %s), stated_sha256 = coalesce(stated_sha256, %s), reason = %s",
        [*found._replace(mime_type=None if found.mime_type is None else clean_mime_type(found.mime_type))],
    )


def want_again(connection: psycopg.Connection, row_id: int) -> str | None:
    """Has a file that came be fetched at once, whatever came of it; its state then, None where there is none such.

    One that somebody is fetching just now is left to him.
    """
    with connection.transaction():
        row = connection.execute(
            "UPDATE media SET state = CASE WHEN lease_until > clock_timestamp() THEN state ELSE 'pending' END,"
            " next_attempt_at = clock_timestamp(), url = NULL"
            f" WHERE id = %s AND direction = '{Direction.INBOUND}' AND media_id IS NOT NULL RETURNING state",
            [row_id],
        ).fetchone()
        file_settled(connection, row_id)
    return None if row is None else str(row[0])


def is_named(connection: psycopg.Connection, storage_key: str) -> bool:
    """Whether the bytes under this key are some row's."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM media WHERE sha256 = %s AND storage_key_raw = %s)",
        [bytes.fromhex(storage_key.rpartition("/")[2]), storage_key],
    ).fetchone()
    return bool(row and row[0])


def stored_key(connection: psycopg.Connection, row_id: int) -> str | None:
    """Under which key the bytes of a file lie, None where they were not fetched."""
    row = connection.execute(
        "SELECT storage_key_raw FROM media WHERE id = %s AND state = %s", [row_id, MediaState.STORED]
    ).fetchone()
    return None if row is None else row[0]


def _settle(connection: psycopg.Connection, file: WantedFile, change: str, values: Sequence[Any]) -> bool:
    """As :func:`_update`, for what the documents of the file have to know as well."""
    with connection.transaction():
        done = _update(connection, file, change, values)
        if done:
            file_settled(connection, file.id)
    return done


def _update(connection: psycopg.Connection, file: WantedFile, change: str, values: Sequence[Any]) -> bool:
    done = connection.execute(
        f"UPDATE media SET {change} WHERE id = %s AND state = 'pending' AND attempts = %s",
        [*values, file.id, file.attempts],
    )
    return done.rowcount == 1


_KEEP = f"""
WITH told AS (
  SELECT * FROM unnest(%s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bytea[],
    %s::bigint[], %s::bigint[]) WITH ORDINALITY
    AS u (number_id, wamid, phone_number_id, media_id, url, mime_type, filename, stated_sha256, event_id, received_at,
          place)
), made AS (
  INSERT INTO media (phone_number_id, direction, state, media_id, media_id_until, url, mime_type, filename,
    stated_sha256, event_id, next_attempt_at, reason)
  SELECT phone_number_id, '{Direction.INBOUND}',
    CASE WHEN until > now() THEN '{MediaState.PENDING}' ELSE '{MediaState.EXPIRED}' END,
    media_id, until, CASE WHEN until > now() THEN url END, mime_type, filename, stated_sha256, event_id,
    CASE WHEN until > now() THEN now() END, CASE WHEN until > now() THEN NULL ELSE '{TOO_OLD}' END
  FROM (SELECT DISTINCT ON (phone_number_id, media_id) *,
          to_timestamp(received_at) + interval '{KNOWN_DAYS} days' AS until
        FROM told ORDER BY phone_number_id, media_id, place) AS first
  ON CONFLICT (phone_number_id, media_id) WHERE media_id IS NOT NULL DO NOTHING
  RETURNING id, phone_number_id, media_id
)
INSERT INTO message_media (number_id, wamid, media_row_id)
SELECT t.number_id, t.wamid, coalesce(n.id, m.id) FROM told t
LEFT JOIN made n USING (phone_number_id, media_id)
LEFT JOIN media m ON m.phone_number_id = t.phone_number_id AND m.media_id = t.media_id
WHERE coalesce(n.id, m.id) IS NOT NULL
ON CONFLICT DO NOTHING
"""

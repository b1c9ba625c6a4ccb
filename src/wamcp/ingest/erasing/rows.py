"""Taking the rows of people out of every table, and making right what was counted of them."""

from collections.abc import Sequence
from typing import Any

import psycopg

from wamcp.db.columns import array, columns
from wamcp.db.deliveries import restate
from wamcp.db.reactions import REACTION, line_about
from wamcp.db.searchable import search_text
from wamcp.db.threads import RECOUNT_THREADS
from wamcp.db.tombstones import Named
from wamcp.ingest.erasing.files import note_objects
from wamcp.ingest.erasing.scan import SENT_TO_THEM
from wamcp.ingest.erasing.work import Tally, Work, count
from wamcp.ingest.merging import read_again
from wamcp.ingest.normalize import lock_writing

BATCH = 2000
_KEYS = "unnest(%s::int[], %s::text[]) AS u (number_id, wamid)"


def detach(connection: psycopg.Connection, ids: Sequence[int]) -> None:
    """Takes identifiers, names, candidates and merges away: whoever writes under them from now on is somebody new."""
    values = {"ids": array(ids)}
    for statement in (
        "DELETE FROM merges WHERE from_id = ANY(%(ids)s::bigint[]) OR into_id = ANY(%(ids)s::bigint[])",
        "DELETE FROM merge_candidates WHERE one_id = ANY(%(ids)s::bigint[]) OR other_id = ANY(%(ids)s::bigint[])",
        "DELETE FROM participant_names WHERE participant_id = ANY(%(ids)s::bigint[])",
        "DELETE FROM participant_aliases WHERE participant_id = ANY(%(ids)s::bigint[])",
        "UPDATE participants SET name = NULL, username = NULL WHERE id = ANY(%(ids)s::bigint[])",
    ):
        connection.execute(statement, values)


def theirs(connection: psycopg.Connection, ids: Sequence[int]) -> list[int]:
    """The rows of their messages."""
    rows = connection.execute(
        "SELECT id FROM messages WHERE sender_id = ANY(%(ids)s::bigint[]) OR conversation_id IN"
        " (SELECT id FROM conversations WHERE participant_id = ANY(%(ids)s::bigint[])) ORDER BY id",
        {"ids": array(ids)},
    ).fetchall()
    return [row[0] for row in rows]


def forget(connection: psycopg.Connection, work: Work, named: Named) -> None:
    """Deletes in batches, each committed and each leaving counts that are right; the people themselves come last."""
    messages = theirs(connection, work.whom.ids)
    for start in range(0, len(messages), BATCH):
        with connection.transaction():
            lock_writing(connection)
            forget_messages(connection, work, messages[start : start + BATCH])
            work.save(connection)
    with connection.transaction():
        lock_writing(connection)
        _forget_sends(connection, work)
        _forget_statuses(connection, work, named)
        _forget_people(connection, work, named)
        for participant in work.whom.near:
            read_again(connection, participant)
        work.step = "files"
        work.save(connection)


def forget_messages(connection: psycopg.Connection, work: Tally, ids: Sequence[int]) -> None:
    """Deletes messages with all that hangs on them, under the lock, and makes the counts right."""
    gone = connection.execute(
        "DELETE FROM messages WHERE id = ANY(%s::bigint[])"
        " RETURNING number_id, wamid, conversation_id, day, (direction = 'inbound')::int",
        [array(ids)],
    ).fetchall()
    days: dict[tuple[int, int], list[int]] = {}
    for number, _, _, day, inbound in gone:
        days.setdefault((number, day), [0, 0])[1 - inbound] += 1
    connection.execute(
        "UPDATE daily_counts d SET inbound = d.inbound - u.i, outbound = d.outbound - u.o"
        " FROM unnest(%s::int[], %s::int[], %s::int[], %s::int[]) AS u (number_id, day, i, o)"
        " WHERE d.number_id = u.number_id AND d.day = u.day",
        columns([(*key, *count) for key, count in sorted(days.items())], 4),
    )
    connection.execute("DELETE FROM daily_counts WHERE inbound = 0 AND outbound = 0")
    keys = columns(sorted((number, wamid) for number, wamid, *_ in gone), 2)
    count(work, "messages", len(gone))
    count(work, "documents", _delete(connection, "documents", keys))
    carried = connection.execute(
        f"DELETE FROM message_media t USING {_KEYS} WHERE t.number_id = u.number_id AND t.wamid = u.wamid"
        " RETURNING t.media_row_id",
        keys,
    ).fetchall()
    count(work, "statuses", _delete(connection, "statuses", keys))
    _delete(connection, "message_state", keys)
    _delete(connection, "echoes", keys)
    _unrefer(connection, keys)
    forget_files(connection, work, [row[0] for row in carried])
    connection.execute(RECOUNT_THREADS, [array(sorted({row[2] for row in gone}))])


def _delete(connection: psycopg.Connection, table: str, keys: Sequence[Any]) -> int:
    return connection.execute(
        f"DELETE FROM {table} t USING {_KEYS} WHERE t.number_id = u.number_id AND t.wamid = u.wamid", keys
    ).rowcount


def _unrefer(connection: psycopg.Connection, keys: Sequence[Any]) -> None:
    """Reactions of others no longer say what they were to."""
    rows = connection.execute(
        f"SELECT r.id, r.text FROM {_KEYS} JOIN messages r"
        f" ON r.number_id = u.number_id AND r.refers_to = u.wamid AND r.type = '{REACTION}'",
        keys,
    ).fetchall()
    lines = [(row_id, line_about(line, "")) for row_id, line in sorted(rows)]
    connection.execute(
        "UPDATE messages m SET text = u.text, search_text = u.search_text"
        " FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS u (id, text, search_text) WHERE m.id = u.id",
        columns([(row_id, line, search_text(line)) for row_id, line in lines], 3),
    )


def forget_files(connection: psycopg.Connection, work: Tally, ids: Sequence[int]) -> None:
    """Deletes rows of files that nothing carries any more, and notes their objects."""
    gone = connection.execute(
        "DELETE FROM media f WHERE f.id = ANY(%s::bigint[])"
        " AND NOT EXISTS (SELECT FROM message_media x WHERE x.media_row_id = f.id)"
        " AND NOT EXISTS (SELECT FROM documents d WHERE d.media_row_id = f.id)"
        " AND NOT EXISTS (SELECT FROM sends s WHERE s.media_row_id = f.id) RETURNING f.storage_key_raw",
        [array(sorted(set(ids)))],
    ).fetchall()
    count(work, "files", len(gone))
    note_objects(connection, (row[0] for row in gone))


def _forget_sends(connection: psycopg.Connection, work: Work) -> None:
    values = work.sent()
    rows = connection.execute(f"SELECT s.id, s.media_row_id {SENT_TO_THEM}", values).fetchall()
    ids = array([row[0] for row in rows])
    connection.execute(
        "DELETE FROM echoes WHERE participant_id = ANY(%s::bigint[]) OR send_id = ANY(%s::bigint[])",
        [array(work.whom.ids), ids],
    )
    connection.execute("UPDATE sends SET retry_of = NULL WHERE retry_of = ANY(%s::bigint[])", [ids])
    connection.execute("DELETE FROM sends WHERE id = ANY(%s::bigint[])", [ids])
    connection.execute("DELETE FROM send_pace WHERE recipient = ANY(%s::text[])", [array(work.whom.values())])
    count(work, "sends", len(rows))
    forget_files(connection, work, [row[1] for row in rows if row[1] is not None])


def _forget_statuses(connection: psycopg.Connection, work: Work, named: Named) -> None:
    """Statuses that name them in groups, and those of messages that never came; what others' say stays."""
    rows = connection.execute(
        "DELETE FROM statuses WHERE recipient_id = ANY(%s::bigint[]) OR callback_data = ANY(%s::text[])"
        " RETURNING number_id, wamid",
        [array(work.whom.ids), array(sorted(named.callbacks))],
    ).fetchall()
    numbers: dict[str, int] = dict(connection.execute("SELECT phone_number_id, id FROM numbers").fetchall())
    lost = sorted((numbers[number], wamid) for number, wamid in named.messages if number in numbers)
    count(work, "statuses", len(rows) + _delete(connection, "statuses", columns(lost, 2)))
    restate(connection, sorted({(number, wamid) for number, wamid in rows} | set(lost)))


def _forget_people(connection: psycopg.Connection, work: Work, named: Named) -> None:
    values = {"ids": array(work.whom.ids), "wamids": array(sorted({wamid for _, wamid in named.messages}))}
    for what, statement in (
        ("account events", "DELETE FROM account_events WHERE participant_id = ANY(%(ids)s::bigint[])"),
        # Of rows whose raw events were purged before, and could not be cut.
        ("replies", "UPDATE messages SET reply_to = NULL WHERE reply_to = ANY(%(wamids)s::text[])"),
        ("replies", "UPDATE messages SET refers_to = NULL, content = NULL WHERE refers_to = ANY(%(wamids)s::text[])"),
        ("conversations", "DELETE FROM conversations WHERE participant_id = ANY(%(ids)s::bigint[])"),
        ("participants", "DELETE FROM participants WHERE id = ANY(%(ids)s::bigint[])"),
    ):
        count(work, what, connection.execute(statement, values).rowcount)

"""Taking a trial message out again, with everything that was derived from it, as if it had never come."""

import psycopg

PREFIX = "trial-"
"""How Meta's id of an invented number begins; only what such a number received can be taken out."""

_OF_NUMBER = ("messages", "message_state", "statuses", "daily_counts", "echoes", "message_media")
_OF_PERSON = ("participant_aliases", "participant_names")


def take_out(connection: psycopg.Connection, phone_number_id: str, sha256: bytes) -> int:
    """Removes the event with this SHA-256 (32 bytes) and the invented number with all that hangs on it, people too.

    Returns how many messages went. Audit rows stay. The people must have written to this number alone: a foreign key
    raises otherwise, and nothing is removed. Raises ``ValueError`` for a number that is not invented.
    """
    if not phone_number_id.startswith(PREFIX):
        raise ValueError(f"{phone_number_id} is no trial number")
    with connection.transaction():
        found = connection.execute("SELECT id FROM numbers WHERE phone_number_id = %s", [phone_number_id]).fetchone()
        gone = _number(connection, found[0]) if found else 0
        event = connection.execute("DELETE FROM webhook_events WHERE sha256 = %s RETURNING id", [sha256]).fetchone()
        if event:
            for table in ("webhook_queue", "applied", "started", "parked"):
                connection.execute(f"DELETE FROM {table} WHERE event_id = %s", event)
    return gone


def _number(connection: psycopg.Connection, number_id: int) -> int:
    gone = {
        table: connection.execute(f"DELETE FROM {table} WHERE number_id = %s", [number_id]).rowcount
        for table in _OF_NUMBER
    }
    rows = connection.execute(
        "DELETE FROM conversations WHERE number_id = %s RETURNING participant_id", [number_id]
    ).fetchall()
    people = [person for (person,) in rows if person is not None]
    for table in _OF_PERSON:
        connection.execute(f"DELETE FROM {table} WHERE participant_id = ANY(%s)", [people])
    connection.execute("DELETE FROM participants WHERE id = ANY(%s)", [people])
    connection.execute("DELETE FROM numbers WHERE id = %s", [number_id])
    return gone["messages"]

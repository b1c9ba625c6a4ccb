"""Bodies into the queue and through the normalizer, as one call; and what came of them, as rows."""

import hashlib
from typing import Any

import psycopg

from wamcp.ingest.normalize import work_off


def queue(db: psycopg.Connection, *bodies: bytes) -> None:
    """Keeps ``bodies`` as the door does."""
    for body in bodies:
        db.execute(
            "WITH kept AS (INSERT INTO webhook_events (sha256, body) VALUES (%s, %s)"
            " ON CONFLICT DO NOTHING RETURNING id)"
            " INSERT INTO webhook_queue (event_id, size) SELECT id, %s FROM kept",
            [hashlib.sha256(body).digest(), body, len(body)],
        )


def understand(db: psycopg.Connection, *bodies: bytes) -> None:
    """Keeps ``bodies`` and works the queue off."""
    queue(db, *bodies)
    while work_off(db):
        pass


def rows(db: psycopg.Connection, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """The rows that ``query`` finds."""
    return db.execute(query, parameters).fetchall()

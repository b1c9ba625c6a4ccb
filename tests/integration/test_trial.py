"""Taking a trial message out: nothing of it is left, and nothing else is touched."""

import hashlib

import psycopg
import pytest

from tests.understanding import queue, understand
from tests.webhooks import message_event
from wamcp.cli.smoke import _body
from wamcp.db.content import checksum
from wamcp.db.tables import metadata
from wamcp.db.trial import PREFIX, take_out
from wamcp.ingest.reprocess import verify

NUMBER = f"{PREFIX}one"


def rows_of_each(db: psycopg.Connection) -> dict[str, int]:
    counts = {}
    for table in metadata.tables.keys() - {"event_lags"}:  # how long things waited is counted for good
        found = db.execute(f"SELECT count(*) FROM {table}").fetchone()
        assert found is not None
        counts[table] = found[0]
    return counts


def test_a_trial_leaves_nothing_and_touches_nothing_else(db: psycopg.Connection, database_url: str) -> None:
    queue(db, message_event("wamid.1", "Bom dia!"))
    understand(db)
    before, content = rows_of_each(db), checksum(db)
    body = _body(NUMBER, "smokeword")
    queue(db, body)
    understand(db)
    assert rows_of_each(db)["messages"] == before["messages"] + 1
    assert take_out(db, NUMBER, hashlib.sha256(body).digest()) == 1
    assert rows_of_each(db) == before
    assert checksum(db) == content
    assert verify(database_url)[1] == []


def test_a_trial_that_waits_to_be_understood_goes_as_well(db: psycopg.Connection) -> None:
    before = rows_of_each(db)
    body = _body(NUMBER, "smokeword")
    queue(db, body)
    assert take_out(db, NUMBER, hashlib.sha256(body).digest()) == 0
    assert rows_of_each(db) == before


def test_a_real_number_is_never_taken_out(db: psycopg.Connection) -> None:
    with pytest.raises(ValueError, match="no trial number"):
        take_out(db, "700000000000001", b"\0" * 32)

"""Documents read again over HTTP: who may, what is said where that is not possible, and what health says of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from tests.factories import ADMIN_KEY, settings_for
from tests.hostile_documents import good_pdf
from tests.reading_office import ReadingRoom, reading_room
from tests.understanding import rows
from wamcp.access import tokens
from wamcp.access.tokens import NewToken
from wamcp.db import documents
from wamcp.db.logins import create_logins
from wamcp.db.session import Pool
from wamcp.vocabulary import TokenKind
from wamcp.web.app import create_app

KEY = {"X-Admin-Api-Key": ADMIN_KEY}


@pytest.fixture
def room(database_url: str, tmp_path: Path) -> Iterator[ReadingRoom]:
    with reading_room(database_url, tmp_path) as room:
        yield room


@pytest.fixture
def client(
    db: psycopg.Connection, database_url: str, reader: Pool, auditor: Pool, tmp_path: Path
) -> Iterator[TestClient]:
    settings = settings_for(database_url).model_copy(update={"object_dir": str(tmp_path)})
    create_logins(db, settings)
    with TestClient(create_app(settings, reader, auditor)) as client:
        yield client


def ask(client: TestClient, document: str, **headers: str) -> tuple[int, dict[str, Any]]:
    answer = client.post(f"/admin/documents/{document}/extract", headers=headers or KEY)
    return answer.status_code, answer.json()


def test_a_document_is_read_again(
    client: TestClient, room: ReadingRoom, db: psycopg.Connection, capfd: pytest.CaptureFixture[str]
) -> None:
    room.arrive(good_pdf("read before"), count=2)
    room.drain()
    db.execute("UPDATE documents SET state = 'quarantined', deaths = 1 WHERE id = 2")
    for ref in ("d2", "2"):
        assert ask(client, ref) == (200, {"id": "d2", "state": "pending"})
    before = rows(db, "SELECT read_at FROM documents WHERE id = 2")
    assert room.drain() == 1
    assert room.ends() == [("done", None)] * 2 and len(room.words()) == 2
    assert rows(db, "SELECT read_at FROM documents WHERE id = 2") != before
    assert rows(db, "SELECT target, outcome, refs FROM audit_log ORDER BY id DESC LIMIT 1") == [
        ("/admin/documents/2/extract", "ok", ["d2"])
    ]
    assert "read before" not in "".join(capfd.readouterr())


def test_one_that_is_being_read_is_left_alone(client: TestClient, room: ReadingRoom, db: psycopg.Connection) -> None:
    room.arrive(good_pdf())
    assert documents.claim_document(db, 60) is not None
    assert ask(client, "d1") == (200, {"id": "d1", "state": "downloading"})


def test_what_cannot_be_read_is_said(client: TestClient, room: ReadingRoom, db: psycopg.Connection) -> None:
    room.arrive(good_pdf())
    db.execute("UPDATE media SET state = 'expired', storage_key_raw = NULL")
    status, told = ask(client, "d1")
    assert status == 404 and "f1, which is expired" in told["detail"] and "/admin/media/f1/fetch" in told["detail"]
    for odd in ("d2", "x", "f1", "9" * 30):
        assert ask(client, odd)[0] == 404
    assert rows(db, "SELECT afresh FROM documents") == [(False,)]


def test_only_keys_without_limits_may(client: TestClient, room: ReadingRoom, db: psycopg.Connection) -> None:
    room.arrive(good_pdf())
    limited = tokens.create(db, NewToken(TokenKind.ADMIN, "limited", numbers=["700000000000001"]))
    assert ask(client, "d1", **{"X-Admin-Api-Key": limited})[0] == 403
    assert client.post("/admin/documents/d1/extract").status_code == 401


def test_health_tells_what_waits_to_be_read(client: TestClient, room: ReadingRoom, db: psycopg.Connection) -> None:
    room.arrive(good_pdf(), count=3)
    db.execute("UPDATE documents SET next_attempt_at = now() - interval '90 seconds' WHERE id = 2")

    def told() -> tuple[int, float]:
        work = client.get("/admin/health", headers=KEY).json()["slow_work"]
        (documents,) = [each for each in work if each["kind"] == "documents"]
        return documents["states"]["pending"], documents["oldest_seconds"]

    pending, oldest = told()
    assert pending == 3 and 90 <= oldest < 120
    room.drain()
    assert told() == (0, 0)

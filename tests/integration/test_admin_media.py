"""Files over HTTP: who may have which, with which headers, audited first; and asking Meta for one again."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from tests.factories import ADMIN_KEY, settings_for
from tests.fetching_office import file_event
from tests.understanding import rows, understand
from tests.webhooks import OFFICE, SHOP
from wamcp.access import tokens
from wamcp.access.tokens import NewToken
from wamcp.archive import audit
from wamcp.db.logins import create_logins
from wamcp.db.session import Pool
from wamcp.errors import NotAudited
from wamcp.storage.directory.write import DirectoryWriter
from wamcp.vocabulary import TokenKind
from wamcp.web import admin_media
from wamcp.web.app import create_app

KEY = {"X-Admin-Api-Key": ADMIN_KEY}
CONTENT = b"<script>alert(1)</script>" * 40_000


@pytest.fixture
def client(
    db: psycopg.Connection, database_url: str, reader: Pool, auditor: Pool, tmp_path: Path
) -> Iterator[TestClient]:
    settings = settings_for(database_url).model_copy(update={"object_dir": str(tmp_path)})
    create_logins(db, settings)
    with TestClient(create_app(settings, reader, auditor)) as client:
        yield client


@pytest.fixture
def stored(db: psycopg.Connection, client: TestClient, tmp_path: Path) -> str:
    """The key of the bytes of f1, which a message to the office carries; f2, to the shop, was not fetched."""
    understand(db, file_event({"id": "1", "filename": 'fa"tura\r\nX: é.html', "mime_type": "text/html"}, OFFICE))
    understand(db, file_event({"id": "2"}, SHOP))
    put = DirectoryWriter(tmp_path).put(BytesIO(CONTENT), cap=10**7)
    db.execute("UPDATE media SET state = 'stored', storage_key_raw = %s, size = %s WHERE id = 1", [put.key, put.size])
    return put.key


def token(db: psycopg.Connection, **rights: Any) -> dict[str, str]:
    return {"X-Admin-Api-Key": tokens.create(db, NewToken(TokenKind.ADMIN, "limited", **rights))}


def test_the_bytes_come_as_something_to_be_saved(client: TestClient, stored: str, db: psycopg.Connection) -> None:
    for ref in ("f1", "1"):
        answer = client.get(f"/admin/media/{ref}", headers=KEY)
        assert answer.status_code == 200 and answer.content == CONTENT
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''fa%27turaX%3A%20%C3%A9.html"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert rows(db, "SELECT target, outcome, refs FROM audit_log ORDER BY id DESC LIMIT 1") == [
        ("/admin/media/1", "ok", ["f1"])
    ]


def test_nothing_comes_that_cannot_be_audited(client: TestClient, stored: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise NotAudited from OSError()

    monkeypatch.setattr(audit, "write", refuse)
    answer = client.get("/admin/media/f1", headers=KEY)
    assert answer.status_code == 503 and answer.json()["error"] == "not_audited"


def test_what_breaks_before_it_begins_is_audited_and_said(
    client: TestClient, stored: str, db: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin_media, "file_of", lambda *_: 1 / 0)
    answer = client.get("/admin/media/f1", headers=KEY)
    assert answer.status_code == 500 and "operator finds it in the log" in answer.json()["detail"]
    assert rows(db, "SELECT target, outcome FROM audit_log") == [("/admin/media/f1", "failed")]


def test_who_may_have_a_file(client: TestClient, stored: str, db: psycopg.Connection) -> None:
    assert client.get("/admin/media/f1").status_code == 401
    for rights, status in [
        ({"numbers": [OFFICE], "media": True}, 200),
        ({"numbers": [OFFICE], "media": False}, 404),
        ({"numbers": [SHOP], "media": True}, 404),
        ({"media": False}, 200),
    ]:
        answer = client.get("/admin/media/f1", headers=token(db, **rights))
        assert answer.status_code == status, rights


def test_what_is_not_there_is_said(client: TestClient, stored: str, tmp_path: Path) -> None:
    pending = client.get("/admin/media/f2", headers=KEY)
    assert pending.status_code == 404 and pending.json()["detail"].startswith("f2 is pending; POST /admin/media/f2")
    for odd in ("f3", "x", "f-1", "9" * 30):
        assert client.get(f"/admin/media/{odd}", headers=KEY).status_code == 404
    (tmp_path / stored).unlink()
    lost = client.get("/admin/media/f1", headers=KEY)
    assert lost.status_code == 404 and "not in the object store" in lost.json()["detail"]


def test_a_file_is_asked_for_again(client: TestClient, stored: str, db: psycopg.Connection, tmp_path: Path) -> None:
    db.execute("UPDATE media SET state = 'expired', next_attempt_at = NULL WHERE id = 2")
    limited = token(db, numbers=[SHOP], media=True)
    assert client.post("/admin/media/f2/fetch", headers=limited).status_code == 403
    assert client.post("/admin/media/f2/fetch", headers=KEY).json() == {"id": "f2", "state": "pending"}
    assert client.post("/admin/media/f1/fetch", headers=KEY).json() == {"id": "f1", "state": "stored"}
    (tmp_path / stored).unlink()
    assert client.post("/admin/media/f1/fetch", headers=KEY).json() == {"id": "f1", "state": "pending"}
    assert rows(db, "SELECT count(*) FROM media WHERE state = 'pending' AND next_attempt_at <= now()") == [(2,)]
    assert client.post("/admin/media/f3/fetch", headers=KEY).status_code == 404

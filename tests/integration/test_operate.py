"""The hands of the admin API and of the command line: reading again what was parked, merging people."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from tests.factories import ADMIN_KEY, settings_for
from tests.understanding import queue, rows, understand
from tests.webhooks import change, event, message_event, text
from wamcp.access import tokens
from wamcp.access.tokens import NewToken
from wamcp.db.logins import create_logins
from wamcp.db.session import Pool
from wamcp.ingest import normalize
from wamcp.ingest.normalize import work_off
from wamcp.vocabulary import TokenKind, TokenScope
from wamcp.web.app import create_app

KEY = {"X-Admin-Api-Key": ADMIN_KEY}


@pytest.fixture
def client(db: psycopg.Connection, database_url: str, reader: Pool, auditor: Pool) -> Iterator[TestClient]:
    create_logins(db, settings_for(database_url))
    with TestClient(create_app(settings_for(database_url), reader, auditor)) as client:
        yield client


@pytest.fixture
def parked(db: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> int:
    """An event that could not be understood, as if by a mistake that is gone now."""
    with monkeypatch.context() as patch:
        patch.setattr(normalize, "read_event", lambda _body: 1 / 0)
        queue(db, message_event("wamid.1", "Bom dia!"))
        while work_off(db):
            pass
    ((event_id, kind),) = rows(db, "SELECT event_id, kind FROM parked")
    assert kind == "failed"
    return int(event_id)


def test_a_parked_event_is_queued_again_and_understood(db: psycopg.Connection, client: TestClient, parked: int) -> None:
    answer = client.post(f"/admin/events/{parked}/replay", headers=KEY)
    assert answer.json() == {"event_id": parked, "state": "queued", "parked": 0}
    assert client.post(f"/admin/events/{parked}/replay", headers=KEY).status_code == 200
    assert work_off(db) == 1
    assert rows(db, "SELECT wamid FROM messages") == [("wamid.1",)]
    assert rows(db, "SELECT count(*) FROM parked") == [(0,)]


def test_an_applied_event_is_read_again_and_changes_nothing(db: psycopg.Connection, client: TestClient) -> None:
    understand(db, event(change(messages=[text("wamid.1", "fine"), {"type": "text"}])))
    before = rows(db, "SELECT id, wamid, text FROM messages")
    ((event_id,),) = rows(db, "SELECT event_id FROM applied")
    answer = client.post(f"/admin/events/{event_id}/replay", headers=KEY)
    assert answer.json() == {"event_id": event_id, "state": "applied", "parked": 1}
    assert rows(db, "SELECT id, wamid, text FROM messages") == before


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        ("/admin/events/99/replay", None, 404, "no event 99"),
        ("/admin/events/x/replay", None, 422, "event_id"),
        ("/admin/participants/p1/merge", {"into": "p2"}, 404, "no participant p1"),
        ("/admin/participants/you/merge", {"into": "p2"}, 404, "looks like p7"),
        ("/admin/participants/p1/merge", {}, 422, "into"),
        ("/admin/participants/p1/unmerge", None, 404, "no participant p1"),
    ],
)
def test_what_cannot_be_done_says_why(client: TestClient, path: str, body: Any, status: int, told: str) -> None:
    answer = client.post(path, headers=KEY, json=body)
    assert (answer.status_code, told in answer.json()["detail"]) == (status, True), answer.text


def test_participants_are_merged_and_unmerged_and_both_are_audited(db: psycopg.Connection, client: TestClient) -> None:
    understand(db, message_event("wamid.1", "a"), message_event("wamid.2", "b", sender="15550100102", name="Rui"))
    one, two = (row[0] for row in rows(db, "SELECT id FROM participants ORDER BY id"))
    answer = client.post(f"/admin/participants/p{one}/merge", headers=KEY, json={"into": f"p{two}"})
    assert answer.json() == {"participant_id": f"p{one}", "into": f"p{two}"}
    assert rows(db, "SELECT DISTINCT sender_id FROM messages") == [(two,)]
    assert client.post(f"/admin/participants/{one}/unmerge", headers=KEY).json()["into"] == f"p{two}"
    assert rows(db, "SELECT sender_id FROM messages ORDER BY wamid") == [(one,), (two,)]
    audited = rows(db, "SELECT action, target, outcome FROM audit_log ORDER BY id")
    assert audited == [
        ("operate", f"/admin/participants/p{one}/merge", "ok"),
        ("operate", f"/admin/participants/{one}/unmerge", "ok"),
    ]


def test_a_token_with_limits_may_not_operate(db: psycopg.Connection, client: TestClient) -> None:
    limited = tokens.create(
        db, NewToken(TokenKind.ADMIN, "limited", numbers=["106540352240001"], scopes=frozenset(TokenScope))
    )
    answer = client.post("/admin/events/1/replay", headers={"X-Admin-Api-Key": limited})
    assert answer.status_code == 403
    assert client.post("/admin/events/1/replay").status_code == 401


@pytest.mark.usefixtures("parked")
def test_the_commands_do_the_same(db: psycopg.Connection, database_url: str) -> None:
    def run(*words: str) -> tuple[int, str]:
        command = [str(Path(sys.executable).parent / "wamcp"), *words]
        given = os.environ | {"DATABASE_URL": database_url}
        done = subprocess.run(command, env=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return done.returncode, done.stdout

    assert run("unpark")[0] == 2
    assert "no event 99" in run("unpark", "99")[1]
    assert "1 events queued" in run("unpark", "--all")[1]
    assert work_off(db) == 1
    understand(db, message_event("wamid.2", "b", sender="15550100102", name="Rui"))
    one, two = (row[0] for row in rows(db, "SELECT id FROM participants ORDER BY id"))
    assert run("merge", f"p{one}")[0] == 2
    assert f"p{one} is merged into p{two}" in run("merge", f"p{one}", f"p{two}")[1]
    assert rows(db, "SELECT DISTINCT sender_id FROM messages") == [(two,)]
    assert "himself again" in run("merge", f"p{one}", "--undo")[1]

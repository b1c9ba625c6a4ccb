"""Each request to the admin API has one name: in its answer, its errors, its log lines and its row of the audit."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psycopg
import pytest
from fastapi.testclient import TestClient

from tests.api_process import KEY as PROCESS_KEY
from tests.api_process import serving
from tests.factories import ADMIN_KEY, Archive, settings_for
from tests.understanding import rows
from wamcp import log
from wamcp.db.session import Pool
from wamcp.web.app import create_app

KEY = {"X-Admin-Api-Key": ADMIN_KEY}
MADE = re.compile(r"[0-9a-f]{16}")


@pytest.fixture
def client(archive: Archive, reader: Pool, auditor: Pool) -> Iterator[TestClient]:
    app = create_app(settings_for(archive.url), reader, auditor)
    with TestClient(app, client=("203.0.113.9", 1234), raise_server_exceptions=False) as client:
        yield client


def asked(client: TestClient, path: str, request_id: str | None = None, **headers: str) -> tuple[int, str, object]:
    """Status, the answer's header, and the name in its JSON."""
    given = {} if request_id is None else {"X-Request-Id": request_id}
    answer = client.get(path, headers={**KEY, **headers, **given})
    return answer.status_code, answer.headers["x-request-id"], answer.json().get("request_id")


def test_a_name_that_came_is_kept_in_answer_error_and_audit(archive: Archive, client: TestClient) -> None:
    assert asked(client, "/admin/conversations", "proxy-1:a/b") == (200, "proxy-1:a/b", None)
    for number, (path, status, headers) in enumerate((
        ("/admin/conversations/c99/messages", 404, {}),
        ("/admin/conversations?limit=x", 422, {}),
        ("/admin/nothing", 404, {}),
        ("/admin/conversations", 401, {"X-Admin-Api-Key": "a wrong one"}),
    )):  # fmt: skip
        name = f"proxy-2.{number}"
        assert asked(client, path, name, **headers) == (status, name, name)
    noted = [name for (name,) in rows(archive.connection, "SELECT request_id FROM audit_log ORDER BY id")]
    assert noted == ["proxy-1:a/b", "proxy-2.0", "proxy-2.1", "proxy-2.2"]


@pytest.mark.parametrize("given", [None, "", "two words", "x" * 101, 'a"b', "é"])
def test_without_a_good_one_a_name_is_made(archive: Archive, client: TestClient, given: str | None) -> None:
    headers = KEY if given is None else {**KEY, "X-Request-Id": given.encode()}
    made = client.get("/admin/conversations", headers=headers).headers["x-request-id"]  # type: ignore[arg-type]
    assert MADE.fullmatch(made)
    assert rows(archive.connection, "SELECT request_id FROM audit_log") == [(made,)]


def test_what_is_logged_of_a_request_has_its_name_and_nothing_else_has(
    archive: Archive, client: TestClient, auditor: Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    log.configure(json=True)
    auditor.close()
    with ThreadPoolExecutor(8) as many:
        found = list(many.map(lambda n: asked(client, "/admin/conversations", f"proxy-{n}"), range(8)))
    log.get(__name__).warning("afterwards")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    withheld = [line["request_id"] for line in lines if line["event"] == "admin_answer_withheld"]
    assert {name for _, name, _ in found} == set(withheld) == {f"proxy-{n}" for n in range(8)}
    assert all(status == 503 and shown == told for status, shown, told in found)
    assert [line for line in lines if line["event"] == "afterwards" and "request_id" in line] == []


@pytest.mark.embedded
def test_claude_s_door_names_its_requests_and_meta_s_does_not(
    db: psycopg.Connection, database_url: str, valkey_url: str, tmp_path: Path
) -> None:
    with serving(database_url, tmp_path, REDIS_URL=valkey_url) as served:
        url = f"http://127.0.0.1:{served.full}"
        headers = {"X-Request-Id": "proxy-7", "X-Admin-Api-Key": PROCESS_KEY}
        with httpx.Client(trust_env=False, headers=headers) as http:
            assert http.get(f"{url}/admin/health").headers["x-request-id"] == "proxy-7"
            assert http.post(f"{url}/mcp", json={}).headers["x-request-id"] == "proxy-7"
            assert "x-request-id" not in http.get(f"{url}/webhooks/whatsapp").headers

"""The admin API over HTTP: who is let in, what is answered, and what is recorded of it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from fastapi.testclient import TestClient
from psycopg.rows import dict_row

from tests.factories import ADMIN_KEY, NOON, Archive, minutes, settings_for
from wamcp.access import tokens
from wamcp.access.tokens import NewToken
from wamcp.db.session import Pool, open_pool
from wamcp.vocabulary import TokenKind
from wamcp.web.app import create_app

KEY = {"X-Admin-Api-Key": ADMIN_KEY}


@pytest.fixture
def client(archive: Archive, reader: Pool, auditor: Pool) -> Iterator[TestClient]:
    """A client somewhere on the internet, without a key."""
    app = create_app(settings_for(archive.url), reader, auditor)
    with TestClient(app, client=("203.0.113.9", 1234), raise_server_exceptions=False) as client:
        yield client


def audited(archive: Archive) -> list[dict[str, object]]:
    with archive.connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute("SELECT * FROM audit_log ORDER BY id").fetchall()


def test_conversations_and_their_messages_are_listed(archive: Archive, client: TestClient) -> None:
    conversation = archive.conversation(person=archive.person("Ana Souza", wa_id="15550101"))
    message = archive.message(conversation, "Hello", NOON)
    listed = client.get("/admin/conversations", headers=KEY)
    assert listed.status_code == 200
    [shown] = listed.json()["conversations"]
    assert (shown["id"], shown["contact"]["name"], shown["unanswered"]) == (f"c{conversation}", "Ana Souza", True)
    for ref in (f"c{conversation}", str(conversation)):
        answer = client.get(f"/admin/conversations/{ref}/messages", headers=KEY)
        assert [item["text"] for item in answer.json()["messages"]] == ["Hello"]
        assert answer.json()["messages"][0]["id"] == f"m{message}"
        assert answer.json()["messages"][0]["sent_at"] == "2026-03-02T12:00:00Z"


def test_pages_go_on_by_offset_and_by_cursor(archive: Archive, client: TestClient) -> None:
    made = [archive.conversation() for _ in range(5)]
    for position, conversation in enumerate(made):
        archive.message(conversation, at=NOON + minutes(position))
    refs = [f"c{row_id}" for row_id in reversed(made)]
    first = client.get("/admin/conversations?limit=2", headers=KEY).json()
    second = client.get(f"/admin/conversations?limit=2&cursor={first['next_cursor']}", headers=KEY).json()
    by_offset = client.get("/admin/conversations?limit=2&offset=2", headers=KEY).json()
    assert [item["id"] for item in first["conversations"]] == refs[:2]
    assert [item["id"] for item in second["conversations"]] == refs[2:4]
    assert second["conversations"] == by_offset["conversations"]


@pytest.mark.parametrize(
    "before",
    [
        "2026-03-02T12:01:00Z",
        "2026-03-02T13:01:00%2B01:00",
        "2026-03-02T13:01:00+01:00",
        "2026-03-02T12:01:00",
        "1772452860",
    ],
)
def test_before_ts_takes_iso_8601_and_unix_seconds(archive: Archive, client: TestClient, before: str) -> None:
    assert datetime.fromtimestamp(1772452860, UTC) == NOON + minutes(1)
    conversation = archive.conversation()
    early = archive.message(conversation, at=NOON)
    archive.message(conversation, at=NOON + minutes(1))
    answer = client.get(f"/admin/conversations/c{conversation}/messages?before_ts={before}", headers=KEY)
    assert [item["id"] for item in answer.json()["messages"]] == [f"m{early}"]


def test_search_answers_with_words_then_with_letters(archive: Archive, client: TestClient) -> None:
    conversation = archive.conversation()
    message = archive.message(conversation, "Your invoice is attached")
    for q, matched_by in (("invoice", "words"), ("nvoic", "substring")):
        answer = client.get(
            "/admin/search/messages", params={"q": q, "conversation_id": f"c{conversation}"}, headers=KEY
        )
        assert [item["id"] for item in answer.json()["messages"]] == [f"m{message}"]
        assert answer.json()["matched_by"] == matched_by


def test_search_finds_inside_documents(archive: Archive, client: TestClient) -> None:
    conversation = archive.conversation()
    message = archive.message(conversation, "scan.pdf", kind="document")
    document = archive.document(message, ["cover", "Invoice 4711"], confidence=0.5)
    plain = archive.message(conversation, "which invoice?", NOON + minutes(1))
    found = client.get("/admin/search/messages?q=invoice", headers=KEY).json()["messages"]
    told = [(item["id"], item["text"]) for item in found]
    assert told == [(f"m{plain}", "which invoice?"), (f"m{message}", "scan.pdf")]
    assert found[0]["document"] is None
    assert found[1]["document"] == {
        "id": f"d{document}",
        "file_name": "scan.pdf",
        "mime_type": "application/pdf",
        "pages": [2],
        "page_count": 1,
        "snippet": "Invoice 4711",
        "confidence": 0.5,
    }
    assert audited(archive)[-1]["refs"] == [f"m{plain}", f"m{message}", f"d{document}"]
    only = client.get("/admin/search/messages?q=invoice&search_in=documents", headers=KEY).json()["messages"]
    assert [item["id"] for item in only] == [f"m{message}"]
    listed = client.get(f"/admin/conversations/{conversation}/messages", headers=KEY).json()["messages"]
    assert "document" not in listed[0]


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/admin/conversations?limit=0", 422, "limit"),
        ("/admin/conversations?limit=abc", 422, "limit"),
        ("/admin/conversations?offset=-1", 422, "offset"),
        ("/admin/conversations?cursor=abc", 400, "cursor"),
        ("/admin/conversations/c999/messages", 404, "c999"),
        ("/admin/conversations/abc/messages", 404, "c123"),
        (f"/admin/conversations/{'9' * 40}/messages", 404, "c123"),
        ("/admin/conversations/1/messages?before_ts=yesterday", 400, "ISO 8601"),
        ("/admin/conversations/1/messages?before_ts=1e99", 400, "ISO 8601"),
        ("/admin/conversations/1/messages?before_ts=99999999999999999", 400, "ISO 8601"),
        ("/admin/search/messages", 422, "q"),
        ("/admin/search/messages?q=", 400, "look for"),
        ("/admin/search/messages?q=" + "x" * 201, 400, "200"),
        ("/admin/search/messages?q=a&direction=up", 422, "direction"),
        ("/admin/search/messages?q=a&number=999", 404, "999"),
        ("/admin/search/messages?q=a&after=%00", 400, "ISO 8601"),
        ("/admin/search/messages?q=%00&type=%00&number=%00", 400, "look for"),
        ("/admin/nothing", 404, "openapi"),
    ],
)
def test_a_wrong_request_is_answered_with_a_sentence_and_recorded(
    archive: Archive, client: TestClient, path: str, status: int, told: str
) -> None:
    answer = client.get(path, headers=KEY)
    assert answer.status_code == status
    assert set(answer.json()) == {"error", "detail", "request_id"}
    assert told in answer.json()["detail"]
    [row] = audited(archive)
    assert row["outcome"] == "refused"


@pytest.mark.parametrize("path", ["/admin/health", "/admin/conversations", "/metrics", "/openapi.json", "/readyz"])
@pytest.mark.parametrize("key", [None, "", "wrong", ADMIN_KEY[:-1], "wamcp_" + "a" * 49, "ü"])
def test_without_a_valid_key_there_is_no_answer(
    archive: Archive, client: TestClient, path: str, key: str | None
) -> None:
    headers = {} if key is None else {"X-Admin-Api-Key": key.encode()}
    answer = client.get(path, headers=headers)  # type: ignore[arg-type]
    assert answer.status_code == 401
    assert "X-Admin-Api-Key" in answer.json()["detail"]
    assert audited(archive) == []


def test_an_admin_token_opens_the_door_and_claudes_does_not(archive: Archive, client: TestClient) -> None:
    admin = tokens.create(archive.connection, NewToken(TokenKind.ADMIN, "ops", numbers=["111"], phones=False))
    claudes = tokens.create(archive.connection, NewToken(TokenKind.MCP, "claude"))
    for name in ("111", "222"):
        archive.message(archive.conversation(archive.number(name), archive.person(wa_id=f"15550{name}")))
    assert client.get("/admin/conversations", headers={"X-Admin-Api-Key": claudes}).status_code == 401
    answer = client.get("/admin/conversations", headers={"X-Admin-Api-Key": admin})
    [shown] = answer.json()["conversations"]
    assert shown["number"]["phone_number_id"] == "111"
    assert shown["contact"]["wa_id"] == "…0111"
    [row] = audited(archive)
    assert row["token_label"] == "ops"


def test_every_answer_is_recorded_with_its_key_parameters(archive: Archive, client: TestClient) -> None:
    conversation = archive.conversation()
    message = archive.message(conversation, "Hello \0".replace("\0", ""))
    client.get("/admin/search/messages?q=hello%00&limit=5&secret=x", headers={**KEY, "User-Agent": "curl/8"})
    [row] = audited(archive)
    assert (row["actor"], row["action"], row["target"]) == ("admin_api", "read", "/admin/search/messages")
    assert row["parameters"] == {"q": "hello", "limit": "5"}
    assert (row["outcome"], row["refs"], row["client"]) == ("ok", [f"m{message}"], "curl/8")
    assert (row["token_label"], row["address"]) == ("ADMIN_API_KEY", "203.0.113.9")
    assert isinstance(row["duration_ms"], int)


def test_without_an_audit_there_is_no_answer(archive: Archive, client: TestClient) -> None:
    archive.message(archive.conversation(), "private")
    archive.connection.execute("ALTER TABLE audit_log RENAME TO audit_log_gone")
    answer = client.get("/admin/search/messages?q=private", headers=KEY)
    assert answer.status_code == 503
    assert "private" not in answer.text
    assert "audit" in answer.json()["detail"]


def test_the_auditor_can_neither_read_nor_change_what_it_wrote(archive: Archive, auditor: Pool) -> None:
    for statement in ("SELECT * FROM audit_log", "UPDATE audit_log SET actor = ''", "DELETE FROM audit_log"):
        with auditor.connection() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)


def test_health_tells_what_waits_and_what_fails(archive: Archive, reader: Pool, auditor: Pool, valkey_url: str) -> None:
    archive.connection.execute("INSERT INTO webhook_queue VALUES (1, 10, now() - interval '90 seconds')")
    archive.connection.execute("INSERT INTO parked (event_id, kind, reason) VALUES (3, 'malformed', 'no object')")
    answers = {}
    for url in (valkey_url, "redis://127.0.0.1:1/0", None):
        more = {"REDIS_URL": url} if url else {}
        app = create_app(settings_for(archive.url, WAMCP_GIT_VERSION="abc123", **more), reader, auditor)
        with TestClient(app) as client:
            answers[url] = client.get("/admin/health", headers=KEY).json()
    fine, failing, without = answers.values()
    assert (fine["status"], fine["postgres"]["status"], fine["redis"]["status"]) == ("ok", "ok", "ok")
    assert fine["git_version"] == "abc123"
    assert (fine["migrations_current"], fine["events_pending"], fine["parked"]) == (True, 1, {"malformed": 1})
    assert 90 <= fine["oldest_pending_seconds"] < 120
    assert fine["replica_behind_seconds"] is None
    assert (failing["status"], failing["redis"]["status"]) == ("degraded", "failed")
    assert (without["status"], without["redis"]["status"]) == ("ok", "not configured")


def test_health_tells_whether_files_can_be_kept(archive: Archive, reader: Pool, auditor: Pool, tmp_path: Path) -> None:
    place = tmp_path / "objects"
    app = create_app(settings_for(archive.url, WAMCP_OBJECT_DIR=str(place)), reader, auditor)
    with TestClient(app) as client:
        fine = client.get("/admin/health", headers=KEY).json()
        assert not place.exists(), "asking changes nothing"
        place.write_text("in the way")
        failing = client.get("/admin/health", headers=KEY).json()
    assert (fine["status"], fine["object_store"]["status"], fine["object_store"]["detail"]) == ("ok", "ok", str(place))
    assert fine["object_store"]["free_bytes"] > 0 and fine["object_store"]["latency_ms"] >= 0
    assert (failing["status"], failing["object_store"]["status"]) == ("degraded", "failed")
    assert "is no directory" in failing["object_store"]["detail"]


def test_this_machine_may_ask_for_metrics_unless_it_asks_for_somebody_else(
    archive: Archive, reader: Pool, auditor: Pool
) -> None:
    archive.connection.execute("INSERT INTO webhook_queue VALUES (1, 10)")
    app = create_app(settings_for(archive.url), reader, auditor)
    for address in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
        with TestClient(app, client=(address, 1)) as client:
            for path in ("/metrics", "/openapi.json", "/readyz"):
                assert client.get(path).status_code == 200
                assert client.get(path, headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 401
            assert client.get("/admin/conversations").status_code == 401
            assert "wamcp_events_pending 1.0" in client.get("/metrics").text


def test_readiness_needs_the_schema_and_liveness_nothing(archive: Archive, client: TestClient) -> None:
    assert client.get("/readyz", headers=KEY).status_code == 200
    archive.connection.execute("UPDATE alembic_version SET version_num = '0000'")
    assert client.get("/readyz", headers=KEY).status_code == 503
    assert client.get("/healthz").json() == {"status": "ok"}


def test_a_database_that_is_away_is_said_so(archive: Archive, auditor: Pool) -> None:
    with open_pool("postgresql://nobody@127.0.0.1:1/none", "test-away", size=1) as away:
        app = create_app(settings_for(archive.url), away, auditor)
        with TestClient(app, client=("127.0.0.1", 1)) as client:
            answer = client.get("/admin/conversations", headers=KEY)
            assert (answer.status_code, answer.json()["error"]) == (503, "overloaded")
            assert client.get("/readyz").status_code == 503
            assert "wamcp_database_up 0.0" in client.get("/metrics").text


def test_the_contract_is_published(client: TestClient) -> None:
    paths = client.get("/openapi.json", headers=KEY).json()["paths"]
    assert {"/admin/conversations", "/admin/conversations/{conversation_id}/messages", "/admin/search/messages"} <= set(
        paths
    )

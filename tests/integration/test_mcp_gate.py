"""The gate of Claude's door: who gets in, what is written down, and that nothing leaves unwritten."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.mcp_harness import NORTH, Door, running_door
from wamcp.access import tokens
from wamcp.embedded.scratch import TemporaryPostgres
from wamcp.mcp.gate import MAX_BODY

JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}


@pytest.fixture(scope="module")
def door(postgres: TemporaryPostgres) -> Iterator[Door]:
    yield from running_door(postgres)


def bearer(door: Door, name: str = "all") -> dict[str, str]:
    return JSON | {"Authorization": f"Bearer {door.tokens[name]}"}


@contextmanager
def written(door: Door, columns: str) -> Iterator[list[tuple[object, ...]]]:
    """The audit rows that come to be inside of it."""
    before = len(door.audit("id"))
    rows: list[tuple[object, ...]] = []
    yield rows
    rows += door.audit(columns)[before:]


def raw(door: Door, *headers: str) -> str:
    """The answer to a tools/list whose header lines are sent as they are given."""
    body = json.dumps(LIST)
    parts = urlsplit(door.url)
    lines = ["POST /mcp HTTP/1.1", f"Host: {parts.netloc}", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in JSON.items()]
    with socket.create_connection((str(parts.hostname), parts.port or 80), timeout=10) as sock:
        sock.sendall(("\r\n".join([*lines, *headers, "", body])).encode("latin-1"))
        return b"".join(iter(lambda: sock.recv(65536), b"")).decode()


@pytest.mark.parametrize(
    "given",
    ["", "Bearer", "Bearer ", "Basic abc", "Bearer nonsense", "Bearer NEW", "Bearer wamcp_\xe9"],
)
def test_without_a_valid_token_there_is_a_challenge_and_help(door: Door, given: str) -> None:
    answer = raw(door, f"Authorization: {given.replace('NEW', tokens.generate())}")
    assert answer.startswith("HTTP/1.1 401")
    assert 'www-authenticate: Bearer scope="wamcp:read"' in answer and "wamcp token create" in answer


def test_two_tokens_are_none_and_an_admin_token_is_none(door: Door) -> None:
    twice = [*JSON.items(), *[("Authorization", f"Bearer {door.tokens[name]}") for name in ("all", "south")]]
    assert door.http.post(door.url, json=LIST, headers=twice).status_code == 401
    assert door.http.post(door.url, json=LIST, headers=bearer(door, "admin")).status_code == 401


@pytest.mark.parametrize(
    "path", ["/.well-known/oauth-protected-resource", "/mcp/.well-known/x", "/mcp/mcp/mcp", "/other"]
)
def test_nothing_invites_to_oauth(door: Door, path: str) -> None:
    assert door.http.get(door.url.removesuffix("/mcp") + path).status_code == 404


def test_other_methods_other_hosts_and_other_origins_are_refused(door: Door) -> None:
    for method in ("GET", "DELETE", "PUT"):
        assert door.http.request(method, door.url, headers=bearer(door)).status_code == 405, method
    for headers, status in (
        ({"Host": "evil.example"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Host": "wamcp.example.com"}, 200),
        ({"Origin": "https://wamcp.example.com"}, 200),
    ):
        assert door.http.post(door.url, json=LIST, headers=bearer(door) | headers).status_code == status, headers


def test_a_request_has_a_size(door: Door) -> None:
    large = json.dumps(LIST | {"params": {"x": "y" * MAX_BODY}})
    assert door.http.post(door.url, content=large, headers=bearer(door)).status_code == 413
    chunks = iter([large[:1000].encode(), large[1000:].encode()])
    assert door.http.post(door.url, content=chunks, headers=bearer(door)).status_code == 413
    assert door.http.post(door.url, content=large, headers=JSON).status_code == 401


def test_blanks_around_header_values_do_not_matter(door: Door) -> None:
    """httptools keeps them, RFC 9110 (5.5) does not count them as part of the value."""
    token = f"Authorization:   Bearer {door.tokens['all']}  "
    assert "get_messages" in raw(door, token, "MCP-Protocol-Version:  2025-11-25 \t")


def test_each_access_is_one_row_with_what_was_asked_and_shown(door: Door) -> None:
    columns = "actor, action, target, token_label, request_id, client, transport, address, parameters, outcome, refs"
    with written(door, columns + ", characters, duration_ms") as rows:
        shown = door.call("get_messages", conversation_id="c2", limit=2)
    ((*told, characters, duration),) = rows
    ids = [row[0] for day in shown["days"].values() for row in day]
    assert told == [
        *("mcp", "tools/call", "get_messages", "everything", "7", "harness 1", "http 2026-07-28", "127.0.0.1"),
        *({"conversation_id": "c2", "limit": 2}, "ok", ["c2", *ids]),
    ]
    assert characters == len(json.dumps(shown, ensure_ascii=False, separators=(",", ":"))) and duration < 5000


@pytest.mark.parametrize("modern", [True, False], ids=["2026-07-28", "2025-11-25"])
def test_every_method_that_shows_something_is_written_down(door: Door, modern: bool) -> None:
    ref = {"type": "ref/prompt", "name": "summarise_conversation"}
    asked = [
        ("tools/call", {"name": "get_status", "arguments": {}}, "get_status", "ok"),
        ("resources/read", {"uri": "wamcp://conversations/c1"}, "wamcp://conversations/c1", "ok"),
        ("resources/read", {"uri": "wamcp://conversations/c99"}, "wamcp://conversations/c99", "refused"),
        ("prompts/get", {"name": ref["name"], "arguments": {"conversation_id": "c1"}}, ref["name"], "ok"),
        ("prompts/get", {"name": "nothing"}, "nothing", "refused"),
        ("completion/complete", {"ref": ref, "argument": {"name": "conversation_id", "value": "c"}}, ref["name"], "ok"),
        ("tools/call", {"name": "get_messages", "arguments": {"conversation_id": "c99"}}, "get_messages", "tool_error"),
        ("tools/call", {"name": "get_messages", "arguments": {"limit": 3000}}, "get_messages", "tool_error"),
        ("tools/call", {"name": "get_messages", "arguments": [1]}, "get_messages", "refused"),
        (
            "tools/call",
            {"name": "no\x00 such", "arguments": {"a\x00": "\ud800\x00" + "x" * 900}},
            "no such",
            "refused",
        ),
        ("tools/call", {"name": 5, "arguments": {"n": 10**30, "f": 1.5, "deep": [[{}]]}}, "", "refused"),
        ("tools/call", [], "", "refused"),
        ("tools/list", {}, None, None),
        ("ping", {}, None, None),
    ]
    with written(door, "action, target, outcome") as rows:
        for method, params, _, _ in asked:
            body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
            if isinstance(params, dict) and "\\u0000" not in body and params.get("name") != 5:
                door.rpc(method, params, modern=modern)
            else:
                version = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method} if modern else {}
                door.http.post(door.url, content=body, headers=bearer(door) | version)
    assert rows == [(method, target, outcome) for method, _, target, outcome in asked if outcome]


def test_broken_bodies_are_refused_and_written_down_when_they_claim_a_call(door: Door) -> None:
    claim = {"Mcp-Method": "tools/call"}
    with written(door, "action, outcome") as rows:
        for body in (b"{", b"", b"[]", b'[{"jsonrpc":"2.0","id":1,"method":"tools/call"}]', b"[" * 100_000, b"\xff"):
            answer = door.http.post(door.url, content=body, headers=bearer(door) | claim)
            assert answer.status_code == 400 and answer.json()["error"]["code"] in (-32700, -32600)
        assert door.http.post(door.url, content=b"{", headers=bearer(door)).status_code == 400
    assert rows == [("tools/call", "refused")] * 6


def test_a_batch_is_refused_and_written_down_when_there_is_a_call_in_it(door: Door) -> None:
    body = b'[7,{"method":"ping"},{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_status"}}]'
    with written(door, "action, target, outcome") as rows:
        assert door.http.post(door.url, content=body, headers=bearer(door)).status_code == 400
        assert door.http.post(door.url, content=b'[{"method":"ping"}]', headers=bearer(door)).status_code == 400
    assert rows == [("tools/call", "get_status", "refused")]


def test_a_name_that_occurs_twice_is_read_once(door: Door) -> None:
    """What the audit reads is what the server reads, whatever their parsers make of doubled names."""
    body = b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"get_status"}}'
    with written(door, "action, target") as rows:
        answer = door.http.post(door.url, content=body, headers=bearer(door))
    assert answer.json()["result"]["structuredContent"]["messages"] and rows == [("tools/call", "get_status")]


def test_strangers_leave_no_rows(door: Door) -> None:
    with written(door, "id") as rows:
        door.http.post(door.url, json=LIST | {"method": "tools/call", "params": {"name": "get_status"}}, headers=JSON)
    assert rows == []


def test_refused_hosts_with_a_token_are_written_down(door: Door) -> None:
    with written(door, "outcome, error") as rows:
        door.rpc("tools/call", {"name": "get_status"}, headers={"Host": "evil.example"})
    assert rows == [("refused", "HTTP 421")]


def test_the_bridge_and_the_users_program_are_told_apart(door: Door) -> None:
    headers = {"X-WAMCP-Bridge": "1", "User-Agent": "claude-ai/0.1 wamcp-bridge"}
    with written(door, "transport, client") as rows:
        door.rpc("tools/call", {"name": "get_status"}, modern=False, headers=headers)
    assert rows == [("bridge", "claude-ai/0.1 wamcp-bridge")]


def test_no_audit_no_answer(door: Door) -> None:
    role = door.database_url.rpartition("/")[2] + "_audit"
    with psycopg.connect(door.database_url, autocommit=True) as owner:
        owner.execute(f"REVOKE INSERT ON audit_log FROM {role}")
        try:
            answer = door.rpc("tools/call", {"name": "get_messages", "arguments": {"conversation_id": "c1"}})
        finally:
            owner.execute(f"GRANT INSERT ON audit_log TO {role}")
    assert answer.status_code == 503 and "audit" in answer.json()["error"]["message"] and answer.json()["id"] == 7
    assert "Ada" not in answer.text
    assert door.call("get_status")


def test_the_reader_can_only_read(door: Door) -> None:
    """The wall behind the wall: what the tools hold is the reader's login."""
    from wamcp.db.logins import reader_url
    from wamcp.settings import load

    with psycopg.connect(reader_url(load({"DATABASE_URL": door.database_url})), autocommit=True) as reader:
        for statement in ("DELETE FROM messages", "INSERT INTO audit_log DEFAULT VALUES", "SELECT * FROM audit_log"):
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)):
                reader.execute(statement)


@pytest.mark.parametrize("modern", [True, False], ids=["2026-07-28", "2025-11-25"])
def test_many_at_once_get_each_their_own(door: Door, modern: bool) -> None:
    """The grant travels beside the arguments, through tasks and threads, and must not get mixed up there."""
    visible = {"all": 5, "south": 3, "north": 2}

    def ask(name: str) -> tuple[str, int]:
        return name, len(door.call("list_conversations", name, modern=modern)["conversations"])

    with written(door, "token_label, cardinality(refs)") as rows, ThreadPoolExecutor(12) as pool:
        for name, found in pool.map(ask, [*visible] * 20):
            assert found == visible[name]
    labels = {"everything": 5, "south only": 3, "north, late": 2}
    assert len(rows) == 60 and all(labels[str(label)] == shown for label, shown in rows)


def test_a_revoked_token_ends_and_a_scope_change_is_a_new_token(door: Door) -> None:
    with psycopg.connect(door.database_url, autocommit=True) as owner:
        made = tokens.create(owner, tokens.NewToken(tokens.TokenKind.MCP, "short-lived", numbers=[NORTH]))
        owner.execute("UPDATE tokens SET revoked_at = now() WHERE label = 'short-lived'")
    answer = door.http.post(door.url, json=LIST, headers=JSON | {"Authorization": f"Bearer {made}"})
    assert answer.status_code == 401


def test_a_client_that_hangs_up_does_not_disturb(door: Door) -> None:
    parts = urlsplit(door.url)
    with socket.create_connection((str(parts.hostname), parts.port or 80)) as sock:
        head = f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {door.tokens['all']}\r\n"
        sock.sendall((head + "Content-Type: application/json\r\nContent-Length: 500\r\n\r\n{").encode())
    assert door.call("get_status")

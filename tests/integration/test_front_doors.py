"""Both ports of the real api process: whose address is written down, and how often Claude may ask."""

from pathlib import Path

import httpx
import psycopg

from tests.api_process import KEY, serving
from wamcp.access import tokens
from wamcp.access.tokens import NewToken
from wamcp.vocabulary import TokenKind

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "get_status", "arguments": {}}}
FORWARDED = {"X-Forwarded-For": "6.6.6.6, 203.0.113.9"}


def claude(token: str) -> dict[str, str]:
    accepted = "application/json, text/event-stream"
    return {"Authorization": f"Bearer {token}", "Accept": accepted, "MCP-Protocol-Version": "2025-11-25"}


def addresses(url: str) -> list[tuple[str, str]]:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT actor, address FROM audit_log ORDER BY id").fetchall()


def test_the_audit_has_the_address_that_a_trusted_proxy_tells(database_url: str, tmp_path: Path) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        token = tokens.create(connection, NewToken(TokenKind.MCP, "claude"))
    with serving(database_url, tmp_path, WAMCP_TRUSTED_PROXIES="127.0.0.0/8", WAMCP_PUBLIC_PATHS="/mcp") as served:
        headers = {"X-Admin-Api-Key": KEY, **FORWARDED}
        assert httpx.get(f"http://127.0.0.1:{served.full}/admin/groups", headers=headers).status_code == 200
        for port in (served.full, served.public):
            answer = httpx.post(f"http://127.0.0.1:{port}/mcp", json=CALL, headers={**claude(token), **FORWARDED})
            assert answer.status_code == 200, answer.text
        assert httpx.get(f"http://127.0.0.1:{served.full}/metrics", headers=FORWARDED).status_code == 401
    assert addresses(database_url) == [("admin_api", "203.0.113.9"), ("mcp", "203.0.113.9"), ("mcp", "203.0.113.9")]


def test_claude_has_a_rate_and_is_told_when_to_come_back(database_url: str, tmp_path: Path) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        token = tokens.create(connection, NewToken(TokenKind.MCP, "claude"))
    with serving(database_url, tmp_path, WAMCP_MCP_RATE="5") as served:
        url = f"http://127.0.0.1:{served.full}/mcp"
        answers = [httpx.post(url, json=CALL, headers={**claude(token), **FORWARDED}) for _ in range(7)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 12
        assert "WAMCP_MCP_RATE" in answers[-1].json()["error"]
        told = httpx.get(f"http://127.0.0.1:{served.full}/metrics").text
        assert 'wamcp_rate_limited_total{door="mcp"} 2.0' in told
    assert addresses(database_url) == [("mcp", "127.0.0.1")] * 5

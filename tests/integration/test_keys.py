"""Keys of the admin API and of Claude's door: scopes, rates, and what strangers do to those who may."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from tests.factories import ADMIN_KEY, Archive, settings_for
from wamcp.access import doorkeeper, tokens
from wamcp.access.doorkeeper import Doorkeeper
from wamcp.access.tokens import NewToken, TokenCache
from wamcp.db.session import Pool
from wamcp.vocabulary import TokenKind, TokenScope
from wamcp.web.app import create_app
from wamcp.web.metrics import REGISTRY

RATE = 30
STRANGER = "203.0.113.9"


@pytest.fixture
def client(archive: Archive, reader: Pool, auditor: Pool) -> Iterator[TestClient]:
    """A client somewhere on the internet, whose keys may ask thirty times a minute."""
    app = create_app(settings_for(archive.url, WAMCP_ADMIN_RATE=str(RATE)), reader, auditor)
    with TestClient(app, client=(STRANGER, 1234), raise_server_exceptions=False) as client:
        yield client


def key(archive: Archive, *scopes: TokenScope, label: str = "a key") -> dict[str, str]:
    made = tokens.create(archive.connection, NewToken(TokenKind.ADMIN, label, scopes=frozenset(scopes)))
    return {"X-Admin-Api-Key": made}


def audited(archive: Archive) -> list[tuple[object, ...]]:
    return archive.connection.execute("SELECT target, outcome, token_label FROM audit_log ORDER BY id").fetchall()


def test_a_key_does_what_its_scopes_say_and_a_refusal_is_audited(archive: Archive, client: TestClient) -> None:
    reads, sends, metrics = (key(archive, scope) for scope in (TokenScope.READ, TokenScope.SEND, TokenScope.METRICS))
    operates = key(archive, TokenScope.OPERATE)
    assert client.get("/admin/conversations", headers=reads).status_code == 200
    refused = client.post("/send/text", headers=reads, json={})
    assert refused.status_code == 403 and "--scope send" in refused.json()["detail"]
    assert client.post("/admin/events/1/replay", headers=reads).status_code == 403
    assert client.post("/send/text", headers=sends, json={}).status_code == 422
    assert client.get("/admin/conversations", headers=sends).status_code == 403
    assert client.get("/admin/media/f1", headers=sends).status_code == 403
    assert client.get("/metrics", headers=metrics).status_code == 200
    assert client.get("/admin/health", headers=metrics).status_code == 200
    assert client.get("/admin/conversations", headers=metrics).status_code == 403
    assert client.post("/admin/events/99/replay", headers=operates).status_code == 404
    assert ("/send/text", "refused", "a key") in audited(archive)
    assert ("/admin/media/f1", "refused", "a key") in audited(archive)


def test_the_bootstrap_key_does_everything(client: TestClient) -> None:
    headers = {"X-Admin-Api-Key": ADMIN_KEY}
    assert client.get("/admin/conversations", headers=headers).status_code == 200
    assert client.post("/send/text", headers=headers, json={}).status_code == 422
    assert client.post("/admin/events/99/replay", headers=headers).status_code == 404


def test_a_key_that_asks_too_often_waits_and_another_does_not(archive: Archive, client: TestClient) -> None:
    eager, calm = key(archive, TokenScope.READ, label="eager"), key(archive, TokenScope.READ, label="calm")
    statuses = [client.get("/admin/groups", headers=eager).status_code for _ in range(RATE + 15)]
    assert 200 in statuses and set(statuses) == {200, 429} and statuses[: RATE - 1] == [200] * (RATE - 1)
    refused = client.get("/admin/groups", headers=eager)
    assert refused.status_code == 429 and int(refused.headers["retry-after"]) >= 1
    assert refused.json()["error"] == "too_often" and "WAMCP_ADMIN_RATE" in refused.json()["detail"]
    assert client.get("/admin/groups", headers=calm).status_code == 200
    assert len([row for row in audited(archive) if row[2] == "eager"]) == statuses.count(200)
    assert (REGISTRY.get_sample_value("wamcp_rate_limited_total", {"door": "admin"}) or 0) >= 10


def test_strangers_are_counted_and_who_may_gets_in_beside_them(
    archive: Archive, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    find = tokens.find

    def counting(*arguments: object) -> object:
        nonlocal looks
        looks += 1
        return find(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(tokens, "find", counting)
    valid = key(archive, TokenScope.READ)
    for number in range(60):
        wrong = tokens.generate() if number % 2 else f"wrong {number}"
        assert client.get("/admin/groups", headers={"X-Admin-Api-Key": wrong}).status_code == 401
    assert looks == 30
    assert client.get("/admin/groups", headers=valid).status_code == 200
    assert client.get("/admin/groups", headers={"X-Admin-Api-Key": ADMIN_KEY}).status_code == 200
    assert REGISTRY.get_sample_value("wamcp_auth_failures_total", {"door": "admin"}) == 60
    assert len(audited(archive)) == 2


def test_a_flood_of_invented_tokens_waits_its_turn_and_a_known_one_does_not(
    archive: Archive, reader: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "CACHE_SECONDS", 0.0)
    valid = tokens.create(archive.connection, NewToken(TokenKind.MCP, "known"))
    new = tokens.create(archive.connection, NewToken(TokenKind.MCP, "new"))

    monkeypatch.setattr(doorkeeper, "TURN_S", 0.06)

    async def story() -> tuple[float, float, float]:
        keeper = Doorkeeper(TokenCache(reader, TokenKind.MCP))
        assert await keeper.find(valid, STRANGER) is not None
        for _ in range(doorkeeper.FAILURES_A_MINUTE + 1):
            keeper.note_stranger(STRANGER)
        began = time.perf_counter()
        flood = [asyncio.create_task(keeper.find(tokens.generate(), STRANGER)) for _ in range(50)]
        await asyncio.sleep(0)
        assert await keeper.find(valid, STRANGER) is not None
        known = time.perf_counter() - began
        assert await keeper.find(new, "198.51.100.1") is not None
        elsewhere = time.perf_counter() - began
        assert await keeper.find(new, STRANGER) is not None
        assert await asyncio.gather(*flood) == [None] * 50
        return known, elsewhere, time.perf_counter() - began

    known, elsewhere, all_of_them = asyncio.run(story())
    assert all_of_them > 50 * doorkeeper.TURN_S
    assert known < all_of_them / 2 and elsewhere < all_of_them / 2


def test_a_rotated_key_has_the_same_scopes_for_as_long_again(archive: Archive) -> None:
    scopes = frozenset({TokenScope.SEND, TokenScope.METRICS})
    expires = datetime.now(UTC) + timedelta(days=10)
    tokens.create(archive.connection, NewToken(TokenKind.ADMIN, "shop", expires_at=expires, scopes=scopes))
    archive.connection.execute(
        "UPDATE tokens SET created_at = now() - interval '8 days', expires_at = now() + interval '2 days'"
    )
    assert tokens.rotate(archive.connection, tokens.list_all(archive.connection)[0].id, overlap_minutes=5)
    new, old = tokens.list_all(archive.connection)
    assert (new.scopes, new.label) == (["metrics", "send"], "shop")
    assert new.expires_at is not None and old.expires_at is not None
    assert timedelta(days=9) < new.expires_at - datetime.now(UTC) <= timedelta(days=10)
    assert old.expires_at - datetime.now(UTC) <= timedelta(minutes=5)


def test_the_list_tells_when_a_token_was_last_used(archive: Archive, client: TestClient) -> None:
    used = key(archive, TokenScope.READ, label="used")
    key(archive, TokenScope.READ, label="unused")
    client.get("/admin/groups", headers=used)
    found = {row.label: row.last_used_at for row in tokens.list_all(archive.connection)}
    assert found["unused"] is None
    assert found["used"] is not None and datetime.now(UTC) - found["used"] < timedelta(minutes=1)

"""The whole way, as a user goes it: signed webhooks in, answers out, and nothing where nothing belongs."""

import asyncio
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from fastmcp import Client

from tests.e2e.house import DRAIN_S, House, eventually
from tests.webhooks import SHOP, change, event, message_event, status
from wamcp.whatsapp.signature import sign

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(180)]
ROOT = Path(__file__).parents[2]


def post(house: House, body: bytes, *, signature: str | None = None) -> int:
    headers = {"X-Hub-Signature-256": signature or sign(body, house.secret)}
    return httpx.post(house.url, content=body, headers=headers, timeout=30).status_code


def understood(house: House) -> bool:
    return eventually(lambda: house.value("SELECT count(*) FROM webhook_queue") == 0, DRAIN_S)


def admin(house: House, path: str) -> httpx.Response:
    key = {"X-Admin-Api-Key": house.runtime["admin_api_key"]}
    return httpx.get(f"{house.runtime['api_url']}{path}", headers=key, timeout=10)


def test_a_webhook_is_searchable_by_admin_and_by_claude(well: House) -> None:
    words = "Olá, a encomenda ENC-2026-0042 já chegou?"
    assert post(well, message_event("wamid.whole.1", words, sender="15550100111", name="Inês Moura")) == 200
    assert understood(well)
    (found,) = admin(well, "/admin/search/messages?q=enc-2026-0042").json()["messages"]
    assert (found["text"], found["wamid"]) == (words, "wamid.whole.1")

    async def ask() -> dict[str, object]:
        async with Client(well.runtime["mcp_url"], auth=well.runtime["mcp_token"]) as claude:
            return (await claude.call_tool("search_messages", {"query": "ja chegou"})).structured_content

    assert found["id"] in json.dumps(asyncio.run(ask()))


def test_the_doctor_finds_every_part_of_it_well(well: House) -> None:
    parts = {"api", "signature", "database", "schema", "reader", "pending", "broker", "celery", "objects", "disk"}
    found = json.loads(well.command("doctor", "--json", "--only", ",".join(parts)))["findings"]
    assert {row["name"]: row["status"] for row in found} == dict.fromkeys(parts, "ok")


def test_eight_first_messages_of_one_stranger_at_once_are_eight_messages_of_one_person(well: House) -> None:
    bodies = [message_event(f"wamid.eight.{n}", f"hello {n}", sender="15550100888", name="Noa Levi") for n in range(8)]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda body: post(well, body), bodies)) == [200] * 8
    assert understood(well)
    assert well.value("SELECT count(*) FROM messages WHERE wamid LIKE 'wamid.eight.%%'") == 8
    assert well.value("SELECT count(*) FROM participant_aliases WHERE value = '15550100888'") == 1
    assert well.value("SELECT count(*) FROM participants WHERE name = 'Noa Levi'") == 1


@pytest.mark.parametrize("signature", ["sha256=" + "0" * 64, "sha256=", "é", "sha1=abc"])
def test_a_wrong_signature_is_401_and_nothing_is_stored(well: House, signature: str) -> None:
    body = message_event("wamid.forged", signature)
    headers = [("X-Hub-Signature-256", signature.encode())]
    assert httpx.post(well.url, content=body, headers=headers).status_code == 401
    assert well.value("SELECT count(*) FROM webhook_events WHERE sha256 = %s", sha256(body).digest()) == 0


def test_two_signatures_are_401_even_when_both_are_right(well: House) -> None:
    body = message_event("wamid.twice", "signed twice")
    headers = [("X-Hub-Signature-256", sign(body, well.secret))] * 2
    assert httpx.post(well.url, content=body, headers=headers).status_code == 401


def test_the_public_port_answers_the_webhook_and_health_and_nothing_else(well: House) -> None:
    public = well.runtime["public_url"]
    assert httpx.get(f"{public}/healthz").status_code == 200
    refused = httpx.get(f"{public}/webhooks/whatsapp?hub.challenge=test")
    assert refused.status_code == 403 and "verify_token" in refused.text
    body = message_event("wamid.public", "through the tunnel")
    headers = {"X-Hub-Signature-256": sign(body, well.secret)}
    assert httpx.post(f"{public}/webhooks/whatsapp", content=body, headers=headers).status_code == 200
    key = {"X-Admin-Api-Key": well.runtime["admin_api_key"], "Authorization": f"Bearer {well.runtime['mcp_token']}"}
    for path in ("/", "/mcp", "/readyz", "/metrics", "/openapi.json", "/docs", "/admin/health", "/admin/conversations"):
        for method in ("GET", "POST"):
            assert httpx.request(method, f"{public}{path}", headers=key).status_code == 404, (method, path)
    for odd in ("/webhooks/whatsapp/../../admin/health", "//admin/health", "/webhooks/whatsapp/", "/HEALTHZ"):
        assert httpx.get(f"{public}{odd}", headers=key).status_code in (403, 404), odd


def test_the_handshake_of_meta_is_answered_with_the_challenge(well: House) -> None:
    query = {"hub.mode": "subscribe", "hub.verify_token": well.runtime["verify_token"], "hub.challenge": "1158201444"}
    answer = httpx.get(well.url, params=query)
    assert (answer.status_code, answer.text) == (200, "1158201444")
    assert answer.headers["content-type"].startswith("text/plain")
    assert httpx.get(well.url, params=query | {"hub.verify_token": "guess"}).status_code == 403


def test_statuses_show_on_the_message_that_they_are_about(well: House) -> None:
    echo = {"id": "wamid.ours", "timestamp": "1770000000", "type": "text", "text": {"body": "On its way"}}
    ours = {"from": "15550100001", "to": "15550100222", **echo}
    assert post(well, event(change(SHOP, field="smb_message_echoes", message_echoes=[ours]))) == 200
    assert post(well, event(change(SHOP, statuses=[status("wamid.ours", "read", at=1770000060)]))) == 200
    assert understood(well)
    (found,) = admin(well, "/admin/search/messages?q=way&direction=outbound").json()["messages"]
    assert (found["text"], found["status"]) == ("On its way", "read")


def test_every_audited_answer_has_its_row(well: House) -> None:
    count = "SELECT count(*) FROM audit_log"
    before = well.value(count)
    assert admin(well, "/admin/conversations").status_code == 200
    assert admin(well, "/admin/conversations/c999999/messages").status_code == 404

    async def ask() -> None:
        async with Client(well.runtime["mcp_url"], auth=well.runtime["mcp_token"]) as claude:
            await claude.call_tool("get_status", {})
            await claude.call_tool("get_messages", {"conversation_id": "c999999"}, raise_on_error=False)

    asyncio.run(ask())
    assert well.value(count) == before + 4
    assert admin(well, "/admin/health").json()["events_pending"] == 0


def test_the_bridge_needs_nothing_but_the_runtime_file(well: House) -> None:
    assert post(well, message_event("wamid.bridge", "seen through the bridge")) == 200
    assert understood(well)
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    lines = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "get_status", "arguments": {}}},
    ]
    done = subprocess.run(
        [sys.executable, "-m", "app.mcp.server"],
        cwd=ROOT,
        env={**os.environ, "WAMCP_RUNTIME_FILE": str(well.directory / "runtime.json")},
        input="".join(json.dumps(line) + "\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=30,
    )
    answers = {answer["id"]: answer for answer in map(json.loads, done.stdout.splitlines())}
    assert answers[1]["result"]["serverInfo"]["name"] == "wamcp"
    assert answers[2]["result"]["structuredContent"]["messages"] > 0


def test_every_collected_webhook_is_kept_byte_for_byte_and_the_normalizer_goes_on(well: House) -> None:
    corpus = os.environ.get("WAMCP_CORPUS")
    if not corpus:
        pytest.skip("WAMCP_CORPUS names no collected webhooks")
    bodies = [path.read_bytes() for path in sorted(Path(corpus, "whatsapp").rglob("*.json"))]
    assert len(bodies) > 300
    assert [post(well, body) for body in bodies] == [200] * len(bodies)
    for body in bodies:
        assert well.value("SELECT body FROM webhook_events WHERE sha256 = %s", sha256(body).digest()) == body
    assert post(well, message_event("wamid.after", "still here")) == 200
    assert understood(well)
    assert well.value("SELECT count(*) FROM messages WHERE wamid = 'wamid.after'") == 1
    assert well.value("SELECT count(*) FROM parked WHERE kind IN ('failed', 'killed')") == 0

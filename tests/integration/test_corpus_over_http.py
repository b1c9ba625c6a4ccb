"""Collected webhooks ($WAMCP_CORPUS/whatsapp) through the whole house: each item is found through the admin API."""

import hashlib
import json
import os
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from fastapi.testclient import TestClient

from tests.factories import ADMIN_KEY, settings_for
from tests.understanding import queue, rows
from tests.unit.test_payload_corpus import changes_of, collected, items_of
from wamcp.db.session import Pool
from wamcp.ingest.normalize import work_off
from wamcp.ingest.reprocess import verify
from wamcp.web.app import create_app
from wamcp.whatsapp.payload.scalars import unix_seconds

KEY = {"X-Admin-Api-Key": ADMIN_KEY}
CHOSEN = ("title", "description", "body")
WORDS = ("body", "caption", "title", "name", "address", "filename")

pytestmark = pytest.mark.skipif(not os.environ.get("WAMCP_CORPUS"), reason="WAMCP_CORPUS names no collected webhooks")


def with_own_numbers() -> Iterator[tuple[str, Any, bytes]]:
    """Each webhook with a phone number id of its own, since samples share wamids that mean different messages."""
    for place, (name, body) in enumerate(collected(), start=1):
        told = json.loads(body)
        for _, _, value in changes_of(told):
            for part in (value, (value or {}).get("recipient")) if isinstance(value, dict) else ():
                if isinstance(part, dict) and "phone_number_id" in (part.get("metadata") or part):
                    (part.get("metadata") or part)["phone_number_id"] = f"90000{place:04d}"
        yield name, told, json.dumps(told).encode()


@pytest.fixture
def client(db: psycopg.Connection, database_url: str, reader: Pool, auditor: Pool) -> Iterator[TestClient]:
    with TestClient(create_app(settings_for(database_url), reader, auditor), headers=KEY) as client:
        yield client


def seconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp())


def words_of(item: dict[str, Any]) -> Iterator[str]:
    """The words of a message that its line has to have."""
    kind = item.get("type") or ""
    part = item.get(kind)
    for each in (part, *(part.values() if isinstance(part, dict) else ())):
        if isinstance(each, dict):
            for key in CHOSEN if kind == "interactive" else WORDS:
                if isinstance(word := each.get(key), str):
                    yield word.strip()


def check_message(client: TestClient, number: str, item: dict[str, Any], where: str) -> None:
    path = f"/admin/messages/{quote(str(item['id']), safe='')}?phone_number_id={number}"
    answer = client.get(path)
    assert answer.status_code == 200, f"{where}: {answer.text}"
    told = answer.json()
    item = {**(item.get("message") if isinstance(item.get("message"), dict) else {}), **item}
    if "status" in item and "type" not in item:
        found = [(each["status"], seconds(each["at"])) for each in told["statuses"]]
        assert (item["status"], unix_seconds(item["timestamp"])) in found, where
        return
    if item.get("type") == "payment":
        assert item["status"] in [each["status"] for each in told["statuses"]], where
        return
    assert told["type"] == item.get("type", told["type"]), where
    assert seconds(told["sent_at"]) == unix_seconds(item["timestamp"]), where
    who = told["sender"] or told["recipient"] or {}
    side = "from" if told["direction"] == "inbound" else "to"
    for key, name in ((side, "wa_id"), (f"{side}_user_id", "bsuid"), (f"{side}_parent_user_id", "parent_bsuid")):
        if (isinstance(item.get(key), str) and not item[key].startswith(("US.", "<"))) or key.endswith("user_id"):
            stated = item.get(key)
            assert not stated or who.get(name) == stated.removeprefix("+"), f"{where}: {key} {who}"
    if told["original_text"] is None:
        for word in words_of(item):
            assert word in told["text"], f"{where}: {word!r} {told['text']!r}"


def test_every_item_is_found_with_its_identity_time_kind_and_text(
    db: psycopg.Connection, database_url: str, client: TestClient
) -> None:
    webhooks = list(with_own_numbers())
    queue(db, *(body for _, _, body in webhooks))
    while work_off(db):
        pass
    parked = set(rows(db, "SELECT event_id, item FROM parked"))
    ids = dict(rows(db, "SELECT sha256, id FROM webhook_events"))
    seen = 0
    for name, told, body in webhooks:
        event_id, met = ids[hash_of(body)], set()
        for path, field, value in changes_of(told):
            number = (value.get("metadata") or {}).get("phone_number_id") if isinstance(value, dict) else None
            for kind, place, item in items_of(path, field, value) if isinstance(value, dict) else ():
                key = (number, item.get("id"), "/statuses/" in place)
                if kind == "message" and (event_id, place) not in parked and (key not in met or key[2]):
                    met.add(key)  # of several messages with one wamid the first is kept
                    seen += 1
                    given = {key: part for key, part in item.items() if part != "thread"}
                    check_message(client, str(number), given, f"{name}: {place}")
    assert seen > 150
    check_account_events(client, webhooks, ids)
    assert verify(database_url)[1] == []


def hash_of(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


def check_account_events(client: TestClient, webhooks: list[tuple[str, Any, bytes]], ids: dict[bytes, int]) -> None:
    """Every change without messages is an account event of its field; found by paging through each field."""
    events: dict[str, list[dict[str, Any]]] = {}
    fields = {field for _, told, _ in webhooks for _, field, _ in changes_of(told) if field}
    for field in fields:
        cursor: str | None = ""
        while cursor is not None:
            page = client.get(
                "/admin/account-events", params={"field": field, "limit": 200} | ({"cursor": cursor} if cursor else {})
            )
            assert page.status_code == 200, page.text
            events.setdefault(field, []).extend(page.json()["account_events"])
            cursor = page.json()["next_cursor"]
    for name, told, _ in webhooks:
        for path, field, value in changes_of(told):
            for kind, place, item in items_of(path, field, value) if isinstance(value, dict) else ():
                if kind == "event" and field not in ("history", "messages", None, "standby"):
                    assert any(each["details"] == item for each in events[field]), f"{name}: {place} {field}"

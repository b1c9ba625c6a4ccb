"""Against a directory of collected webhooks ($WAMCP_CORPUS/whatsapp): every item is found again as a fact."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wamcp.whatsapp.payload.envelope import read_event
from wamcp.whatsapp.payload.facts import Facts
from wamcp.whatsapp.payload.scalars import unix_seconds

MESSAGES = ("messages", "message_echoes", "statuses")
EVENTS = ("calls", "groups", "user_preferences", "state_sync", "user_id_update", "automatic_events", "errors")
EVENTS += ("user_actions",)
LIKE_MESSAGES = (None, "messages", "smb_message_echoes", "message_echoes", "standby", "history")
IDENTIFIERS = ("from", "from_user_id", "to", "to_user_id", "group_id", "status", "system", "message")

pytestmark = pytest.mark.skipif(not os.environ.get("WAMCP_CORPUS"), reason="WAMCP_CORPUS names no collected webhooks")


def collected() -> list[tuple[str, bytes]]:
    """The name and the bytes of each webhook; parts of webhooks are put into an envelope."""
    root = Path(os.environ.get("WAMCP_CORPUS", "/nowhere"), "whatsapp")
    return [(str(path.relative_to(root)), in_an_envelope(path.read_bytes())) for path in sorted(root.rglob("*.json"))]


def in_an_envelope(body: bytes) -> bytes:
    part = json.loads(body)
    if not isinstance(part, dict) or not {"entry", "object"}.isdisjoint(part):
        return body
    if "type" in part and "value" not in part:
        item = {"from": "15550100101", "id": "wamid.partial", "timestamp": "1790000000", **part}
        part = {"metadata": {"phone_number_id": "1"}, "messages": [item]}
    if "value" not in part:
        part = {"field": "history" if "history" in part else "messages", "value": part}
    return json.dumps({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [part]}]}).encode()


def changes_of(body: Any) -> Iterator[tuple[str, str | None, Any]]:
    entries = body.get("entry") if isinstance(body, dict) else None
    for e, entry in enumerate(entries if isinstance(entries, list) else ()):
        for c, change in enumerate(entry.get("changes") or ()):
            yield f"entry/{e}/changes/{c}", change.get("field"), change.get("value")


def items_of(path: str, field: str | None, value: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """(kind of fact, place, item) of everything in a well-formed value, walked independently."""
    inner = value.get("standby") if field == "standby" else None
    for place, part in ((path, value), (f"{path}/standby", inner or {})):
        for key in MESSAGES if field in LIKE_MESSAGES else ():
            for index, item in enumerate(part.get(key) or ()):
                yield "message", f"{place}/{key}/{index}", item
    for h, chunk in enumerate(value.get("history") or ()):
        yield "event", f"{path}/history/{h}", chunk
        for t, thread in enumerate(chunk.get("threads") or ()):
            for m, item in enumerate(thread.get("messages") or ()):
                yield "message", f"{path}/history/{h}/threads/{t}/messages/{m}", {**item, "from": "thread"}
    for key in EVENTS if field in LIKE_MESSAGES else EVENTS[:-2]:
        for index, item in enumerate(value.get(key) or () if isinstance(value.get(key), list) else ()):
            yield "event", f"{path}/{key}/{index}", item


def is_standard(value: dict[str, Any], item: dict[str, Any]) -> bool:
    names_somebody = any(item.get(key) for key in IDENTIFIERS)
    number = (value.get("metadata") or {}).get("phone_number_id")
    return bool(number and item.get("id") and unix_seconds(item.get("timestamp")) and names_somebody)


def places(facts: Facts) -> Counter[str]:
    return Counter(fact.item for fact in (*facts.messages, *facts.statuses, *facts.parked) if fact.item)


def test_every_item_of_every_collected_webhook_is_a_fact_and_standard_ones_are_understood() -> None:
    seen = 0
    for name, body in collected():
        facts = read_event(body)
        found, events = places(facts), {fact.item for fact in facts.account}
        parked = {each.item: each.reason for each in facts.parked}
        for path, field, value in changes_of(json.loads(body)):
            for kind, place, item in items_of(path, field, value) if isinstance(value, dict) else ():
                seen += 1
                assert place in events if kind == "event" else found[place] == 1, f"{name}: {place} {parked}"
                if kind == "message" and is_standard(value, item):
                    assert place not in parked, f"{name}: {place} {parked}"
    assert seen > 250


def test_every_change_of_a_field_without_messages_is_an_account_event() -> None:
    seen = 0
    for name, body in collected():
        facts = read_event(body)
        for path, field, value in changes_of(json.loads(body)):
            if field not in LIKE_MESSAGES and isinstance(value, dict) and value:
                seen += 1
                told = [fact for fact in facts.account if fact.item.startswith(path)]
                assert told, f"{name}: {path} {field}"
                assert all(fact.field == field and fact.text for fact in told), f"{name}: {told}"
    assert seen > 100


def test_no_collected_webhook_is_silent() -> None:
    for name, body in collected():
        told = json.loads(body)
        facts = read_event(body)
        if not told.get("entry") and "entry" in told:
            continue
        assert facts.numbers or facts.parked or facts.account, name


def test_nothing_documented_is_called_unknown() -> None:
    """What is left are keys of gateways, and whole webhooks of another kind in the wrong place."""
    unknown = {fact.path for _, body in collected() for fact in read_event(body).unknowns if fact.kind == "key"}
    strange = {"body.gs_app_id", "body.extra", "account_alerts.value.alert_type", "account_alerts.value.some_data"}
    assert {path for path in unknown if not path.startswith("messages.value.")} <= strange

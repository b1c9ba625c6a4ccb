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

LISTS = ("messages", "message_echoes", "statuses")
FIELDS = (None, "messages", "smb_message_echoes", "message_echoes")


def collected() -> list[Path]:
    root = os.environ.get("WAMCP_CORPUS")
    return sorted(Path(root, "whatsapp").rglob("*.json")) if root else []


def items_of(body: Any) -> Iterator[tuple[str, str | None, dict[str, Any]]]:
    """(path, phone_number_id, item) of every message and status that a well-formed body holds, walked independently."""
    entries = body.get("entry") if isinstance(body, dict) else None
    for e, entry in enumerate(entries if isinstance(entries, list) else ()):
        for c, change in enumerate(entry.get("changes") or ()):
            value = change.get("value")
            if change.get("field") not in FIELDS or not isinstance(value, dict):
                continue
            number = (value.get("metadata") or {}).get("phone_number_id")
            for key in LISTS:
                for index, item in enumerate(value.get(key) or ()):
                    yield f"entry/{e}/changes/{c}/{key}/{index}", number, item


def is_standard(number: str | None, item: dict[str, Any]) -> bool:
    names_somebody = any(
        item.get(key) for key in ("from", "from_user_id", "to", "to_user_id", "group_id", "status", "system")
    )
    return bool(number and item.get("id") and unix_seconds(item.get("timestamp")) and names_somebody)


def places(facts: Facts) -> Counter[str]:
    return Counter(fact.item for fact in (*facts.messages, *facts.statuses, *facts.parked))


@pytest.mark.skipif(not collected(), reason="WAMCP_CORPUS names no collected webhooks")
def test_every_item_of_every_collected_webhook_is_a_fact_and_standard_ones_are_understood() -> None:
    seen = 0
    for path in collected():
        facts = read_event(path.read_bytes())
        found, parked = places(facts), {each.item for each in facts.parked}
        for place, number, item in items_of(json.loads(path.read_bytes())):
            seen += 1
            assert found[place] == 1, f"{path.name}: {place}"
            assert not (is_standard(number, item) and place in parked), f"{path.name}: {place} {facts.parked}"
    assert seen > 0


@pytest.mark.skipif(not collected(), reason="WAMCP_CORPUS names no collected webhooks")
def test_no_collected_webhook_is_silent() -> None:
    for path in collected():
        body = json.loads(path.read_bytes())
        facts = read_event(path.read_bytes())
        if not body.get("entry") and "entry" in body:
            continue
        assert facts.numbers or facts.parked, path.name

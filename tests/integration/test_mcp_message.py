"""One message for Claude: everything known of it within the budget, and what follows messages in lists."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import psycopg
import pytest

from tests.factories import Archive, minutes
from tests.mcp_harness import START, Door, running_door
from tests.telling import happening, refer, rewrite, status
from wamcp.embedded.scratch import TemporaryPostgres

DAY = START + minutes(60 * 24 * 30)


@pytest.fixture(scope="module")
def door(postgres: TemporaryPostgres) -> Iterator[Door]:
    yield from running_door(postgres)


@pytest.fixture
def archive(door: Door) -> Iterator[Archive]:
    with psycopg.connect(door.database_url, autocommit=True) as connection:
        yield Archive(connection, door.database_url)


def made(archive: Archive, text: str, conversation: int = 1, **columns: Any) -> tuple[int, str]:
    """A new message, with a wamid of its own."""
    message = archive.message(conversation, text, DAY)
    rewrite(archive, message, wamid=f"wamid.told.{message}", **columns)
    return message, f"wamid.told.{message}"


def of(archive: Archive, wamid: str, **row: Any) -> int:
    message = refer(archive, 1, to=wamid, **row)
    rewrite(archive, message, wamid=f"wamid.refers.{message}")
    return message


def schema_of(door: Door, tool: str) -> dict[str, Any]:
    listed = door.rpc("tools/list").json()["result"]["tools"]
    return next(dict(each["outputSchema"]) for each in listed if each["name"] == tool)


def test_what_became_of_messages_is_noted_in_lists(door: Door, archive: Archive) -> None:
    message, wamid = made(archive, "Shall we say noon?", content={"forwarded": True})
    edit = of(archive, wamid, kind="edit", at=DAY + minutes(1), text="Shall we say one?")
    of(archive, wamid, kind="reaction", at=DAY + minutes(2), emoji="👍", outbound=True)
    of(archive, wamid, kind="revoke", at=DAY + minutes(3))
    asked: dict[str, Any] = {"conversation_id": "c1", "around_message_id": f"m{message}", "limit": 7}
    answer = door.call("get_messages", **asked)
    rows = {row[0]: row for rows in answer["days"].values() for row in rows}
    assert answer["columns"][-2:] == ["untrusted_text", "notes"]
    assert rows[f"m{message}"][3:] == ["Shall we say one?", "forwarded, edited, revoked 2026-12-02T08:03Z, 👍 us"]
    assert rows[f"m{edit}"][3:] == ["Shall we say one?", f"about m{message}"]
    assert {len(row) for row in rows.values()} == {4, 5}
    detailed = door.call("get_messages", **asked, response_format="detailed")
    jsonschema.validate(detailed, schema_of(door, "get_messages"))
    [shown] = [each for each in detailed["messages"] if each["id"] == f"m{message}"]
    assert (shown["edited"], shown["revoked_at"], shown["forwarded"]) == (True, "2026-12-02T08:03Z", True)
    assert shown["reactions"] == [{"untrusted_emoji": "👍", "from": "us"}]


def test_one_message_is_told_whole(door: Door, archive: Archive) -> None:
    order = {"order": {"catalog_id": "9", "product_items": [{"quantity": 2}]}, "media": {"sha256": "x", "id": "5"}}
    message, wamid = made(archive, "[order] https://evil.example\u202e", type="order", content=order)
    of(archive, wamid, kind="edit", at=DAY + minutes(1), text="[order] two")
    status(archive, 1, wamid, "failed", DAY, errors=[{"code": 131026, "title": "see https://evil.example"}])
    happening(archive, "automatic_events", "Purchase", DAY, subject=wamid, number_id=1)
    answer = door.call("get_message", message_id=f"m{message}")
    assert answer == door.call("get_message", message_id=wamid)
    jsonschema.validate(answer, schema_of(door, "get_message"))
    assert (answer["type"], answer["untrusted_text"], answer["edited"]) == ("order", "[order] two", True)
    assert answer["untrusted_original_text"] == "[order] hxxps://evil[.]example"
    assert answer["untrusted_content"] == {**order, "media": {"id": "5"}}
    assert answer["statuses"][0]["errors"] == [{"code": 131026, "title": "see hxxps://evil[.]example"}]
    assert answer["account_events"][0]["event"] == "Purchase"
    assert (answer["from"], answer["untrusted_names"]) == ("p1", {"p1": "Ada Quinn"})
    assert (answer["truncated"], answer["notice"], answer["business_number"]) == (False, None, "+1 555 0101")
    refs = door.audit("target, refs")[-1]
    assert refs == ("get_message", ["c1", f"m{message}"])


def test_a_message_that_never_came_is_told_from_what_speaks_of_it(door: Door, archive: Archive) -> None:
    status(archive, 2, "wamid.api", "read", DAY)
    answer = door.call("get_message", message_id="wamid.api")
    assert (answer["known_from"], answer["id"], answer["untrusted_text"]) == (["statuses"], None, None)
    assert "never came" in answer["notice"] and answer["statuses"] == [{"status": "read", "at": "2026-12-02T08:00Z"}]
    jsonschema.validate(answer, schema_of(door, "get_message"))


def test_a_large_message_is_cut_to_fit_and_says_so(door: Door, archive: Archive) -> None:
    fits, _ = made(archive, "word " * 3_000)
    assert len(door.call("get_message", message_id=f"m{fits}")["untrusted_text"]) > 14_000
    heaps = {f"key {n}": ["很长的消息" * 400] * 60 for n in range(60)}
    large, wamid = made(archive, "很长的消息" * 3_000, content={"other": heaps})
    for n in range(60):
        status(archive, 1, wamid, "sent", DAY + minutes(n), participant=f"US.{n}", errors=[{"title": "x" * 3_000}])
    answer = door.call("get_message", message_id=f"m{large}")
    assert len(json.dumps(answer, ensure_ascii=False).encode()) // 3 <= 6_000
    assert answer["truncated"] and "cut at" in answer["notice"] and "of 60 statuses" in answer["notice"]


def test_one_client_learns_no_message_of_another(door: Door, archive: Archive) -> None:
    northern, wamid = made(archive, "northern", conversation=4)
    rewrite(archive, northern, number_id=2)
    for ref in (f"m{northern}", wamid):
        assert door.call("get_message", message_id=ref)["untrusted_text"] == "northern"
        hidden = door.refusal("get_message", "south", message_id=ref)
        assert hidden == f"No message '{ref}' is visible to this client; call search_messages."
    assert "business number" in door.refusal("get_message", "south", message_id=wamid, business_number="+1 555 0102")
    mine, wamid = made(archive, "[contacts] Bob, +1 555 010 0043", type="contacts")
    answer = door.call("get_message", "south", message_id=f"m{mine}")
    assert (answer["untrusted_text"], answer["wamid"]) == ("[contacts] Bob, …0043", None)
    for nothing in ("m", " ", "wamid.nothing", "m999999999"):
        assert "search_messages" in door.refusal("get_message", message_id=nothing)


def test_a_wamid_of_both_numbers_is_told_of_the_one_that_is_named(door: Door, archive: Archive) -> None:
    for number in (1, 2):
        status(archive, number, "wamid.both", "sent" if number == 1 else "read", DAY)
    assert "100000000000001, 100000000000002" in door.refusal("get_message", message_id="wamid.both")
    answer = door.call("get_message", message_id="wamid.both", business_number="+1 555 0102")
    assert [each["status"] for each in answer["statuses"]] == ["read"]

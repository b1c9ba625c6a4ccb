"""Claude's questions over HTTP, in both eras of the protocol: shapes, pages, errors, and who sees what."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import psycopg
import pytest

from tests.mcp_harness import Door, running_door
from wamcp.embedded.scratch import TemporaryPostgres

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests/fixtures/mcp_tools.json"
BOTH_ERAS = pytest.mark.parametrize("modern", [True, False], ids=["2026-07-28", "2025-11-25"])
NORTHERN = {"c4", "c5"}


@pytest.fixture(scope="module")
def door(postgres: TemporaryPostgres) -> Iterator[Door]:
    yield from running_door(postgres)


def tools(door: Door) -> dict[str, Any]:
    return {tool["name"]: tool for tool in door.rpc("tools/list").json()["result"]["tools"]}


def ids(answer: dict[str, Any]) -> list[str]:
    """The message ids of an answer, in its order."""
    return [row[0] for rows in answer.get("days", {}).values() for row in rows] + [
        message["id"] for message in answer.get("messages", [])
    ]


def every_page(ask: Callable[..., dict[str, Any]], found: Callable[[dict[str, Any]], list[str]]) -> list[str]:
    seen: list[str] = []
    cursor = None
    while True:
        answer = ask(cursor=cursor)
        seen += found(answer)
        cursor = answer["next_cursor"]
        if cursor is None:
            return seen


@BOTH_ERAS
def test_the_server_introduces_itself(door: Door, modern: bool) -> None:
    params = (
        {}
        if modern
        else {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    )
    result = door.rpc("server/discover" if modern else "initialize", params, modern=modern).json()["result"]
    assert "untrusted" in result["instructions"] and len(result["instructions"]) < 600
    assert "logging" not in result["capabilities"] and "completions" in result["capabilities"]
    info = result["_meta"]["io.modelcontextprotocol/serverInfo"] if modern else result["serverInfo"]
    assert (info["name"], info["title"]) == ("wamcp", "WAMCP")
    if modern:
        assert (result["ttlMs"], result["cacheScope"]) == (300_000, "private")


def test_every_tool_tells_what_it_is_and_does(door: Door) -> None:
    found = tools(door)
    assert set(found) == {
        "get_status", "list_conversations", "get_messages", "get_message", "search_messages", "get_message_stats",
        "list_documents", "get_document",
    }  # fmt: skip
    for name, tool in found.items():
        hints = tool["annotations"]
        assert (hints["readOnlyHint"], hints["destructiveHint"], hints["idempotentHint"]) == (True, False, True)
        assert hints["openWorldHint"] == (name not in {"get_status", "get_message_stats"})
        assert tool["title"] == hints["title"] and len(tool["description"]) <= 300
        assert tool["inputSchema"]["additionalProperties"] is False and tool["outputSchema"]["type"] == "object"
        for parameter in tool["inputSchema"]["properties"].values():
            assert parameter["description"]
        assert all(json.dumps(part).isascii() for part in (tool["description"], tool["inputSchema"])) or "«" in str(
            tool
        )


def test_the_tools_are_those_that_were_reviewed(door: Door) -> None:
    """A change of a tool changes what Claude trusts: review it, then put the new fingerprints into the golden file."""
    prints = {
        name: hashlib.sha256(json.dumps(tool, sort_keys=True).encode()).hexdigest()
        for name, tool in tools(door).items()
    }
    assert json.loads(GOLDEN.read_text()) == prints, f"write this into {GOLDEN.name}: {json.dumps(prints, indent=2)}"


def test_every_tool_and_parameter_is_documented(door: Door) -> None:
    text = (ROOT / "docs/mcp.md").read_text()
    for name, tool in tools(door).items():
        assert f"`{name}`" in text
        for parameter in tool["inputSchema"]["properties"]:
            assert f"`{parameter}`" in text, (name, parameter)


@BOTH_ERAS
@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("get_status", {}),
        ("list_conversations", {"limit": 3}),
        ("list_conversations", {"query": "nobody"}),
        ("get_messages", {"conversation_id": "c1"}),
        ("get_messages", {"conversation_id": "1", "response_format": "detailed", "limit": None}),
        ("search_messages", {"query": "invoice"}),
        (
            "search_messages",
            {"query": "invoice", "response_format": "detailed", "direction": "inbound", "type": "text"},
        ),
        ("search_messages", {"query": "no such words at all"}),
        ("get_message_stats", {"group_by": "status", "business_number": "+1 555 0101", "limit": None}),
        ("get_message_stats", {"group_by": "conversation", "after": "2030-01-01"}),
        ("get_message", {"message_id": "wamid.1.5"}),
    ],
)
def test_answers_keep_to_their_schema(door: Door, tool: str, arguments: dict[str, Any], modern: bool) -> None:
    answer = door.call(tool, modern=modern, **arguments)
    jsonschema.validate(answer, tools(door)[tool]["outputSchema"])


def test_the_status_says_what_this_client_may_see(door: Door) -> None:
    everything, north = door.call("get_status"), door.call("get_status", "north")
    assert (everything["messages"], everything["conversations"]) == (200, 5)
    assert everything["business_numbers"] == ["+1 555 0101", "+1 555 0102"] and "full phone" in everything["can_see"]
    assert north["business_numbers"] == ["+1 555 0102"] and "last four digits" in north["can_see"]
    assert 0 < north["messages"] <= 40
    assert everything["events_pending"] == everything["parked"] == 0
    assert north["events_pending"] is north["parked"] is None, "they would tell of numbers that it may not see"


def test_pages_of_a_conversation_have_no_gap_and_no_double(door: Door) -> None:
    newest = every_page(lambda **more: door.call("get_messages", conversation_id="c1", limit=33, **more), ids)
    oldest = every_page(
        lambda **more: door.call("get_messages", conversation_id="c1", limit=50, order="oldest", **more), ids
    )
    assert len(newest) == len(set(newest)) == 120 and newest == oldest[::-1]


def test_a_message_is_found_and_shown_in_its_surroundings(door: Door) -> None:
    (hit,) = door.call("search_messages", query="(1/60)", conversation_id="c1")["days"].values()
    around = ids(door.call("get_messages", conversation_id="c1", around_message_id=hit[0][0], limit=5))
    assert around[2] == hit[0][0] and len(around) == 5


def test_every_filter_of_the_list_narrows_it(door: Door) -> None:
    def listed(**filters: object) -> list[str]:
        return [item["id"] for item in door.call("list_conversations", **filters)["conversations"]]

    assert listed(query="béla") == listed(query="0100002") == ["c2"]
    assert set(listed(business_number="+1 555 0102")) == NORTHERN
    assert set(listed(unanswered_only=True)) < {"c1", "c2", "c3", "c4", "c5"}
    assert listed(active_after="2026-11-07") == ["c5"]


def test_phone_numbers_are_for_those_who_may(door: Door) -> None:
    assert door.call("list_conversations", query="Ada")["conversations"][0]["phone"] == "+15550100001"
    masked = door.call("list_conversations", "south", query="Ada")["conversations"][0]
    assert masked["phone_last4"] == "0001" and "15550100001" not in json.dumps(masked)


def test_hostile_text_arrives_visible_defanged_and_flagged(door: Door) -> None:
    answer = door.call("search_messages", query="evil.example", conversation_id="c1", response_format="detailed")
    (item,) = answer["messages"]
    assert item["flags"] == ["hidden_chars_removed", "possible_injection"]
    assert "https://" not in json.dumps(answer) and item["links"] == [{"host": "evil.example"}]
    assert not re.search("[\u202a-\u202e\U000e0000-\U000e007f]", json.dumps(answer, ensure_ascii=False))


def test_each_error_is_short_and_names_the_next_step(door: Door) -> None:
    thread: dict[str, Any] = {"conversation_id": "c1"}
    cursor = door.call("get_messages", **thread, limit=2)["next_cursor"]
    refusals = {
        "list_conversations": door.refusal("get_messages", conversation_id="zzz"),
        "2026-11-20": door.refusal("get_messages", **thread, after="yesterday"),
        "swap": door.refusal("get_messages", **thread, after="2026-11-20", before="2026-11-19"),
        "without a cursor": door.refusal("get_messages", **thread, cursor="AAAA"),
        "again without": door.refusal("get_messages", conversation_id="c2", cursor=cursor),
        "call again": door.refusal("get_messages", "south", **thread, cursor=cursor),
        "less than or equal to 100": door.refusal("get_messages", **thread, limit=101),
        "'newest' or 'oldest'": door.refusal("get_messages", **thread, order="best"),
        "query should have at most 200": door.refusal("search_messages", query="x" * 201),
        "limit should be a valid integer": door.refusal("get_messages", **thread, limit="many"),
        "is missing": door.refusal("get_messages"),
        "not a parameter": door.refusal("get_messages", **thread, page=2),
        "at least one word": door.refusal("search_messages", query=" \x00 "),
        "earlier answer": door.refusal("get_messages", **thread, around_message_id="m999999"),
        "business number": door.refusal("list_conversations", business_number="+1 999"),
    }
    for step, text in refusals.items():
        assert step in text and len(text) <= 500 and "pydantic" not in text and "\n" not in text, text


def test_an_unknown_tool_is_told_which_there_are(door: Door) -> None:
    assert "search_messages" in door.refusal("send_message", text="x")


def test_what_is_hidden_and_what_is_not_there_read_the_same(door: Door) -> None:
    hidden, missing = (door.refusal("get_messages", "south", conversation_id=ref) for ref in ("c4", "c9"))
    assert hidden.replace("c4", "c9") == missing
    hidden, missing = (
        door.rpc("resources/read", {"uri": f"wamcp://conversations/{ref}"}, "south").text.replace(ref, "c0")
        for ref in ("c4", "c9")
    )
    assert hidden == missing


@BOTH_ERAS
def test_one_client_sees_nothing_of_another(door: Door, modern: bool) -> None:
    def south(tool: str, **arguments: object) -> dict[str, Any]:
        return door.call(tool, "south", modern=modern, **arguments)

    assert {item["id"] for item in south("list_conversations")["conversations"]} == {"c1", "c2", "c3"}
    found = every_page(lambda **more: south("search_messages", query="invoice", limit=20, **more), ids)
    seen = set(every_page(lambda **more: door.call("search_messages", query="invoice", limit=20, **more), ids))
    assert set(found) < seen
    assert south("search_messages", query="(4/3)")["days"] == {}
    ref = {"type": "ref/prompt", "name": "summarise_conversation"}
    for typed in ("c", "dara", "c4", "0100004"):
        completed = door.rpc(
            "completion/complete",
            {"ref": ref, "argument": {"name": "conversation_id", "value": typed}},
            "south",
            modern=modern,
        ).json()["result"]["completion"]["values"]
        assert not NORTHERN & set(completed)
    assert "Dara" not in door.rpc("resources/read", {"uri": "wamcp://status"}, "south", modern=modern).text


def test_nothing_before_its_first_day_is_seen(door: Door) -> None:
    messages = door.call("get_messages", "north", conversation_id="c4", order="oldest")
    assert min(messages["days"]) >= "2026-11-02"
    assert door.call("get_messages", "north", conversation_id="c4", before="2026-11-02")["days"] == {}


def test_completion_finds_conversations_by_name_and_id(door: Door) -> None:
    def complete(value: str) -> list[str]:
        ref = {"type": "ref/resource", "uri": "wamcp://conversations/{conversation_id}"}
        argument = {"name": "conversation_id", "value": value}
        return list(
            door.rpc("completion/complete", {"ref": ref, "argument": argument}).json()["result"]["completion"]["values"]
        )

    assert complete("béla") == ["c2"] and complete("c3") == ["c3"] and complete("") == []
    assert set(complete("c")) == {"c1", "c2", "c3", "c4", "c5"}
    assert complete("\x00") == complete("%") == []


def test_resources_are_read_and_unknown_ones_refused(door: Door) -> None:
    read = door.rpc("resources/read", {"uri": "wamcp://conversations/c2"}).json()["result"]["contents"][0]
    assert json.loads(read["text"])["conversation"]["id"] == "c2" and read["mimeType"] == "application/json"
    for uri in ("wamcp://conversations/c999", "wamcp://nothing", "wamcp://conversations/..%2F..%2Fetc%2Fpasswd"):
        error = door.rpc("resources/read", {"uri": uri}).json()["error"]
        assert (error["code"], error["data"]) == (-32602, {"uri": uri})


def test_the_prompt_points_to_the_tools_and_takes_strings(door: Door) -> None:
    def prompt(**arguments: str) -> dict[str, Any]:
        return dict(door.rpc("prompts/get", {"name": "summarise_conversation", "arguments": arguments}).json())

    text = prompt(conversation_id="c1", days="3")["result"]["messages"][0]["content"]["text"]
    assert "c1" in text and "3 days" in text and "get_messages" in text
    for wrong in ({"conversation_id": "c1", "days": "many"}, {"conversation_id": "x"}, {}):
        error = prompt(**wrong)["error"]
        assert error["code"] == -32602 and len(error["message"]) < 200 and "pydantic" not in error["message"]


def test_a_page_of_long_messages_shrinks_and_goes_on_exactly(door: Door) -> None:
    long = "很长的消息" * 819
    with psycopg.connect(door.database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO conversations (id, number_id, group_id, message_count, last_message_at, last_inbound_at)"
            " OVERRIDING SYSTEM VALUE VALUES (77, 1, 'group-77', 60, '2026-10-01Z', '2026-10-01Z')"
        )
        connection.execute(
            "INSERT INTO messages (number_id, wamid, conversation_id, event_id, direction, source, type,"
            " sent_at, day, text) SELECT 1, 'wamid.long.' || i, 77, 1, 'inbound', 'webhook', 'text',"
            " timestamptz '2026-10-01Z' - i * interval '1 min', 20726, %s FROM generate_series(1, 60) i",
            [long],
        )
    try:
        answers = []

        def page(**more: object) -> dict[str, Any]:
            answers.append(door.call("get_messages", conversation_id="c77", limit=100, **more))
            return answers[-1]

        seen = every_page(page, ids)
        assert len(seen) == len(set(seen)) == 60
        assert answers[0]["truncated"] and "next_cursor" in answers[0]["notice"]
        assert max(len(json.dumps(answer, ensure_ascii=False)) for answer in answers) < 40_000
    finally:
        with psycopg.connect(door.database_url, autocommit=True) as connection:
            connection.execute("DELETE FROM messages WHERE conversation_id = 77")
            connection.execute("DELETE FROM conversations WHERE id = 77")


def test_cursors_say_nothing_that_a_client_could_change(door: Door) -> None:
    cursor = door.call("get_messages", conversation_id="c1", limit=2)["next_cursor"]
    raw = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    raw[-2] ^= 1
    broken = base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("=")
    assert "again without a cursor" in door.refusal("get_messages", conversation_id="c1", limit=2, cursor=broken)


def test_messages_are_counted_within_what_the_token_may_see(door: Door) -> None:
    everything = door.call("get_message_stats", group_by="conversation")
    assert {row["key"] for row in everything["rows"]} == {f"c{number}" for number in range(1, 6)}
    assert everything["rows"][0] == {"key": "c1", "inbound": 80, "outbound": 40, "failed": 0}
    assert everything["totals"]["inbound"] + everything["totals"]["outbound"] == door.call("get_status")["messages"]
    assert door.audit("target, refs")[-2] == ("get_message_stats", [row["key"] for row in everything["rows"]])
    north = door.call("get_message_stats", "north", group_by="conversation")
    assert {row["key"] for row in north["rows"]} == NORTHERN
    status = door.call("get_status", "north")
    assert north["totals"]["inbound"] + north["totals"]["outbound"] == status["messages"]
    days = door.call("get_message_stats", group_by="day", limit=2)
    assert len(days["rows"]) == 2 and days["truncated"] and "totals" in days["notice"]
    assert days["rows"][0]["key"] > days["rows"][1]["key"]
    hidden = door.refusal("get_message_stats", "south", group_by="day", conversation_id="c4")
    assert hidden == door.refusal("get_message_stats", "south", group_by="day", conversation_id="c99").replace(
        "99", "4"
    )
    assert "'999'" in door.refusal("get_message_stats", group_by="day", business_number="999")
    assert "day" in door.refusal("get_message_stats", group_by="week")

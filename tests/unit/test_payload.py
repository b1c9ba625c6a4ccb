"""Reading Meta's JSON never raises, never drops a neighbour, and gives only what Postgres can store."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_payload_fixtures import FIXTURES, NAMES
from wamcp.whatsapp.payload.envelope import read_event
from wamcp.whatsapp.payload.facts import Facts
from wamcp.whatsapp.payload.scalars import unix_seconds

BODIES = [(FIXTURES / f"{name}.json").read_bytes() for name in NAMES]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
ANY_JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=8), inner))
KNOWN_KEYS = st.sampled_from(
    [
        "object",
        "entry",
        "id",
        "changes",
        "field",
        "value",
        "metadata",
        "phone_number_id",
        "contacts",
        "messages",
        "statuses",
        "message_echoes",
        "from",
        "from_user_id",
        "timestamp",
        "type",
        "text",
        "body",
        "status",
        "errors",
        "context",
        "system",
        "profile",
        "image",
        "interactive",
        "order",
        "edit",
        "location",
        "message",
        "conversation",
    ]
)
NEARLY_META = st.recursive(
    SCALARS | st.sampled_from(["messages", "whatsapp_business_account", "text", "image", "1790000000", "PT.1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KNOWN_KEYS, inner, max_size=6),
    max_leaves=40,
)


def event(*messages: Any, **value: Any) -> bytes:
    number = {"phone_number_id": "700000000000001", "display_phone_number": "15550100000"}
    change = {"field": "messages", "value": {"metadata": number, "messages": messages, **value}}
    return json.dumps({"object": "whatsapp_business_account", "entry": [{"id": "9", "changes": [change]}]}).encode()


def text(**changed: Any) -> dict[str, Any]:
    usual = {"from": "15550100011", "id": "wamid.1", "timestamp": "1790000000", "type": "text"}
    return {**usual, "text": {"body": "hello"}, **changed}


def assert_storable(facts: Facts) -> None:
    for value in everything_in(facts):
        if isinstance(value, str):
            assert "\x00" not in value
            value.encode()
        elif isinstance(value, bytes):
            assert b"\\u0000" not in value.replace(b"\\\\", b"")
            json.loads(value.decode())


def everything_in(value: Any) -> Iterator[Any]:
    if isinstance(value, msgspec.Struct):
        value = [getattr(value, name) for name in value.__struct_fields__]
    if isinstance(value, list | tuple):
        for each in value:
            yield from everything_in(each)
    else:
        yield value


@given(st.binary())
def test_arbitrary_bytes_are_read_or_parked(body: bytes) -> None:
    facts = read_event(body)
    assert [parked.item for parked in facts.parked] == [""] or b'"entry"' in body
    assert_storable(facts)


@pytest.mark.parametrize("body", [b'{"object":"whatsapp_business_account","entry":[]}', b'{"entry":[]}'])
def test_an_event_without_entries_says_nothing_and_parks_nothing(body: bytes) -> None:
    assert read_event(body) == Facts()


@given(ANY_JSON)
def test_arbitrary_json_is_read_or_parked(value: Any) -> None:
    assert_storable(read_event(json.dumps(value).encode()))


@given(NEARLY_META)
def test_json_in_the_words_of_meta_is_read_or_parked(part: Any) -> None:
    assert_storable(read_event(event(part, text(context=part), contacts=part, statuses=[part], more=part)))
    assert_storable(read_event(json.dumps({"entry": part}).encode()))


@given(st.sampled_from(BODIES), st.integers(0, 5000), st.integers(0, 30), st.binary(max_size=6))
def test_damaged_fixtures_are_read_or_parked(body: bytes, at: int, removed: int, put: bytes) -> None:
    at %= len(body)
    assert_storable(read_event(body[:at] + put + body[at + removed :]))


@given(st.sampled_from(BODIES), st.data())
def test_fixtures_with_one_value_replaced_are_read_or_parked(body: bytes, data: st.DataObject) -> None:
    root = json.loads(body)
    node = root
    while isinstance(node, dict | list) and node:
        key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        if not isinstance(node[key], dict | list) or data.draw(st.integers(0, 9)) == 0:
            node[key] = data.draw(ANY_JSON)
            break
        node = node[key]
    assert_storable(read_event(json.dumps(root).encode()))


@pytest.mark.parametrize("inside", [b"%s", b'{"entry":%s}', b'{"object":"whatsapp_business_account","entry":[%s]}'])
def test_very_deep_json_is_parked(inside: bytes) -> None:
    facts = read_event(inside % (b"[" * 100_000 + b"]" * 100_000))
    assert [parked.kind for parked in facts.parked] == ["malformed"]


def test_an_item_as_deep_as_can_just_be_read_harms_no_neighbour() -> None:
    for depth in range(10, 1200, 70):
        body = event(text(id="wamid.2", more="DEEP"), text()).replace(b'"DEEP"', b"[" * depth + b"]" * depth)
        facts = read_event(body)
        assert "wamid.1" in [message.wamid for message in facts.messages] or facts.parked[0].item == ""
        assert len(facts.messages) + len(facts.parked) in (1, 2)


@pytest.mark.parametrize(
    ("damage", "read"),
    [
        (b"\\u0000", "\ufffd"),
        (b"\\ud83d", "\ufffd"),
        (b"\\udc00x", "\ufffdx"),
        (b"\xff", "\ufffd"),
        (b"\x01", "\x01"),
        (b"\\\\u0000", "\\u0000"),
        (b"\\ud83d\\ude42", "🙂"),
    ],
)
def test_what_postgres_cannot_store_is_replaced_and_the_rest_is_kept(damage: bytes, read: str) -> None:
    (message,) = read_event(event(text()).replace(b"hello", b"a" + damage + b"b")).messages
    assert message.text == f"a{read}b"


def test_a_byte_order_mark_does_no_harm() -> None:
    assert len(read_event(b"\xef\xbb\xbf" + event(text())).messages) == 1


def test_numbers_that_no_machine_word_holds_harm_nobody() -> None:
    body = event(text(more="HUGE"), text(id="wamid.2"))
    for number in (b"1e999", b"9" * 30, b"9" * 6000, b"NaN", b"-Infinity"):
        assert len(read_event(body.replace(b'"HUGE"', number)).messages) == 2


def test_identifiers_that_no_index_could_hold_are_parked() -> None:
    facts = read_event(event(text(id="w" * 3000), text(**{"from": "1" * 3000}), text(id="wamid.2")))
    assert [message.wamid for message in facts.messages] == ["wamid.2"]
    assert len(facts.parked) == 2


def test_one_contact_names_all_messages_of_one_sender_but_not_of_two() -> None:
    contact = [{"profile": {"name": "Inês"}}]
    one = read_event(event(text(), text(id="wamid.2"), contacts=contact))
    two = read_event(event(text(), text(**{"from": "15550100012"}), contacts=contact))
    assert [message.person.name for message in one.messages if message.person] == ["Inês", "Inês"]
    assert [message.person.name for message in two.messages if message.person] == [None, None]


def test_a_batch_of_a_thousand_items_is_read_in_linear_time() -> None:
    contacts = [{"wa_id": f"1555010{n:04d}", "profile": {"name": f"No. {n}"}} for n in range(1000)]
    crowd = read_event(event(*(text(**{"from": f"1555010{999 - n:04d}"}) for n in range(1000)), contacts=contacts))
    nobody = read_event(event(*(text(**{"from": None}) for _ in range(1000)), contacts=[{"profile": {"name": "x"}}]))
    assert [message.person.name for message in crowd.messages if message.person][:2] == ["No. 999", "No. 998"]
    assert (crowd.people, len(nobody.parked)) == ([], 1000)


def test_the_digits_of_a_business_scoped_id_are_no_phone_number() -> None:
    (message,) = read_event(event(text(**{"from": "5501", "from_user_id": "AE.5501"}))).messages
    assert message.person is not None
    assert (message.person.bsuid, message.person.wa_id) == ("AE.5501", None)


@pytest.mark.parametrize(
    ("stated", "seconds"),
    [
        ("1790000000", 1790000000),
        (1790000000, 1790000000),
        (1790000000.9, 1790000000),
        ("1790000000.9", 1790000000),
        ("1790000000123", 1790000000),
        (1790000000123, 1790000000),
        ("1", 1),
        ("0", None),
        ("0000000000", None),
        (-5, None),
        ("-5", None),
        ("9999999999", None),
        (True, None),
        (None, None),
        ([], None),
        ("", None),
        ("soon", None),
        ("1_790_000_000", None),
        ("١٧٩٠٠٠٠٠٠٠", None),
        ("9" * 5000, None),
        (float("nan"), None),
        (float("inf"), None),
    ],
)
def test_a_time_is_unix_seconds_however_it_is_written(stated: object, seconds: int | None) -> None:
    assert unix_seconds(stated) == seconds

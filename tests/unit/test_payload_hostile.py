"""Webhooks that were mangled in any way: nothing raises, and no neighbour of a bad item is lost."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import hypothesis.strategies as st
import msgspec
from hypothesis import HealthCheck, given, settings

from tests.unit.test_payload_fixtures import FIXTURES, NAMES
from tests.webhooks import change, text
from wamcp.whatsapp.payload.envelope import read_event
from wamcp.whatsapp.payload.facts import Facts

BODIES = [body for name in NAMES if isinstance(body := json.loads((FIXTURES / f"{name}.json").read_bytes()), dict)]
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(["", "\x00", "\ud800", "wamid.x", "1790000000", "9" * 40, "text", "x" * 5000]),
    st.lists(st.none() | st.text(max_size=3), max_size=3),
    st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=5), max_size=3),
    st.just([[[[{"a": [{}]}]]]]),
)
GOOD = text("wamid.good", "I am fine", at=1_790_000_000)
NEIGHBOUR = change("106540352240009", messages=[GOOD])


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(part, (*path, key))


def mangled(data: st.DataObject, body: Any, keep_from: int = 0) -> Any:
    """``body`` after a few changes, none of them in the first ``keep_from`` steps of a path."""
    body = copy.deepcopy(body)
    for _ in range(data.draw(st.integers(1, 4))):
        found = [path for path in places(body) if len(path) > keep_from]
        if not found:
            break
        *way, last = data.draw(st.sampled_from(found))
        part = body
        for step in way:
            part = part[step]
        action = data.draw(st.sampled_from(["replace", "delete", "add"]))
        if action == "delete":
            del part[last]
        elif action == "replace":
            part[last] = copy.deepcopy(data.draw(JUNK))
        elif isinstance(part, dict):
            part[data.draw(st.text(max_size=12))] = copy.deepcopy(data.draw(JUNK))
        else:
            part.append(copy.deepcopy(data.draw(JUNK)))
    return body


def every_string(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from every_string(key)
            yield from every_string(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from every_string(part)


def assert_storable(facts: Facts) -> None:
    for each in (*facts.messages, *facts.account):
        raw = each.content if hasattr(each, "content") else each.details
        words = [getattr(each, name) for name in each.__struct_fields__ if isinstance(getattr(each, name), str)]
        if raw is not None:
            words += every_string(json.loads(raw))
        assert not any("\x00" in word or any("\ud800" <= letter <= "\udfff" for letter in word) for word in words)
    msgspec.json.encode(facts)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_nothing_raises_and_all_of_it_can_be_stored(data: st.DataObject) -> None:
    assert_storable(read_event(json.dumps(mangled(data, data.draw(st.sampled_from(BODIES)))).encode()))


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_good_change_beside_a_mangled_one_is_read(data: st.DataObject) -> None:
    body = data.draw(st.sampled_from([each for each in BODIES if each.get("entry")]))
    broken = mangled(data, {"entry": body["entry"]}, keep_from=2)
    entries = broken["entry"] if isinstance(broken.get("entry"), list) else []
    whole = {"object": "whatsapp_business_account", "entry": [*entries, {"id": "1", "changes": [NEIGHBOUR]}]}
    facts = read_event(json.dumps(whole).encode())
    assert "I am fine" in [message.text for message in facts.messages]


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_good_message_in_the_list_of_a_mangled_one_is_read(data: st.DataObject) -> None:
    body = data.draw(st.sampled_from([each for each in BODIES if "messages" in json.dumps(each)]))
    items = [
        item
        for entry in body["entry"]
        if isinstance(entry, dict)
        for each in entry.get("changes", [])
        if isinstance(each, dict) and isinstance(each.get("value"), dict)
        for item in each["value"].get("messages") or []
    ]
    broken = mangled(data, {"messages": items}, keep_from=1)["messages"] if items else []
    facts = read_event(
        json.dumps({"object": "whatsapp_business_account", "entry": [
            {"id": "1", "changes": [change("106540352240009", messages=[*broken, GOOD])]}
        ]}).encode()
    )  # fmt: skip
    assert "I am fine" in [message.text for message in facts.messages]
    assert len(facts.messages) + len(facts.parked) == len(broken) + 1

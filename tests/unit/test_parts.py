"""What Meta wrote, as its reader may see it: masked where it must be, whole where it may be, and always JSON."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wamcp.archive.parts import MAX_DEPTH, PHONE_KEYS, shown, shown_text
from wamcp.archive.scope import Scope

SEES_ALL, SEES_LITTLE = (Scope({}, narrowed=False, since=None, phones=phones) for phones in (True, False))
PHONES = ("15550100042", "+1 555 010 0042", "(555) 010-0042", "+1.555.010.0042")


@pytest.mark.parametrize("key", sorted(PHONE_KEYS))
@pytest.mark.parametrize("phone", [*PHONES, 15550100042])
def test_a_phone_number_under_its_key_is_masked(key: str, phone: object) -> None:
    assert shown({"a": [{key: phone}]}, SEES_LITTLE) == {"a": [{key: "…0042"}]}
    assert shown({"a": [{key: phone}]}, SEES_ALL) == {"a": [{key: phone}]}


@pytest.mark.parametrize("value", ["US.70000000000000000001", "order 1555", "123456", None, True, 12, 1.5])
def test_what_is_no_phone_number_stays(value: object) -> None:
    for key in ("from", "id"):
        assert shown({key: value}, SEES_LITTLE) == {key: value}


@pytest.mark.parametrize("phone", PHONES)
def test_in_cards_and_system_messages_every_phone_number_is_masked(phone: str) -> None:
    for part in ("contacts", "system"):
        assert shown({part: [{"any": f"TEL:{phone}, or 12"}]}, SEES_LITTLE) == {part: [{"any": "TEL:…0042, or 12"}]}
        assert shown_text(part, f"[{part}] Bob, {phone}", SEES_LITTLE) == f"[{part}] Bob, …0042"
        assert shown_text(part, phone, SEES_ALL) == phone
    assert shown_text("text", phone, SEES_LITTLE) == phone


def test_ids_of_messages_hold_phone_numbers_and_are_left_out() -> None:
    assert shown({"reaction": {"message_id": "wamid.HBgL"}, "id": "wacid.1"}, SEES_LITTLE) == {
        "reaction": {"message_id": None},
        "id": None,
    }


def test_hostile_lengths_and_depths_cost_little() -> None:
    deep: Any = "15550100042"
    for _ in range(5_000):
        deep = [deep]
    began = time.process_time()
    assert json.dumps(shown(deep, SEES_LITTLE)).count("[") == MAX_DEPTH
    for hostile in (" " * 60_000, "+" * 60_000, "1 " * 30_000 + "x", "1" * 60_000 + "x", "(1" * 30_000):
        shown_text("system", hostile, SEES_LITTLE)
    assert time.process_time() - began < 1


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters()), inner, max_size=4),
    max_leaves=15,
)


@given(_JSON)
def test_what_is_shown_is_always_json(value: Any) -> None:
    for scope in (SEES_ALL, SEES_LITTLE):
        text = json.dumps(shown(value, scope), ensure_ascii=False, allow_nan=False)
        assert json.loads(text.encode()) == shown(value, scope)

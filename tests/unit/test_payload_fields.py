"""Fields without messages: fixtures say exactly what each means, collected webhooks are understood, nothing raises."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.test_payload_fixtures import as_json
from wamcp.vocabulary import Severity
from wamcp.whatsapp.payload.facts import AccountFact, Facts
from wamcp.whatsapp.payload.fields import FIELDS, Place, read_unknown
from wamcp.whatsapp.payload.scalars import unix_seconds
from wamcp.whatsapp.payload.unknown import MOST_UNKNOWNS

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures" / "whatsapp" / "fields"
BODIES = {
    path.stem: json.loads(path.read_text())
    for path in sorted(FIXTURES.glob("*.json"))
    if not path.name.endswith(".expected.json")
}
ELSEWHERE = {"messages", "smb_message_echoes", "message_echoes", "history", "standby", None}
LISTS = [
    "calls",
    "statuses",
    "errors",
    "groups",
    "state_sync",
    "user_preferences",
    "user_id_update",
    "automatic_events",
    "tracking_events",
]
UNDOCUMENTED = {"account_alerts.value.alert_type", "account_alerts.value.some_data"}


def changes(body: Any) -> Iterator[tuple[str, Any, Place]]:
    """Field, value and place of every change in a body."""
    entries = body.get("entry") if isinstance(body, dict) else None
    for e, entry in enumerate(entries if isinstance(entries, list) else ()):
        for c, change in enumerate(entry.get("changes") or ()):
            field, path = change.get("field"), f"entry/{e}/changes/{c}"
            yield (
                field,
                change.get("value"),
                Place(entry.get("id") or "", field or "", path, unix_seconds(entry.get("time"))),
            )


def told(body: Any) -> Facts:
    facts = Facts()
    for field, value, place in changes(body):
        if field not in ELSEWHERE:
            FIELDS.get(field, read_unknown)(value, place, facts)
    return facts


def read(field: str, value: Any, at: int | None = None) -> Facts:
    facts = Facts()
    FIELDS.get(field, read_unknown)(value, Place("900000000000001", field, "entry/0/changes/0", at), facts)
    return facts


def only(field: str, value: Any) -> AccountFact:
    (fact,) = read(field, value).account
    return fact


@pytest.mark.parametrize("name", BODIES)
def test_a_field_says_what_its_fixture_expects(name: str) -> None:
    assert as_json(told(BODIES[name])) == json.loads((FIXTURES / f"{name}.expected.json").read_text())


def test_every_field_has_its_fixture_and_its_line_in_the_documentation() -> None:
    assert BODIES.keys() == FIELDS.keys() | {"new_field"}
    documented = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", (ROOT / "docs/account_events.md").read_text(), re.MULTILINE)
    assert {name for names in documented for name in re.findall(r"`(\w+)`", names)} == FIELDS.keys()


@pytest.mark.parametrize("field", [*FIELDS, "new_field"])
@pytest.mark.parametrize("value", [None, [], {}, 0, "word", [{}], {"colour": "red"}])
def test_a_value_that_says_nothing_is_kept_once(field: str, value: Any) -> None:
    facts = read(field, value)
    (kept,) = (*facts.account, *facts.parked)
    assert kept.item == "entry/0/changes/0"


def test_a_bad_item_is_parked_and_its_neighbours_are_read() -> None:
    facts = read("group_status_update", {"groups": [{"type": "group_suspend"}, [], {}, {"type": "group_create"}]}, 5)
    assert [(fact.item[-8:], fact.event, fact.at) for fact in facts.account] == [
        ("groups/0", "group_suspend", 5),
        ("groups/3", "group_create", 5),
    ]
    assert [(fact.item[-8:], fact.kind) for fact in facts.parked] == [
        ("groups/1", "malformed"),
        ("groups/2", "malformed"),
    ]


def test_the_other_side_of_a_call_is_not_our_number_whatever_the_keys_say() -> None:
    metadata = {"phone_number_id": "7", "display_phone_number": "+1 555-010-0000"}
    call = {"id": "wacid.1", "timestamp": "1790000000", "event": "connect", "direction": "USER_INITIATED"}
    for sides in ({"from": "15550100000", "to": "15550100001"}, {"from": "15550100001", "to": "15550100000"}):
        facts = read("calls", {"metadata": metadata, "calls": [{**call, **sides}]})
        assert facts.messages[0].person is not None
        assert (facts.messages[0].person.wa_id, facts.messages[0].direction) == ("15550100001", "inbound")


@pytest.mark.parametrize(
    ("extra", "text"),
    [
        ({"event": "connect"}, "[call] connect"),
        ({"event": "terminate", "duration": "63"}, "[call] ended after 63 s"),
        ({"event": "terminate", "status": ["Completed"]}, "[call] ended"),
        ({"event": "terminate", "status": "FAILED"}, "[call] missed"),
        ({"event": "terminate", "direction": "BUSINESS_INITIATED", "status": "FAILED"}, "[call] not answered"),
        ({}, "[call]"),
    ],
)
def test_a_call_is_a_line(extra: dict[str, Any], text: str) -> None:
    call = {"id": "wacid.1", "timestamp": 1790000000, "from_user_id": "PT.1", "direction": "USER_INITIATED", **extra}
    (message,) = read("calls", {"metadata": {"phone_number_id": "7"}, "calls": [call]}).messages
    assert (message.text, message.standing) == (text, int(extra.get("event") == "terminate"))


def test_the_only_side_that_a_call_names_is_the_other_party_unless_it_is_ours() -> None:
    metadata = {"phone_number_id": "7", "display_phone_number": "15550100000"}
    call = {"id": "wacid.1", "timestamp": 1790000000, "event": "connect", "direction": "BUSINESS_INITIATED"}
    for side in ("from", "to"):
        (message,) = read("calls", {"metadata": metadata, "calls": [{**call, side: "15550100001"}]}).messages
        assert message.person is not None
        assert (message.person.wa_id, message.direction) == ("15550100001", "outbound")


def test_nobody_is_kept_as_known_to_a_number_that_is_not_named() -> None:
    facts = read("calls", {"calls": [{"id": "wacid.1", "timestamp": "1790000000", "from": "15550100001"}]})
    assert (facts.messages, facts.people, facts.numbers) == ([], [], [])
    assert facts.account[0].person is not None and facts.account[0].person.wa_id == "15550100001"


@pytest.mark.parametrize(
    ("field", "value", "severity"),
    [
        ("account_update", {"event": "ACCOUNT_DELETED"}, Severity.CRITICAL),
        ("account_update", {"event": "DISABLED_UPDATE"}, Severity.CRITICAL),
        ("account_update", {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "REINSTATE"}}, Severity.INFO),
        ("account_update", {"event": "ACCOUNT_RECONNECTED"}, Severity.INFO),
        ("account_update", {"event": "SOMETHING_NEW"}, Severity.INFO),
        ("partner_solutions", {"event": "SOLUTION_UPDATED", "solution_status": "REJECTED"}, Severity.CRITICAL),
        ("account_review_update", {"decision": "DEFERRED"}, Severity.WARNING),
        ("message_template_status_update", {"event": "PENDING_DELETION"}, Severity.WARNING),
        ("message_template_quality_update", {"new_quality_score": "YELLOW"}, Severity.WARNING),
        ("flows", {"event": "FLOW_STATUS_CHANGE", "new_status": "BLOCKED"}, Severity.CRITICAL),
        ("flows", {"event": "ENDPOINT_ERROR_RATE", "alert_state": "ACTIVATED"}, Severity.CRITICAL),
        ("flows", {"event": "ENDPOINT_ERROR_RATE", "alert_state": "DEACTIVATED"}, Severity.INFO),
    ],
)
def test_severity_follows_the_words(field: str, value: dict[str, Any], severity: Severity) -> None:
    assert only(field, value).severity == severity


def test_the_account_of_a_portfolio_event_is_the_one_that_is_named() -> None:
    named = {"event": "PARTNER_REMOVED", "waba_info": {"waba_id": "900000000000002"}}
    assert only("account_update", named).waba_id == "900000000000002"
    assert only("account_update", {"event": "PARTNER_REMOVED"}).waba_id is None
    assert only("partner_solutions", {"event": "SOLUTION_CREATED"}).waba_id is None
    assert only("account_update", {"event": "VERIFIED_ACCOUNT"}).waba_id == "900000000000001"


def test_unknown_keys_are_noted_once_each_and_not_without_end() -> None:
    item = {"type": "group_suspend", "colour": 1}
    facts = read("group_status_update", {"groups": [item, item], **{f"key{n}": n for n in range(2 * MOST_UNKNOWNS)}})
    assert len(facts.unknowns) == MOST_UNKNOWNS
    assert [fact.path for fact in facts.unknowns][:2] == [
        "group_status_update.groups.colour",
        "group_status_update.value.key0",
    ]


def test_lines_and_words_have_an_end() -> None:
    endless = "x" * 10_000
    for field in (*FIELDS, endless):
        facts = read(field, {"event": endless, "message_template_name": endless, "display_phone_number": endless})
        for fact in facts.account:
            assert len(fact.text) <= 600 and len(fact.event) <= 64 and len(fact.field) <= 64
            assert len(fact.subject or "") <= 512 and len(fact.display_phone_number or "") <= 512


def mutated(value: Any, draw: st.DrawFn, odds: int = 6) -> Any:
    """``value`` with some of its parts replaced by anything."""
    if draw(st.integers(0, odds)) == 0:
        return draw(ANYTHING)
    if isinstance(value, dict):
        return {key: mutated(each, draw) for key, each in value.items()}
    return [mutated(each, draw) for each in value] if isinstance(value, list) else value


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, Any]:
    field, value, _ = draw(st.sampled_from([change for body in BODIES.values() for change in changes(body)]))
    return field, mutated(value, draw, odds=20)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("1790000000"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(damaged(), st.none() | st.integers(1, 2_000_000_000))
def test_nothing_raises_and_nothing_is_lost(change: tuple[str, Any], at: int | None) -> None:
    facts = read(*change, at)
    assert facts.account or facts.parked
    numbers = {fact.phone_number_id for fact in facts.numbers}
    assert {fact.phone_number_id for fact in (*facts.people, *facts.identities, *facts.messages)} <= numbers
    places = [fact.item for fact in (*facts.account, *facts.parked)]
    assert len(places) == len(set(places))
    for fact in facts.account:
        json.loads(fact.details)


def collected() -> list[Path]:
    root = os.environ.get("WAMCP_CORPUS")
    return sorted(Path(root, "whatsapp").rglob("*.json")) if root else []


def items_of(value: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Path and item of everything in a value, walked independently; the value itself where it has no items."""
    found = False
    for key in LISTS:
        if "metadata" in value and isinstance(value.get(key), list):
            for index, item in enumerate(value[key]):
                found = True
                yield f"{path}/{key}/{index}", item
    if not found:
        yield path, value


def subject_of(field: str, item: dict[str, Any]) -> Any:
    key = {"calls": "id", "flows": "flow_id", "automatic_events": "id", "partner_solutions": "solution_id"}.get(field)
    if "template" in field and field != "template_status_update":
        key = "message_template_id"
    return item.get("join_request_id") or item.get("request_id") or (str(item[key]) if key else None)


@pytest.mark.skipif(not collected(), reason="WAMCP_CORPUS names no collected webhooks")
def test_every_item_of_every_collected_webhook_is_an_event_with_its_time_and_subject() -> None:
    seen = 0
    for path in collected():
        for field, value, place in changes(json.loads(path.read_bytes())):
            if field in ELSEWHERE:
                continue
            facts = Facts()
            FIELDS.get(field, read_unknown)(value, place, facts)
            assert facts.parked == [], path.name
            events = {fact.item: fact for fact in facts.account}
            items = dict(items_of(value, place.path))
            assert events.keys() == items.keys(), path.name
            for where, item in items.items():
                stated = item.get("timestamp") or (item.get("metadata") or {}).get("timestamp")
                assert events[where].at == (unix_seconds(stated) or place.at), path.name
                assert events[where].text
                if (subject := subject_of(field, item)) is not None:
                    assert events[where].subject == subject, path.name
                seen += 1
            unknown = {fact.path for fact in facts.unknowns if fact.kind == "key"}
            assert unknown <= UNDOCUMENTED, path.name
    assert seen > 100

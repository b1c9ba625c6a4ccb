"""The full mix lives coherently, repeats itself for a seed, and says what it said."""

import json
import re
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from wamcp.errors import Misconfigured
from wamcp.simulator.faults import LARGEST, NONE, SOME, Faults
from wamcp.simulator.lives import SCENES, lives
from wamcp.simulator.mix import EVERYTHING, Mix, parse_mix
from wamcp.simulator.said import Said, SaidMessage
from wamcp.simulator.traffic import traffic
from wamcp.vocabulary import Direction, Standing
from wamcp.whatsapp.payload.envelope import read_event
from wamcp.whatsapp.payload.facts import Facts, MessageFact, Person

MANY = 6000

FIELDS = {
    "messages", "smb_message_echoes", "calls", "standby", "history", "smb_app_state_sync", "messaging_handovers",
    "user_preferences", "automatic_events", "group_lifecycle_update", "group_participants_update",
    "group_settings_update", "group_status_update", "account_update", "account_alerts", "account_review_update",
    "account_settings_update", "business_capability_update", "business_status_update", "business_username_update",
    "message_template_status_update", "message_template_quality_update", "message_template_components_update",
    "template_category_update", "template_correct_category_detection", "phone_number_name_update",
    "phone_number_quality_update", "security", "payment_configuration_update", "partner_solutions", "flows",
    "thread_moods",
}  # fmt: skip
TYPES = {
    "text", "image", "video", "audio", "document", "sticker", "location", "contacts", "interactive", "button", "order",
    "reaction", "edit", "revoke", "system", "unsupported", "call", "template", "media_placeholder", "hologram",
}  # fmt: skip
REPLIES = {"button_reply", "list_reply", "nfm_reply", "call_permission_reply", "payment_method"}


def changes(said: Said) -> Iterator[dict[str, Any]]:
    for entry in json.loads(said.body)["entry"]:
        yield from entry["changes"]


def every(said: list[Said], field: str, key: str) -> Iterator[Any]:
    for webhook in said:
        for change in changes(webhook):
            if change["field"] == field:
                yield from change["value"].get(key, ())


@pytest.fixture(scope="module")
def told() -> list[Said]:
    """Rare kinds are as frequent as common ones, so that few webhooks show them all."""
    return list(lives(2, MANY, mix=Mix({**dict.fromkeys(EVERYTHING, 10.0), "account": 60.0, "status": 60.0})))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    for faults in (NONE, SOME):
        assert list(lives(5, 800, faults=faults)) == list(lives(5, 800, faults=faults))
    assert {said.body for said in lives(5, 800)}.isdisjoint(said.body for said in lives(6, 800))


def test_the_kinds_that_can_be_mixed_are_those_that_happen() -> None:
    assert set(SCENES) == set(EVERYTHING)


def test_every_field_type_and_reply_appears(told: list[Said]) -> None:
    assert {change["field"] for said in told for change in changes(said)} == FIELDS
    assert {message.type for said in told for message in said.messages} == TYPES
    items = [item for item in every(told, "messages", "messages") if item["type"] == "interactive"]
    assert {item["interactive"]["type"] for item in items} == REPLIES
    assert {item["event"] for item in every(told, "calls", "calls")} >= {"connect", "terminate"}
    assert {status.status for said in told for status in said.statuses if not status.kind} == {
        "sent", "delivered", "read", "played", "failed", "glimpsed",
    }  # fmt: skip
    assert {status.kind for said in told for status in said.statuses} == {"", "call", "payment"}
    keys = {key for said in told for change in changes(said) for key in change["value"]}
    assert {"errors", "user_actions", "weather"} <= keys


def test_every_body_is_read_and_a_sound_one_has_nothing_malformed(told: list[Said]) -> None:
    for said in told:
        assert not [parked for parked in read_event(said.body).parked if parked.kind == "malformed"]
        assert said.malformed == 0
        assert not said.again


@pytest.mark.parametrize("faults", [NONE, SOME])
def test_what_is_read_is_what_was_said(faults: Faults) -> None:
    """Statuses of calls are account events; the history says of its messages how far they came."""
    for said in lives(3, MANY, faults=faults):
        facts = read_event(said.body)
        assert Counter(map(_words, facts.messages)) == Counter(map(_words, said.messages))
        statuses = (fact for fact in facts.statuses if b"history" not in (fact.extra or b""))
        assert Counter((fact.wamid, fact.status, fact.participant, fact.at, fact.kind) for fact in statuses) == Counter(
            (each.wamid, each.status, each.participant, each.at, each.kind)
            for each in said.statuses
            if each.kind != "call"
        )
        assert sum(parked.kind == "malformed" for parked in facts.parked) == said.malformed
        named = {identifier for person in said.people for identifier in person.identifiers}
        assert {identifier for person in _people(facts) for identifier in _identifiers(person)} == named


def _people(facts: Facts) -> Iterator[Person]:
    yield from (message.person for message in facts.messages if message.person)
    yield from (status.recipient for status in facts.statuses if status.recipient)
    yield from (fact.person for fact in facts.people)
    yield from (event.person for event in facts.account if event.person)
    for change in facts.identities:
        yield from (change.old, change.new)


def _identifiers(person: Person) -> Iterator[tuple[str, str]]:
    pairs = (("bsuid", person.bsuid), ("parent_bsuid", person.parent_bsuid), ("wa_id", person.wa_id))
    yield from ((kind, value) for kind, value in pairs if value)


def _words(message: SaidMessage | MessageFact) -> tuple[Any, ...]:
    refers = (message.group_id, message.reply_to, message.refers_to)
    text = message.text if message.type == "text" else None
    return message.wamid, message.type, message.direction, message.sent_at, int(message.standing), text, refers


def test_statuses_reactions_edits_and_answers_are_about_messages_that_were_said_before(told: list[Said]) -> None:
    heard: dict[str, SaidMessage] = {}
    for said in told:
        for status in said.statuses:
            assert status.wamid in heard
            assert status.kind or heard[status.wamid].direction is Direction.OUTBOUND
        for message in said.messages:
            for about in (message.refers_to, message.reply_to):
                assert about is None or about in heard
            heard[message.wamid] = message


def test_people_edit_and_delete_what_they_wrote_themselves(told: list[Said]) -> None:
    by = {message.wamid: message for said in told for message in said.messages}
    corrections = [message for message in by.values() if message.type in ("edit", "revoke")]
    assert corrections
    for message in corrections:
        original = by[message.refers_to or ""]
        assert (original.direction, original.customer) == (message.direction, message.customer)


def test_no_identifier_belongs_to_two_people_and_some_people_change_theirs() -> None:
    owners: dict[tuple[str, str], int] = {}
    for said in lives(4, 2 * MANY, people=150):
        for person in said.people:
            for identifier in person.identifiers:
                assert owners.setdefault(identifier, person.customer) == person.customer
    numbers = Counter(customer for (kind, _), customer in owners.items() if kind == "wa_id")
    bsuids = Counter(customer for (kind, _), customer in owners.items() if kind == "bsuid")
    assert max(numbers.values()) > 1 and max(bsuids.values()) > 1
    assert set(bsuids) - set(numbers) and set(numbers) - set(bsuids) and set(numbers) & set(bsuids)


def test_placeholders_are_mostly_followed_by_the_message_they_stand_for(told: list[Said]) -> None:
    best: dict[str, tuple[Standing, str]] = {}
    held: dict[str, str] = {}
    for said in told:
        for message in said.messages:
            if message.standing is Standing.PLACEHOLDER:
                held[message.wamid] = message.type
            best[message.wamid] = max(best.get(message.wamid, (Standing.PLACEHOLDER, "")), message[-1:] + message[2:3])
    for kind in ("unsupported", "media_placeholder", "call"):
        ends = [best[wamid][0] for wamid, held_as in held.items() if held_as == kind]
        assert sum(end is not Standing.PLACEHOLDER for end in ends) / len(ends) > 0.5
    for kind in ("unsupported", "media_placeholder"):
        assert Standing.PLACEHOLDER in {best[wamid][0] for wamid, held_as in held.items() if held_as == kind}
    assert "audio" in {best[wamid][1] for wamid, held_as in held.items() if held_as == "call"}


def test_as_many_come_again_as_asked_in_the_same_bytes_or_in_others() -> None:
    said = list(lives(7, MANY, faults=Faults(duplicates=0.2)))
    same = sum(each.again for each in said)
    heard: set[tuple[Any, ...]] = set()
    retold = 0
    for each in said:
        facts = (*each.messages, *each.statuses)
        retold += any(fact in heard for fact in facts)
        heard.update(facts)
    assert 0.08 < same / MANY < 0.12
    assert len({each.body for each in said}) == MANY - same
    assert 0.17 < retold / MANY < 0.21


def test_batches_hold_up_to_a_thousand_changes_in_several_entries() -> None:
    said = list(lives(8, 1500, faults=Faults(batches=0.3)))
    sizes = [sum(len(change["value"].get("messages", ())) for change in changes(each)) for each in said]
    assert 100 < max(sizes) <= LARGEST
    assert {len(json.loads(each.body)["entry"]) for each in said} == {1, 2}
    assert 0.2 < sum(len(each.messages) + len(each.statuses) > 1 for each in said) / len(said) < 0.45


@pytest.mark.parametrize("faults", [Faults(batches=0.2), Faults(duplicates=0.2), Faults(odd=0.3, broken=0.3)])
def test_what_goes_wrong_loses_nothing_that_was_said(faults: Faults) -> None:
    straight = [message.wamid for said in lives(14, 3000) for message in said.messages]
    wronged = [message.wamid for said in lives(14, 1500, faults=faults) for message in said.messages]
    told = list(dict.fromkeys(wronged))[: len(set(straight)) // 3]
    assert told == list(dict.fromkeys(straight))[: len(told)]


def test_reordering_moves_webhooks_but_loses_none() -> None:
    straight = [said.body for said in lives(9, 1000)]
    mixed = [said.body for said in lives(9, 1000, faults=Faults(reorder=20))]
    assert mixed != straight
    assert len(set(mixed) & set(straight)) > 980
    at = {body: number for number, body in enumerate(straight)}
    assert sorted(mixed, key=lambda body: at.get(body, 0)) != mixed


def test_statuses_can_overtake_their_message() -> None:
    said_at: dict[str, int] = {}
    status_at: dict[str, int] = {}
    for number, said in enumerate(lives(10, MANY, faults=Faults(early=0.3))):
        said_at |= {message.wamid: number for message in said.messages}
        for status in said.statuses:
            status_at.setdefault(status.wamid, number)
    assert any(at < said_at[wamid] for wamid, at in status_at.items() if wamid in said_at)


def test_odd_and_broken_webhooks_have_what_an_archive_must_bear() -> None:
    said = list(lives(11, MANY, faults=Faults(odd=0.5, broken=0.2)))
    bodies = b"\n".join(each.body for each in said)
    assert b"\\u0000!" in bodies and b"\\ud83d!" in bodies
    assert any("\N{REPLACEMENT CHARACTER}" in (message.text or "") for each in said for message in each.messages)
    assert sum(each.malformed for each in said) > 100
    items = [item for item in every(said, "messages", "messages") if isinstance(item, dict)]
    assert {type(item.get("timestamp")) for item in items} == {str, int}
    assert any("delivery_hint" in item for item in items)
    assert any("type" not in item for item in items)
    assert {"", None, "absent"} <= {item.get("from", "absent") for item in items}


def test_memory_does_not_grow_with_the_number_of_webhooks() -> None:
    endless = iter(lives(12, 0, faults=Faults(duplicates=0.02, reorder=8), people=50))
    tracemalloc.start()
    for _ in islice(endless, 1000):
        pass
    before = tracemalloc.get_traced_memory()[0]
    for _ in islice(endless, 2000):
        pass
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 300_000


def test_a_mix_is_a_name_or_weights_and_anything_else_is_refused() -> None:
    assert parse_mix("texts") is None
    assert parse_mix("all") == Mix(EVERYTHING)
    assert parse_mix("text=5, reaction") == Mix({"text": 5.0, "reaction": 1.0})
    for wrong in ("", "gossip", "text=much", "text=-1", "text=inf", "text=nan", "text=0"):
        with pytest.raises(Misconfigured):
            parse_mix(wrong)
    fields = {change["field"] for said in lives(1, 300, mix=Mix({"account": 1.0})) for change in changes(said)}
    assert "messages" not in fields


def test_the_mix_of_texts_knows_no_faults() -> None:
    assert len(list(traffic(1, 5, "texts", NONE, 1.0))) == 5
    with pytest.raises(Misconfigured):
        traffic(1, 5, "texts", SOME, 1.0)


def test_every_kind_that_can_be_mixed_is_documented() -> None:
    documented = (Path(__file__).parents[2] / "docs/commands.md").read_text().partition("The kinds to weigh")[2]
    assert set(re.findall(r"`([a-z]+)`", documented.partition(". The mix")[0])) == set(EVERYTHING)

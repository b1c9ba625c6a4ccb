"""One message and one participant over HTTP: everything known of them, and nothing that the key may not see."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi.testclient import TestClient

from tests.factories import ADMIN, ADMIN_KEY, NOON, Archive, minutes, settings_for
from tests.telling import alias, happening, refer, rewrite, status, wamid_of
from wamcp.access import tokens
from wamcp.access.tokens import NewToken
from wamcp.archive import conversations
from wamcp.archive.asking import asking
from wamcp.archive.conversations import ConversationsQuery
from wamcp.db.session import Pool
from wamcp.vocabulary import TokenKind
from wamcp.web.app import create_app

KEY = {"X-Admin-Api-Key": ADMIN_KEY}
WAMID = "wamid.HBgLMTU1NTAxMDAwNDI/FQIA+EgA=="
PHONE = "15550100042"


@pytest.fixture
def client(archive: Archive, reader: Pool, auditor: Pool) -> Iterator[TestClient]:
    app = create_app(settings_for(archive.url), reader, auditor)
    with TestClient(app, client=("203.0.113.9", 1234), raise_server_exceptions=False) as client:
        yield client


def ask(client: TestClient, path: str, key: dict[str, str] | None = None) -> httpx.Response:
    return client.get(f"/admin/{path}", headers=key or KEY)


def known(client: TestClient, path: str, key: dict[str, str] | None = None) -> dict[str, Any]:
    answer = ask(client, path, key)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def key_of(archive: Archive, **rights: Any) -> dict[str, str]:
    return {
        "X-Admin-Api-Key": tokens.create(archive.connection, NewToken(TokenKind.ADMIN, f"{sorted(rights)}", **rights))
    }


def day_of(moment: datetime) -> int:
    """The number of the day since 1970."""
    return int(moment.timestamp()) // 86_400


def merge(archive: Archive, gone: tuple[int, str], into: tuple[int, str]) -> None:
    """Two participants with their wa_ids."""
    archive.connection.execute(
        "INSERT INTO merges (from_id, into_id, from_scope, from_kind, from_value, into_scope, into_kind, into_value,"
        " made_by) VALUES (%s, %s, 'waba', 'wa_id', %s, 'waba', 'wa_id', %s, 'ops')",
        [gone[0], into[0], gone[1], into[1]],
    )


def test_everything_known_of_a_message_is_one_answer(archive: Archive, client: TestClient) -> None:
    number, ana = archive.number(), archive.person("Ana Souza", username="ana.s")
    alias(archive, ana, "wa_id", "15550100041")
    alias(archive, ana, "bsuid", "US.1")
    alias(archive, ana, "parent_bsuid", "US.ENT.1")
    conversation = archive.conversation(number, ana)
    message = archive.message(conversation, "Hello from the ad")
    content = {"referral": {"source_id": "7", "headline": "Sale"}, "frequently_forwarded": True, "other": {"colour": 1}}
    rewrite(archive, message, wamid=WAMID, party_wa_id=PHONE, content=content, event_id=5)
    edit = refer(archive, conversation, "edit", WAMID, NOON + minutes(1), text="Hello")
    refer(archive, conversation, "reaction", WAMID, NOON + minutes(2), emoji="👍", outbound=True)
    found = known(client, f"messages/{WAMID}")
    assert found == known(client, f"messages/{quote(WAMID, safe='')}") == known(client, f"messages/m{message}")
    assert (found["id"], found["wamid"], found["known_from"]) == (f"m{message}", WAMID, ["message", "referring"])
    assert found["sender"] == {
        **{"participant_id": f"p{ana}", "name": "Ana Souza", "username": "ana.s"},
        **{"wa_id": PHONE, "bsuid": "US.1", "parent_bsuid": "US.ENT.1"},
    }
    assert (found["recipient"], found["text"], found["original_text"]) == (None, "Hello", "Hello from the ad")
    assert (found["forwarded"], found["frequently_forwarded"]) == (True, True)
    assert (found["referral"], found["other"]) == (content["referral"], {"colour": 1})
    assert [(each["type"], each["id"], each["text"]) for each in found["revisions"]] == [("edit", f"m{edit}", "Hello")]
    assert [(each["emoji"], each["by"]) for each in found["reactions"]] == [("👍", "us")]
    assert found["event_ids"] == [1, 5]


def test_an_outbound_message_tells_its_statuses_price_and_errors(archive: Archive, client: TestClient) -> None:
    number, ana = archive.number(), archive.person("Ana Souza", wa_id=PHONE)
    conversation = archive.conversation(number, ana)
    message = archive.message(conversation, "Your order", outbound=True, status="failed")
    wamid = wamid_of(archive, message)
    price, failure = {"category": "utility", "billable": True}, [{"code": 131026, "title": "Undeliverable"}]
    status(archive, number, wamid, "failed", NOON + minutes(2), errors=failure, event_id=9, recipient_id=ana)
    status(archive, number, wamid, "sent", NOON, pricing=price, callback_data="order 7", event_id=8)
    status(archive, number, wamid, "sent", NOON + minutes(1), pricing={"category": "later"}, extra={"a": [1]})
    found = known(client, f"messages/{wamid}")
    assert [(each["status"], each["event_id"]) for each in found["statuses"]] == [
        ("sent", 8),
        ("sent", 1),
        ("failed", 9),
    ]
    assert found["statuses"][0]["callback_data"] == "order 7" and found["statuses"][1]["extra"] == {"a": [1]}
    assert found["statuses"][2]["recipient"]["id"] == f"p{ana}" == found["recipient"]["participant_id"]
    assert (found["status"], found["pricing"], found["errors"]) == ("failed", price, failure)
    assert (found["sender"], found["event_ids"]) == (None, [1, 8, 9])


def test_a_message_that_never_came_is_known_from_what_speaks_of_it(archive: Archive, client: TestClient) -> None:
    number = archive.number()
    conversation = archive.conversation(number)
    archive.message(conversation)
    status(archive, number, "wamid.api", "delivered")
    refer(archive, conversation, "edit", "wamid.lost", NOON, text="New words")
    happening(archive, "calls", "terminate", number_id=number, subject_kind="call", subject="wacid.1")
    happening(archive, "automatic_events", "Purchase", subject_kind="message", subject="wamid.ad")
    sources = {
        "wamid.api": ["statuses"],
        "wamid.lost": ["referring"],
        "wacid.1": ["account_events"],
        "wamid.ad": ["account_events"],
    }
    for wamid, known_from in sources.items():
        found = known(client, f"messages/{wamid}")
        assert (found["known_from"], found["wamid"], found["id"], found["text"]) == (known_from, wamid, None, None)
    assert known(client, "messages/wamid.lost")["revisions"][0]["text"] == "New words"
    assert known(client, "messages/wacid.1")["account_events"][0]["event"] == "terminate"
    for path in ("wamid.nobody", "m999999", "", "m", "wamid.%00", "x" * 999):
        assert ask(client, f"messages/{path}").status_code == 404, path


def test_a_wamid_of_several_numbers_asks_which(archive: Archive, client: TestClient) -> None:
    for name, text in (("111", "first"), ("222", "second")):
        message = archive.message(archive.conversation(archive.number(name, display=None)), text)
        rewrite(archive, message, wamid=WAMID)
    refused = ask(client, f"messages/{WAMID}")
    assert refused.status_code == 400 and "111, 222" in refused.json()["detail"]
    assert known(client, f"messages/{WAMID}?phone_number_id=222")["text"] == "second"
    assert ask(client, f"messages/{WAMID}?phone_number_id=333").status_code == 404
    assert known(client, f"messages/{WAMID}", key_of(archive, numbers=["111"]))["text"] == "first"


def test_a_limited_key_learns_nothing_of_what_lies_outside(archive: Archive, client: TestClient) -> None:
    mine, theirs = archive.number("111", "+1 555 0111"), archive.number("222", "+1 555 0222")
    hidden = archive.message(archive.conversation(theirs), "hidden", NOON + minutes(5))
    old = archive.message(archive.conversation(mine), "old", NOON - minutes(5))
    status(archive, theirs, "wamid.theirs", "sent", NOON)
    status(archive, mine, wamid_of(archive, old), "sent", NOON + minutes(1))
    happening(archive, "calls", "connect", display_phone_number="15550222", subject="wacid.theirs")
    happening(archive, "automatic_events", "Purchase", subject="wamid.account")
    happening(archive, "calls", "connect", display_phone_number="15550111", subject="wacid.mine")
    key = key_of(archive, numbers=["111"], since=NOON, phones=True)
    outside = [f"m{hidden}", wamid_of(archive, hidden), f"m{old}", wamid_of(archive, old)]
    for ref in [*outside, "wamid.theirs", "wacid.theirs", "wamid.account"]:
        assert ask(client, f"messages/{ref}").status_code == 200, ref
        assert ask(client, f"messages/{ref}", key).status_code == 404, ref
    assert known(client, "messages/wacid.mine", key)["phone_number_id"] == "111"


def test_a_key_with_a_first_day_does_not_learn_when_somebody_was_met_before_it(
    archive: Archive, client: TestClient
) -> None:
    early, today = NOON - timedelta(days=9), day_of(NOON)
    ana, twin = archive.person("Ana Souza", wa_id=PHONE), archive.person("Ana S.", wa_id="15550100077")
    for person in (ana, twin):
        archive.message(archive.conversation(person=person), at=NOON)
    archive.connection.execute("UPDATE participant_aliases SET first_seen_at = %s", [early])
    archive.connection.execute("INSERT INTO merge_candidates VALUES (%s, %s, 'number', %s)", [ana, twin, early])
    for name, last in (("Ana Lima", day_of(early)), ("Ana Souza", today)):
        archive.connection.execute(
            "INSERT INTO participant_names VALUES (%s, 'name', %s, %s, %s)", [ana, name, early, last]
        )
    told = known(client, f"participants/p{ana}", key_of(archive, since=NOON - timedelta(days=1)))
    assert [(each["value"], each["first_seen_at"]) for each in told["names"]] == [("Ana Souza", None)]
    assert [each["first_seen_at"] for each in told["aliases"]] == [None]
    assert [each["since"] for each in told["merge_candidates"]] == [None]
    everything = known(client, f"participants/p{ana}")
    assert [each["value"] for each in everything["names"]] == ["Ana Lima", "Ana Souza"]
    assert everything["aliases"][0]["first_seen_at"] == everything["merge_candidates"][0]["since"] is not None


def test_phone_numbers_inside_the_parts_are_masked(archive: Archive, client: TestClient) -> None:
    number, ana = archive.number(), archive.person("Ana Souza", wa_id=PHONE)
    message = archive.message(
        archive.conversation(number, ana), f"Ana changed from {PHONE} to 15550100077", kind="system"
    )
    content = {
        "system": {"body": f"Ana changed from {PHONE} to +1 555-010-0077", "wa_id": "15550100077", "user_id": "US.1"},
        "contacts": [{"vcard": f"TEL;waid={PHONE}:+{PHONE}", "phones": [{"phone": f"+{PHONE}", "wa_id": int(PHONE)}]}],
        "other": {"from": PHONE, "media_id": "1234567890123", "to_wamid": WAMID, "odd": "\ud800"},
    }
    rewrite(archive, message, wamid=WAMID, content=content, party_wa_id=PHONE, refers_to="wamid.other")
    status(archive, number, WAMID, "sent", participant=PHONE, extra={"recipient_id": PHONE, "hash": "abc"})
    happening(archive, "calls", "connect", subject=WAMID, details={"from": PHONE, "to": "US.7"}, number_id=number)
    found = ask(client, f"messages/{WAMID}", key_of(archive))
    assert PHONE not in found.text and "15550100077" not in found.text and "010-0077" not in found.text
    assert WAMID not in found.text and "wamid." not in found.text
    told = found.json()
    assert (told["text"], told["sender"]["wa_id"]) == ("Ana changed from …0042 to …0077", "…0042")
    assert told["other"] == {"from": "…0042", "media_id": "1234567890123", "to_wamid": None, "odd": "?"}
    assert told["contacts"][0]["phones"] == [{"phone": "…0042", "wa_id": "…0042"}]
    assert told["statuses"][0]["extra"] == {"recipient_id": "…0042", "hash": "abc"}
    assert told["account_events"][0]["details"] == {"from": "…0042", "to": "US.7"}
    whole = known(client, f"messages/{WAMID}")
    assert whole["system"] == content["system"] and whole["contacts"] == content["contacts"]


def test_a_participant_is_told_with_his_past(archive: Archive, client: TestClient) -> None:
    number = archive.number()
    ana, other, gone = archive.person("Ana S.", username="ana.s"), archive.person("A. Souza"), archive.person("Anna")
    alias(archive, ana, "wa_id", PHONE)
    alias(archive, ana, "bsuid", "US.1", NOON + minutes(1))
    alias(archive, gone, "wa_id", "15550100077")
    archive.connection.execute(
        "INSERT INTO participant_names VALUES (%(p)s, 'name', 'Ana Souza', %(at)s, 20514),"
        " (%(p)s, 'book', 'Ana (bakery)', %(at)s, 20515)",
        {"p": ana, "at": NOON},
    )
    archive.connection.execute("INSERT INTO merge_candidates VALUES (%s, %s, 'number', %s)", [ana, other, NOON])
    merge(archive, (gone, "15550100077"), (ana, PHONE))
    conversation = archive.conversation(number, ana)
    archive.message(conversation)
    happening(archive, "user_preferences", "stop", participant_id=ana, number_id=number)
    found = known(client, f"participants/p{ana}")
    assert found == known(client, f"participants/{ana}")
    assert [(each["kind"], each["value"], each["last_seen_day"]) for each in found["names"]] == [
        ("book", "Ana (bakery)", "2026-03-03"),
        ("name", "Ana Souza", "2026-03-02"),
    ]
    assert [(each["participant_id"], each["kind"], each["value"]) for each in found["aliases"]] == [
        (f"p{ana}", "wa_id", PHONE),
        (f"p{gone}", "wa_id", "15550100077"),
        (f"p{ana}", "bsuid", "US.1"),
    ]
    assert [each["id"] for each in found["conversations"]] == [f"c{conversation}"]
    assert [(each["participant"]["id"], each["reason"]) for each in found["merge_candidates"]] == [
        (f"p{other}", "number")
    ]
    [told] = found["merges"]
    assert (told["participant"], told["into"], told["made_by"], told["undone_at"]) == (
        *(f"p{gone}", f"p{ana}"),
        *("ops", None),
    )
    assert [each["event"] for each in found["account_events"]] == ["stop"]
    assert known(client, f"participants/p{gone}")["merged_into"] == f"p{ana}"


def test_a_participant_is_in_the_groups_that_he_joined_and_did_not_leave(archive: Archive, client: TestClient) -> None:
    number, ana = archive.number(), archive.person("Ana", wa_id=PHONE)
    alias(archive, ana, "bsuid", "US.1")
    me, by_id = {"wa_id": int(PHONE)}, {"user_id": "US.1"}
    story = [
        ("bakers", 0, {"type": "group_create", "subject": "Bakers"}),
        ("bakers", 1, {"added_participants": [{"input": f"+{PHONE}"}]}),
        ("left", 1, {"added_participants": [me, {"user_id": "US.2"}]}),
        ("left", 2, {"removed_participants": [by_id]}),
        ("back", 1, {"added_participants": [by_id]}),
        ("back", 2, {"removed_participants": [me]}),
        ("back", 3, {"added_participants": [by_id]}),
        ("failed", 1, {"failed_participants": [me]}),
        ("others", 1, {"added_participants": [{"wa_id": f"{PHONE}9"}, {"user_id": "US.11"}]}),
    ]
    for group, at, details in story:
        happening(archive, "groups", "", NOON + minutes(at), group_id=group, number_id=number, details=details)
    happening(archive, "groups", "group_delete", NOON + minutes(9), group_id="back", number_id=number)
    found = known(client, f"participants/p{ana}")["groups"]
    assert [
        (each["group_id"], each["subject"], each["since"][11:16], each["left_at"] and each["left_at"][11:16])
        for each in found
    ] == [
        ("back", None, "12:03", "12:09"),
        ("left", None, "12:01", "12:02"),
        ("bakers", "Bakers", "12:01", None),
    ]


def test_the_list_of_participants_is_searched_and_paged(archive: Archive, client: TestClient) -> None:
    people = [archive.person(f"Person {n}", wa_id=f"1555010009{n}", username=f"u{n}") for n in range(5)]
    first = known(client, "participants?limit=3")
    second = known(client, f"participants?limit=3&cursor={first['next_cursor']}")
    ids = [each["id"] for each in first["participants"] + second["participants"]]
    assert ids == [f"p{person}" for person in reversed(people)] and second["next_cursor"] is None
    for q in ("person 3", "@u3", "0100093"):
        assert [each["id"] for each in known(client, f"participants?q={q}")["participants"]] == [f"p{people[3]}"]
    assert ask(client, "participants?cursor=abc").status_code == 400


def test_the_number_of_who_was_merged_finds_who_stands_for_him(
    archive: Archive, client: TestClient, reader: Pool
) -> None:
    numbers = ["15550100071", "15550100072", "15550100073"]
    first, second, third = (archive.person("Ana", wa_id=number) for number in numbers)
    merge(archive, (first, numbers[0]), (second, numbers[1]))
    merge(archive, (second, numbers[1]), (third, numbers[2]))
    conversation = archive.conversation(person=third)
    archive.message(conversation)
    for number in numbers:
        with asking(reader) as connection:
            found = conversations.list_newest(connection, ADMIN, ConversationsQuery(text=f"+{number}")).items
        assert [item.id for item in found] == [conversation]
        assert f"p{third}" in [each["id"] for each in known(client, f"participants?q={number}")["participants"]]


def test_a_limited_key_sees_the_people_of_its_numbers(archive: Archive, client: TestClient) -> None:
    mine, theirs = archive.number("111"), archive.number("222")
    ana, bob, member = archive.person("+1 555 010 0042", wa_id=PHONE), archive.person("Bob"), archive.person("Emi")
    archive.message(archive.conversation(mine, ana))
    archive.message(archive.conversation(theirs, bob))
    rewrite(archive, archive.message(archive.conversation(mine, group="group-1")), sender_id=member)
    archive.connection.execute("INSERT INTO merge_candidates VALUES (%s, %s, 'number', %s)", [ana, bob, NOON])
    happening(archive, "user_preferences", "stop", participant_id=ana, number_id=theirs)
    key = key_of(archive, numbers=["111"])
    assert [each["id"] for each in known(client, "participants", key)["participants"]] == [f"p{ana}"]
    assert ask(client, f"participants/p{bob}", key).status_code == 404
    assert (
        ask(client, "participants/p99", key).json()["detail"].replace("p99", f"p{bob}")
        == (ask(client, f"participants/p{bob}", key).json()["detail"])
    )
    assert known(client, f"participants/p{member}", key)["name"] == "Emi"
    answer = ask(client, f"participants/p{ana}", key)
    found = answer.json()
    assert (found["name"], found["wa_id"], found["aliases"][0]["value"]) == ("…0042", "…0042", "…0042")
    assert (found["merge_candidates"], found["account_events"]) == ([], [])
    assert PHONE not in answer.text


@pytest.mark.parametrize("path", ["participants/x", "participants/p", "participants/p" + "9" * 30])
def test_what_is_no_participant_is_said_to_be_none(client: TestClient, path: str) -> None:
    assert ask(client, path).status_code == 404

"""People are cut out of webhooks to the byte: what is theirs goes, what stands beside it stays as it was written."""

import json
from typing import Any

import pytest

from tests.webhooks import ACCOUNT, OFFICE, change, contact, event, status, text
from wamcp.whatsapp.payload.cutting import NOTHING, cut_out
from wamcp.whatsapp.payload.envelope import read_event
from wamcp.whatsapp.payload.gone import Gone, Until
from wamcp.whatsapp.payload.spans import Cuts, parts_of

ANA, RUI = "15550100101", "15550100102"
THEN, NOW = 1_770_000_000, 1_770_100_000
GONE = Gone(
    people={
        (ACCOUNT, "wa_id", ANA): Until(NOW, True),
        (ACCOUNT, "bsuid", "US.11111111"): Until(NOW, True),
    },
    messages=frozenset({(OFFICE, "wamid.ana/1")}),
    callbacks=frozenset({"wamcp-1234"}),
    scopes={OFFICE: ACCOUNT},
)


def cut(body: bytes, received_at: int = NOW) -> bytes:
    found = cut_out(body, GONE, received_at)
    return body if found is None else found.body


def values(body: bytes) -> list[dict[str, Any]]:
    return [each["value"] for entry in json.loads(body)["entry"] for each in entry["changes"]]


def test_a_message_goes_and_its_neighbours_stay_byte_for_byte() -> None:
    kept = '{"id": "wamid.2" ,"timestamp":"1770000000","type":"text","from":"15550100102","text":{"body":"ol\\u00e1"}}'
    gone = json.dumps(text("wamid.1", "secret"))
    body = event(change(contacts=[contact(ANA, "Ana"), contact(RUI, "Rui")], messages=[])).replace(
        b'"messages": []', f'"messages": [{gone},  {kept}, {gone}]'.encode()
    )
    left = cut(body)
    assert kept.encode() in left
    assert b"secret" not in left and b"Ana" not in left and ANA.encode() not in left
    assert [each.wamid for each in read_event(left).messages] == ["wamid.2"]
    assert left == event(change(contacts=[contact(RUI, "Rui")], messages=[])).replace(
        b'"messages": []', f'"messages": [{kept}]'.encode()
    )


def test_a_change_of_which_nothing_is_left_still_names_our_number() -> None:
    body = event(change(contacts=[contact(ANA, "Ana")], messages=[text("wamid.1", "secret")]))
    left = cut(body)
    assert b"secret" not in left and b"Ana" not in left
    facts = read_event(left)
    assert facts.numbers == read_event(body).numbers
    assert (facts.messages, facts.people, facts.parked, facts.unknowns, facts.account) == ([], [], [], [], [])


@pytest.mark.parametrize("at", [0, NOW + 50])
def test_what_they_write_afterwards_is_new(at: int) -> None:
    body = event(change(contacts=[contact(ANA, "Ana")], messages=[text("wamid.9", "hello again", at=NOW + 10)]))
    assert cut(body, received_at=NOW + 20 + at) == body


@pytest.mark.parametrize(
    "late",
    [
        change(contacts=[contact(ANA, "Ana")], messages=[text("wamid.ana/1", "secret", at=NOW + 500)]),
        change(contacts=[contact(ANA, "Ana")], messages=[text("wamid.old", "secret", at=THEN)]),
        change(contacts=[contact(ANA, "Ana")], statuses=[status("wamid.ana/1", "read", at=NOW + 500, secret="secret")]),
        change(statuses=[status("w.x", "read", at=NOW + 5, to="", biz_opaque_callback_data="wamcp-1234", s="secret")]),
        change(field="smb_message_echoes", message_echoes=[{**text("wamid.e", "secret", sender=None), "to": ANA}]),
        change(field="history", history=[{"metadata": {"phase": 0}, "threads": [
            {"id": ANA, "context": {"name": "Ana"}, "messages": [text("wamid.h", "secret")]}]}]),
        change(field="standby", standby={"contacts": [contact(ANA, "Ana")], "messages": [text("wamid.s", "secret")]}),
        change(field="calls", contacts=[contact(ANA, "Ana")], calls=[
            {"id": "wacid.1", "event": "terminate", "timestamp": str(THEN), "from": ANA, "to": "1", "note": "secret"}]),
    ],
)  # fmt: skip
def test_what_comes_late_does_not_bring_them_back(late: dict[str, Any]) -> None:
    left = cut(event(late), received_at=NOW + 1000)
    facts = read_event(left)
    assert (facts.messages, facts.statuses, facts.people, facts.parked) == ([], [], [], [])
    for word in (b"secret", ANA.encode(), b'"Ana"'):
        assert word not in left


def test_what_others_say_of_them_is_blanked_where_it_names_them() -> None:
    quoting = text("wamid.5", "indeed", sender=RUI, group_id="g1", context={"from": ANA, "id": "wamid.ana/1"})
    reacting = {"id": "wamid.6", "timestamp": str(THEN), "type": "reaction", "from": RUI, "group_id": "g1",
                "reaction": {"message_id": "wamid.ana\\/1", "emoji": "x"}}  # fmt: skip
    body = event(change(messages=[quoting, reacting])).replace(b"\\\\/", b"\\/")
    facts = read_event(cut(body))
    assert [(each.text, each.reply_to, each.refers_to) for each in facts.messages] == [
        ("indeed", None, None),
        ("[reaction] x", None, None),
    ]
    assert ANA.encode() not in cut(body)


def test_members_of_a_group_go_one_by_one() -> None:
    joined = {"type": "group_participants_add", "group_id": "g1", "timestamp": str(THEN), "added_participants": [
        {"wa_id": ANA, "username": "ana.secret"}, {"wa_id": RUI}, {"input": "+1 555-010-0101"}]}  # fmt: skip
    left = cut(event(change(field="group_participants_update", groups=[joined])))
    assert values(left)[0]["groups"][0]["added_participants"] == [{"wa_id": RUI}]


def test_an_event_that_was_only_about_them_is_not_parked_for_being_empty() -> None:
    asked = {"type": "group_join_request_created", "group_id": "g1", "timestamp": str(THEN), "wa_id": ANA}
    body = event(change(field="group_participants_update", contacts=[contact(RUI, "Rui")], groups=[asked]))
    facts = read_event(cut(body))
    assert (facts.parked, facts.account) == ([], [])
    assert facts.numbers == read_event(body).numbers


def test_whoever_has_the_phone_number_now_keeps_it() -> None:
    hers = text("wamid.7", "I am somebody else", from_user_id="US.22222222")
    body = event(change(contacts=[contact(ANA, "Eva", user_id="US.22222222")], messages=[hers]))
    assert cut(body) == body


def test_a_contact_without_identifier_goes_with_the_message_whose_it_may_be() -> None:
    left = cut(
        event(change(contacts=[contact(None, "Ana")], messages=[text("wamid.1", "x"), text("w.2", "y", sender=RUI)]))
    )
    assert values(left)[0]["contacts"] == []
    assert [each.wamid for each in read_event(left).messages] == ["w.2"]


@pytest.mark.parametrize("body", [b'{"entry": [' + ANA.encode(), b"hello " + ANA.encode(), b'"wamid.ana/1'])
def test_bytes_that_nobody_can_read_go_whole(body: bytes) -> None:
    assert cut(body) == NOTHING
    assert cut(body.replace(ANA.encode(), RUI.encode()).replace(b"ana", b"rui")) != NOTHING


def test_parked_items_that_name_them_go() -> None:
    body = event(change(messages=[{"from": ANA, "text": {"body": "secret"}}, {"from": RUI, "text": {"body": "kept"}}]))
    left = cut(body)
    assert b"secret" not in left and b"kept" in left
    assert [fact.item for fact in read_event(left).parked] == ["entry/0/changes/0/messages/0"]


def test_other_accounts_are_left_alone() -> None:
    body = event(change("999", messages=[text("wamid.1", "x")]), account="77")
    assert cut(body) == body


def test_escaped_and_numeric_identifiers_are_seen() -> None:
    body = event(change(messages=[{**text("wamid.1", "secret"), "from": int(ANA)}]))
    assert b"secret" not in cut(body)
    body = event(change(messages=[text("wamid.1", "secret")])).replace(b'"from": "1', b'"from": "\\u0031')
    assert b"secret" not in cut(body)


@pytest.mark.parametrize("gone", [(0,), (2,), (0, 1), (1, 2), (0, 2), (0, 1, 2), ()])
def test_elements_are_taken_out_with_their_commas(gone: tuple[int, ...]) -> None:
    written = b' {"a": [ 1 , {"b": [true, null]} ,"x\\"]"] , "c": -1.5e3}'
    root, cuts = parts_of(written), Cuts()
    array = root.get("a")
    assert array is not None
    for index in gone:
        cuts.remove(array, index)
    expected = [each for index, each in enumerate([1, {"b": [True, None]}, 'x"]']) if index not in gone]
    assert json.loads(cuts.apply(written)) == {"a": expected, "c": -1500}
    assert gone or cuts.apply(written) == written

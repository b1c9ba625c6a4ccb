"""What Meta's reply means for a send, and the raw event of one that Meta took."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from wamcp.db.sends import SendRow
from wamcp.db.windows import OurNumber
from wamcp.sending.outcome import Accepted, Refusal, read_reply
from wamcp.sending.raw import raw_event
from wamcp.vocabulary import Direction, Source
from wamcp.whatsapp.graph import Reached, Reply
from wamcp.whatsapp.graph_errors import After, read_error
from wamcp.whatsapp.payload.envelope import read_event

NUMBER = OurNumber("106540352240001", 1, "15550100000", "102290129340001", "102290129340001")
SEND = SendRow(
    id=12,
    callback="wamcp-ab",
    origin="api",
    asked_by="admin key",
    asked_at=datetime(2026, 3, 2, 12, 0, tzinfo=UTC),
    fingerprint=b"",
    retry_of=None,
    phone_number_id=NUMBER.phone_number_id,
    recipient_kind="phone",
    recipient="15550100001",
    type="text",
    body={
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "+15550100001",
        "type": "text",
        "text": {"body": "Hello", "preview_url": False},
        "context": {"message_id": "wamid.EARLIER"},
    },
    media_row_id=None,
    state="sent",
    attempts=1,
    lease_until=None,
    next_attempt_at=datetime(2026, 3, 2, 12, 0, tzinfo=UTC),
    called_at=datetime(2026, 3, 2, 12, 0, 1, tzinfo=UTC),
    settled_at=None,
    wamid="wamid.SENT",
    error_code=None,
    error=None,
    reason=None,
    window_open_until=None,
    outside_window=False,
    leased=False,
)


def answered(status: int, data: dict[str, Any] | None, retry_after_s: float | None = None) -> Reply:
    return Reply(Reached.ANSWERED, status, data, read_error(data) if data else None, retry_after_s)


def error(code: int, **more: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": f"(#{code})", **more}}


def test_an_accepted_message_has_a_wamid_and_perhaps_identifiers() -> None:
    contacts = [{"input": "+15550100001", "wa_id": "15550100001", "user_id": "US.42"}]
    assert read_reply(answered(200, {"messages": [{"id": "wamid.A"}], "contacts": contacts})) == Accepted(
        "wamid.A", "15550100001", "US.42"
    )
    assert read_reply(answered(200, {"messages": [{"id": "wamid.A"}]})) == Accepted("wamid.A", None, None)


def test_the_digits_of_a_bsuid_are_no_phone_number() -> None:
    contacts = [
        {"input": "US.13491208655302741918", "wa_id": "13491208655302741918", "user_id": "US.13491208655302741918"}
    ]
    said = read_reply(answered(200, {"messages": [{"id": "wamid.A"}], "contacts": contacts}))
    assert said == Accepted("wamid.A", None, "US.13491208655302741918")


@pytest.mark.parametrize(
    ("reply", "after"),
    [
        (Reply(Reached.NOT_SENT, reason="ConnectError"), After.LATER),
        (Reply(Reached.UNANSWERED, reason="ReadError"), After.UNKNOWN),
        (answered(200, None), After.UNKNOWN),
        (answered(200, {"success": True}), After.UNKNOWN),
        (answered(200, {"messages": []}), After.UNKNOWN),
        (answered(200, {"messages": [{"id": 7}]}), After.UNKNOWN),
        (answered(502, None), After.UNKNOWN),
        (answered(429, None), After.LATER),
        (answered(404, None), After.REFUSED),
        (answered(400, error(130429)), After.LATER),
        (answered(400, error(131056)), After.PAIR),
        (answered(401, error(190)), After.REPLACE),
        (answered(400, error(131047)), After.REFUSED),
        (answered(500, error(131000)), After.UNKNOWN),
        (answered(400, error(999999, is_transient=True)), After.UNKNOWN),
    ],
)
def test_every_other_reply_says_what_may_be_done(reply: Reply, after: After) -> None:
    said = read_reply(reply)
    assert isinstance(said, Refusal) and said.after == after and said.failure.reason
    assert (said.wait is not None) == (after in (After.LATER, After.PAIR, After.UNKNOWN))


def test_meta_is_given_the_time_it_asks_for_within_reason() -> None:
    said = read_reply(answered(429, error(130429), retry_after_s=7))
    assert isinstance(said, Refusal) and said.wait is not None and said.wait.least_s == 7
    said = read_reply(answered(429, None, retry_after_s=999_999))
    assert isinstance(said, Refusal) and said.wait is not None and said.wait.least_s == 3600


def test_a_sent_message_is_read_from_its_raw_event() -> None:
    facts = read_event(raw_event(SEND, NUMBER, wa_id="15550100001", user_id="US.42"))
    (message,) = facts.messages
    assert facts.parked == [] and facts.unknowns == []
    assert (message.wamid, message.text, message.type) == ("wamid.SENT", "Hello", "text")
    assert (message.direction, message.source) == (Direction.OUTBOUND, Source.SEND)
    assert (message.sent_at, message.reply_to) == (1772452801, "wamid.EARLIER")
    assert message.person is not None
    assert (message.person.wa_id, message.person.bsuid) == ("15550100001", "US.42")
    (number,) = facts.numbers
    assert (number.phone_number_id, number.waba_id) == (NUMBER.phone_number_id, NUMBER.waba_id)


def test_who_was_written_to_is_known_without_metas_help() -> None:
    to_a_bsuid = replace(SEND, recipient_kind="bsuid", recipient="US.42", body={**SEND.body, "recipient": "US.42"})
    to_a_bsuid.body.pop("to")
    to_a_group = replace(
        SEND, recipient_kind="group", recipient="G1", body={**SEND.body, "recipient_type": "group", "to": "G1"}
    )
    for send, expected in (
        (SEND, ("15550100001", None, None)),
        (to_a_bsuid, (None, "US.42", None)),
        (to_a_group, (None, None, "G1")),
    ):
        (message,) = read_event(raw_event(send, NUMBER)).messages
        person = message.person
        assert (person and person.wa_id, person and person.bsuid, message.group_id) == expected


@pytest.mark.parametrize(
    ("kind", "part", "line"),
    [
        ("image", {"link": "https://example.com/a.jpg", "caption": "The tiles"}, "The tiles"),
        ("location", {"latitude": 41.15, "longitude": -8.61, "name": "Workshop"}, "Workshop"),
        ("reaction", {"message_id": "wamid.EARLIER", "emoji": "\U0001f44d"}, "\U0001f44d"),
        ("contacts", [{"name": {"formatted_name": "Ana Pinto"}, "phones": [{"phone": "+15550100002"}]}], "Ana Pinto"),
        (
            "interactive",
            {
                "type": "button",
                "body": {"text": "Which?"},
                "action": {"buttons": [{"type": "reply", "reply": {"id": "a", "title": "Blue"}}]},
            },
            "Which?",
        ),
        (
            "template",
            {
                "name": "hello_world",
                "language": {"code": "en_US"},
                "components": [{"type": "body", "parameters": [{"type": "text", "text": "John"}]}],
            },
            "John",
        ),
    ],
)
def test_every_kind_that_we_send_has_a_line(kind: str, part: object, line: str) -> None:
    body = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "+15550100001",
        "type": kind,
        kind: part,
    }
    facts = read_event(raw_event(replace(SEND, type=kind, body=body), NUMBER))
    (message,) = facts.messages
    assert message.type == kind and line in message.text
    assert facts.parked == []
    assert json.dumps([fact.path for fact in facts.unknowns]) == "[]"

"""Sending, with everything that can go wrong at Meta: bounded time, the right state, the right words, nothing twice."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.sending_office import ANA, DEADLINE_S, RUI, Office, office, text_for
from tests.webhooks import change, contact, event, text
from wamcp.db.sends import SendsQuery
from wamcp.errors import Conflict, NotSendable, NotVisible, Uncertain
from wamcp.ingest.reprocess import reprocess, verify
from wamcp.sending.desk import number_of
from wamcp.sending.told import SendAnswer
from wamcp.sending.wanted import Recipient
from wamcp.vocabulary import RecipientKind, SendState
from wamcp.whatsapp.graph import Graph

NUMBER, WABA = "700000000000001", "900000000000001"


@pytest.fixture
def here(database_url: str, tmp_path: Path) -> Iterator[Office]:
    with office(database_url, tmp_path / "objects") as opened:
        yield opened


def wrote(
    here: Office, person: str = ANA, *, at: int | None = None, wamid: str = "wamid.IN1", kind: str = "text"
) -> None:
    """``person`` writes to us."""
    moment = int(time.time()) if at is None else at
    item = text(wamid, "Good morning", sender=person, at=moment)
    if kind == "reaction":
        item |= {"type": "reaction", "reaction": {"message_id": "wamid.X", "emoji": "\U0001f44d"}}
        item.pop("text")
    here_change = change(NUMBER, contacts=[contact(person, "Ana Prado")], messages=[item])
    from tests.understanding import understand

    understand(here.db, event(here_change, account=WABA))


def eventually_settled(here: Office, send_id: str, state: SendState, seconds: float = 5.0) -> SendAnswer:
    end = time.monotonic() + seconds
    while True:
        here.settle()
        told = here.desk.look(int(send_id[1:]))
        if told.state == state or time.monotonic() > end:
            assert told.state == state, told
            return told
        time.sleep(0.05)


def test_a_text_goes_out_once_and_appears_in_its_conversation(here: Office) -> None:
    told = here.send(words="The tiles are ready")
    assert told.state == SendState.SENT and told.error is None and told.attempts == 1
    (call,) = here.calls()
    assert told.wamid == call["wamid"]
    callback = call["body"].pop("biz_opaque_callback_data")
    assert call["body"] == text_for(ANA, "The tiles are ready").body
    assert here.rows("SELECT callback FROM sends") == [(callback,)]
    here.meta.wait_for(lambda entry: entry["kind"] == "webhook" and entry["about"] == "read")
    here.settle()
    found = here.rows("SELECT wamid, direction, source, type, text FROM messages")
    assert found == [(told.wamid, "outbound", "send", "text", "The tiles are ready")]
    told = here.desk.look(1)
    assert (told.delivery, told.conversation_id) == ("read", "c1")


FAILURES: list[tuple[str, dict[str, Any], SendState, bool, str]] = [
    (
        "429 with Retry-After",
        {"answer": {"status": 429, "code": 130429, "retry_after": 7}},
        SendState.QUEUED,
        False,
        "faster than Meta allows",
    ),
    ("429 bare", {"answer": {"status": 429}}, SendState.QUEUED, False, "slow down"),
    ("number rate", {"answer": {"status": 400, "code": 130429}}, SendState.QUEUED, False, "faster than Meta allows"),
    ("pair rate", {"answer": {"status": 400, "code": 131056}}, SendState.QUEUED, False, "same recipient"),
    ("app calls", {"answer": {"status": 400, "code": 4}}, SendState.QUEUED, False, "too many calls"),
    ("account calls", {"answer": {"status": 400, "code": 80007}}, SendState.QUEUED, False, "too many calls"),
    ("maintenance", {"answer": {"status": 400, "code": 131057}}, SendState.QUEUED, False, "maintenance"),
    ("503", {"status": 503}, SendState.UNKNOWN, False, "trouble"),
    ("500 with a code", {"answer": {"status": 500, "code": 131000}}, SendState.UNKNOWN, False, "went wrong"),
    ("transient", {"answer": {"status": 400, "code": 999, "is_transient": True}}, SendState.UNKNOWN, False, "trouble"),
    ("time-out before", {"timeout": "before"}, SendState.UNKNOWN, False, "may have been sent"),
    ("time-out after", {"timeout": "after"}, SendState.UNKNOWN, True, "may have been sent"),
    ("reset before", {"reset": "before"}, SendState.UNKNOWN, False, "may have been sent"),
    ("reset after", {"reset": "after"}, SendState.UNKNOWN, True, "may have been sent"),
    ("garbage, accepted", {"garbage": True, "accepted": True}, SendState.UNKNOWN, True, "none of Meta's"),
    ("garbage, not accepted", {"garbage": True, "accepted": False}, SendState.UNKNOWN, False, "none of Meta's"),
    ("slow drip", {"drip": 0.2}, SendState.UNKNOWN, True, "may have been sent"),
    ("slow drip of headers", {"drip": 0.2, "headers": True}, SendState.UNKNOWN, True, "may have been sent"),
    ("expired token", {"answer": {"status": 401, "code": 190}}, SendState.FAILED, False, "token"),
    ("window", {"answer": {"status": 400, "code": 131047}}, SendState.FAILED, False, "24 hours"),
    ("undeliverable", {"answer": {"status": 400, "code": 131026}}, SendState.FAILED, False, "cannot be delivered"),
    ("permission", {"answer": {"status": 403, "code": 200}}, SendState.FAILED, False, "permission"),
    ("spam", {"answer": {"status": 400, "code": 131048}}, SendState.FAILED, False, "spam"),
    ("html 404", {"status": 404}, SendState.FAILED, False, "refused"),
]


@pytest.mark.parametrize(
    ("do", "state", "taken", "words"), [case[1:] for case in FAILURES], ids=[case[0] for case in FAILURES]
)
def test_every_failure_ends_in_time_in_the_right_state_with_the_right_words(
    here: Office, do: dict[str, Any], state: SendState, taken: bool, words: str
) -> None:
    here.meta.script([{"when": {"path": "/messages"}, "times": 1, "do": do}])
    began = time.monotonic()
    told = here.send()
    assert time.monotonic() - began < DEADLINE_S + 4.0
    assert told.state == state and told.error is not None
    assert words in told.error.meaning and told.error.advice
    assert len(here.accepted()) == taken
    if state == SendState.QUEUED:
        assert told.next_attempt_at is not None and here.drain() == 0, "it has to wait first"
        here.hurry()
        assert here.drain() == 1
        assert here.desk.look(1).state == SendState.SENT
        assert len(here.accepted()) == 1
    else:
        here.hurry()
        assert here.drain() == 0, "nothing is sent again by itself"
        assert len(here.calls()) == 1


@pytest.mark.parametrize("do", [{"timeout": "after"}, {"reset": "after"}, {"garbage": True, "accepted": True}])
def test_what_was_taken_without_our_knowing_is_settled_by_its_status(here: Office, do: dict[str, Any]) -> None:
    here.meta.script([{"when": {"path": "/messages"}, "times": 1, "do": do}])
    told = here.send(words="Are you there?")
    assert told.state == SendState.UNKNOWN and told.wamid is None
    told = eventually_settled(here, told.send_id, SendState.SENT)
    assert [told.wamid] == here.accepted()
    assert here.rows("SELECT wamid, text FROM messages") == [(told.wamid, "Are you there?")]
    assert told.error is None


def test_what_nobody_speaks_of_stays_unknown_until_a_person_decides(here: Office) -> None:
    here.meta.script([{"when": {"path": "/messages"}, "times": 1, "do": {"timeout": "before"}}])
    here.send()
    here.settle()
    assert here.desk.look(1).state == SendState.UNKNOWN
    with pytest.raises(Conflict, match="even_if_unknown"):
        here.desk.retry(1, "a person", even_if_unknown=False)
    here.hurry()
    again = here.desk.retry(1, "a person", even_if_unknown=True)
    assert again.state == SendState.SENT and again.retry_of == "s1"
    with pytest.raises(Conflict, match="s2 tries s1 again"):
        here.desk.retry(1, "a person", even_if_unknown=True)
    with pytest.raises(Conflict, match="only what failed"):
        here.desk.retry(2, "a person", even_if_unknown=True)
    with pytest.raises(NotVisible):
        here.desk.retry(77, "a person", even_if_unknown=True)


def test_while_meta_is_in_trouble_few_sends_become_unknown(here: Office) -> None:
    here.meta.script([{"when": {"path": "/messages"}, "do": {"status": 503}}])
    for number in range(20):
        here.send(person=f"155501000{number:02d}")
        here.drain()
    states = dict(here.rows("SELECT state, count(*) FROM sends GROUP BY state"))
    assert states["unknown"] <= 3 and states["queued"] >= 17
    here.meta.script([])
    here.hurry()
    here.drain()
    assert len(here.accepted()) == states["queued"]


def test_a_refused_token_stops_everything_until_it_is_replaced(here: Office) -> None:
    here.meta.account(token={"is_valid": False})
    first = here.send()
    assert first.state == SendState.FAILED and first.error is not None and first.error.code == 190
    assert "WHATSAPP_ACCESS_TOKEN" in first.error.advice
    calls = len(here.calls())
    second = here.send(person=RUI)
    assert second.state == SendState.FAILED and len(here.calls()) == calls, "Meta is not asked again"
    here.meta.account(token={"is_valid": True})
    here.hurry()
    assert here.send(person=RUI).state == SendState.SENT
    assert here.rows("SELECT * FROM send_stops") == []


def test_what_waits_in_the_queue_outlives_a_refused_token(here: Office) -> None:
    here.meta.script([{"times": 1, "do": {"answer": {"status": 400, "code": 131056}}}])
    assert here.send().state == SendState.QUEUED
    here.meta.account(token={"is_valid": False})
    here.hurry()
    here.drain()
    assert here.desk.look(1).state == SendState.QUEUED
    here.meta.account(token={"is_valid": True})
    here.hurry()
    here.drain()
    assert here.desk.look(1).state == SendState.SENT and len(here.accepted()) == 1


def test_without_a_connection_nothing_is_lost(here: Office) -> None:
    with Graph("http://127.0.0.1:9", "v25.0", "a-token") as nowhere:
        deaf = replace(here, desk=replace(here.desk, means=replace(here.means, graph=nowhere)))
        told = deaf.send()
    assert told.state == SendState.QUEUED and told.error is not None and "could not be reached" in told.error.meaning
    here.hurry()
    here.drain()
    assert here.desk.look(1).state == SendState.SENT and len(here.accepted()) == 1


def test_the_same_key_never_sends_twice(here: Office) -> None:
    first = here.send(idempotency_key="order 17")
    again = here.send(idempotency_key="order 17")
    assert again.replayed and not first.replayed
    assert (again.send_id, again.wamid, again.state) == (first.send_id, first.wamid, SendState.SENT)
    with pytest.raises(NotSendable, match="another request"):
        here.send(words="Something else", idempotency_key="order 17")
    assert len(here.calls()) == 1
    here.db.execute("UPDATE sends SET asked_at = now() - interval '8 days'")
    assert not here.send(words="Something else", idempotency_key="order 17").replayed


def test_a_key_in_flight_is_a_conflict(here: Office) -> None:
    here.send(idempotency_key="order 17")
    here.db.execute("UPDATE sends SET state = 'sending', lease_until = now() + interval '10 seconds'")
    with pytest.raises(Conflict, match="under way"):
        here.send(idempotency_key="order 17")


def test_messages_to_one_person_keep_their_order(here: Office) -> None:
    here.meta.script([{"times": 1, "do": {"answer": {"status": 400, "code": 131056}}}])
    for words in ("one", "two", "three"):
        assert here.send(words=words).state == SendState.QUEUED
    assert here.send(person=RUI, words="to somebody else").state == SendState.SENT
    here.hurry()
    while here.drain():
        pass
    said = [call["body"]["text"]["body"] for call in here.calls() if call["accepted"]]
    assert said == ["to somebody else", "one", "two", "three"]


def test_the_window_is_told_and_metas_word_counts(here: Office) -> None:
    outside = here.send()
    assert outside.window_open_until is None and "24 hours" in outside.warnings[0]
    now = int(time.time())
    wrote(here, at=now - 3600)
    wrote(here, at=now - 60, wamid="wamid.IN2", kind="reaction")
    inside = here.send()
    assert inside.warnings == [] and inside.window_open_until is not None
    assert inside.window_open_until.timestamp() == now - 3600 + 86_400
    here.meta.account(open_windows="known")
    refused = here.send(person=RUI)
    assert refused.state == SendState.FAILED and refused.error is not None and refused.error.code == 131047
    assert "template" in refused.error.advice


def test_a_closed_window_can_be_asked_to_refuse(here: Office) -> None:
    with pytest.raises(NotSendable, match="POST /send/template"):
        here.send(require_open_window=True)
    assert here.calls() == [] and here.rows("SELECT count(*) FROM sends") == [(0,)]
    wrote(here)
    assert here.send(require_open_window=True).state == SendState.SENT


def test_both_spellings_of_a_number_have_one_window(here: Office) -> None:
    wrote(here, person="5511975501234")
    assert here.send(person="551175501234").window_open_until is not None


def test_the_number_that_sends_is_chosen_or_refused(here: Office) -> None:
    assert here.send(sender=NUMBER).from_phone_number_id == NUMBER
    here.settle()
    assert here.send(sender="+1 555 010 0001").from_phone_number_id == NUMBER
    with pytest.raises(NotSendable, match="none of our numbers; known are: 700000000000001"):
        here.send(sender="15550100099")
    homeless = replace(here.means, settings=here.means.settings.model_copy(update={"phone_number_id": None}))
    with pytest.raises(NotSendable, match="WHATSAPP_PHONE_NUMBER_ID"):
        number_of([], homeless, None)


def test_a_file_goes_to_meta_before_its_message(here: Office) -> None:
    import io

    row = here.desk.keep_upload(io.BytesIO(b"%PDF-1.7 invented"), "application/pdf", "offer.pdf", None)
    body = {**text_for(ANA).body, "type": "document", "document": {"filename": "offer.pdf"}}
    body.pop("text")
    wanted = replace(text_for(ANA), type="document", body=body, media_row_id=row)
    here.meta.script([{"when": {"path": "/media"}, "times": 1, "do": {"status": 503}}])
    assert here.desk.send(wanted).state == SendState.QUEUED
    here.hurry()
    here.drain()
    (call,) = here.calls()
    assert call["accepted"] and call["body"]["document"]["filename"] == "offer.pdf" and call["body"]["document"]["id"]
    assert (
        here.desk.send(
            replace(wanted, recipient=Recipient(RecipientKind.PHONE, RUI), body={**body, "to": f"+{RUI}"})
        ).state
        == SendState.SENT
    )
    uploads = [entry for entry in here.meta.wire() if entry["kind"] == "request" and entry["path"].endswith("/media")]
    assert len(uploads) == 2, "the file that Meta knows is not brought again"
    here.settle()
    carried = "SELECT m.source, x.media_row_id FROM messages m JOIN message_media x USING (number_id, wamid)"
    assert here.rows(carried) == [("send", row)] * 2
    assert here.rows("SELECT state, next_attempt_at IS NOT NULL FROM documents") == [("pending", True)] * 2
    assert verify(here.url)[1] == []
    reprocess(here.url)
    assert here.rows(carried) == [("send", row)] * 2 and here.rows("SELECT count(*) FROM documents") == [(2,)]


def test_what_no_database_can_hold_is_refused(here: Office) -> None:
    for words in ("a\0b", "half \ud83d of a pair"):
        with pytest.raises(NotSendable):
            here.send(words=words)
    assert here.calls() == []
    assert here.send(words="a \\u0000 that somebody typed").state == SendState.SENT


def test_a_send_that_waited_too_long_fails_and_says_why(here: Office) -> None:
    here.meta.script([{"do": {"answer": {"status": 400, "code": 131056}}}])
    here.send()
    here.db.execute("UPDATE sends SET asked_at = now() - interval '61 minutes'")
    here.settle()
    told = here.desk.look(1)
    assert told.state == SendState.FAILED and told.error is not None and told.error.code == 131056
    assert told.error.advice.endswith("POST /admin/sends/s1/retry")


def test_a_status_that_says_failed_is_told_with_the_send(here: Office) -> None:
    here.meta.account(undeliverable=[ANA])
    told = here.send()
    assert told.state == SendState.SENT
    here.meta.wait_for(lambda entry: entry["kind"] == "webhook" and entry["about"] == "failed")
    here.settle()
    assert here.desk.look(1).delivery == "failed"


def test_when_the_database_goes_away_the_asker_is_told_where_to_look(here: Office) -> None:
    here.means.pool.close()
    with pytest.raises(Uncertain, match="GET /admin/sends"):
        here.send()


def test_sends_are_listed_newest_first_by_what_is_asked(here: Office) -> None:
    here.meta.account(undeliverable=[])
    here.meta.script([{"when": {"to": f"+{RUI}"}, "do": {"answer": {"status": 400, "code": 131026}}}])
    for person in (ANA, RUI, ANA):
        here.send(person)
    newest = [send.send_id for send in here.desk.newest(SendsQuery())]
    assert newest == ["s3", "s2", "s1"]
    for query, found in (
        (SendsQuery(state="failed"), ["s2"]),
        (SendsQuery(recipient=ANA), ["s3", "s1"]),
        (SendsQuery(origin="echo"), []),
        (SendsQuery(before=3, limit=1), ["s2"]),
        (SendsQuery(phone_number_id=NUMBER, state="sent"), ["s3", "s1"]),
    ):
        assert [send.send_id for send in here.desk.newest(query)] == found

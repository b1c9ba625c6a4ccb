"""What facts become: account events, unknown words, reactions that say what they were to, counts of what is said."""

import itertools
from typing import Any

import psycopg
import pytest

from tests.understanding import rows
from wamcp.db.threads import RECOUNT
from wamcp.ingest.keep import Again, Event, keep
from wamcp.whatsapp.payload.facts import (
    AccountFact,
    Facts,
    MessageFact,
    NumberFact,
    Person,
    StatusFact,
    UnknownFact,
)

NUMBER, ACCOUNT, AT = "106540352240001", "215589313240001", 1_770_000_000
NUMBERS = [NumberFact(NUMBER, "15550100001", ACCOUNT)]
ANA = Person(wa_id="15550100101", name="Ana")


def message(wamid: str, **more: Any) -> MessageFact:
    given: dict[str, Any] = {
        "item": wamid, "phone_number_id": NUMBER, "wamid": wamid, "direction": "inbound", "source": "webhook",
        "type": "text", "sent_at": AT, "person": ANA, "group_id": None, "text": f"text of {wamid}", "reply_to": None,
        "refers_to": None, "standing": 2, "content": None,
    }  # fmt: skip
    return MessageFact(**given | more)


def reaction(wamid: str, to: str, emoji: str = "👍") -> MessageFact:
    return message(wamid, type="reaction", refers_to=to, text=f"[reaction] {emoji}")


def happened(details: str, **more: Any) -> AccountFact:
    given: dict[str, Any] = {
        "item": "x", "field": "account_update", "event": "VERIFIED_ACCOUNT", "at": AT, "waba_id": ACCOUNT,
        "phone_number_id": None, "display_phone_number": None, "group_id": None, "person": None, "subject_kind": None,
        "subject": None, "severity": "info", "text": "The account was verified.", "details": details.encode(),
    }  # fmt: skip
    return AccountFact(**given | more)


def say(db: psycopg.Connection, event_id: int, again: Again = Again.NO, **facts: Any) -> None:
    with db.transaction():
        keep(db, [Event(event_id, AT + event_id, Facts(numbers=NUMBERS, **facts))], again)


def texts(db: psycopg.Connection) -> dict[str, str]:
    return dict(rows(db, "SELECT wamid, text FROM messages ORDER BY wamid"))


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("together", [False, True])
def test_a_reaction_says_what_it_was_to_whichever_came_first(
    db: psycopg.Connection, order: tuple[int, ...], together: bool
) -> None:
    said = [message("wamid.1", text="Blue tiles,\n  20x20?"), reaction("wamid.2", "wamid.1"), reaction("wamid.3", "x")]
    if together:
        say(db, 1, messages=[said[each] for each in order])
    for event_id, each in enumerate(order if not together else (), start=1):
        say(db, event_id, messages=[said[each]])
    wanted = {
        "wamid.1": "Blue tiles,\n  20x20?",
        "wamid.2": "[reaction] 👍 to: Blue tiles, 20x20?",
        "wamid.3": "[reaction] 👍",
    }
    assert texts(db) == wanted
    for event_id, each in enumerate(order if not together else (), start=1):
        say(db, event_id, Again.YES, messages=[said[each]])
    assert texts(db) == wanted
    assert rows(db, "SELECT wamid FROM messages WHERE tsv @@ to_tsquery('public.wa', 'tiles') ORDER BY 1") == [
        ("wamid.1",),
        ("wamid.2",),
    ]


def test_a_reaction_to_a_ghost_says_what_the_real_message_says(db: psycopg.Connection) -> None:
    say(db, 1, messages=[message("wamid.1", type="unsupported", text="[unsupported]", standing=0)])
    say(db, 2, messages=[reaction("wamid.2", "wamid.1")])
    say(db, 3, messages=[message("wamid.1", text="Hello")])
    assert texts(db)["wamid.2"] == "[reaction] 👍 to: Hello"


def test_a_reaction_whose_emoji_is_a_sentence_stays_the_same_in_any_order(db: psycopg.Connection) -> None:
    say(db, 1, messages=[message("wamid.1"), reaction("wamid.2", "wamid.1", "x to: y")])
    say(db, 2, messages=[reaction("wamid.4", "wamid.3", "x to: y")])
    say(db, 3, messages=[message("wamid.3")])
    assert texts(db)["wamid.2"] == "[reaction] x to: text of wamid.1"
    assert texts(db)["wamid.4"] == "[reaction] x to: text of wamid.3"


COUNTS = (
    "SELECT message_count, extract(epoch FROM last_message_at)::bigint, extract(epoch FROM last_inbound_at)::bigint,"
    " extract(epoch FROM last_outbound_at)::bigint FROM conversations"
)


def test_system_messages_are_not_counted_and_reactions_ask_for_no_answer(db: psycopg.Connection) -> None:
    say(db, 1, messages=[message("wamid.1"), message("wamid.2", direction="outbound", source="echo", sent_at=AT + 5)])
    say(db, 2, messages=[message("wamid.3", type="system", sent_at=AT + 20)])
    for number, kind in enumerate(("reaction", "edit", "revoke"), start=4):
        say(db, number, messages=[message(f"wamid.{number}", type=kind, refers_to="wamid.1", sent_at=AT + 10)])
    assert rows(db, COUNTS) == [(5, AT + 10, AT, AT + 5)]
    for statement in RECOUNT:
        db.execute(statement)
    assert rows(db, COUNTS) == [(5, AT + 10, AT, AT + 5)]


def test_a_message_that_turns_out_to_be_another_kind_is_counted_anew(db: psycopg.Connection) -> None:
    say(db, 1, messages=[message("wamid.1", type="unsupported", standing=0, sent_at=AT + 9), message("wamid.2")])
    assert rows(db, COUNTS) == [(2, AT + 9, AT + 9, None)]
    say(db, 2, messages=[message("wamid.1", type="system", sent_at=AT + 9)])
    assert rows(db, COUNTS) == [(1, AT, AT, None)]


def test_an_account_event_is_kept_once_however_often_and_however_written_it_comes(db: psycopg.Connection) -> None:
    say(db, 1, account=[happened('{"event":"VERIFIED_ACCOUNT","n":1}')])
    say(db, 2, account=[happened('{"n": 1, "event": "VERIFIED_ACCOUNT"}'), happened('{"n":2}')])
    assert rows(db, "SELECT event_id, details::text FROM account_events ORDER BY id") == [
        (1, '{"event":"VERIFIED_ACCOUNT","n":1}'),
        (2, '{"n":2}'),
    ]


def test_an_account_event_knows_its_number_its_person_and_when_it_came(db: psycopg.Connection) -> None:
    say(db, 7, account=[happened("{}", at=None, phone_number_id=NUMBER, person=ANA)])
    assert rows(
        db,
        "SELECT n.phone_number_id, p.name, extract(epoch FROM a.at)::bigint FROM account_events a"
        " JOIN numbers n ON n.id = a.number_id JOIN participants p ON p.id = a.participant_id",
    ) == [(NUMBER, "Ana", AT + 7)]


def test_reading_again_takes_back_account_events_that_are_not_said_any_longer(db: psycopg.Connection) -> None:
    say(db, 1, account=[happened('{"n":1}'), happened('{"n":2}')])
    say(db, 2, account=[happened('{"n":3}')])
    say(db, 1, Again.YES, account=[happened('{"n":1}', text="Told better.")])
    assert rows(db, "SELECT details::text, text FROM account_events ORDER BY id") == [
        ('{"n":1}', "Told better."),
        ('{"n":3}', "The account was verified."),
    ]


def test_unknown_words_are_counted_with_their_first_and_last_event(
    db: psycopg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    colour = UnknownFact("key", "messages.text.colour")
    say(db, 5, unknowns=[colour, colour])
    say(db, 3, unknowns=[colour])
    say(db, 3, Again.YES, unknowns=[colour])
    assert rows(
        db,
        "SELECT kind, path, count, first_event_id, last_event_id, extract(epoch FROM first_seen_at)::bigint,"
        " extract(epoch FROM last_seen_at)::bigint FROM unknowns",
    ) == [("key", "messages.text.colour", 3, 3, 5, AT + 3, AT + 5)]
    said = capsys.readouterr()
    assert (said.out + said.err).count("unknown_seen") == 1


def test_a_payment_status_is_kept_and_moves_nothing(db: psycopg.Connection) -> None:
    plain = StatusFact("s", NUMBER, "wamid.1", "sent", "", AT, ANA, None, None)
    paid = StatusFact(
        "s", NUMBER, "wamid.1", "captured", "", AT + 1, ANA, None, None, "payment", "order 7", b'{"payment":{"id":1}}'
    )
    say(db, 1, statuses=[paid, plain])
    assert rows(db, "SELECT status FROM message_state") == [("sent",)]
    assert rows(db, "SELECT kind, callback_data, extra::text FROM statuses WHERE status = 'captured'") == [
        ("payment", "order 7", '{"payment":{"id":1}}')
    ]


def test_a_call_gives_its_place_to_the_voicemail_that_has_its_id(db: psycopg.Connection) -> None:
    ringing = message("wacid.1", type="call", text="[call] connect", standing=0)
    ended = message("wacid.1", type="call", text="[call] ended", standing=1)
    voicemail = message("wacid.1", type="audio", text="[voice]")
    for order in itertools.permutations((ringing, ended, voicemail)):
        db.execute("TRUNCATE messages")
        for event_id, each in enumerate(order, start=1):
            say(db, event_id, messages=[each])
        assert texts(db) == {"wacid.1": "[voice]"}

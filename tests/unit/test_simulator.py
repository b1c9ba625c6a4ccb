"""The invented webhooks are believable, repeatable, and understood to the last item."""

from collections import Counter
from importlib.resources import files
from itertools import islice

from wamcp.simulator.day import MIDNIGHT
from wamcp.simulator.traffic import a_day, events
from wamcp.whatsapp.payload.envelope import read_event
from wamcp.whatsapp.payload.facts import MessageFact, StatusFact

BESIDE_MESSAGES = ["account_update", "group_lifecycle_update"]


def day() -> tuple[list[MessageFact], list[StatusFact]]:
    facts = [read_event(body) for body in a_day(1).bodies]
    assert sorted(fact.field for each in facts for fact in each.account) == BESIDE_MESSAGES
    assert not any(each.parked or each.unknowns for each in facts)
    return [fact for each in facts for fact in each.messages], [fact for each in facts for fact in each.statuses]


def whose(message: MessageFact) -> str | None:
    return message.person.bsuid if message.person else None


def test_the_same_seed_tells_the_same_story_and_another_seed_another() -> None:
    assert list(events(5, 200)) == list(events(5, 200))
    assert set(events(5, 200)).isdisjoint(events(6, 200))
    assert a_day(1) == a_day(1)
    assert a_day(1) != a_day(2)


def test_traffic_has_the_share_of_statuses_and_the_length_of_text_that_were_asked_for() -> None:
    facts = [read_event(body) for body in events(3, 5000, statuses=0.6)]
    messages = [fact for each in facts for fact in each.messages]
    texts = [message.text for message in messages if message.type == "text"]
    assert not any(each.parked for each in facts)
    assert 0.57 < sum(len(each.statuses) for each in facts) / 5000 < 0.63
    assert 55 < sum(map(len, texts)) / len(texts) < 72
    assert len({message.wamid for message in messages}) == len(messages)
    assert {message.phone_number_id for message in messages} == {"700000000000001", "700000000000002"}
    assert [message.sent_at for message in messages] == sorted(message.sent_at for message in messages)


def test_few_customers_write_much_and_some_have_no_phone_number() -> None:
    facts = [read_event(body) for body in islice(events(4, 100_000, statuses=0.0), 6000)]
    people = [message.person for each in facts for message in each.messages if message.person]
    by_person = Counter(person.bsuid for person in people)
    assert len(by_person) > 1000
    assert by_person.most_common(1)[0][1] > 40
    assert any(person.wa_id is None for person in people)


def test_no_status_of_the_traffic_is_told_twice() -> None:
    told = [(fact.wamid, fact.status) for body in events(9, 3000) for fact in read_event(body).statuses]
    assert len(told) == len(set(told))


def test_the_day_has_the_conversations_that_the_demonstration_asks_about() -> None:
    messages, statuses = day()
    said = "\n".join(message.text for message in messages)
    assert len({message.person for message in messages}) >= 12
    assert 95 <= len(messages) <= 120
    for words in ("azulejo", "فاتورة", "订单", "INV-2026-000123", "1.234,56", "ignore previous instructions"):
        assert words in said
    assert {status.status for status in statuses} == {"sent", "delivered", "read", "failed"}
    types = {"text", "image", "document", "location", "reaction", "audio", "edit", "revoke", "order", "interactive"}
    assert types == {message.type for message in messages}
    assert any(message.person and message.person.wa_id is None and message.person.username for message in messages)
    assert any(message.reply_to for message in messages)
    assert {message.direction for message in messages} == {"inbound", "outbound"}


def test_what_the_day_takes_back_corrects_or_answers_was_said_before_in_the_same_conversation() -> None:
    messages, statuses = day()
    said: dict[str, MessageFact] = {}
    for message in messages:
        for earlier in (message.refers_to, message.reply_to):
            if earlier is not None:
                assert said[earlier].group_id == message.group_id
                assert message.group_id or whose(said[earlier]) == whose(message)
        said[message.wamid] = message
    own = [message for message in messages if message.type in ("edit", "revoke")]
    assert len(own) == 2
    assert all(said[message.refers_to or ""].direction == message.direction for message in own)
    assert {status.wamid for status in statuses} <= said.keys()


def test_the_day_has_a_group_whose_members_write_and_read() -> None:
    messages, statuses = day()
    talk = [message for message in messages if message.group_id]
    ours = {message.wamid for message in talk if message.direction == "outbound"}
    assert {message.person.name for message in talk if message.person} == {"Grace Okafor", "Pavel Novák"}
    read = Counter(status.wamid for status in statuses if status.wamid in ours and status.status == "read")
    assert read == dict.fromkeys(ours, 2)
    assert len({status.participant for status in statuses if status.wamid in ours and status.status == "read"}) == 2


def test_the_day_happens_within_the_day_asked_for_and_in_order() -> None:
    messages, _ = day()
    times = [message.sent_at for message in messages]
    assert times == sorted(times)
    assert times[0] >= MIDNIGHT
    assert times[-1] < MIDNIGHT + 86_400


def test_some_customers_still_wait_for_an_answer_at_the_end_of_the_day() -> None:
    last = {message.person.bsuid: message for message in day()[0] if message.person}
    asked = [message for message in last.values() if message.text.endswith(("?", "؟", "？"))]
    waiting = [message for message in asked if message.direction == "inbound"]
    assert len(waiting) >= 3


def test_the_sample_of_the_send_script_is_one_text() -> None:
    facts = read_event((files("wamcp.simulator") / "samples" / "text.json").read_bytes())
    assert [message.type for message in facts.messages] == ["text"]

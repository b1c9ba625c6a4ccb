"""What a bearer may not see shows in no answer: no row, no count, no name, no time."""

from dataclasses import dataclass
from datetime import timedelta

import pytest

from tests.factories import NOON, Archive, grant
from wamcp.access.grants import Grant
from wamcp.archive import conversations, messages
from wamcp.archive.asking import asking
from wamcp.archive.conversations import ConversationsQuery
from wamcp.archive.messages import MessagesQuery
from wamcp.archive.status import status
from wamcp.db.session import Pool
from wamcp.errors import NotVisible

DAY = timedelta(days=1)


@dataclass
class Two:
    """Two numbers, one conversation each, and a bearer for each number."""

    mine: Grant
    theirs: Grant
    conversation: int
    message: int
    other_conversation: int
    other_message: int


@pytest.fixture
def two(archive: Archive) -> Two:
    first, second = archive.number("111"), archive.number("222")
    ana = archive.conversation(first, archive.person("Ana Souza", wa_id="15550101"))
    bob = archive.conversation(second, archive.person("Bob Stone", wa_id="15550102"))
    return Two(
        grant(numbers=frozenset({"111"})),
        grant(numbers=frozenset({"222"}), key=b"o" * 32),
        ana,
        archive.message(ana, "hello from ana"),
        bob,
        archive.message(bob, "hello from bob", NOON + DAY),
    )


def test_bearers_of_different_numbers_see_nothing_of_each_other(two: Two, reader: Pool) -> None:
    with asking(reader) as connection:
        listed = conversations.list_newest(connection, two.mine, ConversationsQuery()).items
        assert [item.id for item in listed] == [two.conversation]
        assert conversations.list_newest(connection, two.mine, ConversationsQuery(text="Bob")).items == []
        assert conversations.complete(connection, two.mine, "Bob") == []
        assert conversations.complete(connection, two.mine, f"c{two.other_conversation}") == []
        assert messages.by_ids(connection, two.mine, [two.other_message, two.message]) == messages.by_ids(
            connection, two.mine, [two.message]
        )
        found = status(connection, two.mine)
    assert (found.messages, found.conversations, found.newest) == (1, 1, NOON)
    assert [number.phone_number_id for number in found.numbers] == ["111"]


def test_the_hidden_and_the_absent_are_refused_alike(two: Two, reader: Pool) -> None:
    def refusal(conversation_id: int) -> str:
        with asking(reader) as connection, pytest.raises(NotVisible) as refused:
            messages.of_conversation(connection, two.mine, MessagesQuery(conversation_id))
        return str(refused.value).replace(str(conversation_id), "X")

    assert refusal(two.other_conversation) == refusal(10**12)
    with asking(reader) as connection:
        for row_id in (two.other_conversation, 10**12):
            with pytest.raises(NotVisible):
                conversations.get(connection, two.mine, row_id)
        with pytest.raises(NotVisible):
            conversations.list_newest(connection, two.mine, ConversationsQuery(number="222"))


def test_a_bearer_without_numbers_sees_nothing(two: Two, reader: Pool) -> None:
    with asking(reader) as connection:
        nobody = grant(numbers=frozenset())
        assert conversations.list_newest(connection, nobody, ConversationsQuery()).items == []
        assert messages.by_ids(connection, nobody, [two.message]) == []
        assert status(connection, nobody).messages == 0


def test_nothing_before_the_window_shows(archive: Archive, reader: Pool) -> None:
    old, mixed, answered = (archive.conversation() for _ in range(3))
    archive.message(old, at=NOON - DAY)
    before = archive.message(mixed, "before", NOON - DAY)
    reply = archive.message(mixed, "reply", NOON, outbound=True, reply_to="wamid.2")
    archive.message(answered, at=NOON - DAY, outbound=True)
    archive.message(answered, at=NOON + timedelta(hours=1))
    bearer = grant(since=NOON)
    with asking(reader) as connection:
        listed = {item.id: item for item in conversations.list_newest(connection, bearer, ConversationsQuery()).items}
        page = messages.of_conversation(connection, bearer, MessagesQuery(mixed))
        assert messages.by_ids(connection, bearer, [before]) == []
        with pytest.raises(NotVisible):
            messages.of_conversation(connection, bearer, MessagesQuery(old))
        with pytest.raises(NotVisible):
            messages.of_conversation(connection, bearer, MessagesQuery(mixed, around=before))
        found = status(connection, bearer)
    assert set(listed) == {mixed, answered}
    assert (listed[mixed].message_count, listed[mixed].last_inbound_at, listed[mixed].unanswered) == (1, None, False)
    assert (listed[answered].message_count, listed[answered].last_outbound_at) == (1, None)
    assert [item.id for item in page.items] == [reply]
    assert page.items[0].reply_to_id is None
    assert (found.messages, found.conversations, found.oldest) == (2, 2, NOON)


def test_phone_numbers_are_masked_unless_granted(archive: Archive, reader: Pool) -> None:
    conversation = archive.conversation(person=archive.person("+1 555 0101", wa_id="15550101"))
    message = archive.message(conversation)
    bearer = grant(phones=False)
    with asking(reader) as connection:
        shown = conversations.get(connection, bearer, conversation).participant
        found = messages.get(connection, bearer, message)
        sender = found.sender
        by_hidden_part = [
            item
            for text in ("5550101", "555 01", "+1 5")
            for item in conversations.list_newest(connection, bearer, ConversationsQuery(text=text)).items
        ]
        by_shown_part = conversations.list_newest(connection, bearer, ConversationsQuery(text="0101"))
    assert found.wamid is None and found.reply_to is None  # Meta writes the phone number into them
    assert shown is not None
    assert shown == sender
    assert (shown.wa_id, shown.name) == ("…0101", "…0101")
    assert by_hidden_part == []
    assert [item.id for item in by_shown_part.items] == [conversation]

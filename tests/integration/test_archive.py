"""The questions about conversations and messages, asked as the reader's login."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.factories import ADMIN, NOON, Archive, grant, minutes
from wamcp.archive import conversations, messages
from wamcp.archive.asking import asking
from wamcp.archive.conversations import ConversationsQuery
from wamcp.archive.messages import MessagesQuery
from wamcp.archive.status import status
from wamcp.db.session import Pool
from wamcp.errors import BadCursor, NotVisible, Rejected


def test_an_empty_archive_answers_every_question(reader: Pool) -> None:
    with asking(reader) as connection:
        assert conversations.list_newest(connection, ADMIN, ConversationsQuery()).items == []
        assert conversations.complete(connection, ADMIN, "a") == []
        assert messages.by_ids(connection, ADMIN, [1]) == []
        found = status(connection, ADMIN)
    assert (found.messages, found.conversations, found.oldest, found.numbers) == (0, 0, None, [])


def test_conversations_come_most_recently_active_first_and_page_by_page(archive: Archive, reader: Pool) -> None:
    made = [archive.conversation() for _ in range(7)]
    for position, conversation in enumerate(made):
        archive.message(conversation, at=NOON + minutes(position // 2))
    seen: list[int] = []
    cursor = None
    with asking(reader) as connection:
        while True:
            found = conversations.list_newest(connection, ADMIN, ConversationsQuery(limit=3, cursor=cursor))
            seen += [item.id for item in found.items]
            cursor = found.next_cursor
            if cursor is None:
                break
        skipped = conversations.list_newest(connection, ADMIN, ConversationsQuery(limit=3, offset=3))
    assert seen == made[::-1]
    assert [item.id for item in skipped.items] == seen[3:6]


def test_a_conversation_tells_who_and_whether_they_wait(archive: Archive, reader: Pool) -> None:
    ana = archive.conversation(person=archive.person("Ana Souza", wa_id="15550101", username="ana.s"))
    archive.message(ana, at=NOON)
    archive.message(ana, at=NOON + minutes(1), outbound=True)
    group = archive.conversation(group="group-1")
    recently = datetime.now(UTC) - timedelta(hours=1)
    archive.message(group, at=recently)
    with asking(reader) as connection:
        first, second = (conversations.get(connection, ADMIN, row_id) for row_id in (ana, group))
        waiting = conversations.list_newest(connection, ADMIN, ConversationsQuery(unanswered_only=True))
    assert first.participant is not None
    assert (first.participant.name, first.participant.wa_id, first.participant.username) == (
        "Ana Souza",
        "15550101",
        "ana.s",
    )
    assert (first.message_count, first.unanswered, first.last_message_at) == (2, False, NOON + minutes(1))
    assert first.reply_window_open_until is None
    assert (second.group_id, second.participant, second.unanswered) == ("group-1", None, True)
    assert second.reply_window_open_until == recently + timedelta(hours=24)
    assert [item.id for item in waiting.items] == [group]


@pytest.mark.parametrize("text", ["jose", "JOSÉ", "ñandú", "@joe", "oe_n", "555 0103", "+15550103", "0103"])
def test_a_contact_is_found_by_name_username_and_number(archive: Archive, reader: Pool, text: str) -> None:
    jose = archive.conversation(person=archive.person("José Ñandú", wa_id="15550103", username="Joe_N"))
    other = archive.conversation(person=archive.person("Olga Petrova", wa_id="15550199"))
    for conversation in (jose, other):
        archive.message(conversation)
    with asking(reader) as connection:
        found = conversations.list_newest(connection, ADMIN, ConversationsQuery(text=text))
    assert [item.id for item in found.items] == [jose]


@pytest.mark.parametrize("text", ["%", "_", "\\", "J%n", "\0x"])
def test_wildcards_in_a_name_are_letters(archive: Archive, reader: Pool, text: str) -> None:
    archive.message(archive.conversation(person=archive.person("Jon", wa_id="15550103")))
    with asking(reader) as connection:
        assert conversations.list_newest(connection, ADMIN, ConversationsQuery(text=text)).items == []


def test_conversations_are_filtered_by_number_and_activity(archive: Archive, reader: Pool) -> None:
    first, second = archive.number("111", "+1 555 0111"), archive.number("222", "+1 555 0122")
    one, two = archive.conversation(first), archive.conversation(second)
    archive.message(one, at=NOON)
    archive.message(two, at=NOON + minutes(5))
    with asking(reader) as connection:
        by_id = conversations.list_newest(connection, ADMIN, ConversationsQuery(number="111"))
        by_digits = conversations.list_newest(connection, ADMIN, ConversationsQuery(number="+1 (555) 0122"))
        active = conversations.list_newest(connection, ADMIN, ConversationsQuery(active_after=NOON + minutes(1)))
        with pytest.raises(NotVisible, match="333"):
            conversations.list_newest(connection, ADMIN, ConversationsQuery(number="333"))
    assert [[item.id for item in found.items] for found in (by_id, by_digits, active)] == [[one], [two], [two]]


def test_suggestions_come_by_name_and_by_short_id(archive: Archive, reader: Pool) -> None:
    ana = archive.conversation(person=archive.person("Ana Souza"))
    archive.message(ana)
    archive.message(archive.conversation(person=archive.person("Bruno")))
    with asking(reader) as connection:
        assert [item.id for item in conversations.complete(connection, ADMIN, "sou")] == [ana]
        assert [item.id for item in conversations.complete(connection, ADMIN, f"c{ana}")] == [ana]


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_a_conversation_is_read_to_its_end_in_both_orders(archive: Archive, reader: Pool, order: str) -> None:
    conversation = archive.conversation()
    made = [archive.message(conversation, f"n{n}", NOON + minutes(n // 3)) for n in range(10)]
    seen: list[int] = []
    cursor = None
    with asking(reader) as connection:
        for _ in range(4):
            query = MessagesQuery(conversation, order, limit=3, cursor=cursor)  # type: ignore[arg-type]
            found = messages.of_conversation(connection, ADMIN, query)
            seen += [item.id for item in found.items]
            cursor = found.next_cursor
    assert cursor is None
    assert seen == (made if order == "oldest" else made[::-1])


def test_messages_are_bounded_by_time(archive: Archive, reader: Pool) -> None:
    conversation = archive.conversation()
    made = [archive.message(conversation, at=NOON + minutes(n)) for n in range(5)]
    query = MessagesQuery(conversation, after=NOON + minutes(1), before=NOON + minutes(3))
    with asking(reader) as connection:
        found = messages.of_conversation(connection, ADMIN, query)
    assert [item.id for item in found.items] == [made[2], made[1]]


def test_a_message_is_shown_with_what_surrounds_it(archive: Archive, reader: Pool) -> None:
    conversation = archive.conversation()
    made = [archive.message(conversation, at=NOON + minutes(n)) for n in range(9)]
    with asking(reader) as connection:
        query = MessagesQuery(conversation, around=made[4], limit=3)
        found = messages.of_conversation(connection, ADMIN, query)
        rest = messages.of_conversation(
            connection, ADMIN, MessagesQuery(conversation, around=made[4], cursor=found.next_cursor)
        )
        forwards = messages.of_conversation(
            connection, ADMIN, MessagesQuery(conversation, "oldest", around=made[4], limit=3)
        )
        with pytest.raises(NotVisible):
            messages.of_conversation(connection, ADMIN, MessagesQuery(conversation, around=10**12))
    assert [item.id for item in found.items] == [made[5], made[4], made[3]]
    assert [item.id for item in rest.items] == [made[2], made[1], made[0]]
    assert [item.id for item in forwards.items] == [made[3], made[4], made[5]]


def test_a_message_tells_its_sender_its_state_and_what_it_answers(archive: Archive, reader: Pool) -> None:
    conversation = archive.conversation(person=archive.person("Ana Souza"))
    question = archive.message(conversation, "When?")
    answer = archive.message(conversation, "Friday", outbound=True, reply_to="wamid.1", status="read")
    with asking(reader) as connection:
        first, second = messages.by_ids(connection, ADMIN, [question, answer])
        assert messages.get(connection, ADMIN, answer) == second
        with pytest.raises(NotVisible):
            messages.get(connection, ADMIN, 10**12)
    assert first.sender is not None
    assert (first.sender.name, first.status, first.text) == ("Ana Souza", None, "When?")
    assert (second.sender, second.status, second.reply_to_id) == (None, "read", question)


def test_cursors_belong_to_their_bearer_and_their_question(archive: Archive, reader: Pool) -> None:
    conversation = archive.conversation()
    for n in range(3):
        archive.message(conversation, at=NOON + minutes(n))
    with asking(reader) as connection:
        cursor = messages.of_conversation(connection, ADMIN, MessagesQuery(conversation, limit=1)).next_cursor
        assert cursor is not None
        for bearer, query in [
            (grant(), MessagesQuery(conversation, cursor=cursor)),
            (ADMIN, MessagesQuery(conversation, "oldest", cursor=cursor)),
            (ADMIN, MessagesQuery(conversation, before=NOON, cursor=cursor)),
            (ADMIN, MessagesQuery(conversation, cursor=cursor[:-2])),
            (ADMIN, MessagesQuery(conversation, cursor="ü")),
            (ADMIN, MessagesQuery(conversation, cursor="")),
        ]:
            with pytest.raises(BadCursor):
                messages.of_conversation(connection, bearer, query)


@pytest.mark.parametrize("limit", [0, -1, 201])
def test_a_limit_out_of_bounds_is_refused(archive: Archive, reader: Pool, limit: int) -> None:
    with asking(reader) as connection, pytest.raises(Rejected, match="1 to 200"):
        conversations.list_newest(connection, ADMIN, ConversationsQuery(limit=limit))


def test_status_counts_what_is_there(archive: Archive, reader: Pool) -> None:
    conversation = archive.conversation()
    for n in range(3):
        archive.message(conversation, at=NOON + timedelta(days=n))
    archive.connection.execute("INSERT INTO webhook_queue VALUES (1, 10), (2, 10)")
    archive.connection.execute("INSERT INTO parked (event_id, kind, reason) VALUES (3, 'malformed', 'no object')")
    with asking(reader) as connection:
        found = status(connection, ADMIN)
    assert (found.messages, found.conversations, found.events_pending, found.parked) == (3, 1, 2, 1)
    assert (found.oldest, found.newest) == (NOON, NOON + timedelta(days=2))

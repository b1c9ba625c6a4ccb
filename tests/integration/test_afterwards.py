"""What became of messages shows beside them: reactions that stand, the text as last edited, revocations."""

from datetime import timedelta

from tests.factories import ADMIN, NOON, Archive, grant, minutes
from tests.telling import alias, happening, refer, rewrite, wamid_of
from wamcp.archive import conversations, messages, search
from wamcp.archive.asking import asking
from wamcp.archive.conversations import ConversationsQuery
from wamcp.archive.messages import MessagesQuery
from wamcp.archive.search import SearchQuery
from wamcp.archive.views import MessageView
from wamcp.db.session import Pool


def read(reader: Pool, message: int) -> MessageView:
    with asking(reader) as connection:
        return messages.get(connection, ADMIN, message)


def test_the_last_reaction_of_each_stands_until_it_is_taken_back(archive: Archive, reader: Pool) -> None:
    group = archive.conversation(group="group-1")
    ana, bob = archive.person("Ana Souza"), archive.person("Bob Stone")
    message = archive.message(group, "New hours", outbound=True)
    to = wamid_of(archive, message)
    told = [
        (ana, "👍", 1),
        (bob, "🎉", 2),
        (ana, "❤️", 3),
        (bob, None, 4),
        (bob, "😢", 0),
    ]
    for who, emoji, at in told:
        rewrite(archive, refer(archive, group, "reaction", to, NOON + minutes(at), emoji=emoji), sender_id=who)
    refer(archive, group, "reaction", to, NOON + minutes(9), emoji="🙏", outbound=True)
    found = read(reader, message).reactions
    assert [(each.emoji, each.by and each.by.id, each.ours) for each in found] == [
        ("❤️", ana, False),
        ("🙏", None, True),
    ]


def test_the_text_is_that_of_the_last_edit_and_revocations_are_told(archive: Archive, reader: Pool) -> None:
    conversation = archive.conversation()
    message = archive.message(conversation, "At noon", NOON)
    to = wamid_of(archive, message)
    refer(archive, conversation, "edit", to, NOON + minutes(2), text="At one, sorry")
    refer(archive, conversation, "edit", to, NOON + minutes(1), text="At half past")
    refer(archive, conversation, "edit", to, NOON + minutes(3), text="We never meet", outbound=True)
    found = read(reader, message)
    assert (found.text, found.edited, found.revoked_at) == ("At one, sorry", True, None)
    revocation = refer(archive, conversation, "revoke", to, NOON + minutes(5))
    found = read(reader, message)
    assert (found.text, found.revoked_at) == ("At one, sorry", NOON + minutes(5))
    about = read(reader, revocation)
    assert (about.type, about.refers_to, about.refers_to_id, about.edited) == ("revoke", to, message, False)


def test_lists_and_searches_tell_it_too(archive: Archive, reader: Pool) -> None:
    conversation = archive.conversation()
    message = archive.message(conversation, "See you at noon", NOON)
    rewrite(archive, message, content={"forwarded": True})
    refer(archive, conversation, "edit", wamid_of(archive, message), NOON + minutes(1), text="See you at one")
    with asking(reader) as connection:
        listed = messages.of_conversation(connection, ADMIN, MessagesQuery(conversation, "oldest")).items
        hit, *_ = search.search(connection, ADMIN, SearchQuery("noon")).items
    assert [(item.type, item.text, item.edited, item.forwarded) for item in listed] == [
        ("text", "See you at one", True, True),
        ("edit", "See you at one", False, False),
    ]
    assert hit == listed[0]


def test_of_another_number_nothing_is_taken(archive: Archive, reader: Pool) -> None:
    mine, theirs = archive.conversation(archive.number("111")), archive.conversation(archive.number("222"))
    message = archive.message(mine, "Yes")
    refer(archive, theirs, "edit", wamid_of(archive, message), text="No")
    assert read(reader, message).text == "Yes"


def test_system_messages_are_found_but_not_shown_in_the_conversation(archive: Archive, reader: Pool) -> None:
    conversation = archive.conversation()
    shown = [archive.message(conversation, f"n{n}", NOON + minutes(n)) for n in (0, 2)]
    change = archive.message(conversation, "Ana changed her number", NOON + minutes(1), kind="system")
    bearer = grant(since=NOON)
    with asking(reader) as connection:
        listed = messages.of_conversation(connection, ADMIN, MessagesQuery(conversation)).items
        around = messages.of_conversation(
            connection, ADMIN, MessagesQuery(conversation, around=shown[1], limit=3)
        ).items
        found = search.search(connection, ADMIN, SearchQuery("changed")).items
        windowed = conversations.get(connection, bearer, conversation)
    assert [item.id for item in listed] == [item.id for item in around] == shown[::-1]
    assert [item.id for item in found] == [change]
    assert windowed.message_count == 2


def test_without_the_right_to_phone_numbers_none_shows(archive: Archive, reader: Pool) -> None:
    conversation = archive.conversation(person=archive.person("Ana Souza", wa_id="15550100042"))
    card = archive.message(conversation, "[contacts] Bob Stone, +1 (555) 010-0043", kind="contacts")
    plain = archive.message(conversation, "Call 15550100044", NOON)
    reaction = refer(archive, conversation, "reaction", wamid_of(archive, card), NOON + minutes(1), emoji="👍")
    with asking(reader) as connection:
        found, said, about = messages.by_ids(connection, grant(phones=False), [card, plain, reaction])
    assert found.text == "[contacts] Bob Stone, …0043"
    assert said.text == "Call 15550100044", "what people write themselves is not rewritten"
    assert (found.reactions[0].wamid, about.refers_to, about.refers_to_id) == (None, None, card)


def test_a_person_is_shown_by_the_identifiers_introduced_last(archive: Archive, reader: Pool) -> None:
    person = archive.person("Ana Souza")
    for days, number, bsuid in ((0, "15550100049", "US.9"), (2, "15550100041", "US.1"), (1, "15550100045", "US.5")):
        alias(archive, person, "wa_id", number, NOON + timedelta(days))
        alias(archive, person, "bsuid", bsuid, NOON + timedelta(days))
    message = archive.message(archive.conversation(person=person))
    sender = read(reader, message).sender
    assert sender is not None
    assert (sender.wa_id, sender.bsuid) == ("15550100041", "US.1")


def test_a_group_is_called_by_its_newest_subject(archive: Archive, reader: Pool) -> None:
    archive.message(archive.conversation(group="group-1"))
    archive.message(archive.conversation(group="group-2"), at=NOON - minutes(1))
    for at, details in (
        (0, {"subject": "Spring"}),
        (2, {"group_subject": {"text": "Summer 100%", "update_successful": True}}),
        (3, {"group_subject": {"text": "Refused", "update_successful": False}}),
        (4, {"added_participants": [{"wa_id": 15550100042}]}),
    ):
        happening(archive, "group_settings_update", "", NOON + minutes(at), group_id="group-1", details=details)
    with asking(reader) as connection:
        first, second = conversations.list_newest(connection, ADMIN, ConversationsQuery()).items
    assert (first.group_subject, second.group_subject) == ("Summer 100%", None)

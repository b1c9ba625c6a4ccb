"""Whom a webhook means: aliases, changes of them, what may be one person, and merges by hand."""

import psycopg
import pytest

from tests.understanding import rows, understand
from tests.webhooks import OFFICE, SHOP, change, contact, event, message_event, status, text
from wamcp.db.content import checksum
from wamcp.db.people import Change, Mention, keep_people
from wamcp.errors import NotVisible, Rejected
from wamcp.ingest.merging import merge, unmerge
from wamcp.ingest.reprocess import reprocess, verify
from wamcp.whatsapp.payload.facts import Person

SCOPE = "215589313240001"
AT = 1_770_000_000


def meet(db: psycopg.Connection, *people: Person) -> list[int]:
    """The participants of ``people``, each named in a batch of its own."""
    return [keep_people(db, [Mention(SCOPE, person, AT)])[(SCOPE, person)] for person in people]


def test_a_change_of_number_and_id_keeps_the_person(db: psycopg.Connection) -> None:
    old, new = Person(bsuid="BR.1", wa_id="15550100101"), Person(bsuid="BR.2", wa_id="15550100202")
    (before,) = meet(db, old)
    keep_people(db, [Change(SCOPE, old, new, AT)])
    assert meet(db, Person(bsuid="BR.2"), Person(wa_id="15550100202"), new, old) == [before] * 4
    assert rows(db, "SELECT * FROM merge_candidates") == []


def test_a_change_is_understood_from_the_old_number_alone(db: psycopg.Connection) -> None:
    (before,) = meet(db, Person(wa_id="15550100101"))
    keep_people(db, [Change(SCOPE, Person(wa_id="15550100101"), Person(bsuid="BR.2"), AT)])
    assert meet(db, Person(bsuid="BR.2")) == [before]


def test_a_change_that_comes_after_the_first_message_makes_a_candidate_and_moves_nobody(db: psycopg.Connection) -> None:
    old, new = meet(db, Person(bsuid="BR.1"), Person(bsuid="BR.2"))
    keep_people(db, [Change(SCOPE, Person(bsuid="BR.1"), Person(bsuid="BR.2"), AT)])
    assert meet(db, Person(bsuid="BR.1"), Person(bsuid="BR.2")) == [old, new]
    assert rows(db, "SELECT one_id, other_id, reason FROM merge_candidates") == [(old, new, "change")]


def test_a_change_between_two_unknown_names_makes_one_person(db: psycopg.Connection) -> None:
    keep_people(db, [Change(SCOPE, Person(bsuid="BR.1"), Person(bsuid="BR.2"), AT)])
    one, two = meet(db, Person(bsuid="BR.1"), Person(bsuid="BR.2"))
    assert one == two


@pytest.mark.parametrize("together", [True, False])
def test_a_number_that_was_changed_to_and_passed_on_is_somebody_new_however_it_comes(
    db: psycopg.Connection, together: bool
) -> None:
    (ana,) = meet(db, Person(bsuid="BR.1", wa_id="15550100101"))
    moved = Change(SCOPE, Person(wa_id="15550100101"), Person(wa_id="15550100202"), AT)
    newcomer = Mention(SCOPE, Person(bsuid="BR.9", wa_id="15550100202"), AT)
    for batch in [[moved, newcomer]] if together else [[moved], [newcomer]]:
        keep_people(db, batch)
    assert meet(db, Person(bsuid="BR.9")) != [ana]


def test_two_first_messages_with_different_aliases_are_two_people_and_a_candidate(db: psycopg.Connection) -> None:
    by_id, by_number = meet(db, Person(bsuid="BR.1"), Person(wa_id="15550100101"))
    (both,) = meet(db, Person(bsuid="BR.1", wa_id="15550100101"))
    assert by_id != by_number
    assert both == by_id
    assert rows(db, "SELECT one_id, other_id, reason FROM merge_candidates") == [(by_id, by_number, "number")]


@pytest.mark.parametrize(("one", "other"), [("5521998765432", "552198765432"), ("5215512345678", "525512345678")])
def test_both_spellings_of_a_number_are_one_person(db: psycopg.Connection, one: str, other: str) -> None:
    assert len(set(meet(db, Person(wa_id=one), Person(wa_id=other), Person(wa_id=one)))) == 1
    assert rows(db, "SELECT count(*) FROM participant_aliases") == [(2,)]


def test_a_recycled_number_is_somebody_new_and_a_candidate(db: psycopg.Connection) -> None:
    old, new = meet(db, Person(bsuid="BR.1", wa_id="15550100101"), Person(bsuid="BR.9", wa_id="15550100101"))
    assert old != new
    assert rows(db, "SELECT reason FROM merge_candidates") == [("number",)]


def test_the_contact_book_names_who_does_not_name_himself(db: psycopg.Connection) -> None:
    ana, rui = Person(wa_id="15550100101"), Person(wa_id="15550100102", name="Rui")
    keep_people(db, [Mention(SCOPE, ana, AT, "Ana (plumber)"), Mention(SCOPE, rui, AT, "Rui Costa, Lisbon")])
    assert rows(db, "SELECT name FROM participants ORDER BY id") == [("Ana (plumber)",), ("Rui",)]
    keep_people(db, [Mention(SCOPE, Person(wa_id="15550100101", name="Ana Prado"), AT + 9)])
    assert rows(db, "SELECT name FROM participants ORDER BY id") == [("Ana Prado",), ("Rui",)]


def two_people(db: psycopg.Connection) -> tuple[int, int]:
    """Ana by her number on two of our numbers, and by her BSUID on one, with a status each."""
    by_id = {"sender": None, "from_user_id": "BR.7"}
    understand(
        db,
        message_event("wamid.1", "by number", name="Ana"),
        message_event("wamid.2", "to the shop", name="Ana", number=SHOP, at=AT + 1),
        event(
            change(
                contacts=[contact(None, "Ana Prado", user_id="BR.7")],
                messages=[text("wamid.3", "by id", at=AT + 90_000, **by_id)],
            )
        ),
        event(change(statuses=[status("wamid.9", "sent")])),
    )
    (one,) = rows(db, "SELECT participant_id FROM participant_aliases WHERE kind = 'wa_id'")
    (two,) = rows(db, "SELECT participant_id FROM participant_aliases WHERE kind = 'bsuid'")
    return one[0], two[0]


THREADS = (
    "SELECT n.phone_number_id, c.participant_id, c.message_count FROM conversations c"
    " JOIN numbers n ON n.id = c.number_id WHERE c.message_count > 0 ORDER BY 1, 2"
)


def test_a_merge_puts_everything_under_one_and_the_undoing_takes_it_apart(
    db: psycopg.Connection, database_url: str
) -> None:
    one, two = two_people(db)
    before = checksum(db)
    merge(database_url, one, two, "a test")
    assert rows(db, THREADS) == [(OFFICE, two, 2), (SHOP, two, 1)]
    assert rows(db, "SELECT DISTINCT sender_id FROM messages") == [(two,)]
    assert rows(db, "SELECT recipient_id FROM statuses") == [(two,)]
    assert rows(db, "SELECT name FROM participants WHERE id = %s", two) == [("Ana Prado",)]
    understand(db, message_event("wamid.4", "later", name="Ana", at=AT + 100))
    assert rows(db, THREADS) == [(OFFICE, two, 3), (SHOP, two, 1)]

    assert unmerge(database_url, one, "a test") == two
    assert rows(db, THREADS) == [(OFFICE, one, 2), (OFFICE, two, 1), (SHOP, one, 1)]
    db.execute("DELETE FROM applied WHERE seq = (SELECT max(seq) FROM applied)")
    db.execute("DELETE FROM messages WHERE wamid = 'wamid.4'")
    reprocess(database_url)
    assert checksum(db) == before


def test_merges_and_their_undoing_survive_a_rebuild(db: psycopg.Connection, database_url: str) -> None:
    one, two = two_people(db)
    merge(database_url, one, two, "a test")
    understand(db, message_event("wamid.4", "to the shop again", number=SHOP, at=AT + 200))
    merged = checksum(db)
    assert verify(database_url)[1] == []
    reprocess(database_url)
    assert checksum(db) == merged
    unmerge(database_url, one, "a test")
    assert verify(database_url)[1] == []
    apart = checksum(db)
    reprocess(database_url)
    assert checksum(db) == apart != merged


def test_merges_chain_and_come_apart_in_any_order(db: psycopg.Connection, database_url: str) -> None:
    for number in ("15550100101", "15550100102", "15550100103"):
        understand(db, message_event(f"wamid.{number}", "hello", sender=number, name=None))
    a, b, c = (row[0] for row in rows(db, "SELECT id FROM participants ORDER BY id"))
    before = checksum(db)
    merge(database_url, a, b, "a test")
    merge(database_url, b, c, "a test")
    assert rows(db, THREADS) == [(OFFICE, c, 3)]
    assert verify(database_url)[1] == []
    unmerge(database_url, a, "a test")
    assert rows(db, THREADS) == [(OFFICE, a, 1), (OFFICE, c, 2)]
    unmerge(database_url, b, "a test")
    assert checksum(db) == before


def test_a_merge_that_cannot_be_says_why(db: psycopg.Connection, database_url: str) -> None:
    one, two = two_people(db)
    with pytest.raises(NotVisible, match="no participant p99"):
        merge(database_url, 99, two, "a test")
    with pytest.raises(Rejected, match="himself"):
        merge(database_url, one, one, "a test")
    with pytest.raises(Rejected, match="not merged"):
        unmerge(database_url, one, "a test")
    merge(database_url, one, two, "a test")
    with pytest.raises(Rejected, match=f"merged into p{two} already"):
        merge(database_url, one, two, "a test")
    with pytest.raises(Rejected, match="himself"):
        merge(database_url, two, one, "a test")

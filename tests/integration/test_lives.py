"""Lives told in webhooks: people who change number and id, chunks of history, statuses in every order."""

import itertools
import random
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.understanding import rows, understand
from tests.webhooks import OFFICE, SHOP, change, contact, event, message_event, status, text
from wamcp.db.content import checksum
from wamcp.ingest.reprocess import reprocess, verify

AT = 1_770_000_000


def said_by(wamid: str, *, phone: str | None = None, bsuid: str | None = None, number: str = OFFICE) -> bytes:
    """A text of somebody who is named by one or both of these."""
    more = {"from_user_id": bsuid} if bsuid else {}
    who = contact(phone, "Ana", **({"user_id": bsuid} if bsuid else {}))
    return event(change(number, contacts=[who], messages=[text(wamid, wamid, sender=phone, **more)]))


def changed(wamid: str, *, number: str = OFFICE, sender: str | None = None, **system: Any) -> bytes:
    """WhatsApp's message about a change, which comes without contacts."""
    item: dict[str, Any] = {"id": wamid, "timestamp": str(AT + 50), "type": "system", "system": system}
    return event(change(number, messages=[item | ({"from": sender} if sender else {})]))


LIFE = [
    said_by("wamid.1", phone="15550100101"),
    said_by("wamid.2", phone="15550100101", bsuid="BR.1"),
    said_by("wamid.3", bsuid="BR.1"),
    said_by("wamid.4", bsuid="BR.1", number=SHOP),
    changed(
        "wamid.5", sender="15550100101", body="Ana changed", type="user_changed_number", wa_id="15550100202",
        user_id="BR.2", previous_user_id="BR.1",
    ),
    said_by("wamid.6", bsuid="BR.2"),
    said_by("wamid.7", phone="15550100202", bsuid="BR.2", number=SHOP),
    changed("wamid.8", body="again", type="user_changed_user_id", user_id="BR.3", previous_user_id="BR.2"),
    said_by("wamid.9", bsuid="BR.3"),
]  # fmt: skip


@pytest.mark.parametrize("together", [True, False])
def test_a_life_with_many_names_is_one_person_with_one_conversation_per_number(
    db: psycopg.Connection, database_url: str, together: bool
) -> None:
    for part in [LIFE] if together else [[body] for body in LIFE]:
        understand(db, *part)
    assert rows(db, "SELECT count(DISTINCT participant_id) FROM participant_aliases") == [(1,)]
    assert rows(db, "SELECT kind, value FROM participant_aliases ORDER BY 1, 2") == [
        ("bsuid", "BR.1"), ("bsuid", "BR.2"), ("bsuid", "BR.3"), ("wa_id", "15550100101"), ("wa_id", "15550100202"),
    ]  # fmt: skip
    counted = rows(
        db,
        "SELECT n.phone_number_id, c.message_count FROM conversations c JOIN numbers n ON n.id = c.number_id"
        " ORDER BY 1",
    )
    assert counted == [(OFFICE, 5), (SHOP, 2)]
    assert rows(db, "SELECT count(*) FROM merge_candidates") == [(0,)]
    assert verify(database_url)[1] == []


def test_a_change_that_is_told_in_the_same_batch_as_a_message_of_the_new_name(db: psycopg.Connection) -> None:
    understand(db, said_by("wamid.1", phone="15550100101", bsuid="BR.1"))
    both = event(
        change(
            messages=[
                text("wamid.2", "it is me", sender="15550100202", from_user_id="BR.2"),
                {
                    "id": "wamid.3",
                    "timestamp": str(AT),
                    "type": "system",
                    "from": "15550100101",
                    "system": {
                        "type": "user_changed_number",
                        "wa_id": "15550100202",
                        "user_id": "BR.2",
                        "previous_user_id": "BR.1",
                    },
                },
            ]
        )
    )
    understand(db, both)
    assert rows(db, "SELECT count(*) FROM participants") == [(1,)]


def test_racing_first_messages_stay_two_people_and_their_messages_stay_where_they_are(db: psycopg.Connection) -> None:
    understand(db, said_by("wamid.1", bsuid="BR.1"), said_by("wamid.2", phone="15550100101"))
    understand(db, said_by("wamid.3", phone="15550100101", bsuid="BR.1"))
    assert rows(db, "SELECT count(*), sum(message_count) FROM conversations") == [(2, 3)]
    assert rows(db, "SELECT reason FROM merge_candidates") == [("number",)]


def history(phase: int, order: int, *messages: dict[str, Any]) -> bytes:
    thread = {"id": "15550100101", "context": {"wa_id": "15550100101", "username": "ana.p"}, "messages": list(messages)}
    chunk = {"metadata": {"phase": phase, "chunk_order": order, "progress": 50}, "threads": [thread]}
    return event(change(field="history", history=[chunk]))


HISTORY = [
    history(1, 1, text("wamid.h1", "long ago", at=AT - 9_000_000), {
        "from": "15550100101", "id": "wamid.h2", "timestamp": str(AT - 8_000_000), "type": "media_placeholder",
        "history_context": {"status": "READ"},
    }),
    history(0, 1, {
        "from": "15550100001", "to": "15550100101", "id": "wamid.h3", "timestamp": str(AT - 100), "type": "text",
        "text": {"body": "yesterday"}, "history_context": {"status": "DELIVERED"},
    }),
    event(change(field="history", messages=[{
        "from": "15550100101", "id": "wamid.h2", "timestamp": str(AT - 8_000_000), "type": "image",
        "image": {"id": "77", "mime_type": "image/jpeg", "sha256": "c2hh", "caption": "the old wall"},
    }])),
    message_event("wamid.1", "today", at=AT),
]  # fmt: skip


def test_history_in_any_order_gives_the_same_archive(db: psycopg.Connection, database_url: str) -> None:
    seen = set()
    for order in itertools.permutations(HISTORY):
        for table in ("messages", "conversations", "statuses", "message_state", "daily_counts", "account_events"):
            db.execute(f"TRUNCATE {table} CASCADE")
        db.execute("TRUNCATE participants, participant_aliases, participant_names, webhook_events, applied CASCADE")
        understand(db, *order)
        told = checksum(db)  # chunks have no time of their own: theirs is that of their coming
        seen.add(tuple(told[table] for table in ("messages", "conversations", "statuses", "message_state")))
    assert len(seen) == 1
    assert rows(db, "SELECT wamid, direction, source, type, text FROM messages ORDER BY sent_at") == [
        ("wamid.h1", "inbound", "history", "text", "long ago"),
        ("wamid.h2", "inbound", "history", "image", "[image] the old wall"),
        ("wamid.h3", "outbound", "history", "text", "yesterday"),
        ("wamid.1", "inbound", "webhook", "text", "today"),
    ]
    assert rows(db, "SELECT wamid, status FROM message_state") == [("wamid.h3", "delivered")]
    assert verify(database_url)[1] == []


FIVE = ("sent", "delivered", "read", "played", "failed")


@pytest.mark.fault(14)
def test_every_order_of_all_statuses_with_duplicates_gives_the_same_state(
    db: psycopg.Connection, database_url: str, record_property: Callable[[str, object], None]
) -> None:
    rng = random.Random(3)
    bodies = []
    for number, order in enumerate(itertools.permutations(FIVE)):
        told = [*order, *rng.choices(order, k=3)]
        rng.shuffle(told)
        told = [*order[:2], *told, *order]
        for place, name in enumerate(told):
            item = status(f"wamid.{number}", name, at=AT + FIVE.index(name))
            bodies.append(event(change(statuses=[item]), account=f"2155893132400{place:02d}"))
    rng.shuffle(bodies)
    understand(db, *bodies)
    assert rows(db, "SELECT status, rank, at, count(*) FROM message_state GROUP BY 1, 2, 3") == [
        ("played", 6, *rows(db, "SELECT to_timestamp(%s)", AT + 3)[0], 120)
    ]
    assert rows(db, "SELECT count(*) FROM statuses") == [(600,)]
    before = checksum(db)
    reprocess(database_url)
    assert checksum(db) == before
    record_property("figure", f"{len(bodies):,} statuses in all 120 orders: one state, the furthest")


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_every_order_of_some_statuses_gives_the_same_state(db: psycopg.Connection, length: int) -> None:
    for chosen in itertools.combinations(FIVE, length):
        expected = set()
        for number, order in enumerate(itertools.permutations(chosen)):
            wamid = f"wamid.{''.join(chosen)}.{number}"
            understand(db, *(event(change(statuses=[status(wamid, name, at=AT + FIVE.index(name))])) for name in order))
            expected.add(rows(db, "SELECT status, at FROM message_state WHERE wamid = %s", wamid)[0])
        assert len(expected) == 1


def test_a_status_that_came_first_is_attached_to_its_message(db: psycopg.Connection) -> None:
    understand(db, event(change(statuses=[status("wamid.e1", "read")])))
    echo = {"id": "wamid.e1", "timestamp": str(AT), "type": "text", "text": {"body": "hi"}, "to": "15550100101"}
    understand(db, event(change(field="smb_message_echoes", message_echoes=[{"from": "15550100001", **echo}])))
    assert rows(db, "SELECT m.text, s.status FROM messages m JOIN message_state s USING (number_id, wamid)") == [
        ("hi", "read")
    ]


def test_each_member_of_a_group_has_statuses_and_the_furthest_is_the_state(db: psycopg.Connection) -> None:
    group = {"recipient_type": "group", "recipient_id": "Z3JvdXAx"}
    members = [
        status("wamid.g", name, at=AT + place, to="", **group, recipient_participant_id=f"1555010010{place}")
        | {"recipient_id": "Z3JvdXAx"}
        for place, name in enumerate(("sent", "read", "delivered"))
    ]
    understand(db, event(change(statuses=members)))
    assert rows(db, "SELECT count(DISTINCT recipient_id), min(extra->>'group_id') FROM statuses") == [(3, "Z3JvdXAx")]
    assert rows(db, "SELECT status FROM message_state") == [("read",)]


def test_a_batch_of_a_thousand_mixed_items_is_kept_whole(db: psycopg.Connection) -> None:
    messages: list[Any] = [text(f"wamid.{number}", f"line {number}") for number in range(495)]
    messages.insert(100, {"no": "message"})
    messages.insert(200, 17)
    items = [status(f"wamid.o{number}", "sent") for number in range(500)]
    understand(db, event(change(messages=messages), change(statuses=[*items, {"id": 3}, None, "junk"])))
    counts = "SELECT (SELECT count(*) FROM messages), (SELECT count(*) FROM statuses), (SELECT count(*) FROM parked)"
    assert rows(db, counts) == [(495, 500, 5)]

"""Understanding: what was queued becomes people, conversations, messages and states; nothing bad stops it."""

import itertools
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.understanding import queue, rows, understand
from tests.webhooks import OFFICE, SHOP, change, contact, event, message_event, status, text
from tests.working import eventually
from wamcp.db.content import checksum
from wamcp.ingest.normalize import run, work_off
from wamcp.ingest.reprocess import reprocess, verify


def test_a_text_becomes_a_person_a_conversation_and_a_message(db: psycopg.Connection) -> None:
    understand(db, message_event("wamid.1", "Bom dia!"))
    assert rows(db, "SELECT name FROM participants") == [("Ana Prado",)]
    assert rows(db, "SELECT message_count, last_inbound_at = last_message_at FROM conversations") == [(1, True)]
    assert rows(db, "SELECT wamid, direction, type, text FROM messages") == [("wamid.1", "inbound", "text", "Bom dia!")]
    assert rows(db, "SELECT inbound, outbound FROM daily_counts") == [(1, 0)]
    assert rows(db, "SELECT count(*) FROM webhook_queue") == [(0,)]
    assert rows(db, "SELECT count(*) FROM applied") == [(1,)]


def test_a_person_without_a_phone_is_a_person(db: psycopg.Connection) -> None:
    body = event(
        change(
            contacts=[contact(None, "Noor", user_id="AE.1234567890")],
            messages=[text("wamid.n", "مرحبا", sender=None, from_user_id="AE.1234567890")],
        )
    )
    understand(db, body)
    assert rows(db, "SELECT kind, value FROM participant_aliases") == [("bsuid", "AE.1234567890")]
    assert rows(db, "SELECT count(*) FROM conversations") == [(1,)]


def test_phone_then_both_then_user_id_alone_is_one_person(db: psycopg.Connection) -> None:
    both = contact("15550100101", "Ana", user_id="BR.77")
    understand(db, message_event("wamid.1", "one"))
    understand(db, event(change(contacts=[both], messages=[text("wamid.2", "two", from_user_id="BR.77")])))
    alone = contact(None, "Ana", user_id="BR.77")
    understand(
        db, event(change(contacts=[alone], messages=[text("wamid.3", "three", sender=None, from_user_id="BR.77")]))
    )
    assert rows(db, "SELECT count(*) FROM participants") == [(1,)]
    assert rows(db, "SELECT message_count FROM conversations") == [(3,)]


def test_identifiers_of_two_people_do_not_merge_them(db: psycopg.Connection) -> None:
    understand(db, message_event("wamid.1", "phone", sender="15550100101"))
    second = contact(None, "Bia", user_id="BR.88")
    understand(
        db, event(change(contacts=[second], messages=[text("wamid.2", "id", sender=None, from_user_id="BR.88")]))
    )
    both = contact("15550100101", "Bia", user_id="BR.88")
    understand(db, event(change(contacts=[both], messages=[text("wamid.3", "both", from_user_id="BR.88")])))
    assert rows(db, "SELECT count(*) FROM participants") == [(2,)]
    assert rows(
        db,
        "SELECT a.value FROM messages m JOIN participant_aliases a ON a.participant_id = m.sender_id WHERE wamid = %s",
        "wamid.3",
    ) == [("BR.88",)]


@pytest.mark.parametrize("together", [True, False])
def test_a_phone_number_that_went_to_somebody_else_does_not_take_the_old_thread_along(
    db: psycopg.Connection, together: bool
) -> None:
    first = contact("15550100101", "Ana", user_id="BR.1")
    second = contact("15550100101", "Otto", user_id="BR.2")
    bodies = [
        event(change(contacts=[first], messages=[text("wamid.1", "mine", from_user_id="BR.1")])),
        event(change(contacts=[second], messages=[text("wamid.2", "not hers", from_user_id="BR.2")])),
    ]
    for step in [bodies] if together else [[body] for body in bodies]:
        understand(db, *step)
    assert sorted(rows(db, "SELECT name FROM participants")) == [("Ana",), ("Otto",)]
    assert rows(db, "SELECT count(*) FROM conversations") == [(2,)]


def test_the_newest_name_is_shown_in_whatever_order_it_comes(db: psycopg.Connection) -> None:
    for name, at in (("Ana P.", 1_770_000_100), ("Ana", 1_770_000_000), ("Ana Prado", 1_770_000_200)):
        understand(db, message_event(f"wamid.{at}", "hi", name=name, at=at))
    assert rows(db, "SELECT name FROM participants") == [("Ana Prado",)]
    assert rows(db, "SELECT count(*) FROM participant_names") == [(3,)]


def test_the_same_wamid_on_two_numbers_is_two_messages(db: psycopg.Connection) -> None:
    understand(db, message_event("wamid.1", "office"), message_event("wamid.1", "shop", number=SHOP))
    assert sorted(rows(db, "SELECT text FROM messages")) == [("office",), ("shop",)]


def test_the_same_message_in_two_events_is_kept_once_and_counted_once(db: psycopg.Connection) -> None:
    one = text("wamid.1", "once")
    understand(db, event(change(messages=[one])), event(change(messages=[one, text("wamid.2", "two")])))
    assert rows(db, "SELECT count(*) FROM messages") == [(2,)]
    assert rows(db, "SELECT message_count FROM conversations") == [(2,)]
    assert rows(db, "SELECT sum(inbound) FROM daily_counts") == [(2,)]


DAWN = 1_770_000_000
GHOST = {
    "id": "wamid.g",
    "from": "15550100101",
    "timestamp": "1770000000",
    "type": "unsupported",
    "unsupported": {"type": "unknown"},
    "errors": [{"code": 131060, "title": "This message is unavailable."}],
}


@pytest.mark.parametrize("order", list(itertools.permutations(["ghost", "real"])))
@pytest.mark.parametrize("together", [True, False])
def test_the_real_message_takes_the_place_of_its_ghost(
    db: psycopg.Connection, order: tuple[str, ...], together: bool
) -> None:
    bodies = {"ghost": event(change(messages=[GHOST])), "real": message_event("wamid.g", "I saw your ad")}
    for body in [] if together else [bodies[name] for name in order]:
        understand(db, body)
    understand(db, *(bodies[name] for name in order))
    assert rows(db, "SELECT type, text, standing FROM messages") == [("text", "I saw your ad", 2)]
    assert rows(db, "SELECT message_count FROM conversations") == [(1,)]


def test_a_ghost_that_is_never_replaced_stays_visible(db: psycopg.Connection) -> None:
    understand(db, event(change(messages=[GHOST])))
    ((kind, standing, words),) = rows(db, "SELECT type, standing, text FROM messages")
    assert (kind, standing) == ("unsupported", 0) and words


def test_states_only_move_forward_in_every_order(db: psycopg.Connection) -> None:
    steps = [("sent", DAWN), ("delivered", DAWN + 1), ("read", DAWN + 2), ("sent", DAWN)]
    for number, order in enumerate(itertools.permutations(steps)):
        bodies = [
            event(change(statuses=[status(f"wamid.{number}", name, at=at)]), account=str(i))
            for i, (name, at) in enumerate(order)
        ]
        understand(db, *bodies)
    assert rows(db, "SELECT DISTINCT status, extract(epoch FROM at)::int FROM message_state") == [("read", DAWN + 2)]
    assert rows(db, "SELECT count(DISTINCT wamid) * 3 = count(*) FROM statuses") == [(True,)]


def test_failed_replaces_sent_but_not_delivered(db: psycopg.Connection) -> None:
    understand(db, event(change(statuses=[status("a", "failed", at=12), status("a", "sent", at=10)])))
    understand(db, event(change(statuses=[status("b", "delivered", at=11), status("b", "failed", at=12)])))
    assert rows(db, "SELECT wamid, status FROM message_state ORDER BY wamid") == [("a", "failed"), ("b", "delivered")]


def test_a_status_leaves_the_message_row_alone_and_updates_its_state_in_place(db: psycopg.Connection) -> None:
    understand(db, message_event("wamid.1", "hello"))
    before = rows(db, "SELECT ctid, xmin FROM messages")
    for step, name in enumerate(["sent", "delivered", "read"]):
        understand(db, event(change(statuses=[status("wamid.1", name, at=1_770_000_000 + step)])))
    assert rows(db, "SELECT ctid, xmin FROM messages") == before
    for _ in range(50):
        db.execute("SELECT pg_stat_force_next_flush()")
        updated, hot = rows(
            db, "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'message_state'"
        )[0]
        if updated == 2:
            break
        time.sleep(0.1)
    assert (updated, hot) == (2, 2)


def test_one_bad_item_harms_no_neighbour_and_shows_up(db: psycopg.Connection) -> None:
    bad = {"id": 17, "timestamp": "soon", "type": "text"}
    understand(db, event(change(messages=[text("wamid.1", "before"), bad, text("wamid.2", "after")])))
    assert rows(db, "SELECT text FROM messages ORDER BY wamid") == [("before",), ("after",)]
    assert rows(db, "SELECT item, kind FROM parked") == [("entry/0/changes/0/messages/1", "malformed")]


def test_bytes_that_are_no_json_are_parked_and_kept(db: psycopg.Connection) -> None:
    understand(db, b"\xff\x00 not json", message_event("wamid.1", "fine"))
    assert rows(db, "SELECT kind FROM parked") == [("malformed",)]
    assert rows(db, "SELECT count(*) FROM messages") == [(1,)]


def test_nul_and_lone_surrogates_are_kept_and_readable(db: psycopg.Connection) -> None:
    understand(db, message_event("wamid.1", "a\x00b"), message_event("wamid.2", "c\ud83dd"))
    assert rows(db, "SELECT text FROM messages ORDER BY wamid") == [("a\ufffdb",), ("c\ufffdd",)]


@pytest.mark.parametrize("cause", [ZeroDivisionError(), psycopg.errors.ProgramLimitExceeded()])
def test_an_event_that_breaks_a_batch_is_parked_and_the_others_go_on(
    db: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, cause: Exception
) -> None:
    from wamcp.ingest import normalize

    real = normalize.read_event

    def fragile(body: bytes) -> Any:
        if b"poison" in body:
            raise cause
        return real(body)

    monkeypatch.setattr(normalize, "read_event", fragile)
    understand(
        db, message_event("wamid.1", "fine"), message_event("wamid.2", "poison"), message_event("wamid.3", "fine")
    )
    assert rows(db, "SELECT count(*) FROM messages") == [(2,)]
    assert rows(db, "SELECT kind FROM parked") == [("failed",)]
    assert rows(db, "SELECT count(*) FROM webhook_queue") == [(0,)]
    assert rows(db, "SELECT count(*) FROM started") == [(0,)]


def test_trouble_of_the_database_parks_nothing(db: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    from wamcp.ingest import normalize

    def full(_connection: object, _events: object) -> None:
        raise psycopg.errors.DiskFull

    monkeypatch.setattr(normalize, "keep", full)
    queue(db, message_event("wamid.1", "fine"))
    for alone in (False, True):
        with pytest.raises(psycopg.errors.DiskFull):
            work_off(db, alone=alone)
    monkeypatch.undo()
    understand(db)
    assert rows(db, "SELECT count(*) FROM messages") == [(1,)]
    assert rows(db, "SELECT count(*) FROM parked") == [(0,)]


@pytest.mark.parametrize("is_lost", [False, True])
def test_an_event_is_not_blamed_for_the_trouble_of_the_database(
    db: psycopg.Connection, database_url: str, monkeypatch: pytest.MonkeyPatch, is_lost: bool
) -> None:
    from wamcp.ingest import normalize

    real, times = normalize.keep, iter(range(5))

    def troubled(connection: Any, events: Any) -> None:
        if next(times, None) is not None:
            if is_lost:
                connection.close()
            raise psycopg.errors.AdminShutdown
        real(connection, events)

    monkeypatch.setattr(normalize, "keep", troubled)
    queue(db, message_event("wamid.1", "fine"))
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(database_url, stop))
    thread.start()
    try:
        deadline = time.monotonic() + 30
        while rows(db, "SELECT count(*) FROM webhook_queue") != [(0,)]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        stop.set()
        thread.join(10)
    assert rows(db, "SELECT count(*) FROM messages") == [(1,)]
    assert rows(db, "SELECT count(*) FROM parked") == [(0,)]


DEADLY = """
import os, signal, sys, threading
from wamcp.ingest import normalize
real = normalize.read_event
def deadly(body):
    if b"deadly" in body:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(body)
normalize.read_event = deadly
normalize.run(sys.argv[1], threading.Event())
"""


@pytest.mark.fault(10)
@pytest.mark.parametrize(("neighbours", "of_it"), [(2, 2), (170, 3)])
def test_an_event_that_kills_the_normalizer_is_parked_soon(
    db: psycopg.Connection,
    database_url: str,
    neighbours: int,
    of_it: int,
    record_property: Callable[[str, object], None],
) -> None:
    bodies = [message_event(f"wamid.{number}", "fine") for number in range(neighbours)]
    queue(db, *bodies[: neighbours // 2], message_event("wamid.deadly", "deadly"), *bodies[neighbours // 2 :])
    deaths = 0
    process = subprocess.Popen([sys.executable, "-c", DEADLY, database_url], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 40
        while rows(db, "SELECT count(*) FROM webhook_queue") != [(0,)]:
            assert time.monotonic() < deadline
            if process.poll() is not None:
                assert process.returncode == -signal.SIGKILL
                deaths += 1
                process = subprocess.Popen([sys.executable, "-c", DEADLY, database_url], stderr=subprocess.DEVNULL)
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
    assert deaths == of_it
    assert rows(db, "SELECT kind FROM parked") == [("killed",)]
    assert rows(db, "SELECT count(*) FROM messages") == [(neighbours,)]
    assert rows(db, "SELECT count(*) FROM started") == [(0,)]
    record_property(
        "figure", f"a deadly event and {neighbours}: parked after {deaths} deaths, all neighbours understood"
    )


def test_a_second_normalizer_stands_by_and_takes_over(db: psycopg.Connection, database_url: str) -> None:
    stops = [threading.Event(), threading.Event()]
    holders = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    threads = [threading.Thread(target=run, args=(database_url, stop)) for stop in stops]
    for thread in threads:
        thread.start()
    try:
        for number, stop in enumerate(stops):
            queue(db, message_event(f"wamid.{number}", "hello"))
            db.execute("NOTIFY wamcp_events")
            deadline = time.monotonic() + 20
            while rows(db, "SELECT count(*) FROM messages") != [(number + 1,)]:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            assert eventually(lambda: rows(db, holders) == [(1,)])
            stop.set()
            if number == 0:
                threads[0].join(10)
    finally:
        for stop in stops:
            stop.set()
        for thread in threads:
            thread.join(10)


def mixed_bodies(count: int, seed: int) -> list[bytes]:
    dice = random.Random(seed)
    bodies = []
    for number in range(count):
        at, person = 1_770_000_000 + dice.randrange(10**6), dice.randrange(12)
        who, user_id = f"155501001{person:02}", f"US.{person}"
        known = contact(who if dice.random() < 0.7 else None, f"Name {dice.randrange(3)}", user_id=user_id)
        named = {"from_user_id": user_id, "sender": known.get("wa_id")}
        items: dict[str, Any] = {"contacts": [known]}
        if dice.random() < 0.6:
            items["statuses"] = [
                status(f"wamid.{dice.randrange(count)}", dice.choice(["sent", "read", "failed"]), at=at, to=who)
            ]
        else:
            wamid = f"wamid.{dice.randrange(count)}"
            items["messages"] = [text(wamid, f"word{number} café 你好吗", at=at, **named), GHOST | {"id": wamid}]
        bodies.append(event(change(dice.choice([OFFICE, SHOP]), **items)))
    return bodies


def test_reprocessing_changes_no_row_and_no_id(db: psycopg.Connection, database_url: str) -> None:
    understand(db, *mixed_bodies(300, seed=3))
    before = checksum(db)
    ids = rows(db, "SELECT id, wamid, number_id, xmin FROM messages ORDER BY id")
    replayed = reprocess(database_url)
    assert replayed.events == 300
    assert checksum(db) == before
    assert rows(db, "SELECT id, wamid, number_id, xmin FROM messages ORDER BY id") == ids


def test_the_result_does_not_depend_on_how_the_events_fell_into_batches(
    db: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wamcp.ingest import normalize

    bodies = mixed_bodies(200, seed=5)
    understand(db, *bodies)
    together = checksum(db)
    db.execute(
        "TRUNCATE webhook_events, webhook_queue, applied, parked, numbers, participants, participant_aliases,"
        " participant_names, merge_candidates, conversations, messages, daily_counts, statuses, message_state,"
        " account_events, unknowns"
    )
    monkeypatch.setattr(normalize, "BATCH_EVENTS", 3)
    understand(db, *bodies)
    assert checksum(db) == together


def test_verify_finds_nothing_when_nothing_changed_and_exactly_what_did(
    db: psycopg.Connection, database_url: str
) -> None:
    understand(db, *mixed_bodies(120, seed=4), b"not json")
    assert verify(database_url)[1] == []
    ((row_id, words),) = rows(db, "SELECT id, text FROM messages ORDER BY id LIMIT 1")
    db.execute("UPDATE messages SET text = 'tampered' WHERE id = %s", [row_id])
    done, differences = verify(database_url)
    assert done.events == 121
    ((table, gone, come),) = [(d.table, d.only_archive, d.only_rebuilt) for d in differences]
    assert (table, gone, come) == ("messages", 1, 1)
    assert any("tampered" in line for line in differences[0].examples)
    reprocess(database_url)
    assert rows(db, "SELECT text FROM messages WHERE id = %s", row_id) == [(words,)]
    assert rows(db, "SELECT count(*) FROM pg_namespace WHERE nspname = 'wamcp_verify'") == [(0,)]


def test_purged_events_are_said_and_their_rows_stay(db: psycopg.Connection, database_url: str) -> None:
    understand(db, message_event("wamid.1", "old"), message_event("wamid.2", "new"))
    db.execute("DELETE FROM webhook_events WHERE id = (SELECT min(id) FROM webhook_events)")
    assert reprocess(database_url).purged == 1
    assert rows(db, "SELECT count(*) FROM messages") == [(2,)]

"""After an erasure: what comes late stays away, what is new begins anew; and erasing survives its own death."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.understanding import queue, rows, understand
from tests.webhooks import OFFICE, change, contact, event, message_event, status, text
from wamcp.db.content import checksum
from wamcp.errors import Conflict, NotVisible, Rejected
from wamcp.ingest.erasing import erase as erasing
from wamcp.ingest.erasing.erase import erase, preview
from wamcp.ingest.merging import merge
from wamcp.ingest.normalize import work_off
from wamcp.ingest.reprocess import reprocess, verify
from wamcp.storage.directory.write import DirectoryWriter

ANA, RUI, EVA = "15550100101", "15550100102", "15550100103"
THEN = 1_770_000_000
NEVER = 4_000_000_000
"""After every erasure of these tests."""


@pytest.fixture
def store(tmp_path: Path) -> DirectoryWriter:
    return DirectoryWriter(tmp_path / "objects")


@pytest.fixture
def erased(db: psycopg.Connection, database_url: str, store: DirectoryWriter) -> Iterator[bytes]:
    """Ana wrote and was erased, Rui stays; her webhook as it came."""
    body = event(change(contacts=[contact(ANA, "Ana")], messages=[text("wamid.1", "secret", sender=ANA)]))
    understand(db, body, message_event("wamid.2", "hello", sender=RUI, name="Rui"))
    erase(database_url, store, [ANA], "test")
    yield body


def people(db: psycopg.Connection) -> list[str | None]:
    return [row[0] for row in rows(db, "SELECT name FROM participants ORDER BY id")]


@pytest.mark.usefixtures("erased")
@pytest.mark.parametrize(
    "late",
    [
        change(contacts=[contact(ANA, "Ana")], messages=[text("wamid.1", "secret", sender=ANA)]),
        change(contacts=[contact(ANA, "Ana")], statuses=[status("wamid.1", "read", to=ANA, at=NEVER)]),
        change(contacts=[contact(ANA, "Ana")], messages=[text("wamid.0", "secret", sender=ANA, at=THEN - 9)]),
        change(field="smb_message_echoes", message_echoes=[
            {**text("wamid.1", "secret", sender=None, at=NEVER), "to": ANA}]),
        change(field="standby", standby={
            "contacts": [contact(ANA, "Ana")], "messages": [text("w", "secret", sender=ANA)]}),
        change(field="history", history=[{"metadata": {"phase": 0}, "threads": [
            {"id": ANA, "context": {"name": "Ana"}, "messages": [text("wamid.0", "secret", sender=ANA)]}]}]),
    ],
)  # fmt: skip
def test_what_comes_late_does_not_bring_her_back(
    db: psycopg.Connection, database_url: str, late: dict[str, Any]
) -> None:
    beside = change(contacts=[contact(EVA, "Eva")], messages=[text("wamid.eva", "new here", sender=EVA)])
    understand(db, event(late, beside))
    assert people(db) == ["Rui", "Eva"]
    assert rows(db, "SELECT text FROM messages ORDER BY wamid") == [("hello",), ("new here",)]
    assert rows(db, "SELECT count(*) FROM webhook_events WHERE position('secret'::bytea in body) > 0") == [(0,)]
    assert rows(db, "SELECT count(*) FROM participant_aliases WHERE value = %s", ANA) == [(0,)]
    assert rows(db, "SELECT count(*) FROM parked") == [(0,)]
    assert verify(database_url)[1] == []


def test_the_very_same_webhook_is_known_and_not_kept_again(db: psycopg.Connection, erased: bytes) -> None:
    queue(db, erased)
    assert rows(db, "SELECT count(*) FROM webhook_queue") == [(0,)]
    assert rows(db, "SELECT count(*) FROM webhook_events") == [(2,)]


@pytest.mark.usefixtures("erased")
def test_a_new_message_of_hers_begins_somebody_new(db: psycopg.Connection, database_url: str) -> None:
    understand(db, message_event("wamid.9", "it is me", sender=ANA, name="Ana", at=NEVER))
    ((name, participant),) = rows(db, "SELECT name, id FROM participants WHERE name <> 'Rui'")
    assert name == "Ana" and participant > 2
    assert rows(db, "SELECT text FROM messages WHERE sender_id = %s", participant) == [("it is me",)]
    assert verify(database_url)[1] == []
    reprocess(database_url)
    assert people(db) == ["Rui", "Ana"]


@pytest.mark.parametrize("step", ["scan", "pseudonymise", "_forget_sends", "delete_objects", "clean"])
def test_one_that_was_cut_off_goes_on_where_it_stood(
    db: psycopg.Connection, database_url: str, store: DirectoryWriter, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    from wamcp.ingest.erasing import rows as rows_module

    understand(db, message_event("wamid.1", "secret", sender=ANA, name="Ana"), message_event("w.2", "hi", sender=RUI))
    with monkeypatch.context() as patch:
        patch.setattr(rows_module if step.startswith("_") else erasing, step, lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            erase(database_url, store, [ANA], "test")
    understand(db, message_event("wamid.3", "new", sender=ANA, name="Ana", at=NEVER))
    assert len(erase(database_url, store, [], "test")) == 1
    assert erase(database_url, store, [], "test") == []
    assert rows(db, "SELECT text FROM messages ORDER BY wamid") == [("hi",), ("new",)]
    assert rows(db, "SELECT work FROM erasures") == [(None,)]
    assert verify(database_url)[1] == []


def test_of_two_that_say_the_same_without_her_the_first_says_it(
    db: psycopg.Connection, database_url: str, store: DirectoryWriter
) -> None:
    thread = {"id": RUI, "messages": [text("wamid.2", "hello", sender=RUI)]}
    hers = {"id": ANA, "messages": [text("wamid.1", "secret", sender=ANA)]}
    for threads in ([hers, thread], [thread]):
        queue(db, event(change(field="history", history=[{"metadata": {"phase": 0}, "threads": threads}])))
    db.execute("UPDATE webhook_events SET received_at = received_at + id * interval '1 minute'")
    while work_off(db):
        pass
    erase(database_url, store, [ANA], "test")
    assert rows(db, "SELECT event_id FROM account_events") == [(1,)]
    assert verify(database_url)[1] == []


def test_whoever_has_her_number_now_stays_and_gets_it(
    db: psycopg.Connection, database_url: str, store: DirectoryWriter
) -> None:
    def says(wamid: str, bsuid: str, name: str) -> bytes:
        words = text(wamid, f"I am {name}", sender=ANA, from_user_id=bsuid)
        return event(change(contacts=[contact(ANA, name, user_id=bsuid)], messages=[words]))

    understand(db, says("w.1", "US.1111111111", "Ana"), says("w.2", "US.2222222222", "Eva"))
    whom, counts = preview(db, [ANA])
    assert (len(whom.near), counts["messages"]) == (1, 1)
    erase(database_url, store, [ANA], "test")
    assert rows(db, "SELECT text FROM messages") == [("I am Eva",)]
    assert rows(db, "SELECT kind, value FROM participant_aliases ORDER BY 1") == [
        ("bsuid", "US.2222222222"),
        ("wa_id", ANA),
    ]
    assert verify(database_url)[1] == []


def test_everybody_merged_with_her_goes_and_her_neighbours_in_groups_do_not(
    db: psycopg.Connection, database_url: str, store: DirectoryWriter
) -> None:
    in_group = [{**text(f"w.{who}", f"{who} says", sender=who), "group_id": "g"} for who in (ANA, EVA, RUI)]
    understand(db, event(change(messages=in_group)), message_event("w.9", "private", sender=EVA, name="Eva"))
    ids = dict(rows(db, "SELECT value, participant_id FROM participant_aliases"))
    merge(database_url, ids[EVA], ids[ANA], "test")
    whom, _ = preview(db, [f"p{ids[EVA]}"])
    assert sorted(whom.ids) == sorted([ids[ANA], ids[EVA]])
    erase(database_url, store, [f"p{ids[EVA]}"], "test")
    assert rows(db, "SELECT text FROM messages") == [(f"{RUI} says",)]
    assert rows(db, "SELECT message_count FROM conversations") == [(1,)]
    assert rows(db, "SELECT sum(inbound) FROM daily_counts") == [(1,)]
    assert rows(db, "SELECT count(*) FROM merges") == [(0,)]
    assert verify(database_url)[1] == []


def test_bytes_that_somebody_else_sent_too_stay(
    db: psycopg.Connection, database_url: str, store: DirectoryWriter
) -> None:
    for who, media_id in ((ANA, "1"), (RUI, "2")):
        image = {"id": f"w.{who}", "timestamp": str(THEN), "type": "image", "from": who, "image": {"id": media_id}}
        understand(db, event(change(messages=[image])))
    stored = store.put([b"the same picture"], cap=99)
    db.execute("UPDATE media SET state = 'stored', sha256 = %s, storage_key_raw = %s", [stored.sha256, stored.key])
    work = erase(database_url, store, [ANA], "test")[-1]
    assert (work.counts["files"], work.counts.get("objects", 0), store.size(stored.key)) == (1, 0, 16)
    assert erase(database_url, store, [RUI], "test")[-1].counts["objects"] == 1
    assert store.size(stored.key) is None


def test_what_others_said_keeps_its_hash_and_its_state(
    db: psycopg.Connection, database_url: str, store: DirectoryWriter
) -> None:
    read = {"recipient_type": "group", "recipient_participant_id": ANA}
    understand(db, message_event("w.2", "hi", sender=RUI, name="Rui"), event(
        change(statuses=[status("w.g", "read", to="g", **read), status("w.g", "sent", to="g", recipient_type="group",
               recipient_participant_id=RUI)])))  # fmt: skip
    before = checksum(db)["messages"]
    erase(database_url, store, [ANA], "test")
    assert checksum(db)["messages"] == before
    assert rows(db, "SELECT status FROM message_state") == [("sent",)]
    assert verify(database_url)[1] == []


def test_a_number_in_two_accounts_goes_from_both(
    db: psycopg.Connection, database_url: str, store: DirectoryWriter
) -> None:
    understand(db, message_event("w.1", "a", sender=ANA))
    understand(db, event(change("900", messages=[text("w.2", "b", sender=ANA)]), account="other"))
    erase(database_url, store, [f"+{ANA}"], "test")
    assert rows(db, "SELECT count(*) FROM participants") == [(0,)]
    assert verify(database_url)[1] == []


def test_what_cannot_be_erased_says_why(db: psycopg.Connection, database_url: str, store: DirectoryWriter) -> None:
    understand(db, message_event("w.1", "a", sender=ANA))
    for written, kind, words in (
        ("p99", NotVisible, "knows nobody"), ("+15550100199", NotVisible, "knows nobody"), ("12", Rejected, "write p7"),
    ):  # fmt: skip
        with pytest.raises(kind, match=words):
            erase(database_url, store, [written], "test")
    ((person,),) = rows(db, "SELECT id FROM participants")
    db.execute(
        "INSERT INTO sends (callback, origin, asked_by, fingerprint, phone_number_id, recipient_kind, recipient, type,"
        " body, state) VALUES ('wamcp-1', 'api', 'x', '', %s, 'phone', %s, 'text', '{}', 'sending')",
        [OFFICE, ANA],
    )
    with pytest.raises(Conflict, match="try again in a minute"):
        erase(database_url, store, [ANA], "test")
    db.execute("INSERT INTO holds (participant_id, set_by, reason) VALUES (%s, 'x', 'a case')", [person])
    with pytest.raises(Rejected, match=f"wamcp contact release p{person}"):
        erase(database_url, store, [ANA], "test")
    assert rows(db, "SELECT count(*) FROM erasures") == [(0,)]
    assert rows(db, "SELECT text FROM messages") == [("a",)]


def test_what_waits_in_the_queue_is_cut_as_well(
    db: psycopg.Connection, database_url: str, store: DirectoryWriter
) -> None:
    understand(db, message_event("w.1", "a", sender=ANA))
    queue(db, event(change(messages=[text("w.2", "secret", sender=ANA), text("w.3", "kept", sender=RUI)])))
    erase(database_url, store, [ANA], "test")
    assert rows(db, "SELECT count(*) FROM webhook_events WHERE position('secret'::bytea in body) > 0") == [(0,)]
    assert work_off(db) == 1
    assert rows(db, "SELECT text FROM messages") == [("kept",)]
    assert verify(database_url)[1] == []

"""Erasing somebody: two hundred planted words of one person, and then none anywhere; neighbours lose nothing."""

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.understanding import rows, understand
from tests.webhooks import OFFICE, SHOP, change, contact, event, message_event, status, text
from wamcp.embedded.scratch import TemporaryPostgres
from wamcp.ingest.erasing.erase import erase
from wamcp.ingest.reprocess import verify
from wamcp.storage.directory.write import DirectoryWriter

ANA, RUI = "15550100101", "15550100102"
BSUID = "US.13491208655302741918"
THEN = 1_770_000_000


class Planted:
    """Words that nobody else says, numbered; and the times of what is said, one after the other."""

    def __init__(self) -> None:
        self._words, self._times = count(), count(THEN)

    def __call__(self) -> str:
        return f"zqmark{next(self._words):03d}x"

    def at(self) -> str:
        return str(next(self._times))

    @property
    def all(self) -> list[str]:
        return [f"zqmark{index:03d}x" for index in range(next(self._words))]


@pytest.fixture
def store(tmp_path: Path) -> DirectoryWriter:
    return DirectoryWriter(tmp_path / "objects")


def said(mark: Planted, kind: str, body: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "from": ANA,
        "from_user_id": BSUID,
        "id": f"wamid.{mark()}",
        "timestamp": mark.at(),
        "type": kind,
        kind: body,
        **more,
    }


def her_messages(mark: Planted) -> list[dict[str, Any]]:
    """One of each kind that has words."""
    file = {"id": "m", "mime_type": "application/pdf", "sha256": "x"}
    return [
        *(text(f"wamid.{mark()}", f"hello {mark()}", sender=ANA, at=int(mark.at())) for _ in range(60)),
        said(mark, "document", {**file, "id": "9001", "filename": f"{mark()}.pdf", "caption": mark()}),
        said(mark, "image", {**file, "id": "9002", "mime_type": "image/png", "caption": mark()}),
        said(mark, "reaction", {"message_id": "wamid.ours1", "emoji": mark()}),
        said(mark, "location", {"latitude": 1.5, "longitude": 2.5, "name": mark(), "address": mark()}),
        said(mark, "contacts", [{"name": {"formatted_name": mark()}, "phones": [{"phone": mark()}]}]),
        said(mark, "interactive", {"type": "button_reply", "button_reply": {"id": mark(), "title": mark()}}),
        said(mark, "button", {"payload": mark(), "text": mark()}),
        said(mark, "order", {"catalog_id": mark(), "text": mark(), "product_items": [{"product_retailer_id": mark()}]}),
        said(mark, "edit", {"original_message_id": f"wamid.{mark()}",
             "message": {"type": "text", "text": {"body": mark()}}}),
        said(mark, "revoke", {"original_message_id": f"wamid.{mark()}"}),
        said(mark, "system", {"type": "user_changed_number", "body": mark(), "wa_id": ANA}),
        said(mark, "novelty", {"new": mark()}),
        said(mark, "text", {"body": mark()}, referral={"headline": mark(), "body": mark()}, another=mark()),
        {"from": ANA, "id": None, "type": "text", "text": {"body": mark()}},
        {"from": ANA, "id": f"wamid.{mark()}", "timestamp": mark(), "type": "text", "text": {"body": mark()}},
    ]  # fmt: skip


def plant(mark: Planted) -> list[bytes]:
    """Webhooks of every field about her, some with others' items beside hers, some twice in different batches."""
    hers = her_messages(mark)
    her, his = contact(ANA, f"Ana {mark()}", user_id=BSUID), contact(RUI, "Rui Dias")
    first, moment = hers[0]["id"], str(THEN)
    in_group = [
        {**text(f"wamid.{mark()}", mark(), sender=ANA), "group_id": "g1"},
        {**text("wamid.rui2", "quoting her", sender=RUI), "group_id": "g1", "context": {"from": ANA, "id": first}},
        {"from": RUI, "group_id": "g1", "id": "wamid.rui3", "timestamp": "1770000000", "type": "reaction",
         "reaction": {"message_id": first, "emoji": "!"}},
        {"from": RUI, "type": "text", "text": {"body": "parked, not hers"}},
    ]  # fmt: skip
    statuses = [
        status("wamid.ours1", word, to=ANA, biz_opaque_callback_data=mark(), errors=[{"code": 1, "title": mark()}])
        for word in ("sent", "delivered", "read")
    ]
    of_group = {"recipient_type": "group", "recipient_participant_id": ANA}
    beside = text("wamid.rui1", "I keep this", sender=RUI, at=THEN)
    return [
        *(event(change(contacts=[her], messages=[each])) for each in hers[:10]),
        event(change(contacts=[her, his], messages=[*hers[10:], beside])),
        event(
            change(contacts=[her], messages=[hers[0], hers[1]]),
            change(SHOP, contacts=[her], messages=[said(mark, "text", {"body": mark()})]),
        ),
        event(change(contacts=[her, his], messages=in_group)),
        event(change(statuses=[*statuses, status("wamid.group1", "read", to="g1", **of_group)])),
        event(change(statuses=[status("wamid.rui9", "sent", to=RUI)])),
        event(change(field="tracking_events", tracking_events=[
            {"id": first, "event_name": mark(), "timestamp": moment}])),
        *(event(about_her) for about_her in changes_about_her(mark, her, moment)),
        message_event("wamid.rui5", "and goodbye", sender=RUI, name="Rui Dias"),
        f'{{"broken": "{ANA}", {mark()}'.encode(),
    ]  # fmt: skip


def changes_about_her(mark: Planted, her: dict[str, Any], at: str) -> list[dict[str, Any]]:
    """One of each field that may be about a person."""
    book = {"full_name": mark(), "first_name": mark(), "phone_number": f"+{ANA}"}
    control = {"metadata": mark(), "conversation_context": {"summary": {"text": mark()}}}
    members = [{"wa_id": ANA, "username": mark()}, {"wa_id": RUI, "username": "rui"}]
    threads = [
        {"id": ANA, "context": {"name": mark(), "username": mark()}, "messages": [
            text(f"wamid.{mark()}", mark(), sender=ANA)]},
        {"id": RUI, "messages": [text("wamid.rui4", "old", sender=RUI)]},
    ]  # fmt: skip
    group = {"group_id": "g1", "timestamp": at}
    return [
        change(field="smb_message_echoes", message_echoes=[
            {**text("wamid.ours1", mark(), sender=OFFICE), "to": ANA}]),
        change(field="history", history=[{"metadata": {"phase": 1, "chunk_order": 1}, "threads": threads}]),
        change(field="standby", standby={"contacts": [her], "messages": [said(mark, "text", {"body": mark()})]}),
        change(field="calls", contacts=[her], calls=[{"id": f"wacid.{mark()}", "event": "terminate", "timestamp": at,
               "from": ANA, "to": "1", "biz_opaque_callback_data": mark()}]),
        change(field="group_participants_update", groups=[
            {**group, "type": "group_participants_add", "added_participants": members}]),
        change(field="group_participants_update", groups=[
            {**group, "type": "group_join_request_created", "wa_id": ANA, "username": mark(), "request_id": mark()}]),
        change(field="smb_app_state_sync", state_sync=[
            {"type": "contact", "action": "add", "contact": book, "metadata": {"timestamp": at}}]),
        change(field="user_preferences", contacts=[her], user_preferences=[
            {"wa_id": ANA, "detail": mark(), "category": "marketing_messages", "value": "stop", "timestamp": at}]),
        {"field": "messaging_handovers", "value": {
            "recipient": {"phone_number_id": OFFICE, "display_phone_number": "1555010001"}, "timestamp": at,
            "sender": {"phone_number": ANA}, "type": "control_passed", "control_passed": control}},
        change(field="user_id_update", contacts=[her], user_id_update=[
            {"user_id": {"previous": BSUID, "current": f"{BSUID}7"}, "detail": mark(), "timestamp": at}]),
        change(field="something_new", things=[{"wa_id": ANA, "words": mark()}, {"wa_id": RUI, "words": "his"}]),
        change(contacts=[her], user_actions=[{"action_type": mark(), "timestamp": at}]),
    ]  # fmt: skip


def plant_beside(db: psycopg.Connection, store: DirectoryWriter, mark: Planted) -> None:
    """Her files and documents, sends to her, and who looked at her."""
    for media_id in ("9001", "9002"):
        stored = store.put(io.BytesIO(mark().encode()), cap=100)
        db.execute(
            "UPDATE media SET state = 'stored', sha256 = %s, storage_key_raw = %s, size = 10, reason = %s"
            " WHERE media_id = %s", [stored.sha256, stored.key, mark(), media_id])  # fmt: skip
    db.execute("UPDATE documents SET state = 'done', extracted_fields_json = %s", [json.dumps({"total": mark()})])
    db.execute(
        "INSERT INTO document_pages (document_id, page, number_id, conversation_id, sent_at, day, direction, type,"
        " source, text) SELECT id, 1, number_id, conversation_id, sent_at, day, 'inbound', 'document', 'text', %s"
        " FROM documents", [mark()])  # fmt: skip
    for recipient in (ANA, BSUID):
        db.execute(
            "INSERT INTO sends (callback, origin, asked_by, fingerprint, phone_number_id, recipient_kind, recipient,"
            " type, body, state, error, reason, idempotency_key) VALUES"
            " (%s, 'api', 'x', '', %s, 'phone', %s, 'text', %s, 'failed', %s, %s, %s)",
            [f"wamcp-{mark()}", OFFICE, recipient, *(json.dumps({"b": mark()}) for _ in range(2)), mark(), mark()],
        )
    db.execute("INSERT INTO send_pace VALUES (%s, %s, now())", [OFFICE, ANA])
    ((message,),) = rows(db, "SELECT min(id) FROM messages WHERE text LIKE 'hello%%'")
    for target, parameters, refs in (
        ("search_messages", {"query": mark(), "type": "text"}, [f"m{message}"]),
        (f"/admin/messages/{rows(db, 'SELECT wamid FROM messages WHERE id = %s', message)[0][0]}", {}, None),
        ("/admin/participants", {"q": f"+{ANA}"}, None),
        ("/admin/participants", {"q": "weather"}, ["m999999"]),
    ):
        db.execute(
            "INSERT INTO audit_log (actor, action, target, parameters, outcome, refs)"
            " VALUES ('mcp', 'r', %s, %s, 'ok', %s)",
            [target, Jsonb(parameters), refs],
        )


def written_in(db: psycopg.Connection) -> str:
    """Everything that stands in any column of any table, of the statistics too."""
    tables = rows(db, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    found = []
    for (table,) in [*tables, ("pg_stats",)]:
        for row in db.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))):
            found.extend(f"{table}: {each.decode('latin-1') if isinstance(each, bytes) else each}" for each in row)
    return "\n".join(found)


@pytest.fixture
def planted(db: psycopg.Connection, store: DirectoryWriter) -> Iterator[Planted]:
    mark = Planted()
    understand(db, *plant(mark))
    plant_beside(db, store, mark)
    db.execute("ANALYZE")
    yield mark


def left(marks: list[str], everything: str) -> list[str]:
    """Where her words still stand, and in which words."""
    return [line for line in everything.split("\n") if any(word in line for word in [*marks, ANA, BSUID])]


def test_two_hundred_words_of_hers_and_then_none(
    db: psycopg.Connection, database_url: str, store: DirectoryWriter, planted: Planted, postgres: TemporaryPostgres,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    his = "SELECT text, type FROM messages WHERE wamid LIKE 'wamid.rui%%' ORDER BY wamid"
    before = rows(db, his)
    objects = [path for path in store.root.rglob("*") if path.is_file()]
    work = erase(database_url, store, [f"+{ANA}"], "test")[-1]
    marks = planted.all
    assert len(marks) >= 200 and len(objects) == 2
    assert left(marks, written_in(db)) == []
    assert [path for path in store.root.rglob("*") if path.is_file()] == []
    dumped = subprocess.run([postgres.cluster.bin / "pg_dump", database_url], capture_output=True, check=True).stdout
    assert left(marks, dumped.decode()) == [] and b"wamid.rui1" in dumped
    assert left(marks, "".join(capfd.readouterr())) == []
    assert verify(database_url)[1] == []
    assert [(line.split(" to: ")[0], kind) for line, kind in before] == rows(db, his)
    assert rows(db, "SELECT name FROM participants") == [("Rui Dias",)]
    assert rows(db, "SELECT parameters FROM audit_log WHERE refs = '{m999999}'") == [({"q": "weather"},)]
    assert work.counts["raw events"] > 25 and work.counts["objects"] == 2 and work.counts["audit rows"] == 3


def test_the_commands_hand_out_hold_and_erase(
    db: psycopg.Connection, database_url: str, store: DirectoryWriter, planted: Planted, tmp_path: Path
) -> None:
    def run(*words: str, told: str = "") -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "wamcp.cli.main", "contact", *words], cwd=tmp_path, input=told, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=os.environ | {"DATABASE_URL": database_url, "WAMCP_OBJECT_DIR": str(store.root)})  # fmt: skip
        return done.returncode, done.stdout

    marks = planted.all
    code, told = run("export", f"+{ANA}", "--to", "hers.zip")
    assert code == 0 and "79 messages" in told, told
    with zipfile.ZipFile(tmp_path / "hers.zip") as found:
        lines = {name: found.read(name).decode() for name in found.namelist()}
    assert (tmp_path / "hers.zip").stat().st_mode & 0o777 == 0o600
    assert len([name for name in lines if name.startswith("media/f")]) == 2
    text_of_all = "\n".join(lines.values())
    missing = [word for word in marks if word not in text_of_all]
    assert len(missing) < 10, missing  # objects have their words in files; a repeated wamid is kept once
    assert "I keep this" not in text_of_all and "weather" not in text_of_all
    assert all(json.loads(line) for name in lines if name.endswith(".jsonl") for line in lines[name].splitlines())
    assert "cannot be written" in run("export", f"+{ANA}", "--to", "hers.zip")[1]
    ((person,),) = rows(db, "SELECT participant_id FROM participant_aliases WHERE value = %s", ANA)
    assert run("hold", f"p{person}", "--reason", "a case")[0] == 0
    assert "under a legal hold" in run("erase", f"p{person}", "--yes")[1]
    assert "released" in run("release", f"p{person}")[1]
    code, told = run("erase", BSUID, told="n\n")
    assert code == 1 and "79 messages" in told and rows(db, "SELECT count(*) FROM erasures") == [(0,)]
    code, told = run("erase", BSUID, told="y\n")
    assert code == 0 and f"Erased p{person}" in told, told
    assert left(marks, written_in(db)) == []
    assert "no erasure to go on with" in run("erase")[1]
    assert "knows nobody" in run("erase", BSUID)[1]
    assert rows(db, "SELECT action FROM audit_log WHERE actor = 'command' ORDER BY id") == [
        ("export",), ("hold",), ("release",), ("erase",)]  # fmt: skip

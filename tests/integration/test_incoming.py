"""Rows for the files that messages carry: which messages have one, once each, and never taken back."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.understanding import rows, understand
from tests.webhooks import OFFICE, change, contact, event, message_event
from wamcp.ingest.reprocess import reprocess, verify

FIXTURES = Path(__file__).parents[1] / "fixtures/whatsapp"
FILES = (
    "SELECT media_id, state, direction, mime_type, filename, encode(stated_sha256, 'hex'), url FROM media ORDER BY id"
)
LINKS = (
    "SELECT m.wamid, m.type, f.media_id FROM messages m JOIN message_media USING (number_id, wamid)"
    " JOIN media f ON f.id = media_row_id ORDER BY m.wamid, f.media_id"
)
HASH = hashlib.sha256(b"a file").digest()


def carrying(kind: str, file: dict[str, Any], wamid: str = "wamid.1") -> dict[str, Any]:
    """A message of Ana's with a file."""
    return {"id": wamid, "timestamp": "1770000000", "type": kind, kind: file, "from": "15550100101"}


def posted(*messages: dict[str, Any], **more: Any) -> bytes:
    return event(change(OFFICE, contacts=[contact("15550100101", "Ana Prado")], messages=list(messages), **more))


@pytest.mark.parametrize("kind", ["image", "video", "audio", "voice", "document", "sticker"])
def test_each_kind_with_a_file_has_a_row(db: psycopg.Connection, kind: str) -> None:
    file = {"id": "77", "mime_type": "image/webp", "sha256": base64.b64encode(HASH).decode(), "url": "https://x/f"}
    understand(db, posted(carrying(kind, file | {"filename": "../conta\u202e.pdf"})))
    assert rows(db, FILES) == [("77", "pending", "inbound", "image/webp", "conta.pdf", HASH.hex(), "https://x/f")]
    assert rows(db, LINKS) == [("wamid.1", kind, "77")]
    [(own, days_7, due)] = rows(
        db,
        "SELECT f.event_id = m.event_id, abs(extract(epoch FROM f.media_id_until - e.received_at) - 7 * 86400) <= 1,"
        " f.next_attempt_at <= now() FROM media f CROSS JOIN messages m JOIN webhook_events e ON e.id = m.event_id",
    )
    assert own and days_7 and due


def test_hex_hashes_are_hashes_and_nonsense_is_none(db: psycopg.Connection) -> None:
    messages = [
        carrying("image", {"id": str(number), "sha256": written}, f"wamid.{number}")
        for number, written in enumerate([HASH.hex(), "short", 7, "=" * 44, base64.b64encode(HASH).decode()])
    ]
    understand(db, posted(*messages))
    assert [row[5] for row in rows(db, FILES)] == [HASH.hex(), None, None, None, HASH.hex()]


def test_messages_without_a_file_have_none(db: psycopg.Connection) -> None:
    understand(
        db,
        message_event("wamid.0", 'says "media": {"id": "5"}'),
        posted(
            carrying("image", {"caption": "no id"}, "wamid.2"),
            carrying("image", {"id": "x" * 5000}, "wamid.3"),
            carrying("image", {"id": {"id": "5"}}, "wamid.4"),
            {
                "id": "wamid.5",
                "timestamp": "1770000000",
                "type": "location",
                "from": "15550100101",
                "media": {"id": "9"},
            },
        ),
    )
    assert rows(db, FILES) == [] and rows(db, "SELECT count(*) FROM messages") == [(5,)]


@pytest.mark.parametrize("name", ["threads/history_media", "messages/edit"])
def test_history_and_edits_carry_files_too(db: psycopg.Connection, name: str) -> None:
    body = (FIXTURES / f"{name}.json").read_bytes()
    understand(db, body)
    found = rows(db, LINKS)
    assert found and all(f'"id": "{media_id}"' in body.decode() for _, _, media_id in found)


@pytest.mark.parametrize("field", ["smb_message_echoes", "standby"])
def test_echoes_and_standby_carry_files_too(db: psycopg.Connection, field: str) -> None:
    message = carrying("document", {"id": "88", "mime_type": "application/pdf"})
    if field == "standby":
        understand(db, posted(message, field=field))
    else:
        echo = {**message, "from": OFFICE, "to": "15550100101"}
        understand(db, event(change(OFFICE, field=field, message_echoes=[echo])))
    assert rows(db, LINKS) == [("wamid.1", "document", "88")]
    assert [row[:3] for row in rows(db, FILES)] == [("88", "pending", "inbound")]


def test_the_same_file_again_is_the_same_row_and_keeps_its_state(db: psycopg.Connection) -> None:
    file = {"id": "77", "mime_type": "image/png"}
    understand(db, posted(carrying("image", file), carrying("image", file, "wamid.2")))
    db.execute("UPDATE media SET state = 'stored', attempts = 3")
    understand(db, posted(carrying("image", file | {"caption": "again"}), carrying("image", file, "wamid.3")))
    assert [row[:2] for row in rows(db, FILES)] == [("77", "stored")]
    assert rows(db, LINKS) == [(f"wamid.{number}", "image", "77") for number in (1, 2, 3)]


def test_reprocessing_leaves_rows_alone_and_makes_those_that_are_missing(
    db: psycopg.Connection, database_url: str
) -> None:
    understand(db, posted(carrying("image", {"id": "1"})), posted(carrying("image", {"id": "2"}, "wamid.2")))
    db.execute("UPDATE media SET state = 'stored', size = 7 WHERE media_id = '1'")
    db.execute("DELETE FROM documents WHERE wamid = 'wamid.2'")
    db.execute("DELETE FROM message_media WHERE wamid = 'wamid.2'")
    db.execute("DELETE FROM media WHERE media_id = '2'")
    _, differences = verify(database_url)
    assert [(each.table, each.only_archive, each.only_rebuilt) for each in differences] == [("message_media", 0, 1)]
    assert rows(db, "SELECT count(*) FROM media") == [(1,)], "verifying does not touch the archive"
    reprocess(database_url)
    assert rows(db, "SELECT media_id, state, size FROM media ORDER BY id") == [
        ("1", "stored", 7),
        ("2", "pending", None),
    ]
    assert verify(database_url)[1] == []


def test_what_meta_no_longer_keeps_begins_as_expired(db: psycopg.Connection, database_url: str) -> None:
    understand(db, posted(carrying("image", {"id": "1", "url": "https://x/f"})))
    db.execute("DELETE FROM documents")
    db.execute("DELETE FROM message_media")
    db.execute("DELETE FROM media")
    db.execute("UPDATE webhook_events SET received_at = now() - interval '8 days'")
    reprocess(database_url)
    assert rows(db, "SELECT state, url, next_attempt_at, reason IS NOT NULL FROM media") == [
        ("expired", None, None, True)
    ]


def test_what_we_sent_ourselves_is_not_fetched(db: psycopg.Connection) -> None:
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"phone_number_id": OFFICE},
        "message_echoes": [{**carrying("image", {"id": "55"}), "from": OFFICE, "to": "15550100101"}],
    }
    body = {
        "object": "whatsapp_business_account",
        "entry": [{"id": "1", "changes": [{"field": "wamcp_sends", "value": value}]}],
    }
    understand(db, json.dumps(body).encode())
    assert rows(db, "SELECT type FROM messages") == [("image",)] and rows(db, FILES) == []


def test_an_upload_that_meta_calls_the_same_is_not_doubled(db: psycopg.Connection) -> None:
    db.execute(
        "INSERT INTO media (phone_number_id, direction, state, media_id) VALUES (%s, 'outbound', 'stored', '77')",
        [OFFICE],
    )
    understand(db, posted(carrying("image", {"id": "77"})))
    assert [row[:3] for row in rows(db, FILES)] == [("77", "stored", "outbound")]
    assert rows(db, LINKS) == [("wamid.1", "image", "77")]

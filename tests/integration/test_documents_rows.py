"""Rows of documents: which files have one, what waits for whom, and that pages follow their message."""

import hashlib
from typing import Any

import psycopg
import pytest

from tests.integration.test_incoming import carrying, posted
from tests.understanding import rows, understand
from wamcp.db import documents, incoming
from wamcp.db.documents import ReadDocument, ReadPage
from wamcp.db.incoming import FetchedFile
from wamcp.db.merges import move
from wamcp.ingest.reprocess import reprocess, verify
from wamcp.vocabulary import DocumentState, MediaState

READER = "wamcp 1"
FOUND = ReadDocument(
    state=DocumentState.DONE,
    error_code=None,
    mime_detected="application/pdf",
    doc_type="invoice",
    pages_total=2,
    truncated=False,
    reader=READER,
    extractor="pypdf",
    extractor_version="7.1.0",
    ocr_engine=None,
    ocr_languages=None,
    confidence=None,
    language="en",
    duration_ms=120,
    fields={"invoice_number": "4711"},
)
PAGES = [ReadPage(1, "text", None, None, "Invoice 4711"), ReadPage(2, "ocr", "tesseract", 0.8, "請求書")]
STATES = "SELECT state, error_code, next_attempt_at IS NOT NULL FROM documents ORDER BY id"


def store(db: psycopg.Connection, content: bytes = b"a file") -> None:
    """Fetches what waits, as the worker does."""
    while (file := incoming.claim_wanted(db, 60)) is not None:
        digest = hashlib.sha256(content).digest()
        key = f"raw/{digest.hex()[:2]}/{digest.hex()}"
        assert incoming.note_stored(db, file, FetchedFile(key, digest, len(content), "application/pdf", None, None))


def arrive(db: psycopg.Connection, *messages: dict[str, Any]) -> None:
    understand(db, posted(*messages))


def document(wamid: str = "wamid.1", file: str = "77") -> dict[str, Any]:
    return carrying("document", {"id": file, "mime_type": "application/pdf", "filename": "bill.pdf"}, wamid)


@pytest.mark.parametrize(
    ("kind", "count"), [("image", 1), ("document", 1), ("audio", 1), ("voice", 1), ("video", 0), ("sticker", 0)]
)
def test_what_may_hold_text_has_a_row(db: psycopg.Connection, kind: str, count: int) -> None:
    arrive(db, carrying(kind, {"id": "77"}))
    assert rows(db, STATES) == [("pending", None, False)] * count


def test_a_document_waits_for_its_file_and_is_then_due(db: psycopg.Connection) -> None:
    arrive(db, document())
    assert documents.claim_document(db, 60) is None
    store(db)
    assert rows(db, STATES) == [("pending", None, True)] and documents.count_wanted(db) == 1
    found = documents.claim_document(db, 60)
    assert found is not None and found.sha256 == hashlib.sha256(b"a file").digest() and found.attempts == 1
    assert documents.claim_document(db, 60) is None
    assert documents.reading_on(db, found, 60, 1)
    assert rows(db, "SELECT state, pages_done FROM documents") == [("extracting", 1)]


def test_a_second_message_with_a_stored_file_is_due_at_once(db: psycopg.Connection) -> None:
    arrive(db, document())
    store(db)
    arrive(db, document("wamid.2"))
    assert rows(db, STATES) == [("pending", None, True)] * 2


def test_what_meta_no_longer_has_is_failed_until_it_is_fetched_after_all(db: psycopg.Connection) -> None:
    arrive(db, document())
    file = incoming.claim_wanted(db, 60)
    assert file is not None and incoming.give_up(db, file, MediaState.EXPIRED, "gone")
    assert rows(db, STATES) == [("failed", "not_fetched", False)]
    incoming.want_again(db, file.id)
    assert rows(db, STATES) == [("pending", None, False)]
    store(db)
    assert rows(db, STATES) == [("pending", None, True)]


def test_what_was_read_is_kept_page_by_page(db: psycopg.Connection) -> None:
    arrive(db, document())
    store(db)
    for _ in range(2):  # reading again takes the place of what was read before
        found = documents.claim_document(db, 60)
        assert found is not None and documents.note_read(db, found, FOUND, PAGES)
        assert not documents.note_read(db, found, FOUND, PAGES)
        assert documents.want_again(db, found.id) == DocumentState.PENDING
    [(state, kind, fields)] = rows(db, "SELECT state, doc_type, extracted_fields_json FROM documents")
    assert (state, kind, fields) == ("pending", "invoice", {"invoice_number": "4711"})
    assert rows(db, "SELECT page, source, engine, text FROM document_pages ORDER BY page") == [
        (1, "text", None, "Invoice 4711"),
        (2, "ocr", "tesseract", "請求書"),
    ]
    assert rows(db, "SELECT page FROM document_pages WHERE tsv @@ '''請求'' <-> ''求書'''::tsquery") == [(2,)]
    assert rows(db, "SELECT page FROM document_pages ORDER BY id DESC") == [(1,), (2,)]
    marked = "SELECT DISTINCT direction, type FROM document_pages WHERE tsv @@ '''/document'''::tsquery"
    assert rows(db, marked) == [("inbound", "document")]


def test_the_same_bytes_are_read_once(db: psycopg.Connection) -> None:
    for number in range(3):
        arrive(db, document(f"wamid.{number}", str(number)))
    store(db)
    first = documents.claim_document(db, 60)
    assert first is not None and documents.count_wanted(db) == 2
    assert documents.claim_document(db, 60) is None
    assert not documents.reuse(db, first, READER) and documents.note_read(db, first, FOUND, PAGES)
    second = documents.claim_document(db, 60)
    assert second is not None and not documents.reuse(db, second, "wamcp 2") and documents.reuse(db, second, READER)
    assert (
        rows(db, "SELECT state, doc_type, pages_total, pages_done, reader FROM documents ORDER BY id")[:2]
        == [("done", "invoice", 2, 2, READER)] * 2
    )
    assert rows(db, "SELECT count(*), count(DISTINCT id) FROM document_pages") == [(4, 4)]
    documents.want_again(db, second.id)
    third = documents.claim_document(db, 60)
    assert third is not None and documents.reuse(db, third, READER)
    again = documents.claim_document(db, 60)
    assert again is not None and again.id == second.id and not documents.reuse(db, again, READER)


def test_who_lost_his_lease_writes_nothing(db: psycopg.Connection) -> None:
    arrive(db, document())
    store(db)
    slow = documents.claim_document(db, 60)
    assert slow is not None and documents.reading_on(db, slow, -1, 0)
    quick = documents.claim_document(db, 60)
    assert quick is not None and (quick.attempts, quick.cut_off) == (2, 1)
    assert not documents.note_read(db, slow, FOUND, PAGES) and not documents.reading_on(db, slow, 60, 1)
    assert not documents.put_back(db, slow, 0, "killed", died=True)
    assert documents.put_back(db, quick, 0, "killed", died=True)
    last = documents.claim_document(db, 60)
    assert last is not None and (last.deaths, last.cut_off) == (1, 1)


def test_pages_go_where_their_message_goes(db: psycopg.Connection) -> None:
    arrive(db, document())
    understand(db, posted({"id": "wamid.9", "timestamp": "1770000000", "type": "text", "from": "15550100199"}))
    store(db)
    found = documents.claim_document(db, 60)
    assert found is not None and documents.note_read(db, found, FOUND, PAGES)
    [(ana,)] = rows(db, "SELECT sender_id FROM messages WHERE wamid = 'wamid.1'")
    [(other,)] = rows(db, "SELECT sender_id FROM messages WHERE wamid = 'wamid.9'")
    move(db, ana, other)
    [(thread,)] = rows(db, "SELECT conversation_id FROM messages WHERE wamid = 'wamid.1'")
    places = "SELECT conversation_id FROM documents UNION SELECT conversation_id FROM document_pages"
    assert rows(db, places) == [(thread,)]


def test_reprocessing_makes_what_is_missing_and_leaves_the_rest(db: psycopg.Connection, database_url: str) -> None:
    arrive(db, document())
    store(db)
    found = documents.claim_document(db, 60)
    assert found is not None and documents.note_read(db, found, FOUND, PAGES)
    arrive(db, document("wamid.2", "78"))
    db.execute("DELETE FROM documents WHERE wamid = 'wamid.2'")
    assert verify(database_url)[1] == []
    reprocess(database_url)
    assert rows(db, STATES) == [("done", None, False), ("pending", None, False)]
    assert rows(db, "SELECT count(*) FROM document_pages") == [(2,)]

"""Reading what came: each end of a document, what is read once, and that nothing is lost when something is down."""

import io
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest
from msgspec.structs import replace as changed

from tests.drawing import ENGLISH, as_file, slip
from tests.hostile_documents import HOSTILE, encrypted, good_pdf, pages
from tests.patience import PATIENCE
from tests.reading_office import ReadingRoom, reading_room
from tests.s3_servers import serving
from tests.understanding import rows
from wamcp.db import documents
from wamcp.documents import result, work
from wamcp.documents.extract import extract
from wamcp.documents.fingerprint import fingerprint
from wamcp.documents.limits import Allowance, Limits
from wamcp.documents.ocr import tesseract
from wamcp.documents.sandbox import Watch
from wamcp.documents.shapes import Extraction, Page
from wamcp.vocabulary import DocumentState

LITTLE = Allowance(memory=140 << 20, cpu_seconds=6, wall_seconds=10, file_bytes=1 << 20)
"""So little memory that what is large kills its reader."""
INVOICE = b"""Invoice number: INV-4711
Invoice date: 2026-03-14
Net 100.00 EUR
VAT 19% 19.00 EUR
Total amount due: 119.00 EUR
"""


@pytest.fixture
def room(database_url: str, tmp_path: Path) -> Iterator[ReadingRoom]:
    with reading_room(database_url, tmp_path / "objects") as room:
        yield room


def starve(room: ReadingRoom, memory: int = LITTLE.memory) -> None:
    room.means = replace(room.means, limits=changed(room.means.limits, text=changed(LITTLE, memory=memory)))


def feed(room: ReadingRoom) -> None:
    room.means = replace(room.means, limits=changed(room.means.limits, text=Limits().text))


def test_a_document_is_read_and_its_pages_can_be_found(room: ReadingRoom) -> None:
    room.arrive(good_pdf("the quick brown fox"))
    assert room.drain() == 1 and room.drain() == 0
    assert room.ends() == [("done", None)] and room.words() == [(1, 1, "the quick brown fox")]
    [(mime, total, done, extractor, reader, lease, read)] = rows(
        room.db,
        "SELECT mime_detected, pages_total, pages_done, extractor, reader, lease_until, read_at IS NOT NULL"
        " FROM documents",
    )
    assert (mime, total, done, extractor, lease, read) == ("application/pdf", 1, 1, "pypdf", None, True)
    assert reader == room.means.reader
    assert rows(room.db, "SELECT page FROM document_pages WHERE tsv @@ 'fox'::tsquery") == [(1,)]


def test_an_invoice_is_known_as_one(room: ReadingRoom) -> None:
    room.arrive(INVOICE)
    room.drain()
    [(kind, fields)] = rows(room.db, "SELECT doc_type, extracted_fields_json FROM documents")
    assert kind == "invoice" and (fields["invoice_number"], fields["total"]) == ("INV-4711", "119.00")


def test_the_same_file_from_fifty_customers_is_read_once(room: ReadingRoom) -> None:
    room.arrive(good_pdf("sent by everybody"), count=50)
    assert room.drain() == 50
    assert room.ends() == [("done", None)] * 50
    assert room.words() == [(number, 1, "sent by everybody") for number in range(1, 51)]
    assert rows(room.db, "SELECT count(DISTINCT read_at), max(attempts), min(duration_ms) > 0 FROM documents") == [
        (50, 1, True)
    ]


def test_what_is_too_large_is_not_fetched_from_the_store(room: ReadingRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    room.means = replace(room.means, limits=changed(room.means.limits, document_bytes=1000))
    room.arrive(b"x" * 1001)
    monkeypatch.setattr(type(room.store), "open", lambda *_: pytest.fail("it was opened"))
    room.drain()
    assert room.ends() == [("too_large", None)]


@pytest.mark.parametrize("damage", [b"other bytes", b""], ids=["tampered", "truncated"])
def test_bytes_that_are_not_those_that_were_stored_are_tried_twice(room: ReadingRoom, damage: bytes) -> None:
    content = good_pdf()
    path = Path(room.environ["WAMCP_OBJECT_DIR"]) / room.arrive(content)
    path.chmod(0o600)
    path.write_bytes(damage + content[len(damage) + 10 :])
    room.drain()
    assert room.ends() == [("pending", "wrong_bytes")]
    assert room.drain() == 0, "it waits"
    room.hurry()
    room.drain()
    assert room.ends() == [("failed", "wrong_bytes")] and room.words() == []
    path.write_bytes(content)
    assert documents.want_again(room.db, 1) == DocumentState.PENDING
    room.drain()
    assert room.ends() == [("done", None)]


def test_what_is_not_in_the_store_any_more_has_failed(room: ReadingRoom) -> None:
    room.store.delete(room.arrive(good_pdf()))
    room.drain()
    assert room.ends() == [("failed", "not_stored")]


def test_while_the_store_is_down_documents_wait(database_url: str, tmp_path: Path) -> None:
    with serving("rclone", tmp_path / "s3") as server, reading_room(database_url, tmp_path, **server.environ()) as room:
        room.arrive(good_pdf())
        server.kill()
        room.drain()
        assert room.ends() == [("pending", "store_down")] and room.drain() == 0
        [(seconds,)] = rows(room.db, "SELECT extract(epoch FROM next_attempt_at - now())::float8 FROM documents")
        assert 5 < seconds <= work.PAUSE_S
        server.start()
        room.hurry()
        room.drain()
        assert room.ends() == [("done", None)]


def test_what_kills_two_readers_is_quarantined_and_the_next_one_is_read(room: ReadingRoom) -> None:
    starve(room)
    room.arrive(HOSTILE["24 M operators"][0]())
    assert room.drain() == 2
    [(state, error)] = room.ends()
    assert state == "quarantined" and error in ("killed", "memory")
    assert rows(room.db, "SELECT attempts, deaths, next_attempt_at FROM documents") == [(2, 1, None)]
    feed(room)
    room.arrive(good_pdf("still here"))
    room.drain()
    assert room.words() == [(2, 1, "still here")]


def test_copies_of_what_kills_do_not_kill_as_many_readers_each(room: ReadingRoom) -> None:
    starve(room)
    room.arrive(HOSTILE["24 M operators"][0](), count=20)
    begin = time.monotonic()
    assert room.drain() == 21
    assert {state for state, _ in room.ends()} == {"quarantined"}
    assert rows(room.db, "SELECT sum(deaths) FROM documents WHERE deaths > 1") in ([(None,)], [(0,)])
    assert time.monotonic() - begin < 30


def test_a_person_may_have_what_is_quarantined_read_again(room: ReadingRoom) -> None:
    starve(room, memory=40 << 20)  # no child lives on that
    room.arrive(good_pdf())
    room.drain()
    assert room.ends() == [("quarantined", "memory")]
    feed(room)
    documents.want_again(room.db, 1)
    room.drain()
    assert room.ends() == [("done", None)]


def test_what_ended_five_workers_is_not_opened_again(room: ReadingRoom) -> None:
    room.arrive(good_pdf())
    for _ in range(work.MOST_CUT_OFF):
        with room.means.pool.connection() as connection:
            found = documents.claim_document(connection, 60)
            assert found is not None and documents.reading_on(connection, found, -1, 0)
    room.drain()
    assert room.ends() == [("quarantined", "cut_off")]


def test_whoever_is_told_to_stop_gives_the_document_back(room: ReadingRoom) -> None:
    room.arrive(HOSTILE["24 M operators"][0]())
    begin = time.monotonic()
    orders = iter([True])  # to begin; and at the first look while it is read, to stop
    work.drain(room.means, lambda: next(orders, False))
    assert time.monotonic() - begin < 4 * PATIENCE
    assert room.ends() == [("pending", None)]
    assert rows(room.db, "SELECT lease_until, next_attempt_at <= now(), deaths, cut_off FROM documents") == [
        (None, True, 0, 0)
    ]


def test_whoever_lost_his_lease_stops_and_writes_nothing(room: ReadingRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "TELL_EVERY_S", 0.2)
    room.arrive(HOSTILE["24 M operators"][0]())
    begin = time.monotonic()

    def take_away() -> bool:
        if time.monotonic() - begin > 1:
            room.db.execute("UPDATE documents SET attempts = attempts + 1")
        return time.monotonic() - begin < 1

    work.drain(room.means, lambda: take_away() or True)
    assert time.monotonic() - begin < 5 * PATIENCE
    assert rows(room.db, "SELECT state, lease_until > now() FROM documents") == [("extracting", True)]


def test_the_row_tells_how_far_the_reading_is(room: ReadingRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "TELL_EVERY_S", 0.0)
    told: list[tuple[str, int]] = []
    room.arrive(pages(400))

    def look() -> bool:
        told.extend(rows(room.db, "SELECT state, pages_done FROM documents"))
        return True

    work.drain(room.means, look)
    assert [done for _, done in told] == sorted(done for _, done in told)
    assert any(state == "extracting" and 0 < done < 400 for state, done in told), told
    assert rows(room.db, "SELECT pages_done, pages_total FROM documents") == [(400, 400)]


def test_what_needs_a_password_and_what_nobody_reads_say_so(room: ReadingRoom) -> None:
    room.arrive(encrypted())
    room.arrive(b"OggS" + bytes(200))
    room.arrive(b"")
    room.drain()
    assert [state for state, _ in room.ends()] == ["encrypted", "unsupported", "empty"]


def test_a_long_text_is_kept_in_stretches_that_can_all_be_found(room: ReadingRoom) -> None:
    chance = random.Random(4)
    lines = [" ".join(f"w{chance.randrange(10**6)}" for _ in range(12)) for _ in range(4000)]
    text = "\n".join(["firstword", *lines, "lastword"])
    room.arrive(text.encode())
    room.drain()
    kept = room.words()
    assert [page for _, page, _ in kept] == list(range(1, len(kept) + 1)) and len(kept) > 3
    assert "".join(words for _, _, words in kept) == text
    assert rows(room.db, "SELECT page FROM document_pages WHERE tsv @@ 'lastword'::tsquery") == [(len(kept),)]


def test_what_postgres_does_not_take_is_an_end_and_no_loop(
    room: ReadingRoom, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    odd = Extraction(state=DocumentState.DONE, pages=[Page(1, "canary words")], fields={"total": float("nan")})
    monkeypatch.setattr(work, "extract", lambda *_: odd)
    room.arrive(good_pdf())
    room.drain()
    assert room.ends() == [("failed", "unstorable")]
    assert "canary" not in "".join(capfd.readouterr())


def test_only_words_of_ours_become_states_and_errors() -> None:
    said = Extraction(
        state=DocumentState.FAILED,
        error="Dear Ana, the total is",
        mime="the words of a letter",
        language="a sentence",
        confidence=float("nan"),
        pages=[Page(0, "before"), Page(1, "a\0b", confidence=7.0), Page(5000, "after")],
        pages_total=2**40,
    )
    found, kept = result.as_rows(said, "reader")
    assert (found.error_code, found.mime_detected, found.language, found.confidence) == ("broken", None, None, None)
    assert (found.state, found.truncated) == (DocumentState.DONE, True)
    assert [(page.page, page.text, page.confidence) for page in kept] == [(1, "ab", None)]


def test_the_reader_changes_with_what_it_finds() -> None:
    limits = Limits()
    others = [
        Limits(engine="none"),
        Limits(languages="deu"),
        Limits(ocr_pages=3),
        Limits(text_pages=3),
        Limits(document_bytes=3),
    ]
    assert len({fingerprint(each) for each in [limits, *others]}) == len(others) + 1
    assert fingerprint(limits) == fingerprint(Limits()) and "pypdf " in fingerprint(limits)


def test_nothing_is_written_beside_the_rows(room: ReadingRoom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work.tempfile, "tempdir", str(tmp_path / "spool"))
    (tmp_path / "spool").mkdir()
    room.arrive(io.BytesIO(good_pdf()).getvalue())
    room.drain()
    assert room.ends() == [("done", None)] and list((tmp_path / "spool").iterdir()) == []


def test_a_picture_that_is_too_much_for_one_reader_is_given_to_the_other(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RapidOCR's own hunger for memory is played: which real picture starves it depends on its version."""
    if not tesseract.available():
        pytest.skip("tesseract is not installed: scripts/install_tesseract.sh")
    asked = []

    def starving(source: BinaryIO, limits: Limits, watch: Watch) -> Extraction:
        asked.append(limits.engine)
        if limits.engine == "auto":
            return Extraction(state=DocumentState.FAILED, error="memory", mime="image/png", pages=[Page(1, "")])
        return extract(source, limits, watch)

    monkeypatch.setattr(work, "extract", starving)
    with reading_room(database_url, tmp_path, OCR_ENGINE="auto") as room:
        room.arrive(as_file(slip(ENGLISH)).getvalue())
        room.drain()
        assert asked == ["auto", "tesseract"] and room.ends() == [("done", None)]
        [(engine, languages, source)] = rows(
            room.db,
            "SELECT d.ocr_engine, d.ocr_languages, p.source FROM documents d"
            " JOIN document_pages p ON p.document_id = d.id",
        )
        assert engine.startswith("tesseract ") and "eng" in languages and source == "ocr"

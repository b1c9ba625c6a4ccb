"""Rows of files that go out."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from tests.factories import Archive
from wamcp.db.media import keep_upload, note_uploaded, upload_of
from wamcp.errors import NotStored
from wamcp.storage.objects import Stored, key_of

DIGEST = bytes(range(32))
FILE = Stored(key_of(DIGEST), DIGEST, 1234)
OTHER = Stored(key_of(DIGEST[::-1]), DIGEST[::-1], 5)
MONTH = timedelta(days=30)


def test_a_kept_file_can_be_read_back_for_its_upload(archive: Archive) -> None:
    number = "100200300401"
    row = keep_upload(archive.connection, number, FILE, "application/pdf", "/tmp/in\0voice.pdf")
    assert upload_of(archive.connection, row)[:-1] == (
        *("100200300401", FILE.key, 1234, "application/pdf", "invoice.pdf"),
        *(None, False),
    )
    found = archive.connection.execute("SELECT direction, state, sha256, stored_at IS NULL FROM media").fetchone()
    assert found == ("outbound", "stored", DIGEST, False)


def test_the_same_file_for_the_same_number_is_one_row(archive: Archive) -> None:
    one, two = "100200300401", "100200300402"
    asked = [
        *((one, FILE, "application/pdf", "a.pdf"), (one, FILE, "application/pdf", None), (one, FILE, None, None)),
        *((one, FILE, "application/pdf", "b.pdf"), (one, OTHER, "application/pdf", "a.pdf")),
        (two, FILE, "application/pdf", "a.pdf"),
    ]
    rows = [keep_upload(archive.connection, *each) for each in asked]
    assert len(set(rows)) == len(asked)
    assert [keep_upload(archive.connection, *each) for each in asked] == rows


@pytest.mark.parametrize("change", ["direction = 'inbound'", "state = 'expired'", "storage_key_raw = NULL"])
def test_only_rows_whose_bytes_are_here_to_be_sent_serve_again(archive: Archive, change: str) -> None:
    number = "100200300400"
    row = keep_upload(archive.connection, number, FILE, "image/png", None)
    archive.connection.execute(f"UPDATE media SET {change}")
    assert keep_upload(archive.connection, number, FILE, "image/png", None) != row


@pytest.mark.parametrize("change", ["state = 'expired'", "storage_key_raw = NULL", "id = id + 1"])
def test_without_bytes_there_is_no_upload(archive: Archive, change: str) -> None:
    row = keep_upload(archive.connection, "100200300400", FILE, "image/png", None)
    archive.connection.execute(f"UPDATE media SET {change}")
    with pytest.raises(NotStored):
        upload_of(archive.connection, row)


@pytest.mark.parametrize(("left", "known"), [(MONTH, True), (timedelta(hours=25), True), (timedelta(hours=23), False)])
def test_an_id_that_ends_within_a_day_is_not_known(archive: Archive, left: timedelta, known: bool) -> None:
    row = keep_upload(archive.connection, "100200300400", FILE, "image/png", None)
    assert note_uploaded(archive.connection, row, "1002003004", datetime.now(UTC) + left)
    upload = upload_of(archive.connection, row)
    assert (upload.media_id, upload.is_known) == ("1002003004", known)


@pytest.mark.parametrize("autocommit", [True, False])
def test_an_id_of_another_row_is_not_noted_and_breaks_nothing(archive: Archive, autocommit: bool) -> None:
    number, until = "100200300400", datetime.now(UTC) + MONTH
    one, two = (keep_upload(archive.connection, number, file, "image/png", None) for file in (FILE, OTHER))
    assert note_uploaded(archive.connection, one, "7", until)
    with psycopg.connect(archive.url, autocommit=autocommit) as connection:
        assert not note_uploaded(connection, two, "7", until)
        assert note_uploaded(connection, two, "8", until)
    assert [upload_of(archive.connection, each).media_id for each in (one, two)] == ["7", "8"]

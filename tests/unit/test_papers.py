"""The invented files are files: every reader takes them, and they say what the demonstration asks about."""

from datetime import date
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from wamcp.documents.extract import extract
from wamcp.documents.sniff import sniff_head
from wamcp.simulator import papers
from wamcp.simulator.day import a_day
from wamcp.vocabulary import DocumentState

DAY = date(2026, 11, 27)


def test_the_invoice_says_on_its_second_page_what_is_to_be_paid(tmp_path: Path) -> None:
    file = tmp_path / "invoice.pdf"
    file.write_bytes(papers.invoice("SCG-2026-0192", DAY))
    found = extract(file)
    assert found.state == DocumentState.DONE and found.pages_total == 2
    named = ("invoice_number", "invoice_date", "total", "currency", "supplier")
    assert [found.fields.get(name) for name in named] == [
        "SCG-2026-0192",
        "2026-11-27",
        "1187.46",
        "EUR",
        "Serra Clay & Glaze Ltd",
    ]
    assert found.fields["evidence"]["total"]["page"] == 2


def test_a_title_with_accents_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "paper.pdf"
    file.write_bytes(papers.paper("Orçamento (2026)"))
    assert "Orçamento (2026)" in extract(file).pages[0].text


@pytest.mark.parametrize("content", [papers.picture(1), papers.receipt("TH-1", DAY)])
def test_photographs_are_whole_pictures(content: bytes) -> None:
    with Image.open(BytesIO(content)) as image:
        image.load()
        assert image.format == "JPEG" and min(image.size) > 300


def test_the_day_names_each_of_its_files_once() -> None:
    day = a_day(1)
    told = b"\n".join(day.bodies)
    assert len({file.media_id for file in day.files}) == len(day.files) >= 10
    assert all(told.count(b'"' + file.media_id.encode() + b'"') == 1 for file in day.files)
    assert {sniff_head(file.content[:4096]) for file in day.files} >= {"application/pdf", "image/jpeg"}


def test_silence_is_ogg_with_whole_pages() -> None:
    note = papers.silence(3)
    assert note.startswith(b"OggS") and note[28:36] == b"OpusHead" and note.count(b"OggS") == 5

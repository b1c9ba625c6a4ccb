"""Documents of every kind, read in a child: their text, page by page."""

import io
import zlib
from pathlib import Path

import pypdf
import pytest

from tests.hostile_documents import encrypted, good_pdf, office, one_page, packed, pages, pdf, png, shows, stream
from tests.office_documents import letter, show, table
from wamcp.documents.extract import extract
from wamcp.documents.limits import Limits
from wamcp.documents.shapes import Extraction, TextSource

NO_OCR = Limits(engine="none")


def read(content: bytes) -> Extraction:
    return extract(io.BytesIO(content), NO_OCR)


def text(content: bytes) -> str:
    found = read(content)
    assert (found.state, found.error) == ("done", None)
    return found.pages[0].text


def test_a_pdf_is_read_page_by_page() -> None:
    found = read(pages(3, "the name of the page and of the house is"))
    assert [page.number for page in found.pages] == [1, 2, 3]
    assert found.pages[1].text == "the name of the page and of the house is 2"
    assert (found.mime, found.language, found.pages_total) == ("application/pdf", "en", 3)
    assert found.engine == "pypdf" and found.engine_version == pypdf.__version__


def test_a_pdf_without_a_password_of_the_reader_is_read() -> None:
    assert text(encrypted(password="", text="a password of the owner alone")) == "a password of the owner alone"


def test_a_file_is_read_from_its_path_and_whatever_it_is_called(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(good_pdf())
    assert extract(path, NO_OCR).mime == "application/pdf"


def test_a_page_that_takes_pypdf_too_long_goes_to_pdfium() -> None:
    slow = packed(8 << 20, shows("A drawing with four million strokes"), filler=b"n ")
    found = read(one_page(slow, b"/Filter/FlateDecode"))
    assert (found.state, found.pages[0].text) == ("done", "A drawing with four million strokes")
    assert found.pages[0].engine == "pypdfium2"


def test_words_that_one_reader_runs_together_are_parted() -> None:
    rows = b"".join(
        b"1 0 0 1 300 %d Tm (%s) Tj 1 0 0 1 72 %d Tm (%s) Tj " % (700 - 20 * at, value, 700 - 20 * at, name)
        for at, (value, name) in enumerate([(b"4711", b"Number"), (b"monday", b"Ordered"), (b"friday", b"Shipped")])
    )
    found = text(one_page(b"BT /F1 12 Tf " + rows + b"ET"))
    assert {"Number", "4711", "Ordered", "monday", "Shipped", "friday"} <= set(found.split())


def test_a_page_that_is_a_picture_is_left_to_ocr_and_the_others_are_read() -> None:
    image = stream(
        zlib.compress(b"\xff" * 10_000),
        b"/Type/XObject/Subtype/Image/Width 100/Height 100/BitsPerComponent 8/ColorSpace/DeviceGray/Filter/FlateDecode",
    )
    resources = b"/Resources<</Font<</F1 3 0 R>>/XObject<</X 8 0 R>>>>"
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents %d 0 R" + resources + b">>"
    document = pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[6 0 R 7 0 R]/Count 2>>",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        stream(b"600 0 0 700 0 0 cm /X Do"),
        stream(shows("This page has a text of its own")),
        page % 4,
        page % 5,
        image,
    )
    found = read(document)
    assert (found.state, found.error, found.pages_total) == ("done", "no_ocr", 2)
    assert [page.source for page in found.pages] == [TextSource.OCR, TextSource.TEXT]
    assert found.pages[1].text == "This page has a text of its own"


def test_a_page_with_few_words_and_no_picture_is_no_picture() -> None:
    assert text(good_pdf("Page 7")) == "Page 7"


def test_a_picture_is_no_text_when_nobody_reads_pictures() -> None:
    found = read(png(300, 200))
    assert (found.state, found.mime, found.error) == ("failed", "image/png", "no_ocr")


def test_word() -> None:
    found = text(letter())
    lines = [line for line in found.splitlines() if line]
    assert lines == ["Tea and Sons", "Dear Ana\t2026", "Tea\t3.50", "box", "without milk", "at your service"]


def test_excel() -> None:
    found = read(table())
    assert [page.text.splitlines() for page in found.pages] == [
        ["Prices", "two runs\t26/11/2026\tR$ 1,234.50", "inside\t19%\tTRUE\tmade"],
        ["Rest", "0.3"],
    ]


def test_powerpoint() -> None:
    found = read(show())
    lines = [[line for line in page.text.splitlines() if line.strip()] for page in found.pages]
    assert lines == [
        ["the first one", "Q1\t99", "Sales", "May\tJune", "4\t7", "say this aloud"],
        ["the last one"],
    ]


@pytest.mark.parametrize(
    ("content", "mime", "expected"),
    [
        ("Olá, amanhã às nove".encode(), "text/plain", "Olá, amanhã às nove"),
        ("grüße".encode("utf-16"), "text/plain", "grüße"),
        (("O preço não é alto, mas a atenção é grande. " * 9).encode("cp1252"), "text/plain", "atenção"),
        (
            "名前,年齢,住所\n佐藤太郎,30,東京\n三木英子,25,大阪\n髙橋淳,35,名古屋\n".encode("cp932"),
            "text/csv",
            "三木英子",
        ),
        (b"name;price\ntea;3\nmilk;2\n", "text/csv", "tea;3"),
        (b"one\r\ntwo\x00\x07", "text/plain", None),
        (
            b"<!doctype html><title>Tea</title><style>p{}</style><p>hot &amp; cold<script>x()</script>",
            "text/html",
            "hot & cold",
        ),
        (b"<?xml version='1.0'?><a><b>first</b><c>se<d/>cond</c></a>", "application/xml", "first\nse\ncond"),
    ],
)
def test_texts_in_any_encoding(content: bytes, mime: str, expected: str | None) -> None:
    found = read(content)
    if expected is None:  # what has control characters in it is no text
        assert found.state == "unsupported"
        return
    assert (found.state, found.mime) == ("done", mime)
    assert expected in found.pages[0].text
    assert "x()" not in found.pages[0].text and "p{}" not in found.pages[0].text


@pytest.mark.parametrize(
    ("content", "mime"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "application/x-ole-storage"),
        (office({"a.txt": "hello"}), "application/zip"),
        (b"{\\rtf1 hello}", "application/rtf"),
        (b"OggS" + bytes(60), "audio/ogg"),
        (b"\x7fELF" + bytes(60), "application/x-executable"),
        (bytes(range(256)), None),
    ],
)
def test_what_nobody_reads_is_unsupported_and_still_named(content: bytes, mime: str | None) -> None:
    found = read(content)
    assert (found.state, found.mime, found.pages) == ("unsupported", mime, [])


def test_xml_by_itself_says_where_its_text_is_from() -> None:
    assert read(b"<?xml version='1.0'?><a>first</a>").pages[0].source == TextSource.XML

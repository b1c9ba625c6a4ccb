"""What is made to be slow is read quickly, and nothing that a page can hold makes reading it fail."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.patience import PATIENCE
from wamcp.documents.invoice import read_fields
from wamcp.documents.invoice.amounts import amounts_in, parse_number
from wamcp.documents.invoice.dates import dates_in
from wamcp.documents.invoice.sheet import MAX_CHARACTERS, MAX_ROW, MAX_ROWS, rows_of
from wamcp.documents.shapes import Line, Page, TextSource

SIZE = 220_000
PIECES = [
    "invoice no ",
    "1",
    "1,",
    "1 ",
    "1 234 567 ",
    "total ",
    "total 1.00 ",
    "a",
    " ",
    "  x",
    "-",
    "١",
    "ﷺ",
    "e\u0301\u0301",
]
PIECES += [
    "date 01/02/2024 ",
    "2024-01-01",
    "facture n° ",
    "usd",
    "€",
    "no.",
    "rechnung",
    "(((",
    "VAT no 1 ",
    "O0l1",
    "12:34 ",
]
PIECES += ["total incl ", "number of the invoice ", "montant ttc", "sub total 1.00 tax 1.00 ", "cash 9.00 change 1.00 "]


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("shape", ["one line", "lines", "placed"])
def test_a_page_made_to_be_slow_takes_half_a_second_at_most(piece: str, shape: str) -> None:
    text = (piece * (SIZE // len(piece) + 1))[:SIZE]
    if shape != "one line":
        text = "\n".join(text[at : at + MAX_ROW] for at in range(0, SIZE, MAX_ROW))
    lines = [Line(line, (0.0, 0.1, 1.0, 0.11)) for line in text.splitlines()] if shape == "placed" else []
    began = time.process_time()
    for source in (TextSource.TEXT, TextSource.OCR):
        read_fields([Page(1, text, source, lines)], [])
    assert (time.process_time() - began) / 2 < 0.5 * PATIENCE


def test_only_so_much_is_read() -> None:
    rows = rows_of([Page(1, "x" * 1000 + "\n" + "y\n" * 1000)])
    assert len(rows) == MAX_ROWS and max(len(row.text) for row in rows) == MAX_ROW
    assert sum(len(row.text) for row in rows_of([Page(1, ("z" * 300 + "\n") * 1000)])) <= MAX_CHARACTERS + MAX_ROW


WORDS = st.sampled_from(
    [piece for piece in PIECES] + ["\n", "Total: ", "1.234,56 €", "31.02.2024", "R$ ", "invoice #", "²", "½", "İ"]
)
TEXTS = st.one_of(st.text(max_size=400), st.lists(WORDS, max_size=60).map("".join))
BOXES = st.one_of(st.none(), st.tuples(*[st.floats(0, 1)] * 4))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(TEXTS, BOXES), max_size=12), st.sampled_from(TextSource), st.binary(max_size=200))
def test_reading_never_raises(
    lines: list[tuple[str, tuple[float, ...] | None]], source: TextSource, data: bytes
) -> None:
    placed = [Line(text, box) for text, box in lines]  # type: ignore[arg-type]
    found = read_fields([Page(1, "", source, placed), Page(2, "\n".join(line.text for line in placed), source)], [data])
    assert isinstance(found, dict) and None not in found.values()


@given(st.text(max_size=60))
def test_numbers_and_dates_of_anything(text: str) -> None:
    for amount in amounts_in(text, ocr=True):
        assert 0 <= amount.start < amount.end <= len(text) and amount.value.is_finite()
    for day in dates_in(text):
        assert 0 <= day.start < day.end <= len(text)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1.234,56", "1234.56"),
        ("1,234.56", "1234.56"),
        ("1 234,56", "1234.56"),
        ("1'234.56", "1234.56"),
        ("1,23,456.00", "123456.00"),
        ("1.234", "1234"),
        ("0.123", "0.123"),
        ("12,5", "12.5"),
        ("1234", "1234"),
        ("100,-", "100"),
        ("1.2.3", None),
        ("12.34.56", None),
        ("1.234.56", None),
        ("1234567890123", None),
    ],
)
def test_every_way_of_writing_a_number(written: str, value: str | None) -> None:
    assert str(parse_number(written)) == str(value)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("19 % 12,50", ["12.50"]),
        ("RM7.00", ["7.00"]),
        ("-8,79 EUR", ["-8.79"]),
        ("(12.00)", ["-12.00"]),
        ("12.500 KWD", ["12.500"]),
        ("12.500 EUR", ["12500"]),
        ("5 kg 2.00", ["2.00"]),
        ("INV-123 A12.50", []),
        ("01/02/2024 13:30 7.00", ["7.00"]),
        ("1 234,56 5 17.99", ["1234.56", "5", "17.99"]),
    ],
)
def test_which_numbers_are_amounts(text: str, values: list[str]) -> None:
    assert [str(amount.value) for amount in amounts_in(text)] == values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("August 3 , 2014", "2014-08-03"),
        ("7. Mai 2014", "2014-05-07"),
        ("1er janvier 2023", "2023-01-01"),
        ("12 de março de 2024", "2024-03-12"),
        ("05-Jan-18", "2018-01-05"),
        ("2018年3月5日", "2018-03-05"),
        ("20180405", "2018-04-05"),
        ("2024-05-01T10:00", "2024-05-01"),
        ("03/20/2023", "2023-03-20"),
        ("31.02.2024", None),
        ("1.2.3", None),
    ],
)
def test_every_way_of_writing_a_date(text: str, expected: str | None) -> None:
    assert next((day.value.isoformat() for day in dates_in(text)), None) == expected

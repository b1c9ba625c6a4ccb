"""Receipts that a machine misread: what can be told is mended, what cannot be told is left out."""

import pytest

from tests.unit.test_invoice import page
from wamcp.documents.invoice import read_fields
from wamcp.documents.shapes import Line, Page, TextSource

SLIP = """
Lantern Cafe
Cash Receipt No: 8812          Date: 14/02/2023
Tea                               4.50
Soup                              7.20
Bread                             3.30
{}
"""


def total(last: str, certainty: float | None = None) -> str | None:
    """The total of a slip with these last lines, read in a picture."""
    drawn = page(SLIP.format(last), source=TextSource.OCR)
    lines = [Line(line.text, line.box, certainty) for line in drawn.lines]
    found = read_fields([Page(1, drawn.text, TextSource.OCR, lines)], []).get("total")
    assert found is None or isinstance(found, str)
    return found


@pytest.mark.parametrize(
    "line",
    ["TOTAL    RM15. 00", "TOTAL    RM15 .00", "TOTAL    RMl5.00", "TOTAL    15.0 0", "Total Indl. GST    15.00"],
)
def test_blanks_and_letters_in_an_amount_are_mended(line: str) -> None:
    assert total(line) == "15.00"


def test_letters_after_the_currency_are_digits() -> None:
    assert total("TOTAL    15.00\nCASH    RM20.00\nCHANGE    RMS. 00") == "15.00"


def test_a_lost_point_is_put_back_where_the_amount_stands_elsewhere() -> None:
    assert total("SUB TOTAL    15.00\nGRAND TOTAL    1500") == "15.00"


def test_a_bracket_that_only_ends_is_no_minus() -> None:
    assert total("TOTAL    15.00)") == "15.00"


def test_a_total_above_all_the_rest_together_is_left_out() -> None:
    assert total("TOTAL    15.20") is None
    assert total("TOTAL    715.00") is None
    assert total("TOTAL    715.00\nCASH    715.00") == "715.00"


def test_a_count_is_no_total_among_amounts_with_cents() -> None:
    assert total("Total    3") is None


def test_a_total_of_which_the_machine_is_unsure_needs_something_that_confirms_it() -> None:
    assert total("Total    14.00", 0.95) == "14.00"
    assert total("Total    14.00", 0.6) is None
    assert total("Total    15.00\nCash    20.00\nChange    5.00", 0.7) == "15.00"


def test_a_total_beside_one_a_few_cents_off_is_left_out_unless_the_rounding_explains_it() -> None:
    assert total("Total incl. GST    13.26\nRounding    -0.01\nTOTAL    13.20") is None
    assert total("Total incl. GST    13.26\nRounding    -0.01\nTOTAL    13.25") == "13.25"


def test_a_dollar_sign_alone_does_not_turn_day_and_month() -> None:
    text = "Harbour Stall\nCash Receipt No: 8812\nDate: 09/01/2019\n$ e $\nTotal    12.00\nCash    12.00"
    found = read_fields([page(text, source=TextSource.OCR)], [])
    assert found["invoice_date"] == "2019-01-09"

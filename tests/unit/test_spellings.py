"""One phone number, written in two ways."""

import pytest

from wamcp.whatsapp.spellings import spellings


@pytest.mark.parametrize(
    ("long", "short"),
    [("5521998765432", "552198765432"), ("5215512345678", "525512345678"), ("5491123456789", "541123456789")],
)
def test_a_mobile_number_of_brazil_mexico_or_argentina_has_two_spellings(long: str, short: str) -> None:
    assert spellings(long) == (long, short)
    assert spellings(short) == (short, long)


@pytest.mark.parametrize("wa_id", ["15550100101", "552132345678", "5521932345678", "55", "", "54112345", "521"])
def test_other_numbers_have_one(wa_id: str) -> None:
    assert spellings(wa_id) == (wa_id,)

"""Phone numbers as people write them."""

import pytest

from wamcp.phones import digits_of, international


@pytest.mark.parametrize(
    ("written", "digits"),
    [
        ("15555550100", "15555550100"),
        ("+1 (555) 555-0100", "15555550100"),
        ("001 555 555 0100", "15555550100"),
        (" +1-555-555-0100 ", "15555550100"),
        ("+5555550100", "5555550100"),
        ("+4915550100", "4915550100"),
        ("5215550100001", "5215550100001"),
        ("551195550100", "551195550100"),
        ("+\u0661\u0665\u0665\u0665\u0660\u0661\u0660\u0660\u0660\u0660\u0661", "15550100001"),
    ],
)
def test_any_formatting_comes_to_the_same_digits(written: str, digits: str) -> None:
    assert international(written) == digits


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("5555550100", "write 15555550100 if it is North American, or .5555550100"),
        ("07911 123456", "begins with 0"),
        ("+1555", "length"),
        ("12", "length"),
        ("", "length"),
        ("call me", "letters"),
        ("+155555501001555555010", "length"),
    ],
)
def test_what_is_no_number_is_refused_with_what_to_write(written: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        international(written)


def test_digits_of_other_scripts_are_digits() -> None:
    assert digits_of("\u0967\u0968 3") == "123"

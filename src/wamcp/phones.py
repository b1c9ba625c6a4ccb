"""Phone numbers as people write them, brought to the digits by which Meta knows them."""

import re

import phonenumbers

_OLD_MEXICAN_MOBILE = re.compile(r"521\d{10}")
"""Meta still names many Mexicans with the 1 that is dialled no more; the numbering plan has no room for it."""

NORTH_AMERICAN = 10
"""The digits of a number there without its country code, as people there write it."""


def digits_of(written: str) -> str:
    """Every digit of ``written`` in ASCII, also those of other scripts."""
    return "".join(str(int(each)) for each in written if each.isdecimal())


def international(written: str) -> str:
    """The digits of a phone number with its country code, without plus sign: ``+1 (555) 010-0001`` is ``15550100001``.

    Without a plus sign the digits are taken as they stand. Raises ``ValueError`` with a sentence for people when they
    cannot be a number, or when they look like one whose country code was left out.
    """
    text = written.strip()
    digits = digits_of(text)
    stated = text.startswith(("+", "00", "\uff0b"))
    if text.startswith("00"):
        digits = digits.removeprefix("00")
    if re.search(r"[^\W\d_]", text):
        raise ValueError("it holds letters; write digits with the country code, like +1 555 010 0001")
    if not stated and digits.startswith("0"):
        raise ValueError("it begins with 0, as inside a country; write it with the country code, like +44 7911 123456")
    if not _is_possible(digits):
        raise ValueError("no number of this length exists there; write it with the country code, like +1 555 010 0001")
    if not stated and len(digits) == NORTH_AMERICAN and not _is_valid(digits) and _is_possible("1" + digits):
        raise ValueError(
            f"its country code seems to be missing; write 1{digits} if it is North American,"
            f" or +{digits} if it is complete"
        )
    return digits


def _is_possible(digits: str) -> bool:
    if not 7 <= len(digits) <= 15:
        return False
    try:
        number = phonenumbers.parse("+" + digits, None)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_possible_number(number) or _OLD_MEXICAN_MOBILE.fullmatch(digits) is not None


def _is_valid(digits: str) -> bool:
    return phonenumbers.is_valid_number(phonenumbers.parse("+" + digits, None))

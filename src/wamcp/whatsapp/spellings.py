"""The ways in which one phone number is written as a wa_id: Brazil, Mexico and Argentina have two each."""

import re

_BRAZIL = re.compile(r"(55\d\d)9?([6-9]\d{7})")
_MEXICO = re.compile(r"(52)1?(\d{10})")
_ARGENTINA = re.compile(r"(54)9?(\d{10})")
_TWICE_SPELLED = {"55": (_BRAZIL, "9"), "52": (_MEXICO, "1"), "54": (_ARGENTINA, "9")}


def spellings(wa_id: str) -> tuple[str, ...]:
    """``wa_id`` itself and, where the country writes mobile numbers with and without a digit, the other spelling.

    Meta names the same person by either of them (Brazil's ninth digit, Mexico's 1 and Argentina's 9 after the country
    code). Brazilian numbers of eight digits that begin with 2 to 5 are landlines, which never had the digit.
    """
    found = _TWICE_SPELLED.get(wa_id[:2])
    match = found[0].fullmatch(wa_id) if found is not None else None
    if found is None or match is None:
        return (wa_id,)
    short, long = "".join(match.groups()), match[1] + found[1] + match[2]
    return (wa_id, long if wa_id == short else short)

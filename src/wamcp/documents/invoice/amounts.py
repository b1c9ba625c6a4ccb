"""Amounts of money in a line: every usual way of writing a number, and the currency beside it."""

import re
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from wamcp.documents.invoice.dates import MARKS

MAX_DIGITS, MAX_NUMBERS = 12, 24


@lru_cache(maxsize=1024)
def amounts_in(text: str, *, ocr: bool = False) -> tuple["Amount", ...]:
    """The numbers in ``text`` that may be amounts of money, from left to right; of more than 24 numbers the first 24.

    Dates, times, percentages, measures and parts of words are none. With ``ocr`` blanks around the separator are
    forgiven, and ``10 00`` or ``10.0 0`` at the end is 10.00.
    """
    masked = MARKS.sub(lambda match: "\x00" * len(match.group()), text)
    found = []
    for match in islice((_OCR_NUMBER if ocr else _NUMBER).finditer(masked), MAX_NUMBERS):
        before, after = _BEFORE.search(text[: match.start()][-12:]), _AFTER.match(text[match.end() :][:12])
        code = (before and before["cur"]) or (after and after["cur"])
        value = parse_number(match.group(), three=code is not None and currency_of(code) in _THREE)
        glued = _GLUED.search(text, max(0, match.start() - 2), match.start())
        if value is None or (not code and (glued or _UNIT.match(text, match.end()))):
            continue
        negative = _is_negative(before, after)
        start = match.start() - (len(before.group()) if before else 0)
        end = match.end() + (len(after.group()) if after else 0)
        written = match.group()
        decimals = sum(map(str.isdigit, written[max(written.rfind("."), written.rfind(",")) + 1 :]))
        exact = value != value.to_integral_value() or (decimals == 2 and not written.isdigit())
        found.append(Amount(-value if negative else value, start, end, code or "", exact, _decimals(value)))
    return tuple(found)


def parse_number(written: str, *, three: bool = False) -> Decimal | None:
    """``1.234,56``, ``1,234.56``, ``1 234,56``, ``1'234.56``, ``1,23,456.00`` or ``1234`` as a number.

    A lone separator before three digits parts thousands, unless ``three`` says that the currency has three decimals.
    None for what is no amount: more than four decimals, groups of other lengths, more than 12 digits.
    """
    text = _SPLIT_CENTS.sub(r"\1\2", _PART_BLANK.sub(r"\1", written.strip())).strip("'. ,-")
    if _SPACED_CENTS.fullmatch(text):
        text = text.replace(" ", ".")
    if sum(map(str.isdigit, text)) > MAX_DIGITS:
        return None
    at = max(text.rfind("."), text.rfind(","))
    if at < 0:
        whole, cents = text, ""
    else:
        whole, cents = text[:at], text[at + 1 :]
        mark = text[at]
        alone = not any(sign in whole for sign in ".,' ")
        if mark in whole or (len(cents) == 3 and alone and not three and whole.lstrip("0") != ""):
            whole, cents = text, ""
    groups = _SEPARATOR.split(whole)
    marks = set(_SEPARATOR.findall(whole))
    if len(marks) > 1 or len(cents) > 4 or not all(map(str.isdigit, groups)):
        return None
    if len(groups) > 1 and not _well_grouped(groups):
        return None
    try:
        return Decimal("".join(groups) + ("." + cents if cents else ""))
    except InvalidOperation:
        return None


def currency_of(sign: str) -> str:
    """The ISO 4217 code of a sign or code, "" for one that several countries use or that is unknown."""
    word = sign.strip().strip(".").upper()
    return word if word in CODES else SIGNS.get(word, "")


class Amount(NamedTuple):
    """A number and where it stands; ``sign`` is the currency as written beside it, ``exact`` says it has cents.

    ``decimals`` is how many were written.
    """

    value: Decimal
    start: int
    end: int
    sign: str
    exact: bool
    decimals: int


_CODES = (
    "EUR USD GBP CHF BRL MYR SEK NOK DKK PLN INR AED SAR QAR KWD BHD OMR JOD EGP MAD TND TRY ILS ZAR NGN KES "
    "GHS JPY CNY HKD SGD AUD NZD CAD MXN ARS CLP COP PEN UYU BOB PYG CRC DOP GTQ CZK HUF RON BGN RSD UAH RUB "
    "KZT IDR THB VND PHP PKR LKR BDT TWD KRW ISK ANG XOF XAF AOA MZN "
)
CODES = frozenset(_CODES.split())
SIGNS = {
    "€": "EUR",
    "EURO": "EUR",
    "EUROS": "EUR",
    "£": "GBP",
    "R$": "BRL",
    "US$": "USD",
    "$": "$",
    "A$": "AUD",
    "AU$": "AUD",
    "C$": "CAD",
    "CA$": "CAD",
    "NZ$": "NZD",
    "HK$": "HKD",
    "S$": "SGD",
    "MX$": "MXN",
    "RM": "MYR",
    "KR": "KR",
    "ZŁ": "PLN",
    "ZL": "PLN",
    "KČ": "CZK",
    "FT": "HUF",
    "₹": "INR",
    "RS": "RS",
    "RP": "IDR",
    "₺": "TRY",
    "TL": "TRY",
    "₪": "ILS",
    "¥": "¥",
    "₩": "KRW",
    "₽": "RUB",
    "฿": "THB",
    "₫": "VND",
    "₦": "NGN",
    "₱": "PHP",
    "S/": "PEN",
    "SFR": "CHF",
    "DHS": "AED",
    "د.إ": "AED",
    "ر.س": "SAR",
    "درهم": "AED",
    "ريال": "SAR",
}
_THREE = {"KWD", "BHD", "OMR", "JOD", "TND"}
_WRITTEN = "|".join(re.escape(word) for word in sorted([*CODES, *SIGNS], key=len, reverse=True))
CURRENCY = re.compile(rf"(?<![^\W\d_])(?:{_WRITTEN})(?![^\W\d_])", re.IGNORECASE)
_BEFORE = re.compile(
    rf"(?:(?P<sign>[-(])\s?)?(?:(?<![^\W\d_])(?P<cur>{_WRITTEN})\.?\s?(?P<inner>-\s?)?)?$", re.IGNORECASE
)
_AFTER = re.compile(rf"(?P<minus>\)|-(?![\w-]))?(?:\s?(?P<cur>{_WRITTEN})(?![^\W\d_]))?", re.IGNORECASE)
_UNIT = re.compile(
    r"\s?(?:%|(?:x|kg|g|mg|l|ml|cl|km|m|cm|mm|m2|h|hrs?|std|stk|stck|pcs?|pce|pieces?|st|un|uds?|units?|kwh|gb|mb|"
    r"days?|tage|jours|dias|dagen|giorni|nights?|months?|items?|pct|pm|am|uhr)\b)|[^\W\d_]|\d",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.,/:#-])\d[\d.,']*(?: \d{3}(?!\d)(?:[.,]\d\d(?!\d))?)*|(?<=[^\W\d]|-)\d[\d.,']*")
_OCR_NUMBER = re.compile(
    r"(?:(?<![\w.,/:#-])|(?<=RM)|(?<=R\$))\d{1,7} ?[.,] ?(?:\d\d(?![\d.,])|\d \d(?=\s*$))|"
    r"(?<![\w.,/:#-])\d{1,5} \d\d(?=\s*$)|" + _NUMBER.pattern
)
_GLUED = re.compile(r"[^\W\d_]$|[^\W_]-$")
_SEPARATOR = re.compile(r"[.,' ]")
_PART_BLANK = re.compile(r" ?([.,]) ?")
_SPLIT_CENTS = re.compile(r"([.,]\d) (\d)$")
_SPACED_CENTS = re.compile(r"\d{1,5} \d\d")


def _is_negative(before: re.Match[str] | None, after: re.Match[str] | None) -> bool:
    """A minus on either side, or in brackets; a bracket that only ends has nothing to do with the amount."""
    sign, behind = (before and before["sign"]) or "", (after and after["minus"]) or ""
    return bool(sign or (before and before["inner"]) or behind == "-")


def _decimals(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def _well_grouped(groups: list[str]) -> bool:
    """Thousands, or lakhs as in India: the last group has three digits, those between two or three."""
    inner = {len(group) for group in groups[1:-1]}
    return 1 <= len(groups[0]) <= 3 and len(groups[-1]) == 3 and (inner <= {3} or inner <= {2})

"""Numbers and dates of a spreadsheet written as its formats say."""

import re
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

_GENERAL = "General"
_BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 37: "#,##0", 38: "#,##0",
    39: "#,##0.00", 40: "#,##0.00", 14: "yyyy-mm-dd", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM",
    19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss", 22: "yyyy-mm-dd h:mm", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0",
}  # fmt: skip
"""Built-in formats (ECMA-376 18.8.30). How 14 and 22 look depends on the reader's country; here they are ISO dates."""
_QUOTED = re.compile(r'"([^"]*)"|\\(.)|\[\$([^\]-]*)[^\]]*\]|\[[^\]]*\]|_.|\*.')
_TOKEN = re.compile(r"\[?(y+|m+|d+|h+|s+)\]?|am/pm|a/p|.", re.IGNORECASE)
_PLACES = re.compile(r"[#0?][#0?,.]*")
_DAYS_1900 = datetime(1899, 12, 30)
_DAYS_1904 = datetime(1904, 1, 1)
_LAST_DAY = 2_958_465
_DIGITS = 15
"""Excel keeps so many; what lies behind is the rounding of binary numbers."""


def shown(value: str, number_format: str | int, from_1904: bool = False) -> str:
    """``value`` (as stored) in the way of ``number_format``: a code, or the number of a built-in one.

    Months and days are written in English. What is no number comes back as it is.
    """
    try:
        number = Decimal(value)
    except InvalidOperation:
        return value
    if not number.is_finite() or number.adjusted() > 300:
        return value
    code = _BUILT_IN.get(number_format, _GENERAL) if isinstance(number_format, int) else number_format
    sections = code.split(";")
    if number < 0 and len(sections) > 1:
        written = _section(abs(number), sections[1], from_1904)
        return written if re.search(r"[-(]", sections[1]) else f"-{written}"
    return _section(number, sections[0], from_1904)


def _section(number: Decimal, code: str, from_1904: bool) -> str:
    bare = _QUOTED.sub("", code)
    elapsed = re.search(r"\[(h+|m+|s+)\]", code, re.IGNORECASE)
    if (elapsed or re.search(r"[ymdhs]", bare, re.IGNORECASE)) and "general" not in bare.lower():
        return _date(number, code, from_1904)
    if not _PLACES.search(bare) or "E+" in bare or "/" in bare:
        return _plain(number)
    return _number(number, code)


def _plain(number: Decimal) -> str:
    rounded = Decimal(f"{number:.{_DIGITS}g}")
    return f"{rounded:f}".rstrip("0").rstrip(".") if "." in f"{rounded:f}" else f"{rounded:f}"


def _number(number: Decimal, code: str) -> str:
    literals: list[str] = []

    def keep(match: "re.Match[str]") -> str:
        literals.append(match.group(1) or match.group(2) or match.group(3) or "")
        return "\0"

    pattern = _QUOTED.sub(keep, code)
    places = _PLACES.search(pattern)
    if places is None:
        return _plain(number)
    if "%" in pattern:
        number *= 100
    decimals = len(re.findall(r"[#0?]", places.group().partition(".")[2]))
    written = f"{number:,.{decimals}f}" if "," in places.group().rstrip(",") else f"{number:.{decimals}f}"
    optional = len(places.group().partition(".")[2]) - len(places.group().partition(".")[2].rstrip("#"))
    for _ in range(optional):
        written = written.removesuffix("0")
    filled = pattern[: places.start()] + written.rstrip(".") + pattern[places.end() :]
    for literal in literals:
        filled = filled.replace("\0", literal, 1)
    return filled.strip()


def _date(number: Decimal, code: str, from_1904: bool) -> str:
    if not 0 <= number <= _LAST_DAY:
        return _plain(number)
    seconds = int((number * 86_400).to_integral_value())
    begin = _DAYS_1904 if from_1904 else _DAYS_1900
    when = begin + timedelta(seconds=seconds)
    if not from_1904 and number < 60:
        when += timedelta(days=1 if number >= 1 else 0)  # Excel counts 29 February 1900, which never was
    code = re.sub(r"\[\$[^\]]*\]|_.|\*.", "", code)
    tokens = [match.group() for match in _TOKEN.finditer(code.replace("\\", "").replace('"', ""))]
    half = any(token.lower() in ("am/pm", "a/p") for token in tokens)
    written, previous = [], ""
    for at, token in enumerate(tokens):
        following = next((later[:1].lower() for later in tokens[at + 1 :] if later[:1].lower() in "ymdhs"), "")
        written.append(_token(token, when, seconds, half, (previous, following)))
        previous = (
            token.strip("[]")[:1].lower() if token.strip("[]")[:1].lower() in ("y", "m", "d", "h", "s") else previous
        )
    return "".join(written).strip()


def _token(token: str, when: datetime, seconds: int, half: bool, beside: tuple[str, str]) -> str:
    letter, length = token.strip("[]")[:1].lower(), len(token.strip("[]"))
    if token.lower() in ("am/pm", "a/p"):
        return when.strftime("%p")
    if letter == "h":
        hours = seconds // 3600 if token.startswith("[") else when.hour
        return f"{(hours - 1) % 12 + 1 if half else hours:0{min(length, 2)}d}"
    if letter == "s":
        return f"{when.second:0{min(length, 2)}d}"
    if letter == "m" and (beside[0] == "h" or beside[1] == "s"):
        return f"{when.minute:0{min(length, 2)}d}"
    return _of_day(letter, length, when) or token


def _of_day(letter: str, length: int, when: datetime) -> str:
    if letter == "y":
        return f"{when.year:04d}" if length > 2 else f"{when.year % 100:02d}"
    if letter == "m":
        return {1: str(when.month), 2: f"{when.month:02d}", 3: f"{when:%b}"}.get(length, f"{when:%B}")
    if letter == "d":
        return {1: str(when.day), 2: f"{when.day:02d}", 3: f"{when:%a}"}.get(length, f"{when:%A}")
    return ""

"""Dates in a line, in the usual forms of a dozen languages, and which number of 03/04 is the day."""

import re
from datetime import date
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from wamcp.documents.invoice.sheet import fold

MAX_OF_A_FORM = 12


@lru_cache(maxsize=1024)
def dates_in(text: str, *, month_first: bool = False) -> tuple["Day", ...]:
    """The dates in ``text`` from left to right, none twice; ``month_first`` decides where both numbers may be months.

    At most 12 of each form are looked at.
    """
    folded = fold(text)
    found: list[Day] = []
    for pattern, order in _FORMS:
        for match in islice(pattern.finditer(folded), MAX_OF_A_FORM):
            day = _day(match, order, month_first)
            if day and not any(day.start < other.end and other.start < day.end for other in found):
                found.append(day)
    return tuple(sorted(found, key=lambda day: day.start))


def numeric_orders(text: str) -> tuple[bool, bool]:
    """Whether ``text`` has a date that only reads with the day first, and one that only reads with the month first.

    Dots say nothing: nobody writes the month first with them.
    """
    day_first = month_first = False
    for match in _NUMERIC.finditer(text):
        if match["s"] == ".":
            continue
        one, two = int(match["a"]), int(match["b"])
        day_first |= one > 12 >= two
        month_first |= two > 12 >= one
    return day_first, month_first


class Day(NamedTuple):
    """A date and where it stands; ``sure`` is False where day and month could be the other way round."""

    value: date
    start: int
    end: int
    sure: bool
    timed: bool


_NAMES = {
    1: "january jan januar janner janvier janv januari enero ene janeiro gennaio gen styczen stycznia ocak يناير",
    2: "february feb februar fevrier fevr februari febrero fevereiro fev febbraio luty lutego subat فبراير",
    3: "march mar marz mrz mars mrt maart marzo março marco marzec marca mart مارس",
    4: "april apr avril avr abril abr aprile kwiecien kwietnia nisan أبريل ابريل",
    5: "may mai mei mayo maio maggio mag maj maja mayis مايو",
    6: "june jun juni juin junio junho giugno giu czerwiec czerwca haziran يونيو",
    7: "july jul juli juillet juil julio julho luglio lug lipiec lipca temmuz يوليو",
    8: "august aug aout augustus agosto ago agustus sierpien sierpnia agustos augusti أغسطس اغسطس",
    9: "september sep sept septembre septiembre set setembro settembre wrzesien wrzesnia eylul سبتمبر",
    10: "october oct oktober okt octobre octubre outubro out ottobre ott pazdziernik pazdziernika ekim أكتوبر اكتوبر",
    11: "november nov novembre noviembre novembro listopad listopada kasim نوفمبر",
    12: "december dec dez dezember decembre diciembre dic dezembro dicembre desember grudzien grudnia aralik ديسمبر",
}
MONTHS = {fold(name).strip("."): number for number, names in _NAMES.items() for name in names.split()}

_YEAR = r"(?P<y>(?:19|20)\d\d|\d\d)(?:(?!\d)|(?=\d{1,2}:\d\d))"
_LONG_YEAR = r"(?P<y>(?:19|20)\d\d)"
_WORD = r"(?P<m>[^\W\d_]{3,11})"
_TIME = re.compile(r"[\s,t|-]{0,3}\(?\d{1,2}:\d\d")
_ISO = re.compile(rf"(?<![\d.,/-]){_LONG_YEAR} ?[-/.年] ?(?P<a>\d{{1,2}}) ?[-/.月] ?(?P<b>\d{{1,2}})(?=\D|\d\d:|$)")
_NUMERIC = re.compile(rf"(?<![\d.,/-])(?P<a>\d{{1,2}}) ?(?P<s>[-/.]) ?(?P<b>\d{{1,2}}) ?(?P=s) ?{_YEAR}")
_DAY_WORD = re.compile(
    rf"(?<!\d)(?P<d>\d{{1,2}})(?:st|nd|rd|th|er|°|\.)?[ .,/-]{{0,2}}(?:de |of )?{_WORD}"
    rf"[ .,'/-]{{0,3}}(?:de |del |of )?{_YEAR}"
)
_WORD_DAY = re.compile(
    rf"(?<![^\W\d_]){_WORD}\.? ?(?P<d>\d{{1,2}})(?:st|nd|rd|th)? {{0,2}},? {{0,2}}{_LONG_YEAR}(?!\d)"
)
_COMPACT = re.compile(r"(?<![\w./-])(?P<y>20[0-4]\d)(?P<a>0[1-9]|1[0-2])(?P<b>[0-2]\d|3[01])(?![\w./-])")
_FORMS = [(_ISO, "ymd"), (_NUMERIC, "any"), (_DAY_WORD, "word"), (_WORD_DAY, "word"), (_COMPACT, "ymd")]
MARKS = re.compile(
    r"(?<!\d)(?:\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)\d\d|\d{1,2}([-/.])\d{1,2}\1\d\d(?![\d.,])|"
    r"(?:19|20)\d\d[-/.]\d{1,2}[-/.]\d{1,2})(?:(?!\d)|(?=\d{1,2}:\d\d))|\d{1,2}:\d\d(?::\d\d)?(?!\d)"
)
"""Dates and times in numbers, which must not be taken for amounts."""


def _day(match: re.Match[str], order: str, month_first: bool) -> Day | None:
    year = int(match["y"]) + (2000 if len(match["y"]) == 2 else 0)
    sure = True
    if order == "word":
        month, day = MONTHS.get(match["m"], 0), int(match["d"])
    else:
        month, day = int(match["a"]), int(match["b"])
        if order == "any":
            sure = month > 12 or day > 12 or month == day
            if month > 12 or (day <= 12 and (not month_first or match["s"] == ".")):
                month, day = day, month
    try:
        value = date(year, month, day)
    except ValueError:
        return None
    timed = _TIME.match(match.string, match.end()) is not None
    return Day(value, match.start(), match.end(), sure, timed) if 1990 <= year <= 2099 else None

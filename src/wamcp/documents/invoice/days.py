"""Which date on the page is the invoice's: its label, or its place, says so; due and delivery dates are others."""

import re
from collections import Counter
from collections.abc import Iterator

from wamcp.documents.invoice import labels
from wamcp.documents.invoice.dates import Day, dates_in, numeric_orders
from wamcp.documents.invoice.found import Found
from wamcp.documents.invoice.sheet import Row

MAX_DATES = 120


def days_in(rows: list[Row]) -> list[Found]:
    """The candidates for the invoice's date, as ISO dates."""
    first = month_first(rows)
    found = list(_found(rows, first))
    often = Counter(candidate.value for candidate in found)
    alone = len(often) == 1
    return [
        one._replace(score=one.score + (0.25 if alone else min(0.1, 0.04 * (often[one.value] - 1)))) for one in found
    ]


def month_first(rows: list[Row]) -> bool:
    """Whether 03/04 is the fourth of March here.

    Other dates of the document that read only one way decide; else dollars without a tax of other countries.
    """
    orders = [numeric_orders(row.clean) for row in rows]
    day, month = any(order[0] for order in orders), any(order[1] for order in orders)
    if day != month:
        return month
    text = "\n".join(row.text for row in rows)
    dollars = _DOLLARS.search(text) is not None
    folded = "\n".join(row.folded for row in rows)
    return dollars and not any(f" {word}" in f" {folded}" for word in _ELSEWHERE)


_DOLLARS = re.compile(r"(?:^|[\s(]|US)\$ ?\d|USD")
"""Beside an amount; alone it is as often an S that a machine misread."""
_ELSEWHERE = (
    "vat",
    "gst",
    "abn",
    "r$",
    "iva ",
    "s$",
    "a$",
    "rut",
    "ruc",
    "rfc",
    "nit",
    "cuit",
    "mwst",
    "rm",
    "€",
    "£",
    "rs.",
)


def _found(rows: list[Row], first: bool) -> Iterator[Found]:
    left = MAX_DATES
    for row in rows:
        days = dates_in(row.clean, month_first=first)
        for index, day in enumerate(days):
            left -= 1
            if left < 0:
                return
            begin = days[index - 1].end if index else 0
            score = _score(rows, row, day, row.folded[begin : day.start])
            score -= 0.25 if row.folded[begin : day.start].strip(" :") == "-" or _range(row, day) else 0.0
            score -= 0.1 if row.prose and score < 0.8 else 0.0
            score -= 0.0 if day.sure else 0.05
            score += 0.05 if row.index < 25 else 0.0
            yield Found(day.value.isoformat(), score, row, day.start, day.end)


def _range(row: Row, day: Day) -> bool:
    """Whether the date begins or ends a period: two dates with a dash or ``to`` between."""
    after = row.folded[day.end : day.end + 6].strip()
    return (after[:1] == "-" and after[1:2] != "r" and any(map(str.isdigit, after))) or after.split(" ")[0] in _UNTIL


_UNTIL = ("bis", "to", "au", "al", "tot", "ate", "a")


def _score(rows: list[Row], row: Row, day: Day, before: str) -> float:
    """How well the words before the date, or above it where there are none, say that it is the invoice's."""
    context = _BLANKS.sub("  ", before)[-60:]
    numbered = labels.NUMBER_STRONG.search(context) or labels.NUMBER_SLIP.search(context)
    if numbered and labels.DATE_JOINED.search(context):
        return 0.9 if not labels.NUMBER_OTHER.search(context) else 0.4
    # What stands before a number of its own is that number's label.
    said = _said(_NUMBERED.split(context)[-1])
    if said is None:
        said = _said_above(rows, row, day)
    if said is None:
        after = rows[row.index + 1].clean if row.index + 1 < len(rows) and row.flow else ""
        return 0.55 if day.timed or _TIME.match(after) else 0.4
    return said


_NUMBERED = re.compile(r"\S*\d\S*")
_BLANKS = re.compile(r" {3,}")
_TIME = re.compile(r"\s*\d{1,2}[:.]\d\d(?!\d)")


def _said(context: str) -> float | None:
    """1 for a label of the invoice's date, 0.7 for one of a date, 0.1 for one of another date, None for none."""
    strong = max((match.end() for match in labels.DATE_STRONG.finditer(context)), default=-1)
    other = max((match.end() for match in labels.DATE_OTHER.finditer(context)), default=-1)
    weak = max((match.end() for match in labels.DATE_WEAK.finditer(context)), default=-1)
    if strong >= 0 and strong >= other - 9:
        return 1.0
    if other >= 0 and (weak < 0 or weak - other < 12):
        return 0.1
    beside = max((match.end() for match in labels.DATE_BESIDE.finditer(context)), default=-1)
    if beside >= 0 and (weak < 0 or weak - beside < 12):
        return 0.3
    if weak >= 0:
        return 0.75 if "date" in context or "dat" in context or "fecha" in context else 0.6
    return None


def _said_above(rows: list[Row], row: Row, day: Day) -> float | None:
    """The same for the labels of the date's column in the two lines above."""
    left, right = row.span(day.start, day.end)
    for other in rows[max(0, row.index - 2) : row.index][::-1]:
        if other.page != row.page or other.prose or dates_in(other.clean):
            return None
        start, end = 0, len(other.text)
        if not row.flow:
            start, end = _cell(other, left, right)
        elif len(other.text) > 30 or (any(map(str.isdigit, other.text)) and row.index - other.index == 1):
            return None
        said = _said(other.folded[start:end]) if end > start else None
        if said is not None:
            return said if said < 0.5 else said - 0.05
    return None


def _cell(row: Row, left: float, right: float) -> tuple[int, int]:
    """Where the cell of ``row`` begins and ends that stands above or below ``left`` to ``right``; else (0, 0)."""
    start = 0
    for part in row.text.split("  "):
        end = start + len(part)
        if part.strip():
            at, to = row.span(start + len(part) - len(part.lstrip()), end)
            if at < right and to > left:
                return start, end
        start = end + 2
    return 0, 0

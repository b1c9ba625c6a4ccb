"""Which number on the page is the invoice's: what stands right of, or below, a label that says so."""

import re
from collections import Counter
from collections.abc import Iterator

from wamcp.documents.invoice import labels
from wamcp.documents.invoice.found import Found
from wamcp.documents.invoice.sheet import Row

MAX_LABELS = 60


def numbers_in(rows: list[Row]) -> list[Found]:
    """The candidates for the invoice's number; what is found more than once scores a little higher."""
    found = []
    for row, start, end, weight in _labels(rows):
        candidate = _right_of(row, start, end, weight) or (None if row.prose else _below(rows, row, start, end, weight))
        if candidate:
            found.append(candidate)
    often = Counter(candidate.value for candidate in found)
    return [one._replace(score=one.score + min(0.1, 0.05 * (often[one.value] - 1))) for one in found]


def _labels(rows: list[Row]) -> Iterator[tuple[Row, int, int, float]]:
    """The labels that may stand beside the number: the row, where it begins and ends, and how much it is worth."""
    left = MAX_LABELS
    for row in rows:
        taken: list[tuple[int, int]] = []
        for pattern, weight in _LABELS:
            for match in pattern.finditer(row.folded):
                start, end = match.span()
                if left <= 0 or any(start < other[1] and other[0] < end for other in taken):
                    continue
                left -= 1
                taken.append((start, end))
                before = row.folded[max(0, start - 22) : start].rpartition("  ")[2]
                worth = weight - (0.2 if row.prose else 0.0)
                worth -= 0.45 if labels.NUMBER_OTHER.search(before) or _meant_otherwise(pattern, match.group()) else 0.0
                worth += 0.3 if pattern is labels.NUMBER_BARE and _below_title(rows, row) else 0.0
                yield row, start, end, worth


def _meant_otherwise(pattern: re.Pattern[str], label: str) -> bool:
    return pattern is labels.NUMBER_APART and labels.NUMBER_OTHER.search(label) is not None


def _below_title(rows: list[Row], row: Row) -> bool:
    """Whether one of the two lines above is a title that calls the document an invoice."""
    return any(
        labels.INVOICE_WORD.search(above.folded) and len(above.text.split()) <= 5
        for above in rows[max(0, row.index - 2) : row.index]
    )


_LABELS = [
    (labels.NUMBER_STRONG, 1.0),
    (labels.NUMBER_SLIP, 0.85),
    (labels.NUMBER_APART, 0.7),
    (labels.NUMBER_NOUN, 0.66),
    (labels.NUMBER_BARE, 0.35),
]
_LEAD = re.compile(r"[\s.:;#=|*()-]*(?:(?:no|nr|n°|number|is|num)\b[\s.:#]*)?")
_TOKEN = re.compile(r"#?[A-Za-z0-9][\w/.#-]{0,39}")
_PREFIX = re.compile(r"(?:[A-Z]{1,5}[ -]{1,2})(?=\d)")
_SPACED = re.compile(r"[A-Z0-9]{1,8}(?: [A-Z0-9/-]{1,12}){1,3}$")
_DATE = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{2,4}$")
_MONTHLY = re.compile(r"\d{1,4}/\d{1,2}/20\d\d(?![\w/])")
_MONEY = re.compile(r"\d{1,3}(?:[.,]\d{3})*[.,]\d\d$")
_TIME = re.compile(r"\d{1,2}:\d\d")
_FREE_DATE = re.compile(r"\d{1,2}(?:st|nd|rd|th|\.)?[ .-]{1,2}[A-Za-zéûäç]{3,10}\.?[ .,-]{1,2}\d{2,4}")


def _right_of(row: Row, begin: int, end: int, weight: float) -> Found | None:
    lead = _LEAD.match(row.text, end)
    start = lead.end() if lead else end
    gap = row.text[end:start]
    if len(gap) > 60:
        return None
    needs_sign = weight <= 0.66 and not gap.strip(" ") and len(gap) > 3
    if needs_sign:
        return None
    # In Poland and its neighbours numbers are written as 12/03/2024: the twelfth of March.
    monthly = _MONTHLY.match(row.text, start) if "faktur" in row.folded[begin:end] else None
    return Found(monthly.group(), weight, row, start, monthly.end()) if monthly else _value(row, start, weight)


def _value(row: Row, start: int, weight: float) -> Found | None:
    """The value that begins at ``start``, if a number of an invoice can look like that."""
    text = row.text
    prefix = _PREFIX.match(text, start)
    token = _TOKEN.match(text, prefix.end() if prefix else start)
    if not token:
        return None
    end = token.end()
    cell = text[start : _cell_end(text, start)]
    if _SPACED.fullmatch(cell) and sum(map(str.isdigit, cell)) >= 4 and not _FREE_DATE.fullmatch(cell):
        end = start + len(cell)
    value = text[start:end].rstrip(".-/_#")
    digits = sum(map(str.isdigit, value))
    if not digits or _DATE.match(value) or _MONEY.match(value) or _TIME.match(text, start) or "@" in cell[:40]:
        return None
    if _FREE_DATE.match(text, start) or text[end : end + 1] == "%" or text[end : end + 1] == ":":
        return None
    bare = value.isdigit()
    weight -= 0.2 if digits == 1 and weight < 1 else 0.0
    weight -= 0.15 if bare and digits == 4 and 1990 <= int(value) <= 2099 else 0.0
    weight -= 0.15 if bare and digits <= 3 and weight < 0.9 else 0.0
    return Found(value, weight, row, start, start + len(value))


def _cell_end(text: str, start: int) -> int:
    gap = text.find("  ", start)
    return gap if gap >= 0 else len(text)


def _below(rows: list[Row], row: Row, start: int, end: int, weight: float) -> Found | None:
    """The value in the same column of the next two lines, or in one of the next lines where nobody knows the columns.

    Only for a label with nothing but other labels right of it.
    """
    rest = row.text[end : _cell_end(row.text, end)].strip(" .:#")
    if (rest and row.flow) or len(rest) > 25 or _DIGIT.search(row.text, end):
        return None
    if weight < 0.7 and (rest or row.text[:start].rpartition("  ")[2].strip()):
        return None
    left, right = row.span(start, end)
    for step, other in enumerate(rows[row.index + 1 : row.index + 3], 1):
        if other.page != row.page or other.prose:
            break
        for word in _WORD.finditer(other.text):
            at, to = other.span(*word.span())
            near = row.flow or (at < right + 0.01 and to > left - 0.01)
            begin = word.start() + (len(word.group()) - len(word.group().lstrip(":#.")))
            if near and (value := _value(other, begin, weight - 0.05 * step - (0.15 if row.flow else 0))):
                return value
            if row.flow and word.group() not in ":#.":
                break
    return None


_WORD = re.compile(r"\S+")
_DIGIT = re.compile(r"\d")

"""What the invoice comes to: amounts beside labels, and the sums that have to hold between them."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from wamcp.documents.invoice import labels
from wamcp.documents.invoice.amounts import CURRENCY, Amount, amounts_in
from wamcp.documents.invoice.found import Found
from wamcp.documents.invoice.sheet import Row

CENT = Decimal("0.01")
CERTAIN = 0.88
"""A line that a machine is less sure of than this has a misread digit now and then."""


def money_in(rows: list[Row]) -> "Money":
    """Every amount of the document with the label that belongs to it."""
    placed: list[Placed] = []
    everything: list[tuple[Row, Amount]] = []
    summary = False
    for row in rows:
        summary = summary or (labels.SUMMARY_WORD.search(row.folded) is not None and not row.prose)
        amounts = [one for one in amounts_in(row.clean, ocr=row.ocr)[:12] if _may_be_money(one)]
        everything += [(row, amount) for amount in amounts if amount.exact or amount.sign]
        placed += _placed(rows, row, amounts, summary)
    placed += _blocks(rows)
    exact = {amount.value for _, amount in everything if amount.exact}
    placed = [one._replace(amount=_with_point(one.amount, exact)) if one.row.ocr else one for one in placed]
    return Money(placed, everything)


class Placed(NamedTuple):
    """An amount with its label (folded), how far that is (0 beside, else in lines), and whether it is the last."""

    amount: Amount
    row: Row
    label: str
    distance: int
    last: bool
    summary: bool


class Money:
    """The amounts of a document."""

    def __init__(self, placed: list[Placed], everything: list[tuple[Row, Amount]]) -> None:
        self.exact = Counter(abs(amount.value) for _, amount in everything if amount.exact)
        self.often = Counter(amount.value for _, amount in everything)
        self.places = {amount.value: (row, amount) for row, amount in everything}
        self.top = max((abs(value) for value in self.often), default=Decimal(0))
        kinds = [(one, _kind(one.label)) for one in placed]
        self.nets = [one for one, kind in kinds if kind == "net"]
        self.taxes = [one for one, kind in kinds if kind == "tax"]
        self.strong = [one for one, kind in kinds if kind == "strong"]
        self.weak = [one for one, kind in kinds if kind == "weak" or labels.NET_TOTAL.search(one.label)]
        self.cash = _paid(placed)
        cents = {one.amount.value for one in placed if labels.ROUNDING_WORD.search(one.label)} - {Decimal(0)}
        self.roundings = [value for value in cents if abs(value) < 1][:4]

    def totals(self) -> list[Found]:
        """The candidates for the total, gross of tax."""
        sums = self._sums()
        rounded = self._rounded()
        found = []
        for group, weight in ((self.strong, 0.95), (self.weak, 0.7)):
            for one in group:
                value = abs(one.amount.value)
                score = weight - _doubts(one) - self._misread(one, sums | self.cash | rounded)
                score += 0.25 if value in sums else 0.0
                score += 0.25 if value in self.cash else 0.0
                score += 0.3 if value in rounded else 0.0
                score += min(0.1, 0.05 * max(0, self.often[one.amount.value] - 1))
                score += 0.08 if value == self.top else 0.0
                score += 0.0005 * one.row.index / 400
                found.append(Found(_written(one.amount.value), score, one.row, one.amount.start, one.amount.end))
        return found + self._by_sums(found, self.cash | (sums if self.roundings else set()))

    def _misread(self, one: Placed, sums: set[Decimal]) -> float:
        """What speaks against an amount that a machine read in a picture, and nothing else on the paper confirms."""
        value = abs(one.amount.value)
        if not one.row.ocr or value in sums:
            return 0.0
        doubt = 2 * max(0.0, CERTAIN - one.row.certainty)
        if self.roundings and any(_few_cents(value, other) for other in self._labelled()):
            doubt += 0.5
        if self.exact[value] > 1:
            return doubt
        others = self.exact - Counter([value])
        if not one.amount.exact and others.total() > 2:
            doubt += 0.5
        if len(others) > 1 and value > sum(other * times for other, times in others.items()):
            doubt += 0.5
        return doubt

    def _labelled(self) -> set[Decimal]:
        return {abs(one.amount.value) for one in [*self.strong, *self.weak]}

    def _by_sums(self, known: list[Found], sums: set[Decimal]) -> list[Found]:
        """Amounts without a label of their own that are what was paid less the change, or net, tax and rounding.

        The likeliest where another candidate is a few cents off: that one is not rounded yet.
        """
        values = {one.value for one in known if one.score >= 0.65}
        places = [(value, self.places[value]) for value in sorted(sums) if value > 0 and value in self.places]
        return [
            Found(_written(value), 1.2 if _few_cents_off(value, known) else 0.65, row, amount.start, amount.end)
            for value, (row, amount) in places
            if _written(value) not in values
        ]

    def _rounded(self) -> set[Decimal]:
        """Labelled amounts that are another one above them with the document's rounding, whichever sign that has."""
        labelled = sorted([*self.strong, *self.weak, *self.nets], key=lambda one: -one.row.index)
        first = {abs(one.amount.value): one.row.index for one in labelled if not one.summary}
        return {
            value
            for value, index in first.items()
            for cents in self.roundings
            for other in (value - cents, value + cents)
            if first.get(other, index) < index
        }

    def _sums(self) -> set[Decimal]:
        """Net and tax together; where the document rounds, rounded."""
        taxes = {one.amount.value for one in self.taxes if one.amount.exact or one.amount.sign} - {Decimal(0)}
        nets = {one.amount.value for one in self.nets}
        cents = self.roundings or [Decimal(0)]
        return {abs(net + tax + few) for net in list(nets)[:40] for tax in list(taxes)[:40] for few in cents}

    def parts(self, total: Decimal) -> tuple[Found | None, Found | None, bool | None]:
        """Net and tax that go with ``total``, and whether they add up; None where the document does not say."""
        nets = [one for one in self.nets if 0 < abs(one.amount.value) <= abs(total)]
        taxes = [one for one in self.taxes if abs(one.amount.value) < abs(total)]
        for net in nets:
            for tax in taxes:
                if abs(abs(net.amount.value + tax.amount.value) - abs(total)) <= CENT and net is not tax:
                    return _as_found(net, 0.95), _as_found(tax, 0.95), True
        several = {one.amount.value: one for one in taxes if one.amount.value}
        for net in nets:
            if len(several) > 1 and abs(net.amount.value + sum(several) - total) <= CENT:
                whole = _as_found(next(iter(several.values())), 0.8)._replace(value=_written(Decimal(sum(several))))
                return _as_found(net, 0.85), whole, True
        plain_nets = {one.amount.value: one for one in nets if one.distance == 0 and one.amount.exact}
        plain_taxes = {one.amount.value: one for one in taxes if one.distance == 0 and one.amount.exact}
        if len(plain_nets) == len(plain_taxes) == 1 and not any(one.summary for one in plain_taxes.values()):
            net, tax = next(iter(plain_nets.values())), next(iter(plain_taxes.values()))
            return _as_found(net, 0.5), _as_found(tax, 0.5), False
        return None, None, None


def _few_cents_off(value: Decimal, known: list[Found]) -> bool:
    return any(_few_cents(Decimal(one.value), value) for one in known if one.score >= 0.65)


def _few_cents(one: Decimal, other: Decimal) -> bool:
    return 0 < abs(one - other) < Decimal("0.10")


def _with_point(amount: Amount, exact: set[Decimal]) -> Amount:
    """1000 is 10.00 where that stands elsewhere on the paper: points are lost in pictures."""
    value = amount.value / 100
    if amount.exact or amount.decimals or value not in exact:
        return amount
    return amount._replace(value=value.quantize(CENT), exact=True)


def _may_be_money(amount: Amount) -> bool:
    """Unit prices have more decimals, and long numbers without cents or currency are ids."""
    if amount.sign:
        return amount.decimals <= 3
    return amount.decimals <= 2 and (amount.exact or abs(amount.value) < 1_000_000)


def _doubts(one: Placed) -> float:
    """What speaks against an amount being the total, whatever its value is worth elsewhere."""
    doubt = 0.12 * one.distance + (0.0 if one.last else 0.25) + (0.3 if one.summary else 0.0)
    doubt += 0.2 if one.row.prose else 0.0
    doubt += 0.4 if one.amount.value == 0 else 0.0
    certain = one.amount.exact or one.amount.sign
    return doubt + (0.0 if certain else 0.35 if one.row.flow else 0.15)


def _written(value: Decimal) -> str:
    return f"{value:.2f}" if -value.as_tuple().exponent <= 2 else f"{value:f}"  # type: ignore[operator]


def _as_found(one: Placed, score: float) -> Found:
    return Found(_written(one.amount.value), score, one.row, one.amount.start, one.amount.end)


def _kind(label: str) -> str:
    """What an amount with this label is: strong or weak total, net, tax, or nothing."""
    if strong := [match.span() for match in labels.TOTAL_STRONG.finditer(label)]:
        rest = label[: strong[0][0]] + " " + label[strong[-1][1] :]
        if not labels.NET_WORD.search(rest) and not _OTHER(rest) and not labels.NET_WORD.fullmatch(label.strip(" :")):
            inside = label[strong[0][0] : strong[-1][1]]
            return "net" if labels.EXCLUDING.search(inside) else "strong"
    if labels.NET_WORD.search(label):
        return "" if _OTHER(label) else "net"
    if labels.TAX_WORD.search(label):
        return "" if _OTHER(label) and not labels.TOTAL_WEAK.search(label) else "tax"
    if labels.TOTAL_WEAK.search(label):
        return "" if _OTHER(label) else "weak"
    return ""


_OTHER = labels.AMOUNT_OTHER.search


def _placed(rows: list[Row], row: Row, amounts: list[Amount], summary: bool) -> Iterator[Placed]:
    """The amounts of a row with what stands before them; an amount right after another shares its label."""
    label, begin, shared = "", 0, 0
    for index, amount in enumerate(amounts):
        text = row.folded[begin : amount.start]
        begin = amount.end
        if any(map(str.isalpha, CURRENCY.sub("", text))):
            label, shared = " ".join(text.split()), 0
        else:
            shared += 1
        follows = index + 1 < len(amounts) and not any(
            map(str.isalpha, row.folded[amount.end : amounts[index + 1].start])
        )
        if label:
            tail = row.folded[amount.end :] if index + 1 == len(amounts) else ""
            extra = tail if len(tail) < 30 and labels.WITH_OR_WITHOUT.search(tail) else ""
            yield Placed(amount, row, f"{label[-70:]} {extra}".strip(), 0, not follows, summary)
        elif index == 0 or not row.flow:
            yield from _from_above(rows, row, amount, summary)


def _from_above(rows: list[Row], row: Row, amount: Amount, summary: bool) -> Iterator[Placed]:
    """The amount with the label that stands above it in its column, or before it where nobody knows the columns."""
    left, right = row.span(amount.start, amount.end)
    for distance, other in enumerate(rows[max(0, row.index - 3) : row.index][::-1], 1):
        if other.page != row.page or other.prose:
            return
        if row.flow:
            if not any(map(str.isalnum, other.text)) or _bare_sign(other.text):
                continue
            if not amounts_in(other.clean, ocr=other.ocr):
                yield Placed(amount, row, other.folded[-70:], distance, True, summary)
            return
        start = 0
        for part in other.text.split("  "):
            at, to = other.span(start, start + len(part))
            if part.strip() and at < right and to > left:
                if any(map(str.isalpha, part)):
                    yield Placed(amount, row, other.folded[start : start + len(part)], distance + 1, True, summary)
                return
            start += len(part) + 2


def _bare_sign(text: str) -> bool:
    return text.strip(" :()").upper() in {"RM", "EUR", "USD", "MYR", "$", "R$", "€", "£"}


def _blocks(rows: list[Row]) -> Iterator[Placed]:
    """Labels one below the other with their amounts one below the other after them, as a picture of columns is read."""
    index = 0
    while index < len(rows):
        if not _lone_label(rows[index]):
            index += 1
            continue
        start = index
        while index < len(rows) and _lone_label(rows[index]):
            index += 1
        names = rows[start:index]
        values = []
        while index < len(rows) and (amount := _lone_amount(rows[index])):
            values.append((rows[index], amount))
            index += 1
        if len(values) >= 2:
            for (row, amount), name in zip(values[::-1], names[::-1], strict=False):
                if len(values) <= len(names):
                    yield Placed(amount, row, name.folded, 1, True, False)


def _lone_label(row: Row) -> bool:
    return row.flow and len(row.text) < 45 and any(map(str.isalpha, row.text)) and not amounts_in(row.clean)


def _lone_amount(row: Row) -> Amount | None:
    amounts = amounts_in(row.clean, ocr=row.ocr) if row.flow and len(row.text) < 20 else ()
    return amounts[0] if len(amounts) == 1 and not any(map(str.isalpha, row.text[: amounts[0].start])) else None


def _paid(placed: list[Placed]) -> set[Decimal]:
    """What is left of what was given when the change is taken off."""
    given = {
        p.amount.value for p in placed if labels.CASH_WORD.search(p.label) and not labels.CHANGE_WORD.search(p.label)
    }
    change = {p.amount.value for p in placed if labels.CHANGE_WORD.search(p.label)}
    return {one - other for one in list(given)[:20] for other in list(change)[:20] if one > other >= 0}

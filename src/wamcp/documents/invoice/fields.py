"""The fields of an invoice, from its pages and the data beside it; data wins, and a page that disagrees is told of."""

from decimal import Decimal
from typing import Any

from wamcp.documents.invoice import labels
from wamcp.documents.invoice.amounts import amounts_in
from wamcp.documents.invoice.dates import dates_in
from wamcp.documents.invoice.days import days_in, month_first
from wamcp.documents.invoice.found import Found, best
from wamcp.documents.invoice.numbers import numbers_in
from wamcp.documents.invoice.parties import currency_in, supplier_in, tax_id_in
from wamcp.documents.invoice.sheet import Row, rows_of
from wamcp.documents.invoice.structured import read_structured
from wamcp.documents.invoice.totals import Money, money_in
from wamcp.documents.shapes import Page

LEAST_NUMBER, LEAST_DATE, LEAST_TOTAL = 0.55, 0.5, 0.55
MAX_ATTACHMENTS = 10
FIELDS = ("invoice_number", "invoice_date", "total", "net", "tax", "currency", "supplier", "supplier_tax_id")


def read_fields(pages: list[Page], attachments: list[bytes]) -> dict[str, Any]:
    """What an invoice or receipt says; {} when the document is none. Never raises for what a document holds.

    ``attachments`` are the files within it, or the document itself when it is XML. The values: ``invoice_number``,
    ``invoice_date`` (ISO), ``total``, ``net`` and ``tax`` (decimal strings, negative for credit notes), ``currency``
    (ISO 4217), ``supplier``, ``supplier_tax_id``; what is not sure is left out. Beside them: ``source`` (xml, text or
    ocr), ``confidence`` (0 to 1 for each field), ``evidence`` (page, box from 0 to 1, and source for each field),
    ``checks.net_plus_tax`` (whether net and tax make the total; None when not known), and ``conflict`` when the data
    beside the page and the page itself say different things.
    """
    rows = rows_of(pages)
    data = next((found for one in attachments[:MAX_ATTACHMENTS] if (found := read_structured(one))), None)
    page = _read_page(rows)
    return _from_data(data, page, rows) if data else page


def _read_page(rows: list[Row]) -> dict[str, Any]:
    money = money_in(rows)
    number, day = best(numbers_in(rows), LEAST_NUMBER), best(days_in(rows), LEAST_DATE)
    total = best(money.totals(), LEAST_TOTAL)
    supplier = supplier_in(rows)
    tax_id = tax_id_in(rows, supplier)
    if not _is_invoice(rows, number, total, tax_id):
        return {}
    found: dict[str, Found | None] = {"invoice_number": number, "invoice_date": day, "total": total}
    found |= {"supplier": supplier, "supplier_tax_id": tax_id}
    check = None
    if total:
        found["net"], found["tax"], check = _parts(money, total)
    fields: dict[str, Any] = {name: one.value for name in FIELDS if (one := found.get(name))}
    fields["confidence"] = {name: one.confidence for name in FIELDS if (one := found.get(name))}
    fields["evidence"] = {name: one.row.evidence(one.start, one.end) for name in FIELDS if (one := found.get(name))}
    if currency := currency_in(rows, total):
        fields["currency"], fields["confidence"]["currency"] = currency
    if _is_credit(rows):
        for name in ("total", "net", "tax"):
            if name in fields and not fields[name].startswith("-"):
                fields[name] = "-" + fields[name]
    fields["source"] = "ocr" if any(row.ocr for row in rows) else "text"
    fields["checks"] = {"net_plus_tax": check}
    return fields


def _parts(money: Money, total: Found) -> tuple[Found | None, Found | None, bool | None]:
    return money.parts(Decimal(total.value))


def _is_invoice(rows: list[Row], number: Found | None, total: Found | None, tax_id: Found | None) -> bool:
    """Whether this is an invoice or receipt: it calls itself one or has its number, and has what only those have.

    Two of: a word for an invoice, a number beside its label, a total beside its label, a tax id. A sentence counts for
    nothing; a title of another kind of paper must not stand above.
    """
    titles = [row for row in rows if not row.prose]
    word = next((row.index for row in titles if labels.INVOICE_WORD.search(row.folded)), None)
    other = next((row.index for row in titles[:15] if _is_title(row) and labels.OTHER_PAPER.search(row.folded)), None)
    if other is not None and (word is None or other < word):
        return False
    labelled = number is not None and number.score >= 0.8 and not number.row.prose
    paid = total is not None and total.score >= 0.6 and not total.row.prose
    signs = [word is not None, labelled, paid, tax_id is not None]
    titled = word is not None and _is_title(rows[word]) and tax_id is not None
    return (word is not None or labelled) and (paid or labelled or titled) and sum(signs) >= 2


def _is_title(row: Row) -> bool:
    return len(row.text.split()) <= 5


def _is_credit(rows: list[Row]) -> bool:
    """Whether the document calls itself a credit note before it calls itself an invoice."""
    for row in rows[:60]:
        if row.prose:
            continue
        credit, invoice = labels.CREDIT_WORD.search(row.folded), labels.INVOICE_WORD.search(row.folded)
        if credit:
            return True
        if invoice and _is_title(row):
            return False
    return False


def _from_data(data: dict[str, str], page: dict[str, Any], rows: list[Row]) -> dict[str, Any]:
    fields: dict[str, Any] = {name: data[name] for name in FIELDS if name in data}
    fields["source"] = "xml"
    fields["confidence"] = dict.fromkeys(fields.keys() & set(FIELDS), 1.0)
    fields["evidence"] = {name: {"page": None, "box": None, "source": "xml"} for name in FIELDS if name in fields}
    fields["checks"] = {"net_plus_tax": _adds_up(fields)}
    if any(_disagrees(name, data, page, rows) for name in ("invoice_number", "invoice_date", "total")):
        fields["conflict"] = True
    return fields


def _adds_up(fields: dict[str, Any]) -> bool | None:
    if not {"net", "tax", "total"} <= fields.keys():
        return None
    return abs(Decimal(fields["net"]) + Decimal(fields["tax"]) - Decimal(fields["total"])) <= Decimal("0.02")


def _disagrees(name: str, data: dict[str, str], page: dict[str, Any], rows: list[Row]) -> bool:
    """Whether the page is fairly sure of another value, and the data's is nowhere on it."""
    if name not in data or name not in page or page["confidence"][name] < 0.5 or page[name] == data[name]:
        return False
    if name == "invoice_date":
        first = month_first(rows)
        return all(
            day.value.isoformat() != data[name] for row in rows for day in dates_in(row.clean, month_first=first)
        )
    if name == "total":
        wanted = data[name].lstrip("-")
        return all(f"{abs(one.value):.2f}" != wanted for row in rows for one in amounts_in(row.clean))
    wanted = _squeezed(data[name])
    return all(wanted not in _squeezed(row.text) for row in rows) if wanted else False


def _squeezed(text: str) -> str:
    return "".join(filter(str.isalnum, text)).lower()

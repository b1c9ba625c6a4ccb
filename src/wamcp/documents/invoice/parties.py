"""Who sent the invoice, that party's tax id, and the currency: found only where the page is plain about it."""

import re
from collections import Counter
from collections.abc import Iterator

from wamcp.documents.invoice import labels
from wamcp.documents.invoice.amounts import CURRENCY, amounts_in, currency_of
from wamcp.documents.invoice.found import Found, best
from wamcp.documents.invoice.sheet import Row

_ID = re.compile(
    r"[\s.:#()*-]{0,8}(?:(?:no|nr|number)\b[\s.:#]{0,4})?"
    r"([A-Z]{0,4}[ -]?\d[\dA-Z./]{0,17}(?:[ -]\d[\dA-Z./]{0,12}){0,6})"
)
_TOP = 14


def supplier_in(rows: list[Row]) -> Found | None:
    """The name below or beside a word for the seller, else a firm's name with its legal form in the first lines."""
    for row in rows[:80]:
        label = labels.SELLER_WORD.match(row.folded)
        if label and (":" in label.group() or not row.text[label.end() :].strip()):
            rest = row.text[label.end() :].split("  ")[0]
            if _name(rest):
                return Found(rest.strip(" :,"), 0.85, row, label.end(), label.end() + len(rest))
            for other in rows[row.index + 1 : row.index + 4]:
                first = other.text.split("  ")[0]
                if _name(first) and (
                    labels.LEGAL_FORM.search(other.folded[: len(first)]) or not _SETTING.search(first)
                ):
                    return Found(first.strip(" ,"), 0.75, other, 0, len(first))
    return _firm(rows)


def _firm(rows: list[Row]) -> Found | None:
    buyer = False
    for row in rows[:_TOP]:
        buyer = buyer or labels.BUYER_WORD.search(row.folded) is not None
        start = 0
        for part in row.text.split("  "):
            name = _ADDRESS.split(part.strip())[0].strip(" ,;*")
            at = start + len(part) - len(part.lstrip())
            form = labels.LEGAL_FORM.search(row.folded[at : at + len(name)])
            if form and form.start() > 2 and _name(name) and not (buyer and row.index > 0) and len(name) < 60:
                return Found(name, 0.8 if row.index < 6 else 0.65, row, at, at + len(name))
            start += len(part) + 2
    return None


_ADDRESS = re.compile(r" [|•·-] |, (?=\d)|\s*\(")
_SETTING = re.compile(r"[:#]|^(?:nummer|number|tel|phone|vat|ust|globale)", re.IGNORECASE)


def _name(text: str) -> bool:
    letters = sum(map(str.isalpha, text))
    folded = text.lower()
    return letters >= 3 and letters > sum(map(str.isdigit, text)) and "@" not in folded and "www" not in folded


def tax_id_in(rows: list[Row], supplier: Found | None) -> Found | None:
    """The first tax id that is not beside nor below a word for the buyer; one with a country goes before others."""
    found: list[Found] = []
    buyer_until = -1
    for row in rows:
        if labels.BUYER_WORD.search(row.folded) and not row.prose:
            buyer_until = row.index + 8
        if labels.SELLER_WORD.match(row.folded) or (supplier and row.index == supplier.row.index):
            buyer_until = -1
        if row.index > buyer_until and len(found) < 20:
            found += _ids(row)
    return best(found, 0.5)


def _ids(row: Row) -> Iterator[Found]:
    for label in labels.TAX_ID.finditer(row.folded):
        match = _ID.match(row.text, label.end())
        if not match or labels.BUYER_WORD.search(row.folded[: label.start()]):
            continue
        value = match[1].strip(" .-/")
        if 8 <= sum(map(str.isdigit, value)) <= 15:
            score = 0.9 if _COUNTRY.match(value) else 0.8
            yield Found(re.sub(r"\s", "", value), score, row, match.start(1), match.start(1) + len(value))


_COUNTRY = re.compile(r"[A-Z]{2} ?[\dA-Z]")


def currency_in(rows: list[Row], total: Found | None) -> tuple[str, float] | None:
    """The currency beside the total, else the one that most amounts have; None where signs fit several countries."""
    signs: Counter[str] = Counter()
    for row in rows:
        for amount in amounts_in(row.clean):
            signs[currency_of(amount.sign)] += 2 if amount.sign else 0
            if amount.sign and total and row is total.row:
                signs[currency_of(amount.sign)] += 3
        for match in CURRENCY.finditer(row.text):
            code, written = currency_of(match.group()), match.group()
            if (
                (written.isupper() and len(written) == 3 and code and _named(row, match.start(), match.end()))
                or not written.isalpha()
                or written == "RM"
            ):
                signs[code] += 1
    signs = Counter({_settled(sign, rows): count for sign, count in signs.items() if count})
    signs.pop("", None)
    if not signs:
        return None
    (first, count), *others = signs.most_common(2)
    share = count / (count + (others[0][1] if others else 0))
    return (first, round(0.5 + 0.45 * share, 2)) if share > 0.6 and len(first) == 3 else None


_CURRENCY_WORD = re.compile(
    r"currency|wahrung|moneda|valuta|devise|moeda|monnaie|para birimi|العملة|all prices|amounts? in"
)


def _named(row: Row, start: int, end: int) -> bool:
    """Whether a code is meant as a currency: in brackets, after a slash, beside a number or a word for currency."""
    around = row.text[max(0, start - 1) : start] + row.text[end : end + 1]
    beside = row.text[:start].rstrip()[-1:].isdigit() or row.text[end:].lstrip(" :-(")[:1].isdigit()
    return beside or around in ("()", "[]") or around[:1] == "/" or _CURRENCY_WORD.search(row.folded) is not None


_COUNTRIES = {
    "$": [
        ("AUD", "abn"),
        ("CAD", "canada"),
        ("SGD", "singapore"),
        ("NZD", "new zealand"),
        ("HKD", "hong kong"),
        ("MXN", "rfc"),
        ("CLP", "rut"),
        ("ARS", "cuit"),
        ("COP", "nit"),
        ("USD", ""),
    ],
    "KR": [("SEK", "moms"), ("SEK", "orgnr"), ("NOK", "mva"), ("DKK", "cvr"), ("DKK", "danmark"), ("SEK", "sverige")],
    "RS": [
        ("INR", "gstin"),
        ("INR", "india"),
        ("INR", "delhi"),
        ("INR", "cgst"),
        ("LKR", "lanka"),
        ("PKR", "pakistan"),
    ],
    "¥": [("CNY", "china"), ("JPY", "japan"), ("JPY", "消費税")],
}


def _settled(sign: str, rows: list[Row]) -> str:
    """A sign that several countries use as the code of the one whose words are on the page."""
    if sign not in _COUNTRIES:
        return sign
    text = "\n".join(row.folded for row in rows)
    for code, word in _COUNTRIES[sign]:
        if not word or re.search(rf"(?<![^\W\d_]){word}(?![^\W\d_])", text):
            return "CNY" if code == "USD" and "人民" in text else code
    return ""

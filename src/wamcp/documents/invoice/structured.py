"""Invoices that are data: UBL, CII (Factur-X, ZUGFeRD, XRechnung), NF-e, FatturaPA and CFDI, none of them trusted.

A document type declaration, and with it every entity, ends the reading before it means anything.
"""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from xml.etree import ElementTree

MAX_BYTES, MAX_DEPTH, MAX_ELEMENTS, MAX_TEXT = 5_000_000, 40, 200_000, 2_000

_DATE = re.compile(r"\s*(\d{4})-?(\d\d)-?(\d\d)")


def read_structured(data: bytes) -> dict[str, str]:
    """The fields of an invoice that is data; {} when it is none, is broken, too large, too deep, or declares types.

    Credit notes have negative totals. Values are as they were written, except dates (ISO) and amounts (plain decimals).
    """
    if len(data) > MAX_BYTES:
        return {}
    try:
        root = _tree(data)
    except (ElementTree.ParseError, _RefusedError, ValueError, LookupError):
        return {}
    reader = _READERS.get(root.name) if root is not None else None
    found = reader(root) if reader and root is not None else {}
    fields = {name: value for name, value in found.items() if value}
    return fields if {"invoice_number", "total"} <= fields.keys() else {}


class Node:
    """An element: its name without namespace, its text, its attributes, and what is in it."""

    __slots__ = ("attributes", "children", "name", "text")

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        self.attributes = {key.rpartition("}")[2]: value for key, value in attributes.items()}
        self.children: list[Node] = []
        self.text = ""

    def all(self, path: str) -> "list[Node]":
        """The elements at the end of a path of names; ``*/`` in front looks everywhere below."""
        if path.startswith("*/"):
            head, _, rest = path[2:].partition("/")
            found = [node for node in self.walk() if node.name == head]
        else:
            head, _, rest = path.partition("/")
            found = [child for child in self.children if child.name == head]
        return [deeper for node in found for deeper in node.all(rest)] if rest else found

    def walk(self) -> "Iterator[Node]":
        waiting = list(reversed(self.children))
        while waiting:
            node = waiting.pop()
            yield node
            waiting += reversed(node.children)

    def first(self, *paths: str) -> "Node | None":
        return next((found[0] for path in paths if (found := self.all(path))), None)

    def value(self, *paths: str) -> str:
        """The text at the first of the paths that has any, "" when none has."""
        texts = (node.text.strip() for path in paths for node in self.all(path))
        return next((text for text in texts if text), "")


class _RefusedError(Exception):
    """The document declares types or is out of bounds."""


class _Target:
    """Builds the tree and refuses what is out of bounds."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.open: list[Node] = []
        self.count = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.count += 1
        if self.count > MAX_ELEMENTS or len(self.open) >= MAX_DEPTH:
            raise _RefusedError
        node = Node(tag.rpartition("}")[2], attributes)
        if self.open:
            self.open[-1].children.append(node)
        else:
            self.root = node
        self.open.append(node)

    def end(self, _tag: str) -> None:
        self.open.pop()

    def data(self, text: str) -> None:
        if self.open and len(self.open[-1].text) < MAX_TEXT:
            self.open[-1].text += text[:MAX_TEXT]

    def doctype(self, _name: str, _public: str | None, _system: str | None) -> None:
        raise _RefusedError

    def close(self) -> None:
        """Required by the parser."""


def _tree(data: bytes) -> Node | None:
    if re.search(rb"<!\s*(?:DOCTYPE|ENTITY)", data.replace(b"\0", b"")[:MAX_BYTES], re.IGNORECASE):
        raise _RefusedError
    target = _Target()
    parser = ElementTree.XMLParser(target=target)  # noqa: S314 - no DOCTYPE got here  # nosec B314
    parser.feed(data)
    parser.close()
    return target.root


def _date(text: str) -> str:
    match = _DATE.match(text)
    try:
        return date(int(match[1]), int(match[2]), int(match[3])).isoformat() if match else ""
    except ValueError:
        return ""


def _amount(text: str, *, credit: bool = False) -> str:
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        return ""
    if not value.is_finite() or abs(value) > Decimal("1e12"):
        return ""
    value = -abs(value) if credit else value
    return f"{value:.2f}" if value == round(value, 2) else f"{value:f}"


def _ubl(root: Node) -> dict[str, str]:
    credit = root.name == "CreditNote" or root.value("InvoiceTypeCode") in _CREDITS
    sums = root.first("LegalMonetaryTotal", "RequestedMonetaryTotal") or root
    seller = root.first("AccountingSupplierParty/Party") or Node("", {})
    currency = root.value("DocumentCurrencyCode")
    taxes = [node for node in root.all("TaxTotal/TaxAmount") if node.attributes.get("currencyID", currency) == currency]
    return {
        "invoice_number": root.value("ID"),
        "invoice_date": _date(root.value("IssueDate")),
        "total": _amount(sums.value("TaxInclusiveAmount", "PayableAmount"), credit=credit),
        "net": _amount(sums.value("TaxExclusiveAmount", "LineExtensionAmount"), credit=credit),
        "tax": _amount(taxes[0].text if taxes else "", credit=credit),
        "currency": currency,
        "supplier": seller.value("PartyLegalEntity/RegistrationName", "PartyName/Name"),
        "supplier_tax_id": seller.value("PartyTaxScheme/CompanyID", "PartyLegalEntity/CompanyID"),
    }


_CREDITS = {"381", "83", "396", "532", "261", "262", "296", "308"}


def _cii(root: Node) -> dict[str, str]:
    head = root.first("ExchangedDocument", "HeaderExchangedDocument") or Node("", {})
    settlement = root.first("*/ApplicableHeaderTradeSettlement", "*/ApplicableSupplyChainTradeSettlement") or root
    sums = settlement.first(
        "SpecifiedTradeSettlementHeaderMonetarySummation", "SpecifiedTradeSettlementMonetarySummation"
    ) or Node("", {})
    seller = root.first("*/SellerTradeParty") or Node("", {})
    ids = seller.all("SpecifiedTaxRegistration/ID")
    vat = [node for node in ids if node.attributes.get("schemeID") == "VA"] or ids
    currency = settlement.value("InvoiceCurrencyCode")
    taxes = sums.all("TaxTotalAmount")
    own = [node for node in taxes if node.attributes.get("currencyID", currency) == currency] or taxes
    total = sums.value("GrandTotalAmount", "DuePayableAmount")
    credit = head.value("TypeCode") in _CREDITS
    return {
        "invoice_number": head.value("ID"),
        "invoice_date": _date(head.value("IssueDateTime/DateTimeString", "IssueDateTime/DateTime")),
        "total": _amount(total, credit=credit),
        "net": _amount(sums.value("TaxBasisTotalAmount", "LineTotalAmount"), credit=credit),
        "tax": _amount(own[0].text if own else "", credit=credit),
        "currency": currency,
        "supplier": seller.value("Name", "SpecifiedLegalOrganization/TradingBusinessName"),
        "supplier_tax_id": vat[0].text.strip() if vat else "",
    }


def _nfe(root: Node) -> dict[str, str]:
    """Brazil's NF-e and NFC-e (model 55 and 65), with or without the protocol around it."""
    head, issuer = root.first("*/ide") or Node("", {}), root.first("*/emit") or Node("", {})
    sums = root.first("*/ICMSTot") or Node("", {})
    return {
        "invoice_number": head.value("nNF"),
        "invoice_date": _date(head.value("dhEmi", "dEmi")),
        "total": _amount(sums.value("vNF")),
        "currency": "BRL",
        "supplier": issuer.value("xNome", "xFant"),
        "supplier_tax_id": issuer.value("CNPJ", "CPF"),
    }


def _fattura(root: Node) -> dict[str, str]:
    """Italy's FatturaPA; of a lot of invoices the first."""
    head = root.first("*/DatiGeneraliDocumento") or Node("", {})
    seller = root.first("*/CedentePrestatore/DatiAnagrafici") or Node("", {})
    tax_id = seller.value("IdFiscaleIVA/IdPaese") + seller.value("IdFiscaleIVA/IdCodice")
    person = f"{seller.value('Anagrafica/Nome')} {seller.value('Anagrafica/Cognome')}".strip()
    return {
        "invoice_number": head.value("Numero"),
        "invoice_date": _date(head.value("Data")),
        "total": _amount(head.value("ImportoTotaleDocumento"), credit=head.value("TipoDocumento") in {"TD04", "TD08"}),
        "currency": head.value("Divisa"),
        "supplier": seller.value("Anagrafica/Denominazione") or person,
        "supplier_tax_id": tax_id,
    }


def _cfdi(root: Node) -> dict[str, str]:
    """Mexico's CFDI 3.3 and 4.0; its number is series and folio, or the fiscal UUID where there is none."""
    said, stamp = root.attributes, root.first("*/TimbreFiscalDigital")
    issuer = root.first("Emisor") or Node("", {})
    number = said.get("Serie", "") + said.get("Folio", "")
    return {
        "invoice_number": number or (stamp.attributes.get("UUID", "") if stamp else ""),
        "invoice_date": _date(said.get("Fecha", "")),
        "total": _amount(said.get("Total", ""), credit=said.get("TipoDeComprobante") == "E"),
        "net": _amount(said.get("SubTotal", "")) if not said.get("Descuento") else "",
        "currency": said.get("Moneda", ""),
        "supplier": issuer.attributes.get("Nombre", ""),
        "supplier_tax_id": issuer.attributes.get("Rfc", ""),
    }


_READERS = {
    "Invoice": _ubl,
    "CreditNote": _ubl,
    "CrossIndustryInvoice": _cii,
    "CrossIndustryDocument": _cii,
    "nfeProc": _nfe,
    "NFe": _nfe,
    "enviNFe": _nfe,
    "FatturaElettronica": _fattura,
    "Comprobante": _cfdi,
}

"""Invoices that are data: each format, what is refused, and when the page says something else."""

import pytest

from wamcp.documents.invoice import read_fields
from wamcp.documents.invoice.structured import read_structured
from wamcp.documents.shapes import Line, Page

UBL = """<?xml version="1.0" encoding="UTF-8"?>
<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"
 xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
 xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2">
 <cbc:ID>LX-301</cbc:ID><cbc:IssueDate>2024-05-17</cbc:IssueDate><cbc:InvoiceTypeCode>380</cbc:InvoiceTypeCode>
 <cbc:DocumentCurrencyCode>EUR</cbc:DocumentCurrencyCode>
 <cac:BillingReference>
 <cac:InvoiceDocumentReference><cbc:ID>OLD-1</cbc:ID></cac:InvoiceDocumentReference></cac:BillingReference>
 <cac:AccountingSupplierParty><cac:Party><cac:PartyName><cbc:Name>Lumen</cbc:Name></cac:PartyName>
  
 <cac:PartyTaxScheme><cbc:CompanyID>IE1234567T</cbc:CompanyID></cac:PartyTaxScheme>
  <cac:PartyLegalEntity><cbc:RegistrationName>Lumen Works Ltd</cbc:RegistrationName></cac:PartyLegalEntity>
 </cac:Party></cac:AccountingSupplierParty>
 <cac:TaxTotal><cbc:TaxAmount currencyID="EUR">23.00</cbc:TaxAmount></cac:TaxTotal>
 <cac:LegalMonetaryTotal><cbc:TaxExclusiveAmount currencyID="EUR">100.00</cbc:TaxExclusiveAmount>
  <cbc:TaxInclusiveAmount currencyID="EUR">123.00</cbc:TaxInclusiveAmount>
  <cbc:PayableAmount currencyID="EUR">23.00</cbc:PayableAmount></cac:LegalMonetaryTotal>
</Invoice>"""
CREDIT = UBL.replace("<Invoice ", "<CreditNote ").replace("</Invoice>", "</CreditNote>").replace("380", "381")
CII = """<?xml version="1.0" encoding="UTF-8"?>
<rsm:CrossIndustryInvoice xmlns:rsm="urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100" 
 xmlns:ram="urn:ram" xmlns:udt="urn:udt">
 <rsm:ExchangedDocument><ram:ID>R-88</ram:ID><ram:TypeCode>380</ram:TypeCode>
  <ram:IssueDateTime>
 <udt:DateTimeString format="102">20240229</udt:DateTimeString></ram:IssueDateTime></rsm:ExchangedDocument>
 <rsm:SupplyChainTradeTransaction>
  <ram:ApplicableHeaderTradeAgreement><ram:SellerTradeParty><ram:Name>Glashütte Süd GmbH</ram:Name>
   <ram:SpecifiedTaxRegistration><ram:ID schemeID="FC">12/345/67890</ram:ID></ram:SpecifiedTaxRegistration>
   <ram:SpecifiedTaxRegistration><ram:ID schemeID="VA">DE111222333</ram:ID></ram:SpecifiedTaxRegistration>
   </ram:SellerTradeParty>
  </ram:ApplicableHeaderTradeAgreement>
  <ram:ApplicableHeaderTradeSettlement><ram:InvoiceCurrencyCode>EUR</ram:InvoiceCurrencyCode>
   <ram:SpecifiedTradeSettlementHeaderMonetarySummation><ram:LineTotalAmount>50.00</ram:LineTotalAmount>
    <ram:TaxBasisTotalAmount>50.00</ram:TaxBasisTotalAmount>
    <ram:TaxTotalAmount currencyID="GBP">8.00</ram:TaxTotalAmount>
    <ram:TaxTotalAmount currencyID="EUR">9.50</ram:TaxTotalAmount><ram:GrandTotalAmount>59.50</ram:GrandTotalAmount>
    <ram:DuePayableAmount>9.50</ram:DuePayableAmount></ram:SpecifiedTradeSettlementHeaderMonetarySummation>
  </ram:ApplicableHeaderTradeSettlement>
 </rsm:SupplyChainTradeTransaction>
</rsm:CrossIndustryInvoice>"""
OLD_CII = (
    CII.replace("CrossIndustryInvoice", "CrossIndustryDocument")
    .replace("rsm:ExchangedDocument", "rsm:HeaderExchangedDocument")
    .replace("ApplicableHeaderTradeSettlement", "ApplicableSupplyChainTradeSettlement")
    .replace("SettlementHeaderMonetarySummation", "SettlementMonetarySummation")
)
NFE = """<nfeProc xmlns="http://www.portalfiscal.inf.br/nfe"><NFe><infNFe><ide><nNF>4512</nNF>
 <dhEmi>2023-11-09T10:00:00-03:00</dhEmi></ide>
 <emit><CNPJ>12345678000195</CNPJ><xNome>Padaria Nova Aurora Ltda</xNome></emit>
 <total><ICMSTot><vProd>1150.00</vProd><vNF>1100.00</vNF></ICMSTot></total></infNFe></NFe></nfeProc>"""
FATTURA = """<p:FatturaElettronica xmlns:p="urn:fattura"><FatturaElettronicaHeader><CedentePrestatore><DatiAnagrafici>
 
 <IdFiscaleIVA><IdPaese>IT</IdPaese><IdCodice>01234567890</IdCodice></IdFiscaleIVA>
 <Anagrafica><Nome>Ada</Nome><Cognome>Riva</Cognome></Anagrafica>
 </DatiAnagrafici></CedentePrestatore></FatturaElettronicaHeader>
 <FatturaElettronicaBody><DatiGenerali>
 <DatiGeneraliDocumento>
 <TipoDocumento>TD01</TipoDocumento><Divisa>EUR</Divisa><Data>2023-09-21</Data><Numero>57/A</Numero>
 <ImportoTotaleDocumento>366.00</ImportoTotaleDocumento></DatiGeneraliDocumento></DatiGenerali>
 </FatturaElettronicaBody></p:FatturaElettronica>"""
CFDI = """<cfdi:Comprobante xmlns:cfdi="http://www.sat.gob.mx/cfd/4"
 Serie="A" Folio="118" Fecha="2024-01-31T12:00:00"
 SubTotal="100.00" Moneda="MXN" Total="116.00" TipoDeComprobante="I">
 <cfdi:Emisor Rfc="AAA010101AAA" Nombre="Papelería Luna"/></cfdi:Comprobante>"""


def page(*texts: str) -> list[Page]:
    return [Page(1, "", lines=[Line(text, (0.1, 0.1, 0.5, 0.12)) for text in texts])]


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        (UBL, ("LX-301", "2024-05-17", "123.00", "EUR", "Lumen Works Ltd", "IE1234567T", "100.00", "23.00")),
        (CREDIT, ("LX-301", "2024-05-17", "-123.00", "EUR", "Lumen Works Ltd", "IE1234567T", "-100.00", "-23.00")),
        (CII, ("R-88", "2024-02-29", "59.50", "EUR", "Glashütte Süd GmbH", "DE111222333", "50.00", "9.50")),
        (OLD_CII, ("R-88", "2024-02-29", "59.50", "EUR", "Glashütte Süd GmbH", "DE111222333", "50.00", "9.50")),
        (NFE, ("4512", "2023-11-09", "1100.00", "BRL", "Padaria Nova Aurora Ltda", "12345678000195", None, None)),
        (FATTURA, ("57/A", "2023-09-21", "366.00", "EUR", "Ada Riva", "IT01234567890", None, None)),
        (CFDI, ("A118", "2024-01-31", "116.00", "MXN", "Papelería Luna", "AAA010101AAA", "100.00", None)),
    ],
    ids=["UBL", "UBL credit note", "CII", "CII of 2014", "NF-e", "FatturaPA", "CFDI"],
)
def test_each_format_gives_its_fields(xml: str, expected: tuple[str | None, ...]) -> None:
    found = read_structured(xml.encode())
    names = ("invoice_number", "invoice_date", "total", "currency", "supplier", "supplier_tax_id", "net", "tax")
    assert tuple(found.get(name) for name in names) == expected


def test_data_wins_and_is_certain() -> None:
    found = read_fields(page("Invoice No: LX-301", "Total 123.00"), [b"\x89PNG no xml", UBL.encode()])
    assert (found["invoice_number"], found["source"], found["confidence"]["total"]) == ("LX-301", "xml", 1.0)
    assert found["checks"] == {"net_plus_tax": True} and "conflict" not in found
    assert found["evidence"]["total"]["source"] == "xml"


@pytest.mark.parametrize(
    "lines",
    [
        ("Invoice No: LX-999", "Date: 17.05.2024", "Total EUR 123.00"),
        ("Invoice No: LX-301", "Date: 18.05.2024", "Total EUR 123.00"),
        ("Invoice No: LX-301", "Date: 17.05.2024", "Total EUR 321.00"),
    ],
)
def test_a_page_that_says_something_else_is_a_conflict(lines: tuple[str, ...]) -> None:
    found = read_fields(page("Lumen Works Ltd", "INVOICE", *lines), [UBL.encode()])
    assert found["conflict"] is True and found["total"] == "123.00"


def test_a_value_that_stands_elsewhere_on_the_page_is_no_conflict() -> None:
    lines = ("INVOICE", "Invoice No: LX-999", "Our ref LX-301", "Date: 17.05.2024", "Paid 321.00", "Total EUR 123.00")
    assert "conflict" not in read_fields(page(*lines), [UBL.encode()])


DECLARED = '<!DOCTYPE Invoice [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\xff\xfe",
        UBL.replace("?>", f"?>{DECLARED}", 1).replace("LX-301", "&b;").encode(),
        UBL.replace("UTF-8", "UTF-16", 1).replace("?>", f"?>{DECLARED}", 1).encode("utf-16"),
        UBL.replace("?>", '?><!DOCTYPE Invoice SYSTEM "file:///etc/hostname">', 1).encode(),
        ("<Invoice>" + "<a>" * 100 + "</a>" * 100 + UBL.partition(">")[2]).encode(),
        UBL.encode()[:-20],
        UBL.encode().replace(b"UTF-8", b"nonsense"),
        b" " * 5_000_001,
        b"<Invoice/>",
        b"<html><body>Invoice LX-301</body></html>",
        UBL.replace("123.00", "NaN").encode(),
    ],
    ids=[
        "nothing",
        "bytes",
        "entities",
        "entities in UTF-16",
        "outside",
        "deep",
        "cut",
        "encoding",
        "large",
        "bare",
        "html",
        "NaN",
    ],
)
def test_what_is_no_invoice_or_is_hostile_gives_nothing(data: bytes) -> None:
    found = read_structured(data)
    assert "total" not in found or found["total"] == "23.00"
    assert "aaaa" not in str(found)


def test_utf_16_is_read() -> None:
    assert read_structured(UBL.replace("UTF-8", "UTF-16", 1).encode("utf-16"))["invoice_number"] == "LX-301"

"""Fields of invented invoices in a dozen layouts and languages; what is no invoice has none."""

from typing import Any

import pytest

from wamcp.documents.invoice import read_fields
from wamcp.documents.shapes import Line, Page, TextSource


def page(text: str, *, source: TextSource = TextSource.TEXT, placed: bool = True) -> Page:
    """A page of these lines, one character as wide as a hundredth of the page."""
    lines = []
    for at, line in enumerate(text.strip("\n").split("\n")):
        start = len(line) - len(line.lstrip())
        box = (start / 100, at / 100, len(line) / 100, (at + 1) / 100) if line.strip() else None
        lines.append(Line(line.strip(), box if placed else None))
    return Page(1, text, source, [line for line in lines if line.text])


def fields(text: str, **how: Any) -> dict[str, Any]:
    return read_fields([page(text, **how)], [])


def three(text: str, **how: Any) -> tuple[Any, ...]:
    found = fields(text, **how)
    return found.get("invoice_number"), found.get("invoice_date"), found.get("total"), found.get("currency")


ENGLISH = """
Northwind Lanterns Ltd                              INVOICE
12 Quay Street, Bristol
VAT Reg No: GB123456789
Bill to: Harbour Hotel
Invoice Number: NL-20417          Invoice Date: 3 March 2024
Order Number: 88123               Due Date: 2 April 2024
Description        Qty     Unit price    Amount
Storm lantern        2        £40.00     £80.00
Wick, 10 m           1         £5.50      £5.50
                              Subtotal   £85.50
                              VAT 20%    £17.10
                              Total     £102.60
"""
GERMAN = """
Bäckereibedarf Sonnentau GmbH · Am Wehr 4 · 12345 Musterstadt
Rechnung
Rechnungs-Nr.: 2024/0815
Kunden-Nr.: 10042
Rechnungsdatum: 05.03.2024
Lieferdatum: 01.03.2024
Pos  Bezeichnung            Menge     Preis      Summe
1    Roggenmehl 25 kg          10     21,50     215,00
     Nettobetrag                               215,00
     zzgl. 7 % MwSt.                            15,05
     Rechnungsbetrag                          230,05 EUR
Zahlbar bis 04.04.2024 ohne Abzug.
USt-IdNr.: DE987654321
"""
FRENCH = """
Atelier Verrier SARL
Facture n° F2024-117 du 12 février 2024
Client : Mairie de Bourgneuf
Échéance : 13/03/2024
Vitrail, restauration                 1 200,00 €
Total HT                              1 200,00 €
TVA 20 %                                240,00 €
Total TTC                             1 440,00 €
N° TVA intracommunautaire : FR12345678901
"""
SPANISH = """
Cerámicas del Turia S.L.          CIF: B12345678
FACTURA
Nº de factura: A-0231
Fecha: 14/06/2023
Vencimiento: 14/07/2023
Azulejo 20x20       100      1,25     125,00
Base imponible                        125,00
IVA 21%                                26,25
Total factura                        151,25 €
"""
BRAZILIAN = """
Padaria Nova Aurora Ltda        CNPJ: 12.345.678/0001-95
NOTA FISCAL Nº 004512
Data de emissão: 09/11/2023
Data de vencimento: 09/12/2023
Valor dos produtos              R$ 1.150,00
Desconto                        R$ 50,00
Valor total da nota             R$ 1.100,00
"""
ITALIAN = """
Officina Meccanica Rossa S.r.l.
P.IVA 01234567890
Fattura n. 57/A del 21/09/2023
Imponibile                          300,00
IVA 22%                              66,00
Totale fattura                  € 366,00
"""
DUTCH = """
Fietsenmaker De Spaak B.V.
Factuur
Klantnummer    Factuurnummer    Factuurdatum    Vervaldatum
60012          20230099         7-8-2023        21-8-2023
Subtotaal                                 € 100,00
BTW 21%                                   € 21,00
Totaal te betalen                         € 121,00
"""
AMERICAN = """
Prairie Seed Co.
Invoice # 10-4471
Date: 04/05/2023
Due: 05/05/2023
Clover seed                         $1,050.00
Sales tax                              $84.00
Amount due                          $1,134.00
"""
SWISS = """
Uhrenwerkstatt Talgrund AG
Rechnung Nr. 77120
Datum: 11. Juni 2023
Zwischensumme                    CHF 1'150.00
MWST 7.7%                        CHF    88.55
Gesamtbetrag                     CHF 1'238.55
"""
POLISH = """
Kwiaciarnia Polna Sp. z o.o.
Faktura nr 12/03/2024
Data wystawienia: 2024-03-12
Razem netto                       200,00
Do zapłaty                    246,00 zł
"""
ARABIC = """
فاتورة ضريبية
رقم الفاتورة: ٤٤١٢
التاريخ: ٠٥/٠٦/٢٠٢٣
ضريبة القيمة المضافة ٥٪             ١٠٫٠٠
الإجمالي                         ٢١٠٫٠٠ درهم
"""
SWEDISH = """
Bageriet Vinden AB
Faktura
Fakturanr: 5521
Fakturadatum: 2023-10-02
Förfallodatum: 2023-11-01
Moms 25%                            100,00
Att betala                       500,00 kr
"""
EXPECTED = [
    (ENGLISH, ("NL-20417", "2024-03-03", "102.60", "GBP")),
    (GERMAN, ("2024/0815", "2024-03-05", "230.05", "EUR")),
    (FRENCH, ("F2024-117", "2024-02-12", "1440.00", "EUR")),
    (SPANISH, ("A-0231", "2023-06-14", "151.25", "EUR")),
    (BRAZILIAN, ("004512", "2023-11-09", "1100.00", "BRL")),
    (ITALIAN, ("57/A", "2023-09-21", "366.00", "EUR")),
    (DUTCH, ("20230099", "2023-08-07", "121.00", "EUR")),
    (AMERICAN, ("10-4471", "2023-04-05", "1134.00", "USD")),
    (SWISS, ("77120", "2023-06-11", "1238.55", "CHF")),
    (POLISH, ("12/03/2024", "2024-03-12", "246.00", "PLN")),
    (ARABIC, ("4412", "2023-06-05", "210.00", "AED")),
    (SWEDISH, ("5521", "2023-10-02", "500.00", "SEK")),
]


@pytest.mark.parametrize(("text", "expected"), EXPECTED, ids=[value[0] for _, value in EXPECTED])
def test_the_fields_of_an_invoice_in_its_language(text: str, expected: tuple[str, ...]) -> None:
    assert three(text) == expected


def test_net_tax_supplier_and_tax_id_go_with_the_total() -> None:
    found = fields(ENGLISH)
    assert (found["net"], found["tax"], found["checks"]) == ("85.50", "17.10", {"net_plus_tax": True})
    assert (found["supplier"], found["supplier_tax_id"]) == ("Northwind Lanterns Ltd", "GB123456789")
    assert found["source"] == "text" and all(0 < value <= 1 for value in found["confidence"].values())


def test_sums_that_do_not_add_up_are_said() -> None:
    assert fields(ENGLISH.replace("£17.10", "£71.10"))["checks"] == {"net_plus_tax": False}


def test_evidence_tells_where_a_value_stands() -> None:
    where = fields(ENGLISH)["evidence"]["invoice_number"]
    assert (where["page"], where["source"]) == (1, "text")
    left, top, right, bottom = where["box"]
    assert (round(left, 2), round(right, 2), top, bottom) == (0.16, 0.24, 0.04, 0.05)


def test_a_credit_note_is_negative() -> None:
    text = GERMAN.replace("Rechnung\n", "Gutschrift\n").replace("Rechnungs-Nr.", "Gutschrift-Nr.")
    found = fields(text)
    assert (found["total"], found["net"], found["tax"]) == ("-230.05", "-215.00", "-15.05")
    written = fields(text.replace("  230,05 EUR", " -230,05 EUR"))
    assert written["total"] == "-230.05"


def test_the_original_invoice_of_a_credit_note_is_not_its_number() -> None:
    found = fields(
        "Lumen Ltd\nCREDIT NOTE\nCredit note number: CN-77\nOriginal invoice number: NL-20417\nDate: 3 May 2024\n"
        "Total refunded                   £20.00\nTotal                 £20.00\n"
    )
    assert (found["invoice_number"], found["total"]) == ("CN-77", "-20.00")


def test_a_number_below_its_label_belongs_to_its_column() -> None:
    text = """
    INVOICE
    Customer No       Invoice No      Date           Due
    C-9001            7781            02/02/2024     16/02/2024
    Total (incl. VAT)                                €55.00
    """
    assert three(text) == ("7781", "2024-02-02", "55.00", "EUR")


RECEIPT = """
CAFE MANGGIS ENTERPRISE
GST ID : 000123456789
TAX INVOICE
RECEIPT NO. : R0l-20045
DATE : O5/0l/201813:30
NASI LEMAK          8.50
TEH TARIK           2.00
TOTAL (EXCLUDING GST)   9.91
GST 6%                  0.59
ROUNDING ADJ            0.00
TOTAL                  10 50
CASH                   20.00
CHANGE                  9.50
"""


def test_a_photographed_receipt_is_read_through_its_misreadings() -> None:
    found = fields(RECEIPT, source=TextSource.OCR)
    assert (found["invoice_date"], found["total"], found["source"]) == ("2018-01-05", "10.50", "ocr")
    assert found["invoice_number"] == "R0l-20045"


def test_a_receipt_whose_columns_are_read_one_after_the_other() -> None:
    head = "TAX INVOICE\nKEDAI BUKU MELATI\nDATE\n: 04-04-2018 14:26\nITEM 1\n5.00\n"
    text = head + "TOTAL :\nCASH :\nCHANGE :\n5.00\n10.00\n5.00\n"
    found = fields(text, source=TextSource.OCR, placed=False)
    assert (found["invoice_date"], found["total"]) == ("2018-04-04", "5.00")


def test_what_was_paid_less_the_change_is_the_total() -> None:
    head = "RECEIPT\nBill No: 4471\nDate: 3/4/2019 10:00\nMango 2 kg\n"
    text = head + "Total Qty  2\nTotal  12.00  30.00\nCash 50.00\nChange 20.00\n"
    assert fields(text, source=TextSource.OCR)["total"] == "30.00"


def test_dates_of_other_things_are_never_the_invoices() -> None:
    text = "INVOICE\nInvoice No: 5512\nDue date: 03/04/2024\nDelivery date: 01/03/2024\nTotal £5.00\n"
    found = fields(text)
    assert found["invoice_number"] == "5512" and "invoice_date" not in found


@pytest.mark.parametrize(("other", "expected"), [("13/02/2024", "2024-02-03"), ("02/13/2024", "2024-03-02")])
def test_another_date_decides_which_number_is_the_day(other: str, expected: str) -> None:
    text = f"INVOICE\nInvoice No: 5512\nDate: 03/02/2024\nDue date: {other}\nTotal 5.00\n"
    assert fields(text)["invoice_date"] == expected


OTHERS = {
    "letter": "Dear Ms Alder,\nthank you for your letter of 3 March 2024 about invoice number 4711 over 120.00 EUR, "
    "which we\n"
    "have passed on to our accounts department so that it can be settled as soon as possible.\nKind regards\n",
    "menu": "MENU\nSoup of the day   6.50\nBread and butter   3.00\nFish pie   14.00\nService not included\n",
    "price list": "Price list 2024\nArticle     Price\nLantern    £40.00\nWick       £5.50\nAll prices plus VAT\n",
    "quotation": "Lumen Ltd\nQuotation\nQuotation No: Q-118\nDate: 3 March 2024\nTotal  £120.00\nVAT No: GB123456789\n",
    "order": "Purchase Order\nPO Number: 4500017\nDate: 3 March 2024\nInvoice to: Lumen Ltd\nTotal  £120.00\n",
    "delivery note": "Lieferschein\nLieferschein-Nr.: 5512\nDatum: 3.3.2024\nRechnung folgt\nUSt-IdNr.: DE123456789\n",
    "poem": "The lantern in the window burns\nand no one counts what it returns.\n",
    "nothing": "",
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_invoice_has_no_fields(name: str) -> None:
    assert fields(OTHERS[name]) == {}


def test_a_weight_makes_no_firm_of_what_was_bought() -> None:
    slip = "TAVARES HARDWARE\nReceipt no. TH-30418\nDate 27/11/2026\nTile adhesive 25 kg  38.50\nTOTAL EUR 38.50"
    assert "supplier" not in fields(slip) and fields(slip)["total"] == "38.50"
    assert fields(GERMAN.replace("GmbH", "KG"))["supplier"].startswith("Bäckereibedarf Sonnentau KG")

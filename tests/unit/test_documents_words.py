"""What is done to the text of documents: cleaning, languages, numbers as shown, and a second opinion."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from wamcp.documents.clean import clean, cut, is_garbage
from wamcp.documents.language import language_of
from wamcp.documents.readers.numbers import shown
from wamcp.documents.readers.second import is_better
from wamcp.documents.sniff import sniff_head


@given(some.text())
def test_clean_text_can_be_stored_and_stays_as_it_is(text: str) -> None:
    cleaned = clean(text)
    assert "\0" not in cleaned and "\r" not in cleaned
    cleaned.encode()
    assert clean(cleaned) == cleaned


def test_letters_that_are_shapes_become_letters() -> None:
    assert clean("mis\ufb01t \ufb02ow \ufefb") == "misfit flow لا"


@given(some.text(alphabet="aé日🙂"), some.integers(0, 40))
def test_a_cut_keeps_whole_characters(text: str, size: int) -> None:
    assert len(cut(text, size).encode()) <= size
    assert text.startswith(cut(text, size))


@pytest.mark.parametrize("text", ["\ue001\ue002 \ue003", "(cid:3)(cid:17)(cid:9)", "\ufffd\ufffd a"])
def test_code_numbers_of_fonts_are_garbage(text: str) -> None:
    assert is_garbage(text)


@pytest.mark.parametrize("text", ["", "Invoice 17\n\tdue: \u20ac 5", "مرحبا", "請求書"])
def test_words_are_not(text: str) -> None:
    assert not is_garbage(text)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The goods that you ordered are on their way to the address of your house.", "en"),
        ("O pagamento da sua fatura não foi confirmado, por favor fale com o banco.", "pt"),
        ("El importe de su factura y la fecha del pago están en los documentos que le enviamos.", "es"),
        ("Le montant de votre facture est payable dans les trente jours par virement.", "fr"),
        ("Die Rechnung ist zahlbar bis zum Ende des Monats, und der Betrag ist auf das Konto zu zahlen.", "de"),
        ("La fattura è stata inviata con il pagamento che non è ancora arrivato alla banca.", "it"),
        ("De factuur is nog niet betaald en het bedrag moet voor de datum op onze rekening zijn.", "nl"),
        ("الفاتورة رقم خمسة مستحقة الدفع في نهاية الشهر", "ar"),
        ("החשבונית לתשלום עד סוף החודש", "he"),
        ("请在月底之前支付这张发票的全部金额", "zh"),
        ("この請求書は月末までにお支払いください", "ja"),
        ("이 청구서는 월말까지 지불해 주십시오", "ko"),
        ("कृपया महीने के अंत तक भुगतान करें", "hi"),
        ("กรุณาชำระเงินภายในสิ้นเดือน", "th"),
        ("Счёт на оплату был отправлен вам на почту, и мы ждём от вас ответа.", "ru"),
        ("4711 2026-11-26 99.00", None),
        ("Xqz Brf Lmp Ttk Vvn Wdd Pgh", None),
    ],
)
def test_languages(text: str, language: str | None) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    ("value", "number_format", "expected"),
    [
        ("46352", 14, "2026-11-26"),
        ("46352.75", "dd.mm.yyyy hh:mm", "26.11.2026 18:00"),
        ("46352.75", "d mmmm yy, h:mm AM/PM", "26 November 26, 6:00 PM"),
        ("1.5", "[h]:mm:ss", "36:00:00"),
        ("1", 14, "1900-01-01"),
        ("-3", 14, "-3"),
        ("1234.5", 4, "1,234.50"),
        ("-1234.5", "#,##0.00;(#,##0.00)", "(1,234.50)"),
        ("0.075", 10, "7.50%"),
        ("1234567", "0", "1234567"),
        ("12.50", "0.##", "12.5"),
        ("12", "0.##", "12"),
        ("7", '"No." 000', "No. 7"),
        ("99", "[$€-407] #,##0.00", "€ 99.00"),
        ("0.1", 0, "0.1"),
        ("0.30000000000000004", 0, "0.3"),
        ("1E+20", 0, "100000000000000000000"),
        ("not a number", 4, "not a number"),
        ("1E+999999999", 4, "1E+999999999"),
    ],
)
def test_numbers_are_written_as_the_sheet_shows_them(value: str, number_format: str | int, expected: str) -> None:
    assert shown(value, number_format) == expected


@given(some.text(alphabet='0#,.;%"[]hmsyd/@ \\$-EA*_?', max_size=30), some.decimals(allow_nan=True))
def test_no_format_is_an_error(code: str, value: object) -> None:
    shown(str(value), code)


def test_a_second_reader_is_better_when_it_parts_words() -> None:
    one, two = "4711number 2026date 99total of the bill", "4711 number 2026 date 99 total of the bill"
    assert is_better(two, one)
    assert not is_better(one, two)
    assert not is_better("4711 number 2026 date 99 total", f"{one} and a great deal more that is missing there")


@given(some.binary(max_size=64))
def test_any_beginning_may_be_sniffed(head: bytes) -> None:
    sniff_head(head)

"""What a search shows of a message: cut around its first match, and marked as the search understood it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wamcp.archive import marking
from wamcp.mcp.snippet import AFTER, BEFORE, snippet


def test_a_snippet_is_cut_around_its_match_without_regard_to_accents() -> None:
    text = "x " * 200 + "the Señor paid " + "y " * 200
    found = snippet(text, "senor")
    assert "«Señor»" in found and found.startswith("…") and found.endswith("…") and len(found) < 320
    assert snippet("nothing to mark", "?!") == "nothing to mark"


@pytest.mark.parametrize(
    ("text", "query", "marked"),
    [
        ("the invoice INV 7", "INV", "the invoice «INV» 7"),
        ("an invoice", "invo*", "an «invo»ice"),
        ("INV-2026-000123 is not INV", "INV-2026-000123", "«INV-2026-000123» is not INV"),
        ("thank you, thank her", '"thank you"', "«thank you», thank her"),
        ("sum 1.234,56 or 1", "1.234,56", "sum «1.234,56» or 1"),
        ("see hxxps://bit[.]ly/x", "bit.ly", "see hxxps://«bit[.]ly»/x"),
        ("ID_abc_def", "abc", "ID_«abc»_def"),
        ("我们明天发货", "发货", "我们明天«发货»"),
        ("手机iPhone手机", "iphone", "手机«iPhone»手机"),
        ("ส่งสินค้าพรุ่งนี้นะ", "พรุ่งนี้", "ส่งสินค้า«พรุ่งนี้»นะ"),
        ("नमस्ते दुनिया", "नमस्ते", "«नमस्ते» दुनिया"),
        ("أحمد إلى المَدْرَسَة", "المدرسه احمد", "«أحمد» إلى «المَدْرَسَة»"),
        ("فاتورة رقم ١٢٣", "123", "فاتورة رقم «١٢٣»"),
        ("שָׁלוֹם לך", "שלום", "«שָׁלוֹם» לך"),
        ("Straße", "strasse", "«Straße»"),
        ("İstanbul", "istanbul", "«İstanbul»"),
    ],
)
def test_whole_words_are_marked_and_beginnings_when_asked_for(text: str, query: str, marked: str) -> None:
    assert snippet(text, query) == marked


@pytest.mark.parametrize(
    ("text", "query", "marked"),
    [("an invoice", "voic", "an in«voic»e"), ("100% sure", "%", "100«%» sure"), ("so 😀🎉", "🎉", "so 😀«🎉»")],
)
def test_letters_are_marked_when_letters_were_found(text: str, query: str, marked: str) -> None:
    assert snippet(text, query, words=False) == marked


@given(st.text(max_size=500), st.text(max_size=200), st.booleans())
def test_a_snippet_is_a_piece_of_the_text_whatever_is_asked(text: str, query: str, words: bool) -> None:
    text = text.translate(dict.fromkeys(map(ord, "«»…")))
    bare = snippet(text, query, words=words).translate(dict.fromkeys(map(ord, "«»…")))
    assert bare in text and len(bare) <= BEFORE + AFTER


@pytest.mark.parametrize(
    ("query", "words"), [("invoice", True), ("faktura", True), ("nvoic", False), ("ÉTÉ invoice", True), ("请求", True)]
)
def test_of_a_long_text_the_part_around_the_first_match_is_told(query: str, words: bool) -> None:
    text = f"{'invoices and fakturas ' * 200}the ete Invoice, 请求书 Faktura {'tail ' * 2_000}"
    part = marking.around(text, query, words=words)
    assert len(part) <= marking.BEFORE + marking.AFTER and part in text
    first = "invoices" if query == "nvoic" else "the ete Invoice"
    assert first in part and marking.spans(part, query, words=words)


def test_of_a_text_without_a_visible_match_the_beginning_is_told() -> None:
    text = "word " * 1_000
    assert text.startswith(marking.around(text, "absent")) and marking.around("short", "absent") == "short"

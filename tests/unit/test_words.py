"""Folding and splitting: the rules that the kept text and the question share."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wamcp.errors import Rejected
from wamcp.words import Unit, fold, parse_query


@pytest.mark.parametrize("text", ["", "Invoice 2026", "café ÉCOLE", "привет", "नमस्ते दुनिया", "안녕하세요 서울"])
def test_text_that_postgres_can_index_needs_nothing(text: str) -> None:
    assert fold(text) is None


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("السَّلامُ عليكـــم", "السلام عليكم"),
        ("أحمد إلى مدرسة آخر", "احمد الي مدرسه اخر"),
        ("کتاب یک", "كتاب يك"),
        ("فاتورة رقم ١٢٣", "فاتوره رقم 123"),
        ("۴۵۶", "456"),
        ("שָׁלוֹם", "שלום"),
        ("e\u0301cole", "école"),
        ("ＡＢＣ１２３", "ABC123"),
        ("in\u200bvoice\u00ad", "invoice"),
        ("Acme™", "Acme TM "),
    ],
)
def test_spellings_become_one(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("我爱中国", " 我爱 爱中 中国 国 "),
        ("好", " 好 "),
        ("iPhone手机ok", "iPhone 手机 机 ok"),
        ("ありがとう。", " あり りが がと とう う 。"),
        ("สวัสดี", " สว วั ัส สด ดี ี "),
    ],
)
def test_scripts_without_blanks_become_pairs(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(
    ("query", "units"),
    [
        ("hello  world", [Unit("hello", False), Unit("world", False)]),
        ('"purchase order" paid', [Unit("purchase order", False), Unit("paid", False)]),
        ("“purchase order”", [Unit("purchase order", False)]),
        ("invo*", [Unit("invo", True)]),
        ('"thank yo*"', [Unit("thank yo", True)]),
        ("INV-2026-000123", [Unit("INV-2026-000123", False)]),
        ("a@b.com 1.234,56", [Unit("a@b.com", False), Unit("1.234,56", False)]),
        ("中国", [Unit("中国", False)]),
        ("中国人", [Unit("中国 国人", False)]),
        ("手机iPhone", [Unit("手机 机 iPhone", False)]),
        ("国", [Unit("国", True)]),
        ('"unfinished business', [Unit("unfinished", False), Unit("business", False)]),
        ("*", [Unit("*", False)]),
    ],
)
def test_a_question_is_taken_apart(query: str, units: list[Unit]) -> None:
    assert parse_query(query) == units


@pytest.mark.parametrize("query", ["", "   ", '""', "\0", "\u200b"])
def test_an_empty_question_is_refused_with_advice(query: str) -> None:
    with pytest.raises(Rejected, match="words"):
        parse_query(query)


def test_a_question_of_201_characters_is_refused() -> None:
    with pytest.raises(Rejected, match="200"):
        parse_query("x" * 201)


@given(st.text())
def test_folding_never_raises_and_settles(text: str) -> None:
    folded = fold(text)
    assert folded is None or isinstance(folded, str)


@given(st.text(max_size=200))
def test_a_question_is_answered_or_refused(query: str) -> None:
    with contextlib.suppress(Rejected):
        assert parse_query(query)


def test_plain_text_costs_next_to_nothing() -> None:
    text = "The quick brown fox jumps over the lazy dog. " * 20
    began = time.process_time()
    for _ in range(10_000):
        fold(text)
    assert time.process_time() - began < 0.5


def test_punctuation_becomes_blanks_so_that_codes_and_amounts_are_words() -> None:
    assert fold("INV-2026-000123: 1.234,56") == "INV 2026 000123  1 234 56"

"""Pieces of text become lines as people see them, and languages what can be read of them."""

import pytest

from wamcp.documents.ocr.languages import named, script_of, usable, with_script
from wamcp.documents.ocr.patience import Patience
from wamcp.documents.ocr.reading import Piece, Reading, lines_of, reading_of
from wamcp.documents.ocr.turn import best_of_turns

SIZE = (1000, 500)


def piece(text: str, left: float, middle: float, sure: float = 0.9, height: float = 20) -> Piece:
    """A piece whose letters are 10 pixels wide."""
    box = (left, middle - height / 2, left + 10 * len(text), middle + height / 2)
    return Piece(text, box, sure, middle, height)


def test_columns_are_two_or_more_blanks_apart_and_words_one() -> None:
    pieces = [piece("21.40", 900, 101), piece("Grand", 100, 100), piece("total", 160, 98), piece("EUR", 300, 100)]
    assert [line.text for line in lines_of(pieces, SIZE)] == ["Grand total    EUR    21.40"]
    near = [piece("Qty", 100, 50), piece("Price", 160, 50)]
    assert [line.text for line in lines_of(near, SIZE)] == ["Qty  Price"]


def test_lines_go_from_top_to_bottom_whatever_order_the_pieces_come_in() -> None:
    pieces = [piece("third", 0, 80), piece("first", 0, 20), piece("right", 500, 52), piece("second", 0, 48)]
    assert [line.text for line in lines_of(pieces, SIZE)] == ["first", "second    right", "third"]


def test_a_tall_heading_does_not_swallow_the_small_lines_beside_it() -> None:
    pieces = [piece("SHOP", 0, 50, height=80), piece("Street", 600, 30), piece("Town", 600, 72)]
    assert [line.text for line in lines_of(pieces, SIZE)] == ["Street", "SHOP", "Town"]


def test_arabic_is_read_from_the_right() -> None:
    pieces = [piece("المجموع", 800, 50), piece("الكلي", 740, 50), piece("21.40", 100, 50)]
    assert lines_of(pieces, SIZE)[0].text == "المجموع الكلي    21.40"


def test_boxes_are_shares_of_the_picture_and_confidence_is_by_letters() -> None:
    line = lines_of([piece("abcdefgh", 100, 100, sure=1.0), piece("xy", 800, 100, sure=0.5)], SIZE)[0]
    assert line.box == (0.1, 0.18, 0.82, 0.22)
    assert line.confidence == 0.9
    outside = lines_of([piece("edge", -5, 495)], SIZE)[0].box
    assert outside is not None and min(outside) == 0.0 and max(outside) == 1.0


def test_specks_are_left_out_but_count_against_the_reading() -> None:
    good, speck = piece("Invoice", 0, 20, sure=1.0), piece("~~;'.|=", 0, 60, sure=0.2)
    reading = reading_of([good, speck], SIZE, "reader 1")
    assert reading.text == "Invoice" and reading.confidence == pytest.approx(0.6)
    assert reading.worth == reading_of([good], SIZE, "reader 1").worth
    assert reading_of([], SIZE, "reader 1") == Reading("", engine="reader 1")


def test_languages_are_those_that_are_there() -> None:
    installed = ("ara", "eng", "osd", "por")
    assert named("eng+por+eng+--psm 0+../x") == ["eng", "por"]
    assert usable(["por", "spa", "eng"], installed) == ["por", "eng"]
    assert usable(["jpn"], installed) == ["eng"]
    assert usable(["jpn"], ("deu", "osd")) == ["deu"]
    assert usable(["jpn"], ("osd",)) == []


def test_a_script_that_nobody_asked_for_is_added_when_its_pack_is_there() -> None:
    installed = ("ara", "eng", "osd", "por")
    assert with_script(["eng", "por"], "Arabic", installed) == ["ara", "eng", "por"]
    assert with_script(["eng"], "Cyrillic", installed) == ["eng"]
    assert with_script(["ara"], "Latin", installed) == ["ara"]
    assert with_script(["rus"], "Cyrillic", (*installed, "bul")) == ["rus"]
    assert (script_of("fas"), script_of("deu"), script_of("chi_tra")) == ("Arabic", "Latin", "Han")


def test_the_turn_that_reads_best_is_the_way_up() -> None:
    seen = {0: 0.1, 90: 0.2, 180: 0.3, 270: 0.9}
    tried = []

    def read(degrees: int) -> Reading:
        tried.append(degrees)
        return Reading("text", confidence=seen[degrees], worth=seen[degrees], rotation=degrees)

    assert best_of_turns(read(0), read, 0.8, Patience()).rotation == 270
    assert tried == [0, 180, 270], "it went on after it was sure"
    assert best_of_turns(read(180), read, 0.8, Patience(0)).rotation == 180, "it went on without patience"


def test_a_turn_that_takes_too_long_ends_the_trying() -> None:
    def read(degrees: int) -> Reading:
        raise RuntimeError("Tesseract process timeout")

    first = Reading("dim", confidence=0.3, worth=1.0)
    assert best_of_turns(first, read, 0.8, Patience()) == first

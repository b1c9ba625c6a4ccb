"""Lines of PDF pages made here: columns, order, turned pages, letters at an angle, and letters drawn twice."""

import io

import pypdfium2
import pytest

from wamcp.documents.layout import MAX_LINE, lines_of
from wamcp.documents.shapes import Line


def pdf(content: str, *, turned: int = 0, box: str = "0 0 600 800") -> bytes:
    """A PDF of one page with this content stream; /F is Helvetica."""
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox[{box}]/Rotate {turned}/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        f"<</Length {len(content)}>>stream\n{content}\nendstream",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    out, places = io.StringIO(), []
    out.write("%PDF-1.4\n")
    for number, body in enumerate(objects, 1):
        places.append(out.tell())
        out.write(f"{number} 0 obj{body}endobj\n")
    start = out.tell()
    out.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n")
    out.writelines(f"{place:010} 00000 n \n" for place in places)
    out.write(f"trailer<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF")
    return out.getvalue().encode("latin-1")


def show(text: str, x: float, y: float, matrix: str = "1 0 0 1") -> str:
    return f"BT /F 10 Tf {matrix} {x} {y} Tm ({text}) Tj ET\n"


def lines(content: str, **how: object) -> list[Line]:
    document = pypdfium2.PdfDocument(pdf(content, **how))  # type: ignore[arg-type]
    try:
        return lines_of(document[0])
    finally:
        document.close()


def test_lines_are_those_of_the_eye_whatever_order_they_are_drawn_in() -> None:
    found = lines(show("last line", 50, 100) + show("12.50", 400, 700) + show("Total due", 50, 700))
    assert [line.text.split("  ")[0] for line in found] == ["Total due", "last line"]
    assert found[0].text.endswith("  12.50")


def test_a_place_in_the_text_tells_where_it_stands() -> None:
    (line,) = lines(show("Number", 60, 400) + show("Date", 240, 400) + show("Due", 480, 400))
    assert line.box is not None
    left, _, right, _ = line.box
    for word, x in (("Number", 60), ("Date", 240), ("Due", 480)):
        assert left + (right - left) * line.text.index(word) / len(line.text) == pytest.approx(x / 600, abs=0.03)


def test_boxes_are_parts_of_the_page_from_its_upper_left_corner() -> None:
    (line,) = lines(show("Here", 60, 720))
    assert line.box is not None
    left, top, right, bottom = line.box
    assert left == pytest.approx(0.1, abs=0.005) and 0.1 < right < 0.15
    assert 0.08 < top < 0.1 < bottom < 0.11


def test_a_page_whose_corner_is_elsewhere() -> None:
    (line,) = lines(show("Here", 160, 820), box="100 100 700 900")
    assert line.box is not None and line.box[0] == pytest.approx(0.1, abs=0.005) and 0.08 < line.box[1] < 0.1


TURNED = {90: ("0 1 -1 0", 60, 80), 180: ("-1 0 0 -1", 540, 80), 270: ("0 -1 1 0", 540, 720)}


@pytest.mark.parametrize("turned", TURNED)
def test_a_turned_page_is_read_as_it_is_shown(turned: int) -> None:
    matrix, x, y = TURNED[turned]
    second = {90: (80, 80), 180: (540, 100), 270: (520, 720)}[turned]
    found = lines(show("First here", x, y, matrix) + show("second", *second, matrix), turned=turned)
    assert [line.text for line in found] == ["First here", "second"]
    assert found[0].box is not None and found[0].box[0] < 0.15 and found[0].box[1] < 0.15


def test_letters_at_an_angle_and_outside_the_page_are_left_out() -> None:
    content = (
        show("upright", 50, 500) + show("sideways", 50, 300, "0 1 -1 0") + show("slanted", 50, 200, "0.7 0.7 -0.7 0.7")
    )
    assert [line.text for line in lines(content + show("outside", 700, 500))] == ["upright"]


def test_bold_drawn_twice_is_read_once() -> None:
    (line,) = lines(show("Coffee 11.00", 50, 500) + show("Coffee 11.00", 50.4, 500))
    assert line.text == "Coffee 11.00"


def test_words_apart_without_a_blank_are_two_words() -> None:
    (line,) = lines(show("Total", 50, 500) + show("due", 77, 500))
    assert line.text == "Total due"


def test_a_line_is_no_longer_than_its_bound() -> None:
    found = lines("BT /F 1 Tf 1 0 0 1 1 500 Tm (" + "x" * 900 + ") Tj ET\n")
    assert [len(line.text) for line in found] == [MAX_LINE]


def test_an_empty_page_has_no_lines() -> None:
    assert lines("") == []

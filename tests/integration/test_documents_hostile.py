"""Documents made to hang or bloat end in time and in the right state, harm nobody, and the next one is read."""

import io
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hostile_documents import HOSTILE, good_pdf, packed, pages, pdf, png, shows, stream
from tests.patience import PATIENCE
from wamcp.documents import sandbox
from wamcp.documents.extract import extract
from wamcp.documents.limits import Allowance, Limits

NO_OCR = Limits(engine="none")
SECONDS = 15
GROWTH_MB = 50
_WATCHED = """
import sys
from pathlib import Path
from wamcp.documents import sandbox
from wamcp.documents.extract import extract
from wamcp.documents.limits import Limits

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024

extract(Path(sys.argv[1]), Limits(engine="none"))
before = peak()
for name in sys.argv[2:]:
    extract(Path(name), Limits(engine="none"))
print(peak() - before, extract(Path(sys.argv[1]), Limits(engine="none")).state)
"""


@pytest.mark.parametrize("name", HOSTILE)
def test_it_ends_in_time_and_the_next_one_is_read(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    make, states, errors = HOSTILE[name]
    document = io.BytesIO(make())
    begin = time.monotonic()
    found = extract(document, NO_OCR)
    assert time.monotonic() - begin < SECONDS * PATIENCE
    assert (found.state in states, found.error in errors) == (True, True), (found.state, found.error)
    assert "quick brown fox" in extract(io.BytesIO(good_pdf()), NO_OCR).pages[0].text
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("engine", ["auto", "tesseract"])
@pytest.mark.parametrize("name", ["form fan-out", "60k x 60k image in a PDF", "huge media box"])
def test_it_ends_in_time_when_its_pages_are_looked_at(name: str, engine: str) -> None:
    make, states, errors = HOSTILE[name]
    before = children_seconds()
    found = extract(io.BytesIO(make()), Limits(engine=engine))
    assert children_seconds() - before < SECONDS
    assert (found.state in states, found.error in errors) == (True, True), (found.state, found.error)


_BUSY = """
import sys, time
sys.path.insert(0, sys.argv[1])
from wamcp.documents.readers import picture
def hang(*_):
    while True:
        pass
picture.read_picture = hang
from wamcp.documents.child import main
main(sys.argv[2])
"""


def test_what_shows_no_text_ends_before_a_page_that_may_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_START", _BUSY)
    before = children_seconds()
    found = extract(io.BytesIO(png(600, 600)), Limits(silent_seconds=6))
    assert (found.state, found.error) == ("timeout", "timeout")
    assert children_seconds() - before < 9


def children_seconds() -> float:
    """CPU seconds of the children that have ended; what others do on the machine does not count."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.fault(16)
def test_all_of_them_together_leave_the_parent_as_it_was(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    good = tmp_path / "good"
    good.write_bytes(good_pdf())
    worst = ["flate bomb", "double flate bomb", "24 M operators", "10k pages", "docx bomb", "deep xml"]
    for name in worst:
        (tmp_path / name).write_bytes(HOSTILE[name][0]())
    command = [sys.executable, "-c", _WATCHED, str(good), *(str(tmp_path / name) for name in worst)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
    growth, state = done.stdout.split()
    assert int(growth) < GROWTH_MB
    assert state == "done"
    assert done.stderr == ""
    record_property(
        "figure", f"{len(worst)} bombs, one after the other: the parent grew by {growth} MB, the next document is read"
    )


def test_a_child_that_needs_more_memory_than_it_has_says_so() -> None:
    limits = Limits(engine="none", text=Allowance(memory=140 << 20, cpu_seconds=6, wall_seconds=10, file_bytes=1 << 20))
    found = extract(io.BytesIO(HOSTILE["24 M operators"][0]()), limits)
    assert found.error in ("memory", "killed")
    assert found.state == "failed"


def slow_after(first: bytes, count: int) -> bytes:
    """A PDF whose first page shows ``first``, and ``count`` more that take pypdf and PDFium seconds each."""
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents %d 0 R/Resources<</Font<</F1 3 0 R>>>>>>"
    kids = b"6 0 R " + b"7 0 R " * count
    return pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, count + 1),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        stream(first),
        stream(packed(48 << 20, filler=b"n "), b"/Filter/FlateDecode"),
        page % 4,
        page % 5,
    )


def test_slow_pages_are_left_out_when_the_time_is_up_and_that_is_no_error() -> None:
    document = slow_after(shows("These words come before the slow pages"), 60)
    found = extract(io.BytesIO(document), NO_OCR)
    assert (found.state, found.truncated) == ("done", True)
    assert found.pages[0].text == "These words come before the slow pages"
    assert found.duration_ms < 15_000


_STUCK = """
import sys, time
sys.path.insert(0, sys.argv[1])
import os
from wamcp.documents import wire
from wamcp.documents.shapes import Page
os.write(1, wire.framed(wire.Kind("application/pdf")))
os.write(1, wire.framed(wire.PageRead(Page(number=1, text="read before"))))
time.sleep(60)
"""


def test_what_was_read_before_a_child_got_stuck_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_START", _STUCK)
    allowance = Allowance(memory=768 << 20, cpu_seconds=6, wall_seconds=6, file_bytes=1 << 20)
    found = extract(io.BytesIO(good_pdf()), Limits(engine="none", text=allowance))
    assert (found.state, found.error, found.truncated) == ("timeout", "timeout", True)
    assert [page.text for page in found.pages] == ["read before"]
    assert found.duration_ms < 12_000


def test_a_slow_page_takes_no_time_from_the_others() -> None:
    found = extract(io.BytesIO(slow_after(shows("These words come before the slow page"), 1)), NO_OCR)
    assert found.pages[0].text == "These words come before the slow page"
    assert found.pages_total == 2


def test_pages_beyond_the_limit_are_left_out_and_that_is_no_error() -> None:
    found = extract(io.BytesIO(pages(30)), Limits(engine="none", text_pages=12))
    assert (found.state, found.error, found.truncated) == ("done", None, True)
    assert (len(found.pages), found.pages_total) == (12, 30)


def test_text_beyond_the_limit_is_cut() -> None:
    found = extract(io.BytesIO(pages(30)), Limits(engine="none", text_bytes=200))
    assert (found.state, found.error, found.truncated) == ("done", None, True)
    assert sum(len(page.text.encode()) for page in found.pages) == 200


def test_a_file_that_is_too_large_is_not_read() -> None:
    found = extract(io.BytesIO(good_pdf()), Limits(document_bytes=100))
    assert (found.state, found.mime, found.pages) == ("too_large", "application/pdf", [])

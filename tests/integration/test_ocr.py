"""Pictures of slips and pages are read by both readers, and each stands in for the other."""

import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.drawing import ENGLISH, PORTUGUESE, SPANISH, as_file, gravel, see_through, slip
from wamcp.documents.ocr import rapid, tesseract
from wamcp.documents.ocr.patience import Patience
from wamcp.documents.ocr.pick import read_picture
from wamcp.documents.ocr.prepare import CannotRead, open_picture
from wamcp.documents.ocr.turn import turned
from wamcp.documents.shapes import Page, TextSource
from wamcp.embedded.process import is_running

FIXTURES = Path(__file__).parents[1] / "fixtures/documents"
LANGUAGES = "eng+por+spa"
needs_tesseract = pytest.mark.skipif(
    not {"eng", "por", "spa", "osd"} <= set(tesseract.languages_installed()),
    reason="tesseract or its languages are not installed: sh scripts/install_tesseract.sh",
)
needs_rapidocr = pytest.mark.skipif(not rapid.available(), reason="the extra ocr is not installed")
either = pytest.mark.parametrize(
    "engine", [pytest.param("tesseract", marks=needs_tesseract), pytest.param("rapidocr", marks=needs_rapidocr)]
)


def rows_read(page: Page) -> list[list[str]]:
    """Every line as its columns."""
    return [[cell.strip() for cell in line.text.split("  ") if cell.strip()] for line in page.lines]


def wanted(rows: list[tuple[str, str]]) -> list[list[str]]:
    return [[cell for cell in row if cell] for row in rows]


@either
@pytest.mark.parametrize("rows", [PORTUGUESE, SPANISH, ENGLISH], ids=["por", "spa", "eng"])
def test_slips_are_read_with_their_columns(engine: str, rows: list[tuple[str, str]]) -> None:
    page = read_picture(slip(rows), LANGUAGES, engine)
    assert rows_read(page) == wanted(rows)
    assert page.source is TextSource.OCR and page.rotation == 0 and page.engine.startswith(engine)
    assert page.confidence is not None and page.confidence > 0.85
    assert page.text.splitlines() == [line.text for line in page.lines]
    total = page.lines[5]
    assert total.box is not None and total.confidence is not None and total.confidence > 0.8
    left, top, right, bottom = total.box
    assert left < 0.06 and right > 0.94 and 0.65 < top < bottom < 0.82


@either
def test_accents_are_read(engine: str) -> None:
    page = read_picture(open_picture(io.BytesIO((FIXTURES / "accents.png").read_bytes())), "por+spa+eng", engine)
    harder = ("Português", "São", "João", "Señora", "Ibáñez") if engine == "rapidocr" else ()
    for word in ("Pão", "Informação", "Ação", "manhã", "pequeño", *harder):
        assert word in page.text.split(), page.text


@either
@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_turned_slips_are_read_in_their_order_and_the_turn_is_told(engine: str, degrees: int) -> None:
    page = read_picture(turned(slip(SPANISH), 360 - degrees), LANGUAGES, engine)
    assert page.rotation == degrees
    assert rows_read(page) == wanted(SPANISH)


CONDITIONS: dict[str, Callable[[], Image.Image]] = {
    "inverted": lambda: slip(ENGLISH, ink="white", paper="black"),
    "faint": lambda: slip(ENGLISH, ink="#999999", paper="#cccccc"),
    "small": lambda: slip(ENGLISH, letters=14, width=380),
    "tilted": lambda: slip(ENGLISH).rotate(3, expand=True, fillcolor="white", resample=Image.Resampling.BICUBIC),
    "transparent": lambda: open_picture(as_file(see_through(slip(ENGLISH)))),
}


@either
@pytest.mark.parametrize("condition", CONDITIONS)
def test_slips_in_every_condition_are_read(engine: str, condition: str) -> None:
    page = read_picture(CONDITIONS[condition](), LANGUAGES, engine)
    right = sum(row in rows_read(page) for row in wanted(ENGLISH))
    assert right >= (len(ENGLISH) if engine == "rapidocr" else len(ENGLISH) - 1), page.text


@needs_rapidocr
def test_long_pictures_are_read_to_their_end() -> None:
    rows = [(f"Article number {1000 + number}", f"{number},50") for number in range(60)]
    picture = slip(rows, letters=24, width=480)
    assert picture.height > 5 * picture.width
    assert rows_read(read_picture(picture, LANGUAGES, "rapidocr")) == wanted(rows)


@needs_tesseract
def test_pages_are_read_column_after_column_and_laid_out_side_by_side() -> None:
    page = Image.new("RGB", (1654, 1200), "white")
    left = [(f"Harbour letter {number}", "") for number in ("one", "two", "three", "four", "five", "six", "seven")]
    right = [(f"Station paper {number}", "") for number in ("red", "blue", "green", "black", "white", "brown", "grey")]
    page.paste(slip(left, letters=40, width=700), (60, 200))
    page.paste(slip(right, letters=40, width=700), (900, 200))
    read = read_picture(page, LANGUAGES, "tesseract", scan=True)
    assert read.text.index("letter seven") < read.text.index("paper red")
    assert rows_read(read) == [[one, other] for (one, _), (other, _) in zip(left, right, strict=True)]


@either
def test_an_empty_picture_has_no_text(engine: str) -> None:
    page = read_picture(Image.new("L", (800, 600), 250), LANGUAGES, engine)
    assert (page.text, page.lines, page.confidence) == ("", [], None)


@needs_tesseract
@needs_rapidocr
@pytest.mark.parametrize("engine", ["tesseract", "auto"])
def test_what_a_reader_makes_of_a_photograph_without_text_is_left_out(engine: str) -> None:
    picture = gravel()
    assert tesseract.read(picture, LANGUAGES, False, Patience()).text
    page = read_picture(picture, LANGUAGES, engine)
    assert (page.text, page.lines, page.confidence) == ("", [], None)


@needs_tesseract
def test_missing_languages_are_done_without_and_said() -> None:
    page = read_picture(slip(ENGLISH), "xxx+eng+yyy", "tesseract")
    assert page.engine.split()[-1] == "eng" and "HARBOUR STATIONERY" in page.text
    assert tesseract.languages_missing("xxx+eng+yyy") == ["xxx", "yyy"]
    assert read_picture(slip(ENGLISH), "xxx", "tesseract").engine.split()[-1] == "eng"


@needs_tesseract
@needs_rapidocr
@pytest.mark.parametrize("asked", [LANGUAGES, "ara+eng"])
def test_arabic_is_read_by_tesseract_whether_it_was_expected_or_not(asked: str) -> None:
    if "ara" not in tesseract.languages_installed():
        pytest.skip("the Arabic pack is not installed: sh scripts/install_tesseract.sh")
    page = read_picture(open_picture(io.BytesIO((FIXTURES / "arabic.png").read_bytes())), asked, "auto")
    assert page.engine.startswith("tesseract") and "ara" in page.engine
    total = next(line.text for line in page.lines if "29.55" in line.text)
    assert total.split() == ["المجموع", "29.55"]


@needs_tesseract
@needs_rapidocr
def test_photos_go_to_one_reader_and_scans_to_the_other() -> None:
    assert read_picture(slip(ENGLISH), LANGUAGES, "auto").engine.startswith("rapidocr")
    assert read_picture(slip(ENGLISH), LANGUAGES, "auto", scan=True).engine.startswith("tesseract")
    assert read_picture(slip(ENGLISH), "xxx", "auto", scan=True).engine.startswith("rapidocr")


@needs_tesseract
@needs_rapidocr
@pytest.mark.parametrize("trouble", [MemoryError(), RuntimeError("std::bad_alloc")])
def test_tesseract_reads_what_the_other_one_fails_at(trouble: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise trouble

    monkeypatch.setattr(rapid, "_see", fail)
    assert read_picture(slip(ENGLISH), LANGUAGES, "auto").engine.startswith("tesseract")
    with pytest.raises(CannotRead) as refused:
        read_picture(slip(ENGLISH), LANGUAGES, "rapidocr")
    assert refused.value.word == "ocr_failed"


def test_no_reader_is_asked_when_none_is_wanted_and_bombs_reach_none() -> None:
    assert read_picture(slip(ENGLISH), LANGUAGES, "none").text == ""
    with pytest.raises(ValueError, match="none of auto"):
        read_picture(slip(ENGLISH), LANGUAGES, "crystal ball")
    for size in ((1, 2_000_000), (7_200, 7_200)):
        with pytest.raises(CannotRead) as refused:
            read_picture(Image.new("L", size), LANGUAGES, "auto")
        assert refused.value.word == "bomb"


ALONE = """
import socket, sys
{block}
from tests.drawing import ENGLISH, slip
from wamcp.documents.ocr import rapid
from wamcp.documents.ocr.patience import Patience
from wamcp.documents.ocr.pick import read_picture
from wamcp.documents.ocr.prepare import CannotRead
print(rapid.available())
for engine in ("auto", "rapidocr"):
    try:
        page = read_picture(slip(ENGLISH), "eng", engine)
        print(page.engine.split()[0], "29.55" in page.text)
    except CannotRead as refused:
        print(refused.word)
"""
BLOCK = "sys.modules.update(rapidocr=None, onnxruntime=None, numpy=None)"
UNPLUG = """
def unplugged(*_, **__):
    raise OSError("no network")
socket.getaddrinfo = socket.socket.connect = unplugged
"""


def in_a_process(block: str, path: str = os.environ["PATH"]) -> list[str]:
    """What ``ALONE`` prints in a new process that begins with ``block``."""
    environment = os.environ | {"PATH": path, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", ALONE.format(block=block)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@needs_tesseract
def test_without_the_extra_tesseract_reads_everything() -> None:
    assert in_a_process(BLOCK) == ["False", "tesseract True", "no_ocr"]


@needs_rapidocr
def test_without_tesseract_and_without_a_network_rapidocr_reads() -> None:
    assert in_a_process(UNPLUG, path="/nowhere") == ["True", "rapidocr True", "rapidocr True"]


def test_without_any_reader_it_is_said() -> None:
    assert in_a_process(BLOCK, path="/nowhere") == ["False", "no_ocr", "no_ocr"]


SLOW = """
import os
os.environ["PATH"] = {path!r} + ":" + os.environ["PATH"]
from tests.drawing import ENGLISH, slip
from wamcp.documents.ocr import tesseract
tesseract.languages_installed = lambda: ("eng",)
tesseract.version = lambda: "5"
tesseract.read(slip(ENGLISH), "eng", False, tesseract.Patience())
"""


def test_tesseract_dies_with_its_parent(tmp_path: Path) -> None:
    note = tmp_path / "note"
    stand_in = tmp_path / "tesseract"
    stand_in.write_text(
        f'#!/bin/sh\nif [ "$1" = --version ]; then echo tesseract 5.3.0; exit; fi\n'
        f'echo "$$ $OMP_THREAD_LIMIT $(ulimit -t)" > {note}.new\nmv {note}.new {note}\n'
        "while :; do sleep 0.1; done\n"
    )
    stand_in.chmod(0o755)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path)}
    parent = subprocess.Popen([sys.executable, "-c", SLOW.format(path=str(tmp_path))], env=environment)
    try:
        wait_for(note.exists)
        pid, threads, seconds = note.read_text().split()
        assert (threads, seconds) == ("1", "16")
        assert Path(f"/proc/{pid}").exists()
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    wait_for(lambda: not is_running(int(pid)))


def test_tesseract_has_a_time_limit_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = tmp_path / "tesseract"
    stand_in.write_text('#!/bin/sh\nif [ "$1" = --version ]; then echo tesseract 5.3.0; exit; fi\nexec sleep 60\n')
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(tesseract, "languages_installed", lambda: ("eng",))
    monkeypatch.setattr(tesseract, "version", lambda: "5")
    began = time.monotonic()
    with pytest.raises(RuntimeError):
        tesseract.read(slip(ENGLISH), "eng", False, tesseract.Patience(1))
    assert time.monotonic() - began < 10


def test_the_install_script_says_in_one_sentence_what_is_missing(tmp_path: Path) -> None:
    for name in ("sh", "dirname", "cat", "printf", "tr", "grep"):
        if found := shutil.which(name):
            (tmp_path / name).symlink_to(found)
    script = Path(__file__).parents[2] / "scripts/install_tesseract.sh"
    done = subprocess.run(["sh", str(script)], env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and done.stdout == ""
    assert "tesseract-ocr-por" in done.stderr and done.stderr.count("\n") == 1


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.05)

"""Pictures, and pages that are pictures: made small enough to look at, and handed to the machine that reads them."""

import math
import os
import resource
from collections.abc import Callable
from typing import Any, BinaryIO

from PIL import Image

from wamcp.documents import wire
from wamcp.documents.ocr.patience import SECONDS, Patience
from wamcp.documents.ocr.pick import read_picture
from wamcp.documents.ocr.prepare import open_picture
from wamcp.documents.report import Report
from wamcp.documents.shapes import Page, TextSource
from wamcp.documents.sniff import PDF, sniff
from wamcp.documents.trouble import Bomb, Unreadable

PIXELS = 50_000_000
ASPECT = 20
RENDER_PIXELS = 25_000_000
RENDER_DPI = 200
POINTS_PER_INCH = 72

Send = Callable[[wire.Answer], None]


def count(file: BinaryIO, job: wire.Job, report: Report) -> None:
    """Notes each frame of a picture as a page to be looked at. Raises :class:`Bomb`, or Pillow's errors."""
    with _opened(file) as picture:
        report.pages_total = getattr(picture, "n_frames", 1) if picture.format == "TIFF" else 1
    report.pictures = list(range(1, min(report.pages_total, job.ocr_pages) + 1))
    report.truncated = report.pages_total > len(report.pictures)


def look(file: BinaryIO, job: wire.Job, send: Send) -> None:
    """Reads the pages of ``job`` as pictures and sends each; one that fails comes out empty, with a word why."""
    silence = _Silence(job)
    is_pdf = sniff(file) == PDF
    reads = job.engine != "none"
    picture_of = _pdf_pages(file) if reads and is_pdf else lambda number: _frame(file, number)
    for number in job.pages:
        page = _nothing(number)
        error: str | None = "no_ocr"
        try:
            if not is_pdf:
                _opened(file)  # refuses what is too large before anything is decoded
            if reads:
                picture, patience = picture_of(number), Patience(cpu_seconds=silence.left())
                page, error = read_picture(picture, job.languages, job.engine, is_pdf, patience), None
        except MemoryError:
            error = "memory"
        except Exception as trouble:  # noqa: BLE001 - whatever a library raises for a picture that is broken
            error = str(getattr(trouble, "word", "broken"))
        page = _numbered(page, number)
        if page.text:
            silence.end()
        send(wire.PageRead(page, error))


class _Silence:
    """While no page has a text, this process ends after few CPU seconds: a drawing can keep PDFium busy for ever."""

    def __init__(self, job: wire.Job) -> None:
        self._seconds = job.silent_seconds
        self._limits = resource.getrlimit(resource.RLIMIT_CPU)
        if self._seconds:
            self._seconds = min(self._seconds, self._limits[0])
            resource.setrlimit(resource.RLIMIT_CPU, (self._seconds, self._limits[1]))

    def left(self) -> float:
        """CPU seconds for the next picture, with one kept back for what comes after it."""
        return min(SECONDS, self._seconds - 1 - sum(os.times()[:4])) if self._seconds else SECONDS

    def end(self) -> None:
        """A page has a text."""
        self._seconds = 0
        resource.setrlimit(resource.RLIMIT_CPU, self._limits)


def render(page: Any) -> Image.Image:
    """A page of PDFium at 200 dpi, or at as much as makes 25 million pixels. Raises :class:`Bomb` for a ribbon."""
    width, height = page.get_size()
    _require_shape(width, height)
    scale = RENDER_DPI / POINTS_PER_INCH
    scale = min(scale, math.sqrt(RENDER_PIXELS / (width * height)))
    picture: Image.Image = page.render(scale=scale).to_pil()
    return picture.convert("RGB")


def _nothing(number: int) -> Page:
    return Page(number=number, text="", source=TextSource.OCR)


def _numbered(page: Page, number: int) -> Page:
    from msgspec.structs import replace

    from wamcp.documents.clean import clean

    return replace(page, number=number, text=clean(page.text), source=TextSource.OCR)


def _pdf_pages(file: BinaryIO) -> Callable[[int], Image.Image]:
    import pypdfium2

    file.seek(0)
    document = pypdfium2.PdfDocument(file)
    return lambda number: render(document[number - 1])


def _frame(file: BinaryIO, number: int) -> Any:
    file.seek(0)
    if number == 1:
        return open_picture(file)
    picture = Image.open(file)
    picture.seek(number - 1)
    return picture.convert("RGB")


def _opened(file: BinaryIO) -> Image.Image:
    Image.MAX_IMAGE_PIXELS = PIXELS
    file.seek(0)
    try:
        picture = Image.open(file)
    except Image.DecompressionBombError as error:
        raise Bomb from error
    if picture.width * picture.height > PIXELS:
        raise Bomb
    _require_shape(picture.width, picture.height)
    return picture


def _require_shape(width: float, height: float) -> None:
    """A line of pixels is no page, and costs the machines that read pictures gigabytes."""
    if min(width, height) <= 0:
        raise Unreadable
    if max(width, height) > ASPECT * min(width, height):
        raise Bomb

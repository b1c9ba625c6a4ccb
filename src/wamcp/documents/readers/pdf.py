"""PDF: pypdf reads the text, PDFium what pypdf cannot, and pages without text are left for the machine that reads
pictures."""

from contextlib import suppress
from typing import Any, BinaryIO

import pypdf
from pypdf.errors import DependencyError, FileNotDecryptedError, LimitReachedError

from wamcp.documents import wire
from wamcp.documents.budget import Budget
from wamcp.documents.clean import is_garbage, letters
from wamcp.documents.layout import lines_of
from wamcp.documents.readers.second import is_better
from wamcp.documents.report import Report
from wamcp.documents.trouble import Bomb, Encrypted, Enough, OutOfTime, Unreadable

LAID_PAGES = 6
PICTURE_LETTERS = 20
"""A page with fewer visible characters is taken for a picture, unless it shows some and no picture."""
_PAGE_SECONDS = 1.5
_SLOW_SHARE = 0.6
"""When so much of the time is used, the rest of the pages goes to PDFium, which is ten times as fast."""
_OPEN_SECONDS = 2.0
_AFTERWARDS_SECONDS = 1.0
_OPERATORS = 1_000_000_000
"""A large drawing is no bomb; it is the time of a page that bounds how much of it is looked at."""


def read(file: BinaryIO, job: wire.Job, report: Report, budget: Budget) -> None:
    """All pages and the attachments into ``report``, and afterwards their layout. Raises as ``registry.read`` says."""
    report.engine, report.engine_version = "pypdf", pypdf.__version__
    later = _Later(file)
    try:
        failed = _by_pypdf(later, job, report, budget)
    except (Unreadable, Enough):
        raise
    except LimitReachedError as trouble:
        raise Bomb from trouble
    except OutOfTime:
        failed = None
    except Exception:  # noqa: BLE001 - whatever pypdf cannot open PDFium may
        failed = None
    _by_pdfium(later, failed, job, report, budget)
    report.afterwards = lambda: _afterwards(later, report, Budget(_AFTERWARDS_SECONDS, _AFTERWARDS_SECONDS))


def _by_pypdf(later: "_Later", job: wire.Job, report: Report, budget: Budget) -> list[int]:
    """Reads what pypdf can read in its share of the time; returns the pages (from 1) that are still to be read."""
    pypdf.overwrite_configuration(stream_parsing_work_maximum_count=_OPERATORS)
    with budget.at_most(_OPEN_SECONDS):
        reader = pypdf.PdfReader(later.file, strict=False)
        _unlock(reader)
        report.pages_total = len(reader.pages)
    count = min(report.pages_total, job.text_pages)
    _attachments(reader, report, budget)
    failed: list[int] = []
    bombs: list[int] = []
    reserve = budget.left * (1 - _SLOW_SHARE)
    for index in range(count):
        if budget.left < reserve:
            return [*failed, *range(index + 1, count + 1)]
        try:
            with budget.at_most(_PAGE_SECONDS):
                page = reader.pages[index]
                text = page.extract_text()
                if not _shows_more(page):
                    later.plain.add(index + 1)
        except LimitReachedError:  # what pypdf takes for a bomb PDFium would inflate
            bombs.append(index + 1)
            continue
        except (OutOfTime, Exception):  # noqa: BLE001 - PDFium tries it
            failed.append(index + 1)
            continue
        if is_garbage(text):
            failed.append(index + 1)
        else:
            report.page(index + 1, text)
    if bombs and not any(page.text for page in report.pages.values()) and not failed:
        raise Bomb
    report.truncated |= bool(bombs)
    return failed


def _shows_more(page: pypdf.PageObject) -> bool:
    """Whether anything but text can be on a page: pictures, or forms with pictures in them."""
    resources = page.get("/Resources")
    return bool(resources and resources.get_object().get("/XObject"))


def _unlock(reader: pypdf.PdfReader) -> None:
    """Many files are encrypted with no password at all."""
    if not reader.is_encrypted:
        return
    try:
        if not reader.decrypt(""):
            raise Encrypted
    except (DependencyError, FileNotDecryptedError, NotImplementedError) as error:
        raise Encrypted from error


def _attachments(reader: pypdf.PdfReader, report: Report, budget: Budget) -> None:
    """XML in the file, which may be an invoice's data."""
    with suppress(Exception, OutOfTime), budget.at_most(_OPEN_SECONDS):
        for number, attachment in enumerate(reader.attachment_list):
            if number >= 20:
                return
            content = attachment.content
            if attachment.name.lower().endswith(".xml") or content.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<?xml"):
                report.attach(content)


def _by_pdfium(later: "_Later", failed: list[int] | None, job: wire.Job, report: Report, budget: Budget) -> None:
    """The pages ``failed`` (None: all of them). What has no text even then is noted as a picture."""
    if failed is None or failed:
        document = later.open()
        if failed is None:
            report.pages_total = len(document)
            failed = [n for n in range(1, min(len(document), job.text_pages) + 1) if n not in report.pages]
            report.engine, report.engine_version = "pypdfium2", later.version
        _again(later, failed, report, budget)
    report.truncated |= report.pages_total > job.text_pages
    few = [(n, letters(page.text)) for n, page in report.pages.items()]
    pictures = sorted(n for n, count in few if count < PICTURE_LETTERS and not (count and n in later.plain))
    report.pictures = pictures[: job.ocr_pages]
    report.truncated |= len(pictures) > job.ocr_pages


def _again(later: "_Later", numbers: list[int], report: Report, budget: Budget) -> None:
    for number in numbers:
        try:
            with budget.at_most(_PAGE_SECONDS):
                text = later.text_of(number)
        except (Enough, Unreadable):
            raise
        except Exception:  # a page that breaks costs itself alone; when all do, the child's own edge is told
            if not report.pages and number == numbers[-1]:
                raise
            report.truncated = True
            continue
        report.page(number, "" if is_garbage(text) else text, engine="pypdfium2")


def _afterwards(later: "_Later", report: Report, budget: Budget) -> None:
    """With the text safe: pages in which pypdf ran words together, and where the words of the first pages stand.

    All of it makes a text better and none of it is needed, so its trouble is nobody's.
    """
    laid = sorted(report.pages)[:LAID_PAGES]
    with suppress(Exception, OutOfTime), budget.at_most(_AFTERWARDS_SECONDS):
        for number, page in list(report.pages.items()):
            if number in report.pictures:
                continue
            if page.engine == "pypdf" and is_better(text := later.text_of(number), page.text) and not is_garbage(text):
                report.page(number, text, engine="pypdfium2")
            if number in laid:
                report.laid(number, lines_of(later.open()[number - 1]))


class _Later:
    """PDFium, loaded and given the file when it is needed. ``plain`` are the pages that show text alone."""

    def __init__(self, file: BinaryIO) -> None:
        self.version = ""
        self.plain: set[int] = set()
        self.file = file
        self._document: Any = None

    def open(self) -> Any:
        """The document. Raises :class:`Encrypted`, or PDFium's error."""
        if self._document is None:
            import pypdfium2

            self.version = str(pypdfium2.PYPDFIUM_INFO)
            self.file.seek(0)
            try:
                self._document = pypdfium2.PdfDocument(self.file)
            except pypdfium2.PdfiumError as error:
                if getattr(error, "err_code", None) == pypdfium2.raw.FPDF_ERR_PASSWORD:
                    raise Encrypted from error
                raise
        return self._document

    def text_of(self, number: int) -> str:
        """The text of a page, counted from 1."""
        page = self.open()[number - 1]
        try:
            text_page = page.get_textpage()
            try:
                return str(text_page.get_text_bounded())
            finally:
                text_page.close()
        finally:
            page.close()

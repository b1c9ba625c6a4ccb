"""Which reader reads a picture: the one that is better at its kind, and the other when that one fails or is unsure."""

from collections.abc import Callable

from PIL import Image

from wamcp.documents.ocr import languages as spoken
from wamcp.documents.ocr import rapid, tesseract
from wamcp.documents.ocr.patience import Patience
from wamcp.documents.ocr.prepare import CannotRead, check_size, is_blank
from wamcp.documents.ocr.reading import Reading
from wamcp.documents.shapes import Page, TextSource

ENGINES = ("auto", "tesseract", "rapidocr", "none")
GOOD = {"tesseract": 0.7, "rapidocr": 0.85}
"""Mean confidence at which the other reader is not asked; they do not count alike."""
NOISE = 0.5
"""Less sure, a reader looked at no text: 15 photographs of things gave 0.46 at most, 40 of receipts 0.55 at least."""


def read_picture(
    picture: Image.Image, languages: str, engine: str, scan: bool = False, patience: Patience | None = None
) -> Page:
    """The page that a picture from ``open_picture`` is, or a rendered page (``scan``); the caller sets its number.

    ``languages`` are tesseract's names, ``eng+por``: the packs that are missing are done without, and ``Page.engine``
    (``tesseract 5.3.0 eng+por``, ``rapidocr 3.10.0``) says what was used. ``engine`` is one of ENGINES. ``auto`` takes
    RapidOCR for photographs and tesseract for scans and for what RapidOCR has no letters for, and asks the other one
    when the first is missing, fails or is unsure. Takes about as long as ``patience`` at most, 16 s. Raises
    CannotRead: ``bomb``, ``no_ocr`` when no reader that may be used is installed, ``slow`` when none came to an end
    in time, ``ocr_failed`` when all of them failed.
    """
    if engine not in ENGINES:
        raise ValueError(f"{engine} is none of {', '.join(ENGINES)}")
    if engine == "none":
        return Page(number=1, text="", source=TextSource.OCR, engine="none")
    check_size(*picture.size)
    if picture.mode not in ("L", "RGB"):
        picture = picture.convert("RGB")
    names = [engine] if engine != "auto" else _order(languages, scan)
    there = {"tesseract": tesseract.available, "rapidocr": rapid.available}
    if not (names := [name for name in names if there[name]()]):
        raise CannotRead("no_ocr")
    if is_blank(picture):
        return Page(number=1, text="", source=TextSource.OCR, engine=names[0])
    patience = patience or Patience()
    readers: dict[str, Callable[[], Reading]] = {
        "tesseract": lambda: tesseract.read(picture, languages, scan, patience),
        "rapidocr": lambda: rapid.read(picture, patience),
    }
    return _page(_best([(GOOD[name], readers[name]) for name in names], patience))


def _order(languages: str, scan: bool) -> list[str]:
    """Both readers, the better one for this kind of picture first; the first language is the one to expect."""
    expected = spoken.named(languages)[:1]
    foreign = any(spoken.script_of(name) not in rapid.SCRIPTS for name in expected)
    packed = any(name in tesseract.languages_installed() for name in spoken.named(languages))
    return ["tesseract", "rapidocr"] if foreign or (scan and packed) else ["rapidocr", "tesseract"]


def _best(readers: list[tuple[float, Callable[[], Reading]]], patience: Patience) -> Reading:
    best: Reading | None = None
    for good, read in readers:
        if patience.is_thin():
            break
        try:
            reading = read()
        except Exception:  # noqa: BLE001, S112 - whatever a reader's libraries raise, the other one is asked
            continue  # nosec B112
        if reading.confidence >= good and reading.text:
            return reading
        if reading.confidence < NOISE:
            reading = Reading(text="", engine=reading.engine)
        best = reading if best is None or reading.worth > best.worth else best
    if best is None:
        raise CannotRead("slow" if patience.is_thin() else "ocr_failed")
    return best


def _page(reading: Reading) -> Page:
    return Page(
        number=1,
        text=reading.text,
        source=TextSource.OCR,
        lines=reading.lines,
        confidence=round(reading.confidence, 4) if reading.text else None,
        engine=reading.engine,
        rotation=reading.rotation,
    )

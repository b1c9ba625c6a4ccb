"""The check of what reads documents on this machine: tesseract, its language packs, and RapidOCR."""

from wamcp.doctor.case import Case
from wamcp.doctor.finding import Said, ok, warning
from wamcp.documents.ocr import rapid, tesseract
from wamcp.settings import Settings


def readers(case: Case) -> Said:
    """Pictures can be read, in every language that is expected."""
    installed = tesseract.languages_installed() if tesseract.available() else ()
    return judge(case.settings, installed, rapid.version() if rapid.available() else None)


def judge(settings: Settings, installed: tuple[str, ...], rapidocr: str | None) -> Said:
    """What is to be said where tesseract has the packs ``installed``, none without it, and RapidOCR is there or not."""
    engine = settings.ocr_engine
    if not settings.extractors:
        return warning("WAMCP_EXTRACTORS is 0: documents are not read here", "unset it, and restart")
    if engine == "none":
        return ok("OCR_ENGINE is none: text is read, pictures are not")
    wants_tesseract, wants_rapidocr = engine != "rapidocr", engine != "tesseract"
    found = [f"tesseract with {len(installed)} packs"] if wants_tesseract and installed else []
    found += [f"RapidOCR {rapidocr}"] if wants_rapidocr and rapidocr else []
    if not found:
        return warning(
            "nothing here reads pictures: text in photographs and scans is not found",
            "install tesseract (apt install tesseract-ocr), or the extra: pip install 'wamcp[ocr]'; restart the worker",
        )
    said = " and ".join(found)
    if not wants_tesseract:
        return ok(said)
    if not installed:
        return warning(
            f"{said}, without tesseract, which reads the other scripts and scanned pages",
            "install it: apt install tesseract-ocr; restart the worker",
        )
    if missing := [name for name in settings.ocr_languages.split("+") if name not in installed]:
        packs = " ".join(f"tesseract-ocr-{name.lower().replace('_', '-')}" for name in missing)
        return warning(
            f"{said}, but none for {', '.join(missing)}, which OCR_LANGUAGES names",
            f"apt install {packs}, or take them out of OCR_LANGUAGES; restart the worker",
        )
    without = "" if rapidocr or not wants_rapidocr else "; without RapidOCR, which is better with photographs"
    return ok(f"{said}, {settings.ocr_languages}{without}")

"""The checks of what reads documents on this machine: tesseract, its language packs, RapidOCR, and Whisper."""

import io
import wave
from pathlib import Path

from msgspec.structs import replace

from wamcp.doctor.case import Case
from wamcp.doctor.finding import Said, ok, warning
from wamcp.documents.extract import extract
from wamcp.documents.limits import Limits
from wamcp.documents.ocr import rapid, tesseract
from wamcp.documents.speech.transcribe import trouble
from wamcp.settings import Settings

LOAD_S = 15.0
"""So long a model may take to be loaded."""


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


def voice_notes(case: Case) -> Said:
    """What is said in voice notes is written down, or nobody asked for that."""
    if not case.settings.whisper_model_dir:
        return ok("not written down (WHISPER_MODEL_DIR is not set)")
    limits = Limits.of(case.settings)
    if wrong := trouble(Path(limits.model_dir)):
        said, _, fix = wrong.partition(": ")
        return warning(f"voice notes are not written down: {said}", f"{fix}, or unset WHISPER_MODEL_DIR")
    # The model is loaded where it works: in a child, with the memory of one.
    found = extract(_silence(), replace(limits, speech=replace(limits.speech, wall_seconds=LOAD_S)))
    if found.state == "empty":
        return ok(f"written down with the model in {limits.model_dir}")
    return warning(
        f"voice notes are not written down: the model in {limits.model_dir} cannot be loaded "
        f"({found.error or found.state})",
        "put a smaller model, or a whole one that was made for faster-whisper (CTranslate2), into WHISPER_MODEL_DIR",
    )


def _silence() -> io.BytesIO:
    """A second of it, as WAV."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))
    return file

"""The reader's fingerprint: all that a result depends on besides the bytes, so that a better reader reads again."""

from importlib import metadata
from pathlib import Path

from wamcp.documents.limits import Limits
from wamcp.documents.ocr import rapid, tesseract
from wamcp.documents.speech import transcribe

RULES = 2
"""Counts up whenever our own rules find something else in the same bytes."""
LIBRARIES = ("pypdf", "pypdfium2", "fonttools", "pillow", "charset-normalizer")


def fingerprint(limits: Limits) -> str:
    """One line, such as ``rules 1; 10000000 bytes, 500 pages, ...; pypdf 7.1.0, ...; tesseract 5.3.0 eng+por``."""
    bounds = f"{limits.document_bytes} bytes, {limits.text_pages} pages, {limits.text_bytes} bytes of text"
    libraries = ", ".join(f"{name} {metadata.version(name)}" for name in LIBRARIES)
    return "; ".join((f"rules {RULES}", bounds, libraries, _pictures(limits), _sound(limits)))


def _sound(limits: Limits) -> str:
    """What writes sound down here; a model is known by the name of its directory."""
    model = Path(limits.model_dir)
    if not limits.model_dir or transcribe.trouble(model):
        return "no sound"
    return f"{transcribe.engine(model)[0]}, {limits.sound_seconds} s of sound"


def _pictures(limits: Limits) -> str:
    """What reads pictures here: a language pack or a program that comes or goes makes another reader."""
    if limits.engine == "none" or not limits.ocr_pages:
        return "no pictures"
    parts = [f"{limits.engine} {limits.ocr_pages} pictures {limits.languages}"]
    if tesseract.available():
        parts.append(f"tesseract {tesseract.version()} {'+'.join(sorted(tesseract.languages_installed()))}")
    if rapid.available():
        parts.append(f"rapidocr {rapid.version()}")
    return ", ".join(parts)

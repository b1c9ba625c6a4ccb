"""Files on their way to Meta: what they may be called, and how long an upload may take."""

import re
import unicodedata
from pathlib import PurePosixPath

UPLOAD_DAYS = 30
"""How long Meta keeps an upload."""
NAME_BYTES = 240
SUFFIX_BYTES = 20
UNNAMED = "file"
UNTYPED = "application/octet-stream"

_UNWRITTEN = {"Cc", "Cs", "Zl", "Zp"}
_TURNING = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}
"""Characters that change the direction of what follows, by which a name can show another ending than it has."""
_MIME_TYPE = re.compile(r"""[\w.+-]+/[\w.+-]+(\s*;\s*[\w.+-]+=("[^"\\]*"|[\w.+-]+))*""", re.ASCII)


def clean_filename(name: str | None) -> str:
    """The last part of a path, in at most 240 bytes of UTF-8, without control characters; ``file`` if nothing is left.

    The ending stays where a name is shortened. Cleaning twice changes nothing.
    """
    last = re.split(r"[/\\]", name or "")[-1].replace('"', "'")
    kept = [each for each in last if unicodedata.category(each) not in _UNWRITTEN and ord(each) not in _TURNING]
    text = "".join(kept).strip()
    if not text.strip("."):
        return UNNAMED
    if len(text.encode()) <= NAME_BYTES:
        return text
    suffix = PurePosixPath(text).suffix.rstrip()
    if len(suffix.encode()) > SUFFIX_BYTES:
        suffix = ""
    stem = text.encode()[: NAME_BYTES - len(suffix.encode())].decode("utf-8", "ignore")
    return stem.rstrip() + suffix


def clean_mime_type(mime_type: str | None) -> str:
    """``mime_type`` with its parameters, or the type of bytes that nothing is known about where it is not one."""
    text = (mime_type or "").strip()
    return text if _MIME_TYPE.fullmatch(text) and text.isprintable() else UNTYPED


def upload_deadline_s(size: int) -> float:
    """Seconds that an upload of ``size`` bytes may take: 8, and one more for each MB, at most 120."""
    return min(8.0 + size / 1_000_000, 120.0)

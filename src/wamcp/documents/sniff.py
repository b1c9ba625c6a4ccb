"""What kind of document a file is, by its bytes; what it is called does not matter."""

import re
import zipfile
from typing import BinaryIO

from wamcp.documents.trouble import Bomb
from wamcp.whatsapp.outgoing.sniff import OLE, ZIP
from wamcp.whatsapp.outgoing.sniff import sniff as sniff_sendable

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
TEXT, CSV, HTML, XML = "text/plain", "text/csv", "text/html", "application/xml"
TIFF = "image/tiff"
PICTURES = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", TIFF, "image/bmp"})

AUDIO = frozenset({"audio/ogg", "audio/mpeg", "audio/mp4", "audio/aac", "audio/amr", "audio/wav"})
FILMS = frozenset({"video/mp4", "video/3gpp"})
"""Telephones record sound in these as well; whether there is a picture in it only the child can tell."""

HEAD_BYTES = 8192
ENTRIES = 20_000
"""No office document has as many parts as this."""

_BEGINNINGS = (
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"{\\rtf", "application/rtf"),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"\x7fELF", "application/x-executable"),
    (b"SQLite format 3\0", "application/vnd.sqlite3"),
)
_PARTS = {"word/document.xml": DOCX, "xl/workbook.xml": XLSX, "ppt/presentation.xml": PPTX}
_HTML = re.compile(r"\s*(?:<!--.{0,2000}?-->\s*)?<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
_XML = re.compile(r"\s*<(?:\?xml\b|!DOCTYPE\s+(?!html)|[A-Za-z_][\w.:-]{0,100}(?:\s[^<>]{0,2000})?>)")


def sniff_head(head: bytes) -> str | None:
    """The mime type of a file that begins so, None when nobody knows it. ``head`` has up to ``HEAD_BYTES``.

    Compares bytes and nothing else, so that it may be used on bytes of strangers anywhere.
    """
    for beginning, mime in _BEGINNINGS:
        if head.startswith(beginning):
            return mime
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return "audio/wav"
    if head.startswith(b"BM") and head[6:10] == b"\0\0\0\0":
        return "image/bmp"
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"avif"):
        return "image/avif" if head[8:12] == b"avif" else "image/heic"
    found = sniff_sendable(head)
    if found in (None, TEXT) and b"%PDF-" in head[:1024]:
        return PDF
    return found


def sniff(file: BinaryIO) -> str | None:
    """As :func:`sniff_head`, looking into archives and texts as well. Only a child may ask: it parses."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    found = sniff_head(head)
    if found == ZIP:
        return _of_archive(file)
    if found == TEXT:
        return _of_text(_decoded(head))
    return found


def _of_archive(file: BinaryIO) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
            if len(names) > ENTRIES:
                raise Bomb
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        return ZIP
    return next((mime for part, mime in _PARTS.items() if part in names), ZIP)


def _decoded(head: bytes) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", errors="ignore")
    return head.removeprefix(b"\xef\xbb\xbf").decode("latin-1")


def _of_text(head: str) -> str:
    if _HTML.match(head):
        return HTML
    if _XML.match(head):
        return HTML if re.search(r"<html\b", head[:2000], re.IGNORECASE) else XML
    return CSV if _is_table(head) else TEXT


def _is_table(head: str) -> bool:
    """Two rows or more that all have the same number of commas, semicolons or tabs, at least one."""
    lines = [line for line in head.splitlines() if line.strip()]
    if len(head) >= HEAD_BYTES - 4:
        lines.pop()  # it may be cut
    if len(lines) < 2:
        return False
    for separator in (";", "\t", ","):
        counts = [re.sub(r'"[^"]*"', "", line).count(separator) for line in lines[:20]]
        if counts[0] and counts.count(counts[0]) >= 0.8 * len(counts):
            return True
    return False


__all__ = [
    "AUDIO",
    "CSV",
    "DOCX",
    "FILMS",
    "HTML",
    "OLE",
    "PDF",
    "PICTURES",
    "PPTX",
    "TEXT",
    "TIFF",
    "XLSX",
    "XML",
    "ZIP",
    "sniff",
    "sniff_head",
]

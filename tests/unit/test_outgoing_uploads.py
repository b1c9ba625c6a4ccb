"""Files by their first bytes: what Meta takes passes, what only looks like it does not."""

import struct

import pytest

from wamcp.errors import NotSendable
from wamcp.whatsapp.outgoing.media import MediaType
from wamcp.whatsapp.outgoing.sniff import sniff
from wamcp.whatsapp.outgoing.uploads import KB, MAX_UPLOAD, MB, Upload, check_upload

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3"
ZIP = b"PK\x03\x04\x14\x00[Content_Types].xml"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(20)
EXE = b"MZ\x90\x00\x03\x00\x00\x00"
GIF = b"GIF89a\x00\x00"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def ftyp(brand: bytes) -> bytes:
    return b"\x00\x00\x00\x20ftyp" + brand + b"\x00\x00\x00\x00isom"


def ogg(channels: int = 1, codec: bytes = b"OpusHead") -> bytes:
    return b"OggS" + bytes(22) + b"\x01\x13" + codec + bytes([1, channels]) + bytes(9)


def webp(side: int = 512, *, animated: bool = False) -> bytes:
    size = (side - 1).to_bytes(3, "little")
    chunk = b"VP8X" + struct.pack("<I", 10) + bytes([2 if animated else 0, 0, 0, 0]) + size + size
    return b"RIFF" + struct.pack("<I", 100) + b"WEBP" + chunk


def still_webp(side: int, kind: bytes) -> bytes:
    lossless = b"\x2f" + ((side - 1) | (side - 1) << 14).to_bytes(4, "little") + bytes(5)
    lossy = b"\x00\x00\x00\x9d\x01\x2a" + struct.pack("<HH", side, side)
    return b"RIFF" + bytes(4) + b"WEBP" + kind + bytes(4) + (lossless if kind == b"VP8L" else lossy)


@pytest.mark.parametrize(
    ("first_bytes", "mime_type"),
    [
        (JPEG, "image/jpeg"),
        (PNG, "image/png"),
        (webp(), "image/webp"),
        (ftyp(b"isom"), "video/mp4"),
        (ftyp(b"mp42"), "video/mp4"),
        (ftyp(b"3gp5"), "video/3gpp"),
        (ftyp(b"M4A "), "audio/mp4"),
        (ftyp(b"qt  "), None),
        (ftyp(b"heic"), None),
        (ogg(), "audio/ogg"),
        (b"ID3\x04\x00", "audio/mpeg"),
        (b"\xff\xfb\x90\x64\x00", "audio/mpeg"),
        (b"\xff\xf3\x90\x64\x00", "audio/mpeg"),
        (b"\xff\xf1\x50\x80\x00", "audio/aac"),
        (b"\xff\xf9\x50\x80\x00", "audio/aac"),
        (b"#!AMR\n\x3c", "audio/amr"),
        (PDF, "application/pdf"),
        (ZIP, "application/zip"),
        (OLE, "application/x-ole-storage"),
        ("Olá, tudo bem?\n".encode(), "text/plain"),
        ("Olá".encode("latin-1"), "text/plain"),
        ("Olá".encode("utf-16"), "text/plain"),
        (EXE, None),
        (GIF, None),
        (b"\x7fELF\x02\x01", None),
        (b"", None),
    ],
)
def test_first_bytes_tell_what_it_is(first_bytes: bytes, mime_type: str | None) -> None:
    assert sniff(first_bytes) == mime_type


@pytest.mark.parametrize(
    ("kind", "declared", "filename", "first_bytes", "mime_type"),
    [
        (MediaType.IMAGE, "image/jpeg", "a.jpg", JPEG, "image/jpeg"),
        (MediaType.IMAGE, "image/jpg", None, JPEG, "image/jpeg"),
        (MediaType.IMAGE, None, None, PNG, "image/png"),
        (MediaType.VIDEO, "video/mp4", None, ftyp(b"isom"), "video/mp4"),
        (MediaType.AUDIO, "audio/mp4", None, ftyp(b"isom"), "audio/mp4"),
        (MediaType.AUDIO, "application/octet-stream", None, ftyp(b"isom"), "audio/mp4"),
        (MediaType.AUDIO, "audio/ogg; codecs=opus", None, ogg(), "audio/ogg"),
        (MediaType.AUDIO, "audio/aac", None, b"ID3\x04", "audio/aac"),
        (MediaType.AUDIO, "audio/mp3", None, b"ID3\x04", "audio/mpeg"),
        (MediaType.DOCUMENT, "application/pdf", None, PDF, "application/pdf"),
        (MediaType.DOCUMENT, DOCX, None, ZIP, DOCX),
        (MediaType.DOCUMENT, "application/octet-stream", "Plan.XLSX", ZIP, XLSX),
        (MediaType.DOCUMENT, None, "letter.doc", OLE, "application/msword"),
        (MediaType.DOCUMENT, "text/plain", "a.csv", b"a;b\n", "text/plain"),
        (MediaType.STICKER, "image/webp", None, webp(), "image/webp"),
        (MediaType.STICKER, "image/webp", None, still_webp(512, b"VP8L"), "image/webp"),
        (MediaType.STICKER, "image/webp", None, still_webp(512, b"VP8 "), "image/webp"),
    ],
)
def test_what_meta_takes_is_told_by_its_mime_type(
    kind: MediaType, declared: str | None, filename: str | None, first_bytes: bytes, mime_type: str
) -> None:
    assert check_upload(kind, Upload(declared, filename, 1000, first_bytes)) == mime_type


@pytest.mark.parametrize(
    ("kind", "declared", "first_bytes", "told"),
    [
        (
            MediaType.IMAGE,
            "image/webp",
            webp(),
            "file is image/webp by its first bytes; as image Meta takes image/jpeg,",
        ),
        (MediaType.IMAGE, "image/jpeg", webp(), "file is image/webp by its first bytes"),
        (MediaType.IMAGE, "image/gif", GIF, "file is of no type that Meta takes"),
        (MediaType.IMAGE, "image/png", JPEG, "file is declared as image/png, but looks like image/jpeg"),
        (MediaType.IMAGE, "kiwi\n", JPEG, "file is declared as something odd;"),
        (MediaType.DOCUMENT, "application/pdf", EXE, "file is of no type that Meta takes, by its first bytes"),
        (
            MediaType.DOCUMENT,
            "application/pdf",
            ZIP,
            "file is declared as application/pdf, but looks like application/z",
        ),
        (MediaType.DOCUMENT, "application/zip", ZIP, "file is declared as application/zip; as document Meta takes"),
        (MediaType.DOCUMENT, None, ZIP, "file may be any of application/vnd"),
        (MediaType.AUDIO, "video/mp4", ftyp(b"isom"), "file is declared as video/mp4; as audio Meta takes"),
        (MediaType.AUDIO, "audio/ogg", ogg(2), "file is Ogg with something else than one channel of Opus"),
        (MediaType.AUDIO, "audio/ogg", ogg(1, b"\x01vorbis!"), "file is Ogg with something else"),
        (MediaType.STICKER, "image/webp", webp(256), "file has 256 x 256 pixels; a sticker has 512 x 512"),
        (MediaType.STICKER, "image/webp", webp()[:25], "file has an odd WebP header"),
    ],
)
def test_what_meta_does_not_take_is_refused(
    kind: MediaType, declared: str | None, first_bytes: bytes, told: str
) -> None:
    with pytest.raises(NotSendable) as refused:
        check_upload(kind, Upload(declared, "kiwi.pdf" if kind == MediaType.DOCUMENT else None, 1000, first_bytes))
    assert str(refused.value).startswith(told)
    assert "kiwi" not in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "first_bytes", "limit", "told"),
    [
        (MediaType.IMAGE, JPEG, 5 * MB, "5.1 MB; as image Meta takes at most 5 MB: make it smaller or send it as"),
        (MediaType.VIDEO, ftyp(b"mp42"), 16 * MB, "16.1 MB; as video Meta takes at most 16 MB"),
        (MediaType.AUDIO, b"ID3\x04", 16 * MB, "16.1 MB; as audio Meta takes at most 16 MB"),
        (MediaType.DOCUMENT, PDF, MAX_UPLOAD, "100.1 MB; as document Meta takes at most 100 MB: make it smaller."),
        (MediaType.STICKER, webp(), 100 * KB, "100.1 KB; as still sticker Meta takes at most 100 KB"),
        (MediaType.STICKER, webp(animated=True), 500 * KB, "500.1 KB; as sticker Meta takes at most 500 KB"),
    ],
)
def test_the_limits_of_size(kind: MediaType, first_bytes: bytes, limit: int, told: str) -> None:
    assert check_upload(kind, Upload(None, None, limit, first_bytes))
    with pytest.raises(NotSendable) as refused:
        check_upload(kind, Upload(None, None, limit + 1, first_bytes))
    assert told in str(refused.value)


def test_empty_files_and_voice_messages() -> None:
    with pytest.raises(NotSendable, match="is empty"):
        check_upload(MediaType.DOCUMENT, Upload("text/plain", "a.txt", 0, b""))
    assert check_upload(MediaType.AUDIO, Upload(None, None, 1000, ogg()), voice=True) == "audio/ogg"
    with pytest.raises(NotSendable, match="voice cannot go with audio/mpeg"):
        check_upload(MediaType.AUDIO, Upload(None, None, 1000, b"ID3\x04"), voice=True)

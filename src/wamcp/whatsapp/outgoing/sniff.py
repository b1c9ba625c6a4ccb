"""What a file is by its first bytes, whatever it is called."""

import struct
from typing import NamedTuple

ZIP = "application/zip"
"""What Word, Excel and PowerPoint keep their newer documents in; which of them it is the first bytes do not tell."""
OLE = "application/x-ole-storage"
"""The same for their older documents."""

_BEGINNINGS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"#!AMR", "audio/amr"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", ZIP),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OLE),
)
_AUDIO_BRANDS = (b"M4A ", b"M4B ", b"M4P ")
_OTHER_BRANDS = (
    b"qt  ",
    b"heic",
    b"heix",
    b"hevc",
    b"mif1",
    b"msf1",
    b"avif",
    b"avis",
    b"3g2a",
    b"3g2b",
    b"3g2c",
    b"crx ",
)


class Webp(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int
    is_animated: bool


def sniff(first_bytes: bytes) -> str | None:
    """The mime type of a file that begins so, None for what Meta does not take. A few hundred bytes are enough."""
    for beginning, mime_type in _BEGINNINGS:
        if first_bytes.startswith(beginning):
            return mime_type
    if first_bytes[:4] == b"RIFF" and first_bytes[8:12] == b"WEBP":
        return "image/webp"
    if first_bytes[4:8] == b"ftyp":
        return _of_brand(first_bytes[8:12])
    if _is_text(first_bytes):
        return "text/plain"
    if len(first_bytes) > 1 and first_bytes[0] == 0xFF and first_bytes[1] & 0xE0 == 0xE0:
        return _of_frame(first_bytes[1])
    return None


def webp_of(first_bytes: bytes) -> Webp | None:
    """The size of a WebP image, None where its header is odd. It needs 30 bytes."""
    kind, data = first_bytes[12:16], first_bytes[20:30]
    if len(data) < 10:
        return None
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (4, 7))
        return Webp(width, height, bool(data[0] & 0x02))
    if kind == b"VP8L" and data[0] == 0x2F:
        bits = int.from_bytes(data[1:5], "little")
        return Webp((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, False)
    if kind == b"VP8 " and data[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack("<HH", data[6:10])
        return Webp(width & 0x3FFF, height & 0x3FFF, False)
    return None


def opus_channels(first_bytes: bytes) -> int | None:
    """How many channels an Ogg file with Opus in it has, None where it holds something else. It needs 300 bytes."""
    at = first_bytes.find(b"OpusHead", 27, 300)
    return first_bytes[at + 9] if at > 0 and len(first_bytes) > at + 9 else None


def _of_brand(brand: bytes) -> str | None:
    if brand in _OTHER_BRANDS:
        return None
    if brand in _AUDIO_BRANDS:
        return "audio/mp4"
    return "video/3gpp" if brand.startswith(b"3g") else "video/mp4"


def _of_frame(second: int) -> str | None:
    """Frames of MP3 are of layer III; those of AAC (ADTS) have none. UTF-16 begins like a frame of layer I."""
    if second & 0x06 == 0x02:
        return "audio/mpeg"
    return "audio/aac" if second & 0xF6 == 0xF0 else None


def _is_text(first_bytes: bytes) -> bool:
    if not first_bytes:
        return False
    if first_bytes.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    return not any((byte < 32 and byte not in b"\t\n\f\r") or byte == 127 for byte in first_bytes)

"""Pictures are opened without trusting them, and made as a reader likes them."""

import io
import struct
import zlib

import pytest
from PIL import Image, ImageDraw, ImageStat

from tests.drawing import ENGLISH, as_file, see_through, slip
from wamcp.documents.ocr.prepare import CannotRead, check_size, for_tesseract, open_picture


def png_that_says(width: int, height: int) -> io.BytesIO:
    """A PNG whose header promises so many pixels, and hardly any data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))


@pytest.mark.parametrize(
    ("width", "height"),
    [(60_000, 60_000), (12_000, 12_000), (7_100, 7_100), (1, 2_000_000), (2_000_000, 1), (2_100, 100)],
)
def test_bombs_are_refused_by_their_header(width: int, height: int) -> None:
    with pytest.raises(CannotRead) as refused:
        open_picture(png_that_says(width, height))
    assert refused.value.word == "bomb"


def test_the_largest_and_the_longest_picture_that_is_read() -> None:
    check_size(5_000, 10_000)
    check_size(100, 2_000)


def test_what_is_no_picture_is_unsupported_and_what_is_half_a_one_is_broken() -> None:
    photo = as_file(slip(ENGLISH), "JPEG").getvalue()
    png = as_file(slip(ENGLISH)).getvalue()
    drawing = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"
    for content, word in (
        (b"", "unsupported"),
        (b"hello, I am a text", "unsupported"),
        (drawing, "unsupported"),
        (photo[: len(photo) // 2], "broken"),
        (png[: len(png) // 2], "broken"),
        (png_that_says(900, 900).getvalue(), "broken"),
    ):
        with pytest.raises(CannotRead) as refused:
            open_picture(io.BytesIO(content))
        assert refused.value.word == word, content[:20]


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *((kind, "L") for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")),
        *((kind, "RGBA") for kind in ("PNG", "WEBP", "TIFF")),
        *(("JPEG", mode) for mode in ("RGB", "CMYK")),
        *(("PNG", mode) for mode in ("1", "LA", "P", "I;16")),
    ],
)
def test_every_kind_and_mode_becomes_dark_letters_on_white(kind: str, mode: str) -> None:
    wanted = slip(ENGLISH)
    if mode == "I;16":
        grey = wanted.convert("L")
        picture = Image.frombytes("I;16", grey.size, b"".join(bytes((shade, shade)) for shade in grey.tobytes()))
    else:
        picture = see_through(wanted).convert(mode) if mode in ("LA", "RGBA") else wanted.convert(mode)
    opened = open_picture(as_file(picture, kind))
    assert opened.mode in ("L", "RGB") and opened.size == wanted.size
    difference = ImageStat.Stat(opened.convert("L")).mean[0] - ImageStat.Stat(wanted.convert("L")).mean[0]
    assert abs(difference) < 2


def test_the_way_the_camera_was_held_is_undone() -> None:
    upright = Image.new("RGB", (300, 200), "white")
    ImageDraw.Draw(upright).rectangle((0, 0, 50, 50), "black")
    exif = Image.Exif()
    exif[274] = 6
    sideways = upright.transpose(Image.Transpose.ROTATE_90)
    opened = open_picture(as_file(sideways, "JPEG", exif=exif, quality=95))
    assert opened.size == (300, 200)
    assert max(opened.getpixel((20, 20))) < 40 and min(opened.getpixel((280, 180))) > 215  # type: ignore[type-var]


def test_large_photos_are_decoded_smaller_but_not_below_a_printed_page() -> None:
    opened = open_picture(as_file(Image.new("L", (5_200, 7_300), 255), "JPEG"))
    assert max(opened.size) == 3_650
    assert open_picture(as_file(Image.new("L", (2_400, 3_400), 255), "JPEG")).size == (2_400, 3_400)


def test_tesseract_gets_grey_dark_on_light_and_large_enough() -> None:
    dim = slip(ENGLISH, letters=12, width=300, ink="#bbbbbb", paper="#333333")
    clean = for_tesseract(dim)
    assert clean.mode == "L" and min(clean.size) > 700
    assert clean.getextrema() == (0, 255)
    assert ImageStat.Stat(clean).median[0] > 200
    assert clean.width / clean.height == pytest.approx(dim.width / dim.height, rel=0.01)


def test_huge_pages_are_shrunk_for_tesseract() -> None:
    clean = for_tesseract(Image.new("L", (5_000, 9_000), 255))
    assert 11_000_000 < clean.width * clean.height <= 12_010_000

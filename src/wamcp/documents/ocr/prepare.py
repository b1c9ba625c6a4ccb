"""A picture on its way to being read: opened without trusting it, and made as the readers like it."""

import struct
import warnings
from typing import BinaryIO

from PIL import Image, ImageOps, ImageStat, UnidentifiedImageError

from wamcp.errors import WamcpError

MAX_PIXELS = 50_000_000
MAX_ASPECT = 20
"""A picture longer than so many times its width is no document, and a few kB of it can cost a reader gigabytes."""
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""What is decoded at all; some telephones' JPEGs are MPO, which Pillow opens as JPEG."""
LONG_SIDE = 3508
"""A4 at 300 dpi. Larger JPEGs are decoded at a half, a quarter or an eighth of their size, as long as this is left."""
SMALL_SIDE = 1000
MAX_ENLARGEMENT = 4.0
PAGE_PIXELS = 12_000_000
DARK = 100
"""Of 255. A picture whose middle shade is darker has light letters on dark ground."""

FAINT = 16
"""Of 255: so little between the darkest and the lightest point is no letter."""

Image.MAX_IMAGE_PIXELS = MAX_PIXELS


class CannotRead(WamcpError):
    """The picture cannot be read; ``word`` says why.

    ``bomb`` (too large, or of a shape that is no document's), ``broken``, ``unsupported`` (no format that is read),
    ``no_ocr`` (no reader is installed), ``slow`` (none came to an end) or ``ocr_failed`` (every reader failed).
    """

    def __init__(self, word: str) -> None:
        super().__init__(f"The picture cannot be read: {word}.")
        self.word = word


def open_picture(file: BinaryIO) -> Image.Image:
    """The first picture of ``file``, decoded, as its camera held it, in grey (``L``) or ``RGB`` on white.

    Raises CannotRead and nothing else, whatever the bytes are; sizes are checked before anything is decoded.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _decode(file)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError, MemoryError) as error:
        raise CannotRead("bomb") from error
    except UnidentifiedImageError as error:
        raise CannotRead("unsupported") from error
    except (OSError, ValueError, SyntaxError, TypeError, LookupError, ArithmeticError, struct.error) as error:
        raise CannotRead("broken") from error


def for_tesseract(picture: Image.Image) -> Image.Image:
    """Grey, dark on light, its contrast stretched, its shorter side about 1000 pixels or more, 12 MP at most."""
    grey = picture if picture.mode == "L" else picture.convert("L")
    if _middle_shade(grey) < DARK:
        grey = ImageOps.invert(grey)
    width, height = grey.size
    scale = min(max(1.0, SMALL_SIDE / min(width, height)), MAX_ENLARGEMENT, (PAGE_PIXELS / (width * height)) ** 0.5)
    if scale != 1.0:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        grey = grey.resize(size, Image.Resampling.LANCZOS)
    return ImageOps.autocontrast(grey, cutoff=0.5)


def check_size(width: int, height: int) -> None:
    """Raises CannotRead (``bomb``) for pictures that are too large or too long to be a document."""
    if width * height > MAX_PIXELS or max(width, height) > MAX_ASPECT * min(width, height):
        raise CannotRead("bomb")


def is_blank(picture: Image.Image) -> bool:
    """Whether there is nothing on it, not even faint letters."""
    low, high = ImageStat.Stat(picture.convert("L")).extrema[0]
    return high - low < FAINT


def _decode(file: BinaryIO) -> Image.Image:
    opened: Image.Image = Image.open(file, formats=FORMATS)
    check_size(*opened.size)
    if opened.format in ("JPEG", "MPO"):
        # Pillow takes the smallest eighths that leave both sides at least this long.
        share = min(1.0, LONG_SIDE / max(opened.size))
        opened.draft(None, (max(1, int(opened.width * share)), max(1, int(opened.height * share))))
    opened.load()
    return _plain(ImageOps.exif_transpose(opened))


def _plain(picture: Image.Image) -> Image.Image:
    """The picture as ``L`` or ``RGB``; what is transparent shows white paper."""
    if picture.mode.startswith("I"):
        # Sixteen bits of grey; Pillow's own conversion cuts off instead of dividing.
        return picture.convert("I").point(lambda value: value / 256).convert("L")
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        over = picture.convert("RGBA")
        paper = Image.new("RGBA", over.size, "white")
        return Image.alpha_composite(paper, over).convert("RGB")
    if picture.mode in ("1", "L"):
        return picture.convert("L")
    return picture.convert("RGB")


def _middle_shade(grey: Image.Image) -> int:
    counts = grey.histogram()
    left = sum(counts) / 2
    for shade, count in enumerate(counts):
        left -= count
        if left <= 0:
            return shade
    return len(counts) - 1

"""Which way up a picture is: a reader that is unsure sees it turned, as told by its letters or by trying."""

from collections.abc import Callable

from PIL import Image

from wamcp.documents.ocr.patience import Patience
from wamcp.documents.ocr.reading import Reading

_TURNS = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}
"""Pillow counts against the clock, we with it."""


def turned(picture: Image.Image, degrees: int) -> Image.Image:
    """The picture turned clockwise by 0, 90, 180 or 270 degrees; nothing is lost."""
    return picture.transpose(_TURNS[degrees]) if degrees else picture


def best_of_turns(first: Reading, read: Callable[[int], Reading], sure: float, patience: Patience) -> Reading:
    """The reading of most worth, of ``first`` and those at the other turns; one that is ``sure`` ends it.

    ``read`` reads the picture turned by so many degrees. It also ends when ``patience`` does.
    """
    best = first
    for degrees in (0, 180, 270, 90):
        if degrees == first.rotation or best.confidence >= sure or patience.is_thin():
            continue
        try:
            other = read(degrees)
        except RuntimeError:
            break
        if other.worth > best.worth:
            best = other
    return best

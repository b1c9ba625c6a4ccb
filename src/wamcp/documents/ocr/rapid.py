"""The better reader of photographs: RapidOCR, from the extra ``ocr``, with the models of its wheel and one thread."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from PIL import Image

from wamcp.documents.ocr.patience import Patience
from wamcp.documents.ocr.reading import Piece, Reading, reading_of
from wamcp.documents.ocr.turn import turned

SCRIPTS = ("Latin", "Fraktur", "Han", "Japanese")
"""What the letters of its model are of; it knows no Korean, and only letters of Greek for formulas."""
SURE = 0.88
"""Upright text in its scripts is read at 0.95 and more, upside down at 0.7 to 0.8."""
LOOK_SIDE = 736
"""Letters are looked for in the picture shrunk to this, and read in the picture itself."""
READ_SIDE = 2000
READ_SHAPE = [3, 48, 64]
"""Colours, height, least width of a line that is read; RapidOCR's own 320 is mostly blank paper beside an amount."""
UNREAD = "\ufffd"
LONG = 3.0
"""A picture longer than so many times its width is read in strips, or its letters would shrink away."""
SHARE_UPRIGHT = 1.5


def available() -> bool:
    """Whether the extra ``ocr`` is installed, with its models; nothing is ever fetched."""
    try:
        return find_spec("rapidocr") is not None and find_spec("onnxruntime") is not None and len(_models()) == 2
    except (ImportError, ValueError):
        return False


@cache
def version() -> str:
    """As ``3.10.0``."""
    return metadata.version("rapidocr")


def read(picture: Image.Image, patience: Patience) -> Reading:
    """Reads an ``L`` or ``RGB`` picture, whichever way up; boxes are relative to the picture turned upright.

    It reads words in a sideways line by turning them against the clock: if they then make sense, so does the picture.
    Raises whatever its libraries raise, MemoryError included.
    """
    picture = picture.convert("RGB")
    quads = _see(picture)
    first = _reading(quads, picture.size)
    sideways = sum(_is_upright(corners) for corners, _, _ in quads) * 2 > len(quads)
    if not sideways and (first.confidence >= SURE or not quads):
        return first
    likely = (270, 90) if first.confidence >= SURE else (90, 270)
    best = first
    for degrees in likely if sideways else (180,):
        if patience.is_thin():
            break
        upright = turned(picture, degrees)
        second = replace(_reading(_see(upright), upright.size), rotation=degrees)
        if second.worth > best.worth or (sideways and best is first):
            best = second
        if best.confidence >= SURE:
            break
    return best


Quad = tuple[list[tuple[float, float]], str, float]
"""Four corners (of the first letter's top, then clockwise), text, confidence."""


def _see(picture: Image.Image) -> list[Quad]:
    import numpy

    found: list[Quad] = []
    for top, strip in _strips(picture):
        strip.thumbnail((READ_SIDE, READ_SIDE), Image.Resampling.LANCZOS)
        scale = picture.width / strip.width
        # OpenCV counts blue, green, red.
        seen = _reader()(numpy.ascontiguousarray(numpy.asarray(strip)[:, :, ::-1]))
        for box, text, sure in zip(_listed(seen.boxes), seen.txts or (), seen.scores or (), strict=True):
            corners = [(x * scale, y * scale + top) for x, y in box.tolist()]
            found.append((corners, *(_unread(corners) if text == UNREAD else (text.strip(), float(sure)))))
    return found


def _unread(corners: Sequence[tuple[float, float]]) -> tuple[str, float]:
    """As many letters as would stand there, none of them sure: what is written in another script."""
    sides = sorted((math.dist(corners[0], corners[1]), math.dist(corners[0], corners[3])))
    return UNREAD * max(1, round(2 * sides[1] / max(1.0, sides[0]))), 0.0


def _listed(boxes: Any) -> list[Any]:
    return [] if boxes is None else list(boxes)


def _strips(picture: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """The picture, or pieces of a long one from top to bottom, each with where it begins; cut where nothing stands."""
    import numpy

    width, height = picture.size
    top = 0
    if height > LONG * width:
        restless = numpy.asarray(picture.convert("L")).std(axis=1)
        while height - top > 2 * width:
            low, high = top + int(1.4 * width), top + int(1.9 * width)
            cut = low + int(restless[low:high].argmin())
            yield top, picture.crop((0, top, width, cut))
            top = cut
    yield top, picture.crop((0, top, width, height))


def _reading(quads: list[Quad], size: tuple[int, int]) -> Reading:
    slope = _slope(quads)
    pieces = []
    for corners, text, sure in quads:
        across, down = [x for x, _ in corners], [y for _, y in corners]
        box = (min(across), min(down), max(across), max(down))
        middle = sum(down) / 4 - slope * sum(across) / 4
        pieces.append(Piece(text, box, sure, middle, math.dist(corners[0], corners[3])))
    return reading_of(pieces, size, f"rapidocr {version()}")


def _slope(quads: list[Quad]) -> float:
    """How much lines fall from left to right, 0 when they are level: the median of the long ones."""
    slopes = []
    for (left, right, _, below), _, _ in quads:
        if math.dist(left, right) > 4 * math.dist(left, below) and right[0] > left[0]:
            slopes.append((right[1] - left[1]) / (right[0] - left[0]))
    return median(slopes) if slopes else 0.0


def _is_upright(corners: list[tuple[float, float]]) -> bool:
    """Whether a box stands rather than lies; RapidOCR turns those, by the same measure."""
    return math.dist(corners[0], corners[3]) >= SHARE_UPRIGHT * math.dist(corners[0], corners[1])


def _models() -> list[Path]:
    """The models in the wheel that find letters and read them."""
    spec = find_spec("rapidocr")
    places = spec.submodule_search_locations if spec else None
    where = Path(places[0]) / "models" if places else Path()
    return [path for kind in ("det", "rec") for path in sorted(where.glob(f"*_{kind}_*.onnx"))[:1]]


@contextmanager
def _quick_yaml() -> Iterator[None]:
    """RapidOCR reads 85 kB of YAML twice when it is imported: with PyYAML's slow loader that is a second."""
    yaml: Any = import_module("yaml")
    slow = yaml.SafeLoader
    if yaml.__with_libyaml__:
        yaml.SafeLoader = yaml.CSafeLoader
    try:
        yield
    finally:
        yaml.SafeLoader = slow


@cache
def _reader() -> Any:
    with _quick_yaml():
        return _loaded()


def _loaded() -> Any:
    from rapidocr import RapidOCR

    class Reader(RapidOCR):
        """RapidOCR forgets the boxes in which it found no letter it knows; we have to know of them."""

        def run_ocr_steps(self, *given: Any) -> Any:
            places, turns, words, pieces = super().run_ocr_steps(*given)
            if words.txts is not None:
                words.txts = tuple(text if text.strip() else UNREAD for text in words.txts)
            return places, turns, words, pieces

    finds, reads = _models()
    return Reader(
        params={
            "Global.log_level": "critical",
            "Global.use_cls": False,
            "Global.text_score": 0.0,
            "Global.max_side_len": READ_SIDE,
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            "EngineConfig.onnxruntime.enable_cpu_mem_arena": False,
            "Det.model_path": str(finds),
            "Det.limit_type": "max",
            "Det.limit_side_len": LOOK_SIDE,
            "Rec.model_path": str(reads),
            "Rec.rec_batch_num": 1,
            "Rec.rec_img_shape": READ_SHAPE,
        }
    )

"""The reader that is there wherever the program tesseract is: pages and scripts of every kind, by language packs."""

import contextlib
import ctypes
import os
import resource
import shutil
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import groupby
from typing import Any

import pytesseract
from PIL import Image
from pytesseract import pytesseract as program

from wamcp.documents.ocr import languages as spoken
from wamcp.documents.ocr.patience import Patience
from wamcp.documents.ocr.prepare import for_tesseract
from wamcp.documents.ocr.reading import Piece, Reading, joined, reading_of
from wamcp.documents.ocr.turn import best_of_turns, turned

SURE = 0.7
"""The mean confidence of what is upright and in one of the languages; other ways up it stays below 0.5."""
LIKELY = 0.5
"""Enough when tesseract had said before which way is up."""
OSD_SURE = 2.0
"""Tesseract's own measure. Where it was wrong about receipts it was at 1.6 or less."""
SCRIPT_SURE = 1.0
LOOK_SIDE = 1600
"""In pixels; enough to see which way up a page is."""
FEW = 8
"""So few letters are no reason to be sure of anything."""
KEPT = 0.25
_PIPE_SETTINGS = program.subprocess_args
_LIBC = ctypes.CDLL(None)
_SET_DEATH_SIGNAL = 1


def available() -> bool:
    """Whether the program and a language pack are there."""
    return shutil.which(program.tesseract_cmd) is not None and bool(spoken.usable([], languages_installed()))


@cache
def languages_installed() -> tuple[str, ...]:
    """The language packs that are there, by tesseract's names (``eng``, ``osd`` ...); empty without the program."""
    try:
        return tuple(pytesseract.get_languages())
    except (pytesseract.TesseractNotFoundError, OSError):
        return ()


def languages_missing(languages: str) -> list[str]:
    """Those of ``eng+por`` for which there is no pack."""
    return [name for name in spoken.named(languages) if name not in languages_installed()]


@cache
def version() -> str:
    """As ``5.3.0``."""
    return str(pytesseract.get_tesseract_version())


def read(picture: Image.Image, languages: str, scan: bool, patience: Patience) -> Reading:
    """Reads an ``L`` or ``RGB`` picture in those of ``languages`` (``eng+por``) that are installed, whichever way up.

    ``scan`` says that it is a page, with columns and blocks, rather than a photographed slip. Boxes are relative to
    the picture turned upright. Raises RuntimeError when the program fails or ``patience`` ends before the first try.
    """
    clean = for_tesseract(picture)
    chosen = spoken.usable(spoken.named(languages), languages_installed())
    degrees, script = _orientation(clean, patience)
    if script:
        chosen = spoken.with_script(chosen, script, languages_installed())

    def read_turned(by: int) -> Reading:
        return replace(_read(turned(clean, by), chosen, scan, patience), rotation=by)

    first = read_turned(degrees or 0)
    if first.confidence >= (SURE if degrees is None else LIKELY) and len(first.text) >= FEW:
        return first
    return best_of_turns(first, read_turned, SURE, patience)


def _orientation(clean: Image.Image, patience: Patience) -> tuple[int | None, str | None]:
    """Degrees clockwise to upright and the script, each None where tesseract does not know (or has no osd pack)."""
    if "osd" not in languages_installed():
        return None, None
    try:
        small = clean.copy()
        small.thumbnail((LOOK_SIDE, LOOK_SIDE))
        small.format = "PPM"
        with _tame(patience):
            seen = pytesseract.image_to_osd(small, output_type=pytesseract.Output.DICT, timeout=patience.left() / 4)
    except (RuntimeError, ValueError, KeyError):
        return None, None
    degrees = int(seen["rotate"]) if float(seen["orientation_conf"]) >= OSD_SURE else None
    return degrees, str(seen["script"]) if float(seen["script_conf"]) >= SCRIPT_SURE else None


def _read(clean: Image.Image, chosen: Sequence[str], scan: bool, patience: Patience) -> Reading:
    # As a bitmap: quicker to write than PNG, and within the 32 MB that a child may write.
    clean.format = "PPM"
    with _tame(patience):
        table = pytesseract.image_to_data(
            clean,
            lang="+".join(chosen),
            config=f"--psm {3 if scan else 6}",
            output_type=pytesseract.Output.DICT,
            timeout=patience.left(),
        )
    words = list(_words(table))
    reading = reading_of([piece for _, piece in words], clean.size, _engine(chosen), KEPT)
    return replace(reading, text=_in_blocks(words)) if scan else reading


def _engine(chosen: Sequence[str]) -> str:
    return f"tesseract {version()} {'+'.join(chosen)}"


def _words(table: dict[str, list[Any]]) -> Iterator[tuple[tuple[int, int, int], Piece]]:
    """Every word with its (block, paragraph, line), in tesseract's order."""
    middle, height = 0.0, 1.0
    names = ("level", "left", "top", "width", "height", "block_num", "par_num", "line_num", "conf", "text")
    for level, left, top, wide, high, block, par, line, sure, text in zip(*(table[n] for n in names), strict=True):
        if level == 4:
            middle, height = top + high / 2, float(high)
        elif level == 5 and (word := str(text).strip()) and float(sure) >= 0:
            box = (float(left), float(top), float(left + wide), float(top + high))
            yield (block, par, line), Piece(word, box, float(sure) / 100, middle, height)


def _in_blocks(words: Sequence[tuple[tuple[int, int, int], Piece]]) -> str:
    """The page as it is read: column after column, an empty line between blocks."""
    kept = [(place, piece) for place, piece in words if piece.confidence >= KEPT]
    blocks = []
    for _, block in groupby(kept, key=lambda word: word[0][0]):
        lines = [[piece for _, piece in line] for _, line in groupby(block, key=lambda word: word[0])]
        blocks.append("\n".join(joined(line) for line in lines))
    return "\n\n".join(blocks)


@contextlib.contextmanager
def _tame(patience: Patience) -> Iterator[None]:
    """Lets tesseract use one thread, few CPU seconds, and die with this process; pytesseract has no way to say so."""

    def settings(include_stdout: bool = True) -> dict[str, Any]:
        limited: dict[str, Any] = _PIPE_SETTINGS(include_stdout)
        environment = os.environ | {"OMP_THREAD_LIMIT": "1"}
        return limited | {"env": environment, "preexec_fn": lambda: _die_with_parent(patience)}

    program.subprocess_args = settings
    try:
        with warnings.catch_warnings():
            # Python 3.12 warns of `preexec_fn` beside threads: ours takes no lock, it only makes two system calls.
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        program.subprocess_args = _PIPE_SETTINGS


def _die_with_parent(patience: Patience) -> None:
    if sys.platform == "linux":
        _LIBC.prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    seconds = max(1, round(patience.cpu_left()))
    seconds = seconds if hard == resource.RLIM_INFINITY else min(hard, seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, hard))

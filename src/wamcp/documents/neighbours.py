"""The parts that read pictures, layouts and fields, as far as they are installed; looked up in the child."""

import importlib
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from wamcp.documents.shapes import Line, Page

ReadPicture = Callable[[Any, str, str], Page]
OpenPicture = Callable[[BinaryIO], Any]
LinesOf = Callable[[Any], list[Line]]
ReadFields = Callable[[list[Page], list[bytes]], dict[str, Any]]


def _find(module: str, name: str) -> Any:
    try:
        return getattr(importlib.import_module(f"wamcp.documents.{module}"), name, None)
    except ImportError:
        return None


def read_picture() -> ReadPicture | None:
    """``(picture, languages, engine) -> Page``: a Pillow picture read by a machine."""
    return cast(ReadPicture | None, _find("ocr", "read_picture"))


def open_picture() -> OpenPicture | None:
    """``(file) -> picture``: opened, refused when it is a bomb, upright and without transparency."""
    return cast(OpenPicture | None, _find("ocr", "open_picture"))


def lines_of() -> LinesOf | None:
    """``(page of pypdfium2) -> lines``."""
    return cast(LinesOf | None, _find("layout", "lines_of"))


def read_fields() -> ReadFields | None:
    """``(pages, attachments) -> fields``."""
    return cast(ReadFields | None, _find("invoice", "read_fields"))

"""The parts that read pictures, layouts and fields, as far as they are installed; looked up in the child."""

import importlib
import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO, cast

from wamcp.documents.shapes import Line, Page

ReadPicture = Callable[[Any, str, str], Page]
OpenPicture = Callable[[BinaryIO], Any]
LinesOf = Callable[[Any], list[Line]]
ReadFields = Callable[[list[Page], list[bytes]], dict[str, Any]]


def _find(name: str, *modules: str) -> Any:
    for module in modules:
        try:
            found = getattr(importlib.import_module(f"wamcp.documents.{module}"), name, None)
        except ImportError:
            continue
        if found is not None:
            return found
    return None


def read_picture(*, is_scan: bool) -> ReadPicture | None:
    """``(picture, languages, engine) -> Page``: a Pillow picture read by a machine; a page of paper or a photograph."""
    found = _find("read_picture", "ocr", "ocr.pick")
    if found is not None and "scan" in inspect.signature(found).parameters:
        found = partial(found, scan=is_scan)
    return cast(ReadPicture | None, found)


def open_picture() -> OpenPicture | None:
    """``(file) -> picture``: opened, refused when it is a bomb, upright and without transparency."""
    return cast(OpenPicture | None, _find("open_picture", "ocr", "ocr.prepare"))


def lines_of() -> LinesOf | None:
    """``(page of pypdfium2) -> lines``."""
    return cast(LinesOf | None, _find("lines_of", "layout"))


def read_fields() -> ReadFields | None:
    """``(pages, attachments) -> fields``."""
    return cast(ReadFields | None, _find("read_fields", "invoice", "invoice.fields"))

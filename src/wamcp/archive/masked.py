"""JSON of Meta's as an answer may carry it: phone numbers masked for whoever may not see them, nothing unsayable."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from wamcp.archive.parts import PHONE_KEYS
from wamcp.archive.shapes import mask

_PHONE_KEYS = PHONE_KEYS | {"name", "participant"}
_PHONE = re.compile(r"[\s+().\-/]*(?:[0-9][\s+().\-/]*){7,}")
_IDS_WITH_PHONES = ("wamid.", "wacid.")
_MAX_RAW = 20_000


def opened(written: str, *, phones: bool) -> Any:
    """The JSON in ``written``; with ``phones`` False without phone numbers.

    What Python cannot read (numbers of thousands of digits, endless nesting) comes as its first 20,000 characters, or
    as None where phone numbers could stand in them.
    """
    try:
        return _said(json.loads(written), phones)
    except (ValueError, RecursionError):
        return _sayable(written[:_MAX_RAW]) if phones else None


def without_phones(line: str, written: str) -> str:
    """``line`` with the phone numbers masked that ``written``, the JSON it was made of, holds under keys of phones."""
    try:
        digits = sorted(set(_digits(json.loads(written))), key=len, reverse=True)
    except (ValueError, RecursionError):
        return ""
    for number in digits:
        line = re.sub(rf"\+?{number}", lambda found: mask(found.group()), line)
    return line


def without_id(value: str | None, *, phones: bool) -> str | None:
    """``value``, or None when it is one of Meta's ids with a phone number in it and ``phones`` is False."""
    return None if value is not None and not phones and value.startswith(_IDS_WITH_PHONES) else value


def _said(value: Any, phones: bool, key: str = "") -> Any:
    if isinstance(value, dict):
        return {_sayable(name): _said(item, phones, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_said(item, phones, key) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if not phones and _is_phone(key, value):
        return mask(str(value))
    if isinstance(value, str):
        return without_id(_sayable(value), phones=phones)
    return value


def _digits(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _digits(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from _digits(item, key)
    elif _is_phone(key, value):
        yield re.sub("[^0-9]", "", str(value))


def _is_phone(key: str, value: Any) -> bool:
    return (
        key in _PHONE_KEYS
        and isinstance(value, str | int)
        and not isinstance(value, bool)
        and _PHONE.fullmatch(str(value)) is not None
    )


def _sayable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()

"""The tolerant way into JSON: what msgspec refuses or Postgres cannot store is mended, not lost."""

import json
import re
from typing import Any

import msgspec

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)
"""What decoding hostile bytes can raise; the other modules of this package catch exactly these."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_BACKSLASH = ord("\\")
_LONGEST_INTEGER = 18


def is_plain(body: bytes) -> bool:
    """Whether every string in ``body`` can be stored as it stands: UTF-8, and no escaped NUL.

    Lone surrogates need no look: msgspec refuses their escapes, UTF-8 their bytes.
    """
    if _BACKSLASH in body and body.find(b"\\u0000") >= 0:
        return False
    if body.isascii():
        return True
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def decode(raw: bytes | msgspec.Raw) -> Any:
    """The value written in ``raw``, with every string storable; raises one of ``UNREADABLE``."""
    data = bytes(raw)
    if is_plain(data):
        try:
            return msgspec.json.decode(data)
        except msgspec.MsgspecError:
            pass
    return _decode_tolerantly(data)


def repaired(body: bytes) -> bytes:
    """``body`` as JSON that msgspec reads and Postgres stores; raises one of ``UNREADABLE``."""
    return msgspec.json.encode(_decode_tolerantly(body))


def encode(value: Any) -> bytes:
    """``value``, decoded before, as JSON again; numbers that msgspec does not write are written all the same."""
    try:
        return msgspec.json.encode(value)
    except (OverflowError, *UNREADABLE):
        return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _decode_tolerantly(data: bytes) -> Any:
    text = data.decode("utf-8", "replace").removeprefix("\ufeff")
    return _clean(json.loads(text, strict=False, parse_int=_integer))


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else digits


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _UNSTORABLE.sub(REPLACEMENT, value)
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value

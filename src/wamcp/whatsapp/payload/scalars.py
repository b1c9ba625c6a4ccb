"""The small values of Meta's JSON, whose types vary between fields, samples and years."""

from typing import Annotated, Any

import msgspec

LATEST = 4_102_444_800
"""2100-01-01: a later time is a mistake, not a message from the future."""

LONGEST_ID = 512
"""Meta's longest identifiers have some 140 characters; Postgres cannot index several thousand."""

LONGEST_NAME = 512
"""Of a name or username; names are indexed too, and WhatsApp allows far less."""

Id = Annotated[str, msgspec.Meta(max_length=LONGEST_ID)]

_MILLISECONDS = 1_000_000_000_000
_USUAL_LENGTH = 10
_LONGEST_TIMESTAMP = 20


def string(value: object) -> str | None:
    """A word: a non-blank string, or an integer written as one; everything else is absent."""
    if isinstance(value, str):
        return value if value and not value.isspace() else None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def identifier(value: object) -> str | None:
    """An identifier of Meta's: a word of at most ``LONGEST_ID`` characters."""
    word = string(value)
    return word if word is not None and len(word) <= LONGEST_ID else None


def mapping(value: object) -> dict[str, Any]:
    """A JSON object, or nothing."""
    return value if isinstance(value, dict) else {}


def objects(value: object) -> list[dict[str, Any]]:
    """The objects of a JSON array; an object alone counts as an array of one."""
    if isinstance(value, dict):
        return [value]
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def unix_seconds(value: object) -> int | None:
    """Meta's timestamp as unix seconds: digits, a number, or milliseconds; None when it is none of these."""
    if isinstance(value, str):
        if len(value) == _USUAL_LENGTH and value.isascii() and value.isdigit():
            seconds = int(value)
            return seconds if 1 <= seconds <= LATEST else None
        value = _number(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    if value >= _MILLISECONDS:
        value = value / 1000
    return int(value) if 1 <= value <= LATEST else None


def _number(text: str) -> int | float | None:
    if len(text) > _LONGEST_TIMESTAMP or not text.isascii():
        return None
    if text.isdigit():
        return int(text)
    whole, _, rest = text.partition(".")
    return float(text) if whole.isdigit() and rest.isdigit() else None

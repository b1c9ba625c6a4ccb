"""What the JSON beside a row holds, as its bearer may see it: phone numbers masked, nothing that JSON cannot say."""

import json
import math
import re
from typing import Any

from wamcp.archive.scope import Scope
from wamcp.archive.shapes import looks_like_phone, mask

PHONE_KEYS = frozenset(
    {
        *("wa_id", "new_wa_id", "phone", "phone_number", "from", "to", "input", "customer", "user", "recipient"),
        *("recipient_id", "recipient_participant_id", "participant_recipient_id", "from_logical_id", "participant"),
    }
)
"""Keys under which Meta writes somebody's phone number."""
WRITTEN_OUT = frozenset({"contacts", "system"})
"""Parts, and types of messages, whose words hold phone numbers."""
MAX_RAW = 20_000
MAX_DEPTH = 100
"""What lies deeper in JSON is not shown."""
_ABOUT_WHAT_WAS_WRITTEN = WRITTEN_OUT | {"reaction"}
_PHONE_IN_TEXT = re.compile(r"(?<!\w)[+(]{0,2}[0-9](?:[\s+().\-/]{0,3}[0-9]){6,}(?!\w)")
_OPAQUE = ("wamid.", "wacid.")


def opened(written: str, scope: Scope) -> Any:
    """The JSON in ``written`` as the bearer may see it.

    What Python cannot read (numbers of thousands of digits, endless nesting) comes as its first 20,000 characters, or
    as None where phone numbers could stand in them.
    """
    try:
        return shown(json.loads(written), scope)
    except (ValueError, RecursionError):
        return _cleaned(written[:MAX_RAW]) if scope.phones else None


def shown(value: Any, scope: Scope) -> Any:
    """A JSON value as the bearer may see it: lone surrogates as question marks, None for numbers that are none.

    Without the right to phone numbers they are masked, and Meta's ids of messages, which hold them, are None.
    """
    return _cleaned(value) if scope.phones else _masked(_cleaned(value), None, whole=False)


def shown_text(kind: str, text: str, scope: Scope) -> str:
    """The text of a message of type ``kind``: phone numbers that Meta's JSON puts into it are masked like elsewhere."""
    return masked_words(text, scope) if kind in _ABOUT_WHAT_WAS_WRITTEN else text


def masked_words(text: str, scope: Scope) -> str:
    """``text`` with whatever looks like a phone number masked, unless the bearer may see phone numbers."""
    return text if scope.phones else _masked_words(text)


def _masked(value: Any, key: str | None, *, whole: bool) -> Any:
    if isinstance(value, dict):
        return {name: _masked(item, name, whole=whole or name in WRITTEN_OUT) for name, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, key, whole=whole) for item in value]
    if isinstance(value, str):
        if value.startswith(_OPAQUE):
            return None
        if key in PHONE_KEYS and looks_like_phone(value):
            return mask(value)
        return _masked_words(value) if whole else value
    if isinstance(value, int) and not isinstance(value, bool) and key in PHONE_KEYS and looks_like_phone(str(value)):
        return mask(str(value))
    return value


def _masked_words(text: str) -> str:
    return _PHONE_IN_TEXT.sub(lambda match: mask(match.group()), text)


def _cleaned(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, dict | list) and depth == MAX_DEPTH:
        return "…"
    if isinstance(value, dict):
        return {_cleaned(name): _cleaned(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list):
        return [_cleaned(item, depth + 1) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

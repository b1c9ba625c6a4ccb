"""How the builders check what people write, and how they say what is wrong with it."""

import math
import re
from typing import Any, NoReturn

from wamcp.errors import NotSendable

MAX_DEPTH = 20
MAX_REFERENCE = 400
"""Characters of an id of Meta's, with room to spare."""


def refuse(field: str, sentence: str) -> NoReturn:
    """Raises :class:`NotSendable`; ``sentence`` goes on after the field's name, without a full stop."""
    raise NotSendable(field, sentence)


def counted(count: int, thing: str) -> str:
    """``5,120 characters``, ``1 character``."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def words(field: str, value: object, limit: int, *, advice: str = "shorten it") -> str:
    """``value`` where it is text of 1 to ``limit`` characters and not blank. Raises :class:`NotSendable`."""
    if not isinstance(value, str):
        refuse(field, f"is {kind_of(value)}; write it as a string")
    if not value.strip():
        refuse(field, f"is blank; Meta takes 1 to {limit:,} characters: fill it in")
    if len(value) > limit:
        refuse(field, f"has {counted(len(value), 'character')}; Meta takes at most {limit:,}: {advice}")
    return value


def reference(field: str, value: str, what: str) -> str:
    """``value`` where it can be an id of Meta's: printable ASCII without blanks. Raises :class:`NotSendable`."""
    found = value.strip()
    if not found:
        refuse(field, f"is blank; write {what}")
    if len(found) > MAX_REFERENCE or not re.fullmatch(r"[!-~]+", found):
        refuse(
            field, f"is not {what}: it has blanks, odd characters or more than {MAX_REFERENCE} of them; copy it whole"
        )
    return found


def count(field: str, found: int, limit: int, thing: str) -> None:
    """Nothing where 1 to ``limit`` things were ``found``. Raises :class:`NotSendable`."""
    if found == 0:
        refuse(field, f"is empty; give 1 to {limit} {thing}s")
    if found > limit:
        refuse(field, f"has {counted(found, thing)}; Meta takes at most {limit}: leave some out or send two messages")


def different(field: str, values: list[str], advice: str) -> None:
    """Nothing where no value occurs twice. Raises :class:`NotSendable`."""
    if len(set(values)) < len(values):
        refuse(field, f"occurs twice with the same value; {advice}")


def kind_of(value: object) -> str:
    """What JSON calls ``value``, for sentences."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    named = {str: "a string", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return named.get(type(value), "of an odd kind")


def transportable(field: str, value: object) -> None:
    """Nothing where all of ``value`` can be written as JSON that Meta and our tables take.

    Raises :class:`NotSendable` for NUL, halves of surrogate pairs, numbers that are none, and for nesting deeper than
    20.
    """
    left: list[tuple[str, object, int]] = [(field, value, 0)]
    while left:
        path, found, depth = left.pop()
        if depth > MAX_DEPTH:
            refuse(field, f"is nested deeper than {MAX_DEPTH}; flatten it")
        if isinstance(found, dict):
            for key, item in found.items():
                _check_text(path, str(key))
                left.append((f"{path}.{key}"[:100], item, depth + 1))
        elif isinstance(found, list):
            left += [(f"{path}[{place}]"[:100], item, depth + 1) for place, item in enumerate(found)]
        elif isinstance(found, str):
            _check_text(path, found)
        elif isinstance(found, float) and not math.isfinite(found):
            refuse(path, "is no finite number; write a plain one")


def object_of(field: str, value: object) -> dict[str, Any]:
    """``value`` where it is a JSON object. Raises :class:`NotSendable`."""
    if not isinstance(value, dict):
        refuse(field, f"is {kind_of(value)}; write an object")
    return value


def list_of(field: str, value: object) -> list[Any]:
    """``value`` where it is a JSON list. Raises :class:`NotSendable`."""
    if not isinstance(value, list):
        refuse(field, f"is {kind_of(value)}; write a list")
    return value


def known_keys(field: str, value: dict[str, Any], known: tuple[str, ...]) -> None:
    """Nothing where ``value`` has only keys of ``known``. Raises :class:`NotSendable`."""
    for key in value:
        if key not in known:
            refuse(f"{field}.{key}"[:100], f"is not known; {field.split('[')[0]} may have {', '.join(known)}")


def _check_text(path: str, text: str) -> None:
    if "\0" in text:
        refuse(path, "holds a NUL character, which WhatsApp cannot show; remove it")
    if re.search("[\ud800-\udfff]", text):
        refuse(path, "holds half of a character (a lone surrogate); send whole characters as UTF-8")

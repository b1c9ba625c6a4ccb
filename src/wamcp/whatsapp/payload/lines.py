"""The words of a line by which a message is shown and found, and the numbers beside them."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from wamcp.vocabulary import Standing
from wamcp.whatsapp.payload.scalars import mapping, objects


class Said(NamedTuple):
    """What a kind of message says: its line, its part of ``content`` (docs/messages.md), and what it refers to."""

    line: str
    content: dict[str, Any]
    refers_to: str | None = None
    standing: int = Standing.MESSAGE.value


def line(kind: str, words: Iterable[object]) -> str:
    """``[kind]`` and the words, with commas between them."""
    return f"[{kind}] {joined(words, ', ')}".rstrip()


def joined(words: Iterable[object], separator: str = " ") -> str:
    """The words that are not blank."""
    return separator.join(filter(None, map(said, words)))


def said(value: object) -> str:
    """A string or a number as a word; everything else is silent."""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def failures(item: dict[str, Any]) -> list[object]:
    """The titles of the errors that came with a message."""
    return [error.get("title") or error.get("message") for error in objects(item.get("errors"))]


def plain_words(part: object) -> list[object]:
    """For what nobody has described yet: its plain words, without ids, links and numbers."""
    if isinstance(part, str):
        return [part]
    given = mapping(part)
    keys = ("title", "name", "body", "text", "caption", "description", "message")
    return [word for key in keys if isinstance(word := given.get(key), str)]


def number(value: object) -> object:
    """A number that some payloads write as a string, as a number; anything else as it is."""
    if isinstance(value, str):
        try:
            return int(value) if value.lstrip("-").isdigit() and len(value) < 16 else float(value)
        except ValueError:
            return value
    return value

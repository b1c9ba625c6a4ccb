"""The words of an account event: one readable line, made of what Meta wrote."""

from collections.abc import Iterable
from datetime import UTC, datetime

from wamcp.whatsapp.payload.facts import Person
from wamcp.whatsapp.payload.scalars import mapping, objects, string, unix_seconds

LONGEST_LINE = 600
LONGEST_WORD = 64
_LONGEST_PART = 240


def line(head: str, *parts: object) -> str:
    """``head: part, part``, without the parts that say nothing; at most ``LONGEST_LINE`` characters."""
    words = joined(parts)
    return (f"{head}: {words}" if words else head)[:LONGEST_LINE]


def joined(parts: Iterable[object]) -> str:
    """The parts that say something, with commas."""
    return ", ".join(filter(None, map(said, parts)))


def said(value: object) -> str:
    """A string or number on one line, at most 240 characters; empty for everything else and for Meta's ``NONE``."""
    if isinstance(value, float):
        value = str(value)
    text = " ".join((string(value) or "").split())[:_LONGEST_PART]
    return "" if text == "NONE" else text


def word(value: object) -> str:
    """A word of Meta's such as an event's name, at most ``LONGEST_WORD`` characters; empty where there is none."""
    return (string(value) or "").strip()[:LONGEST_WORD]


def day(value: object) -> str:
    """A date for people: ``2026-09-21`` for unix seconds, Meta's own text for a text."""
    seconds = unix_seconds(value)
    return said(value) if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def called(person: Person | None) -> str:
    """Somebody's name, handle, number or id, whichever there is first."""
    if person is None:
        return ""
    return person.name or person.username or person.wa_id or person.bsuid or person.parent_bsuid or ""


def failures(value: object) -> str:
    """What Meta's list of errors says: codes and titles."""
    return joined(failure(error) for error in objects(value))


def failure(error: dict[str, object]) -> str:
    """One error as ``131208 Group Rate Limit Hit``."""
    title = error.get("title") or error.get("message") or mapping(error.get("error_data")).get("details")
    return f"{said(error.get('code'))} {said(title)}".strip()

"""Fields whose value is itself the item, told by a table: where the event, the subject and the line are written."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

from msgspec.structs import replace

from wamcp.vocabulary import Severity
from wamcp.whatsapp.payload.facts import Facts
from wamcp.whatsapp.payload.fields.lines import LONGEST_LINE, word
from wamcp.whatsapp.payload.fields.place import Place
from wamcp.whatsapp.payload.fields.reading import Keys, Reader, happened, our_number
from wamcp.whatsapp.payload.scalars import identifier, mapping, objects

Value = dict[str, Any]


class Row(NamedTuple):
    """What is to know about a field; paths have dots (``alert_info.alert_type``), subjects are (kind, path).

    ``line`` makes the line for people. ``loud`` yields the words that decide on the severity besides the event.
    """

    event: str
    subjects: tuple[tuple[str, str], ...]
    line: Callable[[Value], str]
    known: Keys
    loud: Callable[[Value], Iterable[object]] = lambda value: ()
    critical: frozenset[str] = frozenset()
    warning: frozenset[str] = frozenset()
    portfolio: Callable[[str], bool] = lambda event: False
    """Whether ``entry.id`` is a business portfolio's, so that the account is named in ``waba_info`` if anywhere."""


def row_reader(row: Row) -> Reader:
    """The reader of a field that ``row`` describes."""
    return Reader(partial(_read, row), row.known)


def at_path(value: Value, path: str) -> Any:
    """What stands at a dotted path, None where the path ends early."""
    *way, last = path.split(".")
    for key in way:
        value = mapping(value.get(key))
    return value.get(last)


def words_of(value: object) -> list[object]:
    """A word that some pages print as a list of words."""
    return value if isinstance(value, list) else [value]


def all_at(value: Value, key: str, inner: str) -> list[object]:
    """``inner`` of every object in the list ``key``."""
    return [each.get(inner) for each in objects(value.get(key))]


def _read(row: Row, value: Value, place: Place, facts: Facts) -> None:
    event = word(at_path(value, row.event)) if row.event else ""
    kind, subject = _subject(row, value)
    number = identifier(value.get("display_phone_number")) or identifier(value.get("phone_number"))
    setting = identifier(at_path(value, "phone_number_settings.phone_number_id"))
    told = happened(place, place.path, value, our_number(value, place, facts))
    facts.account.append(
        replace(
            told,
            event=event,
            waba_id=_waba_id(row, value, event, place),
            phone_number_id=told.phone_number_id or setting or identifier(value.get("phone_number_id")),
            display_phone_number=number or told.display_phone_number,
            subject_kind=kind,
            subject=subject,
            severity=_severity(row, value, event).value,
            text=row.line(value)[:LONGEST_LINE],
        )
    )


def _subject(row: Row, value: Value) -> tuple[str | None, str | None]:
    for kind, path in row.subjects:
        subject = identifier(at_path(value, path))
        if subject is not None:
            return _ENTITIES.get(word(value.get("entity_type")), kind), subject
    return None, None


def _waba_id(row: Row, value: Value, event: str, place: Place) -> str | None:
    named = identifier(at_path(value, "waba_info.waba_id")) or identifier(value.get("waba_id"))
    if row.portfolio(event):
        return named
    return place.waba_id or named


def _severity(row: Row, value: Value, event: str) -> Severity:
    words = {word(each).upper() for each in (event, *row.loud(value))}
    if words & (_CRITICAL | row.critical):
        return Severity.CRITICAL
    return Severity.WARNING if words & (_WARNING | row.warning) else Severity.INFO


_ENTITIES = {"BUSINESS": "business", "PHONE_NUMBER": "number"}
_CRITICAL = frozenset({"REJECTED", "DISABLED", "DISABLE", "SCHEDULE_FOR_DISABLE", "BANNED", "BLOCKED", "CRITICAL"})
_WARNING = frozenset(
    {"PENDING", "PENDING_DELETION", "DEFERRED", "FLAGGED", "PAUSED", "RED", "YELLOW", "WARNING", "LIMIT_EXCEEDED"}
)

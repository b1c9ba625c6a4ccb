"""Account events beside other answers: about one person, one message or one call, as far as the bearer may see."""

from datetime import UTC
from typing import Any

from psycopg.rows import dict_row

from wamcp.archive.parts import shown, shown_text
from wamcp.archive.scope import Scope
from wamcp.archive.views import HappeningView
from wamcp.db.session import ReadConnection

MAX_EVENTS = 100
_SAID_LIKE_SYSTEM = "system"


def about_person(connection: ReadConnection, scope: Scope, participant_id: int, limit: int) -> list[HappeningView]:
    """The newest account events about a participant."""
    return _select(connection, scope, "e.participant_id = %(about)s::bigint", participant_id, limit)


def about_subject(connection: ReadConnection, scope: Scope, subject: str) -> list[HappeningView]:
    """The newest account events whose subject (the wamid of a message, the id of a call) is ``subject``."""
    return _select(connection, scope, "e.subject = %(about)s::text", subject, MAX_EVENTS)


def events_in(scope: Scope, alias: str = "e") -> str:
    """The predicate on ``account_events``; goes with :func:`events_parameters`.

    Whoever sees some numbers only sees the events of these, whether Meta named them by its id or by the number.
    """
    parts = []
    if scope.narrowed:
        displayed = f"regexp_replace(coalesce({alias}.display_phone_number, ''), '[^0-9]', '', 'g')"
        parts.append(
            f"({alias}.number_id = ANY(%(scope_numbers)s::int[])"
            f" OR {alias}.number_id IS NULL AND {displayed} = ANY(%(scope_displays)s::text[]))"
        )
    if scope.since is not None:
        parts.append(f"{alias}.at >= %(scope_since)s::timestamptz")
    return " AND ".join(parts) or "true"


def events_parameters(scope: Scope) -> dict[str, Any]:
    """The values of :func:`events_in`."""
    displays = {_digits(view.display_phone_number or "") for view in scope.numbers.values()} - {""}
    return {**scope.parameters(), "scope_displays": sorted(displays)}


def _select(connection: ReadConnection, scope: Scope, where: str, about: object, limit: int) -> list[HappeningView]:
    statement = f"""
      SELECT e.id, e.event_id, e.field, e.event, e.at, e.number_id, e.display_phone_number, e.group_id,
        e.subject_kind, e.subject, e.severity, e.text, e.details
      FROM account_events e WHERE {where} AND {events_in(scope)} ORDER BY e.at DESC, e.id DESC LIMIT %(limit)s"""
    parameters = {**events_parameters(scope), "about": about, "limit": limit}
    with connection.cursor(row_factory=dict_row) as cursor:
        return [_view(row, scope) for row in cursor.execute(statement, parameters)]


def _view(row: dict[str, Any], scope: Scope) -> HappeningView:
    return HappeningView(
        id=row["id"],
        event_id=row["event_id"],
        field=row["field"],
        event=row["event"],
        at=row["at"].astimezone(UTC),
        number_id=row["number_id"] if row["number_id"] is not None else _displayed(row["display_phone_number"], scope),
        group_id=row["group_id"],
        subject_kind=row["subject_kind"],
        subject=shown(row["subject"], scope),
        severity=row["severity"],
        text=shown_text(_SAID_LIKE_SYSTEM, row["text"], scope),
        details=shown(row["details"], scope),
    )


def _displayed(display: str | None, scope: Scope) -> int | None:
    digits = _digits(display or "")
    if not digits:
        return None
    found = (number for number, view in scope.numbers.items() if _digits(view.display_phone_number or "") == digits)
    return next(found, None)


def _digits(text: str) -> str:
    return "".join(character for character in text if character in "0123456789")

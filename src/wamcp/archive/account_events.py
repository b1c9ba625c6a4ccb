"""What happened that is no message and no status: to accounts, numbers, templates, groups, calls, preferences."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg.rows import dict_row

from wamcp.access.grants import Grant
from wamcp.archive import page
from wamcp.archive.parts import masked_words, opened, shown
from wamcp.archive.scope import Scope, scope_of
from wamcp.archive.shapes import PARTICIPANT_COLUMNS, participant_view
from wamcp.archive.views import AccountEventView, Page
from wamcp.db.session import ReadConnection

MAX_ABOUT = 100
"""So many account events are told beside a message or call."""


@dataclass(frozen=True, slots=True)
class AccountEventsQuery:
    """Which account events. ``since`` is inclusive, ``before`` exclusive (UTC); ``number`` is one of ours.

    ``participant`` is a row id.
    """

    field: str | None = None
    event: str | None = None
    severity: str | None = None
    since: datetime | None = None
    before: datetime | None = None
    number: str | None = None
    group_id: str | None = None
    participant: int | None = None
    limit: int = 50
    cursor: str | None = None


_COLUMNS = f"""
  a.id, a.field, a.event, a.at, a.waba_id, a.number_id, a.display_phone_number, a.group_id, a.subject_kind, a.subject,
  a.severity, a.text, a.details::text AS details, a.event_id, {PARTICIPANT_COLUMNS}"""


def newest(connection: ReadConnection, grant: Grant, query: AccountEventsQuery) -> Page[AccountEventView]:
    """One page, newest first. Raises :class:`NotVisible` for an unknown number, `BadCursor`."""
    limit = page.check_limit(query.limit)
    scope = scope_of(connection, grant, query.number)
    where = [scope.account_events()]
    parameters: dict[str, Any] = {**scope.parameters(), "count": limit + 1}
    for column, value in _filters(query).items():
        if value is not None:
            where.append(f"a.{column} = %({column})s")
            parameters[column] = value.replace("\0", "") if isinstance(value, str) else value
    for name, sign in (("since", ">="), ("before", "<")):
        if (moment := page.utc(getattr(query, name))) is not None:
            where.append(f"a.at {sign} %({name})s::timestamptz")
            parameters[name] = moment
    if query.cursor is not None:
        at, last_id = page.unseal(grant, query, query.cursor)
        where.append("(a.at, a.id) < (%(from_at)s::timestamptz, %(from_id)s::bigint)")
        parameters |= {"from_at": page.moment(at), "from_id": last_id}
    rows = _select(connection, where, parameters)
    items = [_view(row, scope) for row in rows[:limit]]
    last = page.seal(grant, query, [page.micros(items[-1].at), items[-1].id]) if len(rows) > limit else None
    return Page(items, last)


def about_person(connection: ReadConnection, scope: Scope, participant_id: int, limit: int) -> list[AccountEventView]:
    """The newest account events about a participant."""
    return newest_where(connection, scope, "a.participant_id = %(about)s::bigint", participant_id, limit)


def about_subject(connection: ReadConnection, scope: Scope, subject: str) -> list[AccountEventView]:
    """The newest account events whose subject (the wamid of a message, the id of a call) is ``subject``."""
    return newest_where(connection, scope, "a.subject = %(about)s::text", subject, MAX_ABOUT)


def newest_where(
    connection: ReadConnection, scope: Scope, where: str, about: object, limit: int
) -> list[AccountEventView]:
    """The newest visible ones for which ``where`` holds, a predicate on ``a`` and the parameter ``about``."""
    parameters = {**scope.parameters(), "about": about, "count": limit}
    return [_view(row, scope) for row in _select(connection, [where, scope.account_events()], parameters)]


def _select(connection: ReadConnection, where: list[str], parameters: dict[str, Any]) -> list[dict[str, Any]]:
    statement = f"""
      SELECT {_COLUMNS} FROM account_events a LEFT JOIN participants p ON p.id = a.participant_id
      WHERE {" AND ".join(where)} ORDER BY a.at DESC, a.id DESC LIMIT %(count)s"""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement, parameters).fetchall()


def _view(row: dict[str, Any], scope: Scope) -> AccountEventView:
    number_id = row["number_id"] if row["number_id"] is not None else scope.displayed(row["display_phone_number"])
    number = scope.numbers.get(number_id) if number_id is not None else None
    return AccountEventView(
        id=row["id"],
        field=row["field"],
        event=row["event"],
        at=row["at"].astimezone(UTC),
        waba_id=row["waba_id"],
        number_id=number_id if number else None,
        phone_number_id=number.phone_number_id if number else None,
        display_phone_number=row["display_phone_number"] or (number.display_phone_number if number else None),
        group_id=row["group_id"],
        participant=participant_view(row, scope),
        subject_kind=row["subject_kind"],
        subject=shown(row["subject"], scope),
        severity=row["severity"],
        text=masked_words(row["text"], scope),
        details=opened(row["details"], scope),
        event_id=row["event_id"],
    )


def _filters(query: AccountEventsQuery) -> dict[str, str | int | None]:
    return {
        "field": query.field,
        "event": query.event,
        "severity": query.severity,
        "group_id": query.group_id,
        "participant_id": query.participant,
    }

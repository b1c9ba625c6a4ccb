"""What happened that is no message and no status: to accounts, numbers, templates, groups, calls, preferences."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg.rows import dict_row

from wamcp.access.grants import Grant
from wamcp.archive import page
from wamcp.archive.masked import opened, without_id, without_phones
from wamcp.archive.scope import Scope, scope_of
from wamcp.archive.shapes import PARTICIPANT_COLUMNS, participant_view
from wamcp.archive.views import Page, ParticipantView
from wamcp.db.session import ReadConnection


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


@dataclass(frozen=True, slots=True)
class AccountEventView:
    """One account event; ``details`` is what Meta wrote. ``subject`` is None where it holds a hidden phone number."""

    id: int
    field: str
    event: str
    at: datetime
    waba_id: str | None
    phone_number_id: str | None
    display_phone_number: str | None
    group_id: str | None
    participant: ParticipantView | None
    subject_kind: str | None
    subject: str | None
    severity: str
    text: str
    details: Any
    event_id: int


COLUMNS = f"""
  a.id, a.field, a.event, a.at, a.waba_id, a.number_id, a.display_phone_number, a.group_id, a.subject_kind, a.subject,
  a.severity, a.text, a.details::text AS details, a.event_id, {PARTICIPANT_COLUMNS}"""


def newest(connection: ReadConnection, grant: Grant, query: AccountEventsQuery) -> Page[AccountEventView]:
    """One page, newest first. Raises :class:`NotVisible` for an unknown number, `BadCursor`."""
    limit = page.check_limit(query.limit)
    scope = scope_of(connection, grant, query.number)
    where = [within(scope)]
    parameters: dict[str, Any] = {**parameters_of(scope), "count": limit + 1}
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
    rows = select(connection, where, parameters, "a.at DESC, a.id DESC LIMIT %(count)s")
    items = [view(row, scope) for row in rows[:limit]]
    last = page.seal(grant, query, [page.micros(items[-1].at), items[-1].id]) if len(rows) > limit else None
    return Page(items, last)


def within(scope: Scope, *, whole_time: bool = False) -> str:
    """The predicate on ``account_events a``; goes with :func:`parameters_of`. ``whole_time`` leaves the window out.

    Whoever sees only some numbers sees what is about these, by Meta's id or by the number itself.
    """
    parts = ["true"]
    if scope.narrowed:
        parts.append(
            "(a.number_id = ANY(%(scope_numbers)s::int[]) OR a.number_id IS NULL"
            " AND regexp_replace(a.display_phone_number, '[^0-9]', '', 'g') = ANY(%(scope_digits)s::text[]))"
        )
    if scope.since is not None and not whole_time:
        parts.append("a.at >= %(scope_since)s::timestamptz")
    return " AND ".join(parts)


def parameters_of(scope: Scope) -> dict[str, Any]:
    """The values of :func:`within`."""
    shown = (number.display_phone_number or "" for number in scope.numbers.values())
    digits = {"".join(filter(str.isdecimal, each)) for each in shown} - {""}
    return {**scope.parameters(), "scope_digits": sorted(digits)}


def select(
    connection: ReadConnection, where: list[str], parameters: dict[str, Any], order: str
) -> list[dict[str, Any]]:
    """Rows of :data:`COLUMNS` for :func:`view`."""
    statement = f"""
      SELECT {COLUMNS} FROM account_events a LEFT JOIN participants p ON p.id = a.participant_id
      WHERE {" AND ".join(where)} ORDER BY {order}"""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement, parameters).fetchall()


def view(row: dict[str, Any], scope: Scope) -> AccountEventView:
    """The account event in ``row``, with phone numbers masked unless the bearer may see them."""
    number = scope.numbers.get(row["number_id"])
    return AccountEventView(
        id=row["id"],
        field=row["field"],
        event=row["event"],
        at=row["at"].astimezone(UTC),
        waba_id=row["waba_id"],
        phone_number_id=number.phone_number_id if number else None,
        display_phone_number=row["display_phone_number"] or (number.display_phone_number if number else None),
        group_id=row["group_id"],
        participant=participant_view(row, scope),
        subject_kind=row["subject_kind"],
        subject=without_id(row["subject"], phones=scope.phones),
        severity=row["severity"],
        text=row["text"] if scope.phones else without_phones(row["text"], row["details"]),
        details=opened(row["details"], phones=scope.phones),
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

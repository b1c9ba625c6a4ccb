"""Groups: what Meta told of them, folded in the order of time into how they are now."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from psycopg.rows import dict_row

from wamcp.access.grants import Grant
from wamcp.archive import page
from wamcp.archive.account_events import newest_where
from wamcp.archive.memberships import DELETED, members_of, setting_of, subject_of
from wamcp.archive.parts import opened, shown
from wamcp.archive.scope import Scope, scope_of
from wamcp.archive.shapes import PARTICIPANT_COLUMNS, participant_view
from wamcp.archive.views import AccountEventView, NumberView, Page, ParticipantView
from wamcp.db.session import ReadConnection
from wamcp.errors import NotVisible

MAX_HISTORY = 500


@dataclass(frozen=True, slots=True)
class GroupsQuery:
    """A page of groups; ``number`` is one of ours."""

    number: str | None = None
    limit: int = 50
    cursor: str | None = None


@dataclass(slots=True)
class Folded:
    """A group as its events leave it; each member as the last event that named him did, in the order of joining."""

    subject: str | None = None
    description: str | None = None
    deleted: bool = False
    suspended: bool = False
    members: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class GroupView:
    """One group, and how many members Meta named; ``conversation_id`` is None when nobody has written there."""

    group_id: str
    number: NumberView | None
    subject: str | None
    description: str | None
    deleted: bool
    suspended: bool
    member_count: int
    conversation_id: int | None
    last_active_at: datetime


@dataclass(frozen=True, slots=True)
class MemberView:
    """Somebody in a group as Meta named him, and whom the archive knows by these names."""

    wa_id: str | None
    bsuid: str | None
    parent_bsuid: str | None
    username: str | None
    participant: ParticipantView | None


@dataclass(frozen=True, slots=True)
class GroupDetail:
    """One group with its members now and its newest 500 events, newest first."""

    group: GroupView
    members: list[MemberView]
    history: list[AccountEventView]


def fold(events: Iterable[tuple[str, Any]]) -> Folded:
    """How a group is after ``events``, pairs of Meta's word and its JSON, oldest first."""
    state = Folded()
    for event, details in events:
        if not isinstance(details, dict):
            continue
        state.subject = subject_of(details) or state.subject
        state.description = setting_of(details, "description", "group_description") or state.description
        if event in ("group_create", DELETED):
            state.deleted = event == DELETED
        elif event in ("group_suspend", "group_suspend_cleared"):
            state.suspended = event == "group_suspend"
        for member in members_of(details, "added_participants"):
            state.members = [*_others(state.members, member), member]
        for member in members_of(details, "removed_participants"):
            state.members = _others(state.members, member)
    return state


def newest(connection: ReadConnection, grant: Grant, query: GroupsQuery) -> Page[GroupView]:
    """One page, the most recently active first. Raises :class:`NotVisible` for an unknown number, `BadCursor`."""
    limit = page.check_limit(query.limit)
    scope = scope_of(connection, grant, query.number)
    [offset] = page.unseal(grant, query, query.cursor) if query.cursor is not None else [0]
    rows = _select(connection, scope, {"offset": offset, "count": limit + 1})
    folded = _folded(connection, scope, [row["group_id"] for row in rows[:limit]])
    items = [_view(row, folded, scope) for row in rows[:limit]]
    return Page(items, page.seal(grant, query, [offset + limit]) if len(rows) > limit else None)


def get(connection: ReadConnection, grant: Grant, group_id: str) -> GroupDetail:
    """One group. Raises :class:`NotVisible` unless something in it lies within the bearer's numbers and window."""
    scope = scope_of(connection, grant)
    wanted = group_id.replace("\0", "")
    rows = _select(connection, scope, {"offset": 0, "count": 1}, only=wanted)
    if not rows:
        raise NotVisible("There is no such group visible to this client: list the groups and take an id from there.")
    folded = _folded(connection, scope, [wanted])
    state = folded.get(wanted, Folded())
    return GroupDetail(
        group=_view(rows[0], folded, scope),
        members=_member_views(connection, scope, rows[0]["number_id"], state.members),
        history=newest_where(connection, scope, "a.group_id = %(about)s::text", wanted, MAX_HISTORY),
    )


def _select(
    connection: ReadConnection, scope: Scope, parameters: dict[str, Any], only: str | None = None
) -> list[dict[str, Any]]:
    known = "SELECT %(only)s::text AS group_id" if only is not None else _EVERY_GROUP
    one = "x.group_id = %(only)s" if only is not None else "x.group_id IS NOT NULL"
    statement = f"""
      SELECT g.group_id, max(g.number_id) AS number_id, max(g.conversation_id) AS conversation_id,
        max(g.at) AS last_active_at
      FROM (
        SELECT x.group_id, x.number_id, x.id AS conversation_id, x.last_message_at AS at FROM conversations x
        WHERE {one} AND {scope.conversations("x")}
        UNION ALL
        SELECT k.group_id, e.number_id, NULL, e.at FROM ({known}) k, LATERAL (
          SELECT a.number_id, a.at FROM account_events a
          WHERE a.group_id = k.group_id AND {scope.account_events()} ORDER BY a.at DESC LIMIT 1) e
      ) g GROUP BY g.group_id ORDER BY last_active_at DESC, g.group_id LIMIT %(count)s OFFSET %(offset)s"""
    with connection.cursor(row_factory=dict_row) as cursor:
        given = {**scope.parameters(), **parameters, "only": only}
        return cursor.execute(statement, given).fetchall()


# From one group to the next through the index, since each may have thousands of events.
_EVERY_GROUP = """
WITH RECURSIVE step AS (
  SELECT min(a.group_id) AS group_id FROM account_events a
  UNION ALL
  SELECT (SELECT min(a.group_id) FROM account_events a WHERE a.group_id > s.group_id) FROM step s
  WHERE s.group_id IS NOT NULL)
SELECT group_id FROM step WHERE group_id IS NOT NULL
"""


def _folded(connection: ReadConnection, scope: Scope, group_ids: Sequence[str]) -> dict[str, Folded]:
    """How groups are now, which does not depend on the bearer's window."""
    if not group_ids:
        return {}
    rows = connection.execute(
        "SELECT a.group_id, a.event, a.details::text FROM account_events a WHERE a.group_id = ANY(%(groups)s::text[])"
        f" AND {scope.account_events(whole_time=True)} ORDER BY a.group_id, a.at, a.id",
        {**scope.parameters(), "groups": list(group_ids)},
    )
    unmasked = replace(scope, phones=True)  # members are told apart by their numbers, and masked when they are shown
    events: dict[str, list[tuple[str, Any]]] = {}
    for group_id, event, details in rows:
        events.setdefault(group_id, []).append((event, opened(details, unmasked)))
    return {group_id: fold(told) for group_id, told in events.items()}


def _others(members: list[dict[str, str]], gone: dict[str, str]) -> list[dict[str, str]]:
    return [member for member in members if not _same(member, gone)]


def _same(one: dict[str, str], other: dict[str, str]) -> bool:
    if one.get("user_id") and other.get("user_id"):
        return one["user_id"] == other["user_id"]
    return bool(_phones(one) & _phones(other))


def _phones(member: dict[str, str]) -> set[str]:
    written = (member.get("wa_id"), member.get("input"))
    return {"".join(filter(str.isdecimal, each)) for each in written if each} - {""}


def _view(row: dict[str, Any], folded: dict[str, Folded], scope: Scope) -> GroupView:
    state = folded.get(row["group_id"], Folded())
    return GroupView(
        group_id=row["group_id"],
        number=scope.numbers.get(row["number_id"]),
        subject=state.subject,
        description=state.description,
        deleted=state.deleted,
        suspended=state.suspended,
        member_count=len(state.members),
        conversation_id=row["conversation_id"],
        last_active_at=row["last_active_at"].astimezone(UTC),
    )


def _member_views(
    connection: ReadConnection, scope: Scope, number_id: int | None, members: list[dict[str, str]]
) -> list[MemberView]:
    known = _known(connection, number_id, members)
    views = []
    for member in members:
        named = shown(member, scope)
        rows = (known.get(key) for key in (("bsuid", member.get("user_id")), ("wa_id", member.get("wa_id"))))
        row = next((row for row in rows if row is not None), None)
        views.append(
            MemberView(
                wa_id=named.get("wa_id") or named.get("input"),
                bsuid=named.get("user_id"),
                parent_bsuid=named.get("parent_user_id"),
                username=named.get("username"),
                participant=participant_view(row, scope) if row else None,
            )
        )
    return views


def _known(
    connection: ReadConnection, number_id: int | None, members: list[dict[str, str]]
) -> dict[tuple[str, str | None], dict[str, Any]]:
    """The participants whom the number's scope knows under the members' names."""
    names = [("bsuid", member["user_id"]) for member in members if "user_id" in member]
    names += [("wa_id", member["wa_id"]) for member in members if "wa_id" in member]
    statement = f"""
      SELECT u.kind AS by_kind, u.value AS by_value, {PARTICIPANT_COLUMNS}
      FROM unnest(%(kinds)s::text[], %(values)s::text[]) AS u (kind, value)
      JOIN numbers n ON n.id = %(number)s
      JOIN participant_aliases k ON k.scope = n.scope AND k.kind = u.kind AND k.value = u.value
      JOIN participants p ON p.id = k.participant_id"""
    parameters = {
        "kinds": [kind for kind, _ in names], "values": [value for _, value in names], "number": number_id
    }  # fmt: skip
    with connection.cursor(row_factory=dict_row) as cursor:
        return {(row["by_kind"], row["by_value"]): row for row in cursor.execute(statement, parameters)}

"""Groups as account events tell of them: what they are called, and since when somebody is in them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from wamcp.archive.scope import Scope
from wamcp.archive.views import MembershipView
from wamcp.db.session import ReadConnection

DELETED = "group_delete"
IDENTIFIERS = ("user_id", "parent_user_id", "wa_id", "input")
"""The keys under which a group's event names a member."""
_SUBJECTS_TRIED = 5


def subjects(connection: ReadConnection, group_ids: Iterable[str]) -> dict[str, str]:
    """The newest subject of each of these groups, where Meta told one."""
    wanted = sorted(set(group_ids))
    if not wanted:
        return {}
    rows = connection.execute(
        "SELECT g.id, e.details FROM unnest(%(groups)s::text[]) AS g (id), LATERAL ("
        " SELECT e.details, e.at, e.id FROM account_events e WHERE e.group_id = g.id"
        " AND e.details::text LIKE '%%subject\"%%' ORDER BY e.at DESC, e.id DESC LIMIT %(tried)s) e"
        " ORDER BY e.at, e.id",
        {"groups": wanted, "tried": _SUBJECTS_TRIED},
    ).fetchall()
    return {group: subject for group, details in rows if (subject := subject_of(details)) is not None}


def subject_of(details: object) -> str | None:
    """The subject that a group's event sets; None when it sets none, or was not able to."""
    return setting_of(details, "subject", "group_subject")


def setting_of(details: object, plain: str, changed: str) -> str | None:
    """A setting as an event tells it: under ``plain`` when the group was made, later under ``changed`` if done."""
    if not isinstance(details, dict):
        return None
    nested = details.get(changed)
    done = isinstance(nested, dict) and nested.get("update_successful") is not False
    told = nested.get("text") if done and isinstance(nested, dict) else details.get(plain)
    return told.encode("utf-8", "replace").decode() if isinstance(told, str) and told else None


def members_of(details: object, key: str) -> list[dict[str, str]]:
    """Whom a group's event names under ``key`` (``added_participants``, ``removed_participants``)."""
    listed: Any = details.get(key) if isinstance(details, dict) else None
    members = []
    for one in filter(lambda each: isinstance(each, dict), listed if isinstance(listed, list) else []):
        named = {name: str(value) for name, value in one.items() if isinstance(value, str | int)}
        if any(named.get(name) for name in IDENTIFIERS):
            members.append(named)
    return members


def groups_of(connection: ReadConnection, scope: Scope, identifiers: Iterable[str]) -> list[MembershipView]:
    """The groups that the events in ``scope`` say somebody with one of ``identifiers`` joined, the newest first."""
    names = {_plain(identifier) for identifier in identifiers if _plain(identifier)}
    if not names:
        return []
    rows = connection.execute(
        "SELECT e.group_id, e.event, e.at, e.details FROM account_events e WHERE e.group_id IN ("
        "  SELECT e.group_id FROM account_events e WHERE e.group_id IS NOT NULL"
        f"  AND e.details::text LIKE ANY(%(patterns)s::text[]) AND {scope.account_events('e')})"
        f" AND {scope.account_events('e')} ORDER BY e.at, e.id",
        {**scope.parameters(), "patterns": [f"%{_escaped(name)}%" for name in sorted(names)]},
    ).fetchall()
    stays: dict[str, tuple[datetime, datetime | None]] = {}
    for group, event, at, details in rows:
        stay = _after(stays.get(group), event, at.astimezone(UTC), details, names)
        if stay is not None:
            stays[group] = stay
    called = subjects(connection, stays)
    found = [MembershipView(group, called.get(group), since, left) for group, (since, left) in stays.items()]
    return sorted(found, key=lambda each: (each.since, each.group_id), reverse=True)


def _after(
    stay: tuple[datetime, datetime | None] | None, event: str, at: datetime, details: object, names: set[str]
) -> tuple[datetime, datetime | None] | None:
    """Since when somebody is in the group, and since when no longer, after one more event of it."""
    if _names_one(details, "added_participants", names) and (stay is None or stay[1] is not None):
        stay = (at, None)
    left = _names_one(details, "removed_participants", names) or event == DELETED
    return (stay[0], at) if left and stay is not None and stay[1] is None else stay


def _names_one(details: object, key: str, names: set[str]) -> bool:
    return any(_plain(member.get(name)) in names for member in members_of(details, key) for name in IDENTIFIERS)


def _plain(value: object) -> str:
    return str(value).removeprefix("+") if isinstance(value, str | int) else ""


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")

"""Participants: the list, and one of them with his names, identifiers, conversations, groups and merges."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.rows import dict_row

from wamcp.access.grants import Grant
from wamcp.archive import page
from wamcp.archive.account_events import about_person
from wamcp.archive.conversations import named, patterns, with_participant
from wamcp.archive.memberships import groups_of
from wamcp.archive.scope import Scope, scope_of
from wamcp.archive.shapes import PARTICIPANT_COLUMNS, looks_like_phone, mask, participant_view, within
from wamcp.archive.views import (
    AliasView,
    CandidateView,
    MergeView,
    NameView,
    Page,
    ParticipantView,
    PersonDetailView,
    PersonView,
)
from wamcp.db.merges import Merges, merges_in_force
from wamcp.db.session import ReadConnection
from wamcp.errors import NotVisible
from wamcp.vocabulary import AliasKind, participant_ref

RECENT_EVENTS = 20
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ParticipantsQuery:
    """Which participants: ``text`` is in the name, the username or the phone number."""

    text: str | None = None
    limit: int = 50
    cursor: str | None = None


def list_newest(connection: ReadConnection, grant: Grant, query: ParticipantsQuery) -> Page[PersonView]:
    """One page, those who were first met last coming first. Raises :class:`BadCursor`.

    Whose sight is limited sees those with a visible conversation.
    """
    limit = page.check_limit(query.limit)
    scope = scope_of(connection, grant)
    where = [_met(scope, "p.id")]
    parameters: dict[str, Any] = {**scope.parameters(), "count": limit + 1}
    if query.text is not None and query.text.strip():
        where.append(named(scope))
        parameters |= patterns(connection, query.text)
    if query.cursor is not None:
        where.append("p.id < %(from_id)s::bigint")
        parameters["from_id"] = page.unseal(grant, query, query.cursor)[0]
    statement = f"""
      SELECT {PARTICIPANT_COLUMNS} FROM participants p
      WHERE {" AND ".join(where)} ORDER BY p.id DESC LIMIT %(count)s"""
    merges = merges_in_force(connection)
    items = [
        PersonView(person, merges.into.get(person.id)) for person in _people(connection, statement, parameters, scope)
    ]
    cursor = page.seal(grant, query, [items[limit - 1].participant.id]) if len(items) > limit else None
    return Page(items[:limit], cursor)


def get(connection: ReadConnection, grant: Grant, participant_id: int) -> PersonDetailView:
    """One participant. Raises :class:`NotVisible`."""
    scope = scope_of(connection, grant)
    merges = merges_in_force(connection)
    found = _by_ids(connection, scope, [participant_id])
    if not found or not _is_visible(connection, scope, merges.root(participant_id)):
        raise NotVisible(
            f"No participant {participant_ref(participant_id)} is visible to this client:"
            " list the participants and take an id from there."
        )
    members = merges.members(participant_id) if _sees_everything(scope) else [participant_id]
    aliases = _aliases(connection, scope, members)
    identifiers = _identifiers(connection, members)
    return PersonDetailView(
        person=PersonView(found[participant_id], merges.into.get(participant_id)),
        names=_names(connection, scope, participant_id),
        aliases=aliases,
        conversations=with_participant(connection, scope, participant_id),
        groups=groups_of(connection, scope, identifiers),
        candidates=_candidates(connection, scope, merges, participant_id),
        merges=_merges(connection, scope, merges, participant_id),
        account_events=about_person(connection, scope, participant_id, RECENT_EVENTS),
    )


def _sees_everything(scope: Scope) -> bool:
    return not scope.narrowed and scope.since is None


def _met(scope: Scope, participant: str) -> str:
    """The predicate: the participant has a visible conversation, or the bearer sees everybody."""
    if _sees_everything(scope):
        return "true"
    return f"EXISTS (SELECT FROM conversations c WHERE c.participant_id = {participant} AND {scope.conversations()})"


def _is_visible(connection: ReadConnection, scope: Scope, participant_id: int) -> bool:
    """Whether the bearer can have met him: in a conversation, or in a group of which messages are visible."""
    if _sees_everything(scope):
        return True
    parameters = {**scope.parameters(), "id": participant_id}
    statement = f"SELECT {_met(scope, '%(id)s::bigint')}"
    if (row := connection.execute(statement, parameters).fetchone()) is not None and row[0]:
        return True
    in_groups = (
        f"SELECT EXISTS (SELECT FROM conversations c JOIN messages m ON m.conversation_id = c.id"
        f" WHERE c.group_id IS NOT NULL AND {scope.conversations()} AND m.sender_id = %(id)s::bigint"
        f" AND {scope.messages()})"
    )
    row = connection.execute(in_groups, parameters).fetchone()
    return row is not None and bool(row[0])


def _by_ids(connection: ReadConnection, scope: Scope, ids: Iterable[int]) -> dict[int, ParticipantView]:
    statement = f"SELECT {PARTICIPANT_COLUMNS} FROM participants p WHERE p.id = ANY(%(ids)s::bigint[])"
    return {person.id: person for person in _people(connection, statement, {"ids": list(ids)}, scope)}


def _people(
    connection: ReadConnection, statement: str, parameters: dict[str, Any], scope: Scope
) -> list[ParticipantView]:
    with connection.cursor(row_factory=dict_row) as cursor:
        views = [participant_view(row, scope) for row in cursor.execute(statement, parameters)]
    return [view for view in views if view is not None]


def _names(connection: ReadConnection, scope: Scope, participant_id: int) -> list[NameView]:
    """The newest last; a name that nobody used since the bearer's window began is left out."""
    since = (page.utc(scope.since) or _BEGINNING).date()
    rows = connection.execute(
        "SELECT kind, value, first_seen_at, last_seen_day FROM participant_names WHERE participant_id = %s"
        " ORDER BY first_seen_at, kind, value",
        [participant_id],
    ).fetchall()
    return [
        NameView(kind, _masked(value, scope), within(at, scope), last)
        for kind, value, at, day in rows
        if (last := _BEGINNING.date() + timedelta(days=day)) >= since
    ]


def _masked(value: str, scope: Scope) -> str:
    return mask(value) if not scope.phones and looks_like_phone(value) else value


def _aliases(connection: ReadConnection, scope: Scope, members: list[int]) -> list[AliasView]:
    rows = connection.execute(
        "SELECT participant_id, scope, kind, value, first_seen_at FROM participant_aliases"
        " WHERE participant_id = ANY(%s::bigint[]) ORDER BY first_seen_at, kind, value",
        [members],
    ).fetchall()
    return [
        AliasView(owner, unique_in, kind, _masked(value, scope), within(at, scope))
        for owner, unique_in, kind, value, at in rows
    ]


def _identifiers(connection: ReadConnection, members: list[int]) -> list[str]:
    rows = connection.execute(
        "SELECT value FROM participant_aliases WHERE participant_id = ANY(%s::bigint[]) AND kind <> %s",
        [members, AliasKind.PARENT_BSUID],
    )
    return [row[0] for row in rows]


def _candidates(connection: ReadConnection, scope: Scope, merges: Merges, participant_id: int) -> list[CandidateView]:
    rows = connection.execute(
        "SELECT CASE WHEN one_id = %(id)s THEN other_id ELSE one_id END AS id, reason, first_seen_at"
        " FROM merge_candidates WHERE one_id = %(id)s OR other_id = %(id)s ORDER BY first_seen_at, 1, reason",
        {"id": participant_id},
    ).fetchall()
    others = _by_ids(connection, scope, {row[0] for row in rows})
    visible = {each for each in others if _is_visible(connection, scope, merges.root(each))}
    return [CandidateView(others[other], reason, within(at, scope)) for other, reason, at in rows if other in visible]


def _merges(connection: ReadConnection, scope: Scope, merges: Merges, participant_id: int) -> list[MergeView]:
    """In force and undone, the newest first."""
    rows = connection.execute(
        "SELECT from_id, into_id, made_at, made_by, undone_at, undone_by FROM merges"
        " WHERE %(id)s IN (from_id, into_id) ORDER BY made_at DESC, id DESC",
        {"id": participant_id},
    ).fetchall()
    found = {one for row in rows for one in row[:2]}
    visible = {each for each in found if _is_visible(connection, scope, merges.root(each))}
    return [
        MergeView(
            gone,
            into,
            made_at.astimezone(UTC),
            made_by,
            undone_at.astimezone(UTC) if undone_at is not None else None,
            undone_by,
        )
        for gone, into, made_at, made_by, undone_at, undone_by in rows
        if {gone, into} <= visible
    ]

"""Keeping people: which participant a webhook means, under which aliases and names."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import psycopg

from wamcp.db.columns import columns
from wamcp.vocabulary import AliasKind
from wamcp.whatsapp.payload.facts import Person

AliasKey = tuple[str, str, str]


class Mention(NamedTuple):
    """Somebody was named: within ``scope``, at ``at`` (unix seconds)."""

    scope: str
    person: Person
    at: int


@dataclass(slots=True)
class _Names:
    name: str | None = None
    name_at: int = 0
    username: str | None = None
    username_at: int = 0


@dataclass(slots=True)
class _Ledger:
    """What is known of the people of one batch. Participants not yet in the database have negative ids."""

    owners: dict[AliasKey, int]
    new_aliases: dict[AliasKey, int] = field(default_factory=dict)
    first_named: dict[tuple[int, str, str], int] = field(default_factory=dict)
    newcomers: int = 0


def keep_people(connection: psycopg.Connection, mentions: Sequence[Mention]) -> dict[tuple[str, Person], int]:
    """The participant of every (scope, person) that has an identifier; unknown ones are created.

    A person is found by BSUID, then by wa_id, and by parent BSUID only when neither is told. Identifiers that were not
    known yet are attached; one that belongs to another participant stays there: two people are never merged silently.
    """
    aliases = {(m.scope, kind, value) for m in mentions for kind, value in _identifiers(m.person)}
    if not aliases:
        return {}
    ledger = _Ledger(owners=_owners(connection, aliases))
    found: dict[tuple[str, Person], int] = {}
    for mention in mentions:
        key = (mention.scope, mention.person)
        if key not in found and (participant := _resolve(ledger, mention)) is not None:
            found[key] = participant
    ids = _insert_newcomers(connection, ledger.newcomers)
    found = {key: _real(participant, ids) for key, participant in found.items()}
    _insert_aliases(connection, {key: _real(owner, ids) for key, owner in ledger.new_aliases.items()})
    _keep_names(connection, mentions, found)
    return found


def _identifiers(person: Person) -> Iterable[tuple[str, str]]:
    if person.bsuid:
        yield AliasKind.BSUID.value, person.bsuid
    if person.wa_id:
        yield AliasKind.WA_ID.value, person.wa_id
    if person.parent_bsuid:
        yield AliasKind.PARENT_BSUID.value, person.parent_bsuid


def _owners(connection: psycopg.Connection, aliases: set[AliasKey]) -> dict[AliasKey, int]:
    rows = connection.execute(
        "SELECT a.scope, a.kind, a.value, a.participant_id FROM participant_aliases a"
        " JOIN unnest(%s::text[], %s::text[], %s::text[]) AS u (scope, kind, value) USING (scope, kind, value)",
        columns(sorted(aliases), 3),
    ).fetchall()
    return {(scope, kind, value): owner for scope, kind, value, owner in rows}


def _resolve(ledger: _Ledger, mention: Mention) -> int | None:
    keys = [(mention.scope, kind, value) for kind, value in _identifiers(mention.person)]
    if not keys:
        return None
    direct = [key for key in keys if key[1] != AliasKind.PARENT_BSUID] or keys
    owner = next((ledger.owners[key] for key in direct if key in ledger.owners), None)
    if owner is None:
        ledger.newcomers += 1
        owner = -ledger.newcomers
    for key in keys:
        if key not in ledger.owners:
            ledger.owners[key] = owner
            ledger.new_aliases[key] = owner
    return owner


def _insert_newcomers(connection: psycopg.Connection, count: int) -> list[int]:
    if count == 0:
        return []
    rows = connection.execute(
        "INSERT INTO participants (id) SELECT nextval(pg_get_serial_sequence('participants', 'id'))"
        " FROM generate_series(1, %s) RETURNING id",
        [count],
    ).fetchall()
    return [row[0] for row in rows]


def _real(participant: int, ids: list[int]) -> int:
    return participant if participant > 0 else ids[-participant - 1]


def _insert_aliases(connection: psycopg.Connection, aliases: dict[AliasKey, int]) -> None:
    if aliases:
        rows = [(*key, owner) for key, owner in sorted(aliases.items())]
        connection.execute(
            "INSERT INTO participant_aliases (scope, kind, value, participant_id)"
            " SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[])",
            columns(rows, 4),
        )


def _keep_names(
    connection: psycopg.Connection, mentions: Sequence[Mention], found: dict[tuple[str, Person], int]
) -> None:
    named = [m for m in mentions if m.person.name or m.person.username]
    if not named:
        return
    ids = sorted({found[(m.scope, m.person)] for m in named if (m.scope, m.person) in found})
    shown = _shown_names(connection, ids)
    changed: set[int] = set()
    first_named: dict[tuple[int, str, str], int] = {}
    for mention in named:
        participant = found.get((mention.scope, mention.person))
        if participant is not None:
            for kind, value in (("name", mention.person.name), ("username", mention.person.username)):
                if value and _show(shown[participant], kind, value, mention.at):
                    changed.add(participant)
                    first = (participant, kind, value)
                    first_named[first] = min(mention.at, first_named.get(first, mention.at))
    _write_names(connection, {participant: shown[participant] for participant in sorted(changed)}, first_named)


def _shown_names(connection: psycopg.Connection, ids: list[int]) -> dict[int, _Names]:
    rows = connection.execute(
        "SELECT id, name, extract(epoch FROM name_at)::bigint, username, extract(epoch FROM username_at)::bigint"
        " FROM participants WHERE id = ANY(%s::bigint[])",
        [ids],
    ).fetchall()
    return {row[0]: _Names(row[1], row[2] or 0, row[3], row[4] or 0) for row in rows}


def _show(names: _Names, kind: str, value: str, at: int) -> bool:
    """Whether ``value`` was not the name shown already; the newest name is the one shown."""
    shown, since = (names.name, names.name_at) if kind == "name" else (names.username, names.username_at)
    if value == shown:
        return False
    if at >= since:
        setattr(names, kind, value)
        setattr(names, f"{kind}_at", at)
    return True


def _write_names(
    connection: psycopg.Connection, shown: dict[int, _Names], first_named: dict[tuple[int, str, str], int]
) -> None:
    if not shown:
        return
    rows = [(i, n.name, n.name_at, n.username, n.username_at) for i, n in shown.items()]
    connection.execute(
        "UPDATE participants p SET name = u.name, name_at = to_timestamp(nullif(u.name_at, 0)),"
        " username = u.username, username_at = to_timestamp(nullif(u.username_at, 0))"
        " FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::text[], %s::bigint[])"
        " AS u (id, name, name_at, username, username_at) WHERE p.id = u.id",
        columns(rows, 5),
    )
    connection.execute(
        "INSERT INTO participant_names AS n (participant_id, kind, value, first_seen_at)"
        " SELECT u.id, u.kind, u.value, to_timestamp(u.at)"
        " FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[]) AS u (id, kind, value, at)"
        " ON CONFLICT (participant_id, kind, value) DO UPDATE SET first_seen_at = excluded.first_seen_at"
        " WHERE excluded.first_seen_at < n.first_seen_at",
        columns([(*key, at) for key, at in sorted(first_named.items())], 4),
    )

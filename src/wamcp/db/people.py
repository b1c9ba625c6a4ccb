"""Keeping people: which participant a webhook means, under which aliases and names."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import psycopg

from wamcp.db.columns import array, columns
from wamcp.db.merges import ask_for_merges, read_merges
from wamcp.db.names import NameKey, keep_names
from wamcp.vocabulary import AliasKind, CandidateReason, NameKind
from wamcp.whatsapp.payload.facts import Person
from wamcp.whatsapp.spellings import spellings

AliasKey = tuple[str, str, str]
"""(scope, kind, value)"""


class Mention(NamedTuple):
    """Somebody was named: within ``scope``, at ``at`` (unix seconds), in the contact book as ``book_name``."""

    scope: str
    person: Person
    at: int
    book_name: str | None = None


class Change(NamedTuple):
    """Meta said that ``old`` is called ``new`` from ``at`` (unix seconds) on."""

    scope: str
    old: Person
    new: Person
    at: int


@dataclass(slots=True)
class _Ledger:
    """What is known of the people of one batch. Participants not yet in the database have negative ids."""

    owners: dict[AliasKey, int]
    identified: set[int]
    """Those of them of whom it matters that they have a BSUID already."""
    new_aliases: dict[AliasKey, tuple[int, int]] = field(default_factory=dict)
    """The owner of each, and since when."""
    candidates: dict[tuple[int, int, str], int] = field(default_factory=dict)
    newcomers: int = 0


def keep_people(connection: psycopg.Connection, told: Sequence[Mention | Change]) -> dict[tuple[str, Person], int]:
    """The participant of every (scope, person) that has an identifier; unknown ones are created.

    A person is found by BSUID, then by wa_id in any of its spellings, and by parent BSUID only when neither is told.
    Identifiers that were not known yet are attached; one that belongs to another participant stays there, and the two
    are noted as candidates for a merge. A new BSUID with the wa_id of somebody who has another BSUID is somebody new,
    to whom the phone number went: two people are never merged silently. Where people merged two, the one who stands
    for both is returned; their identifiers and names stay apart, so that the merge can be undone.
    """
    people = [(each.scope, each.person if isinstance(each, Mention) else each.old) for each in told]
    wanted = set(_asked(people))
    wanted.update(_asked((each.scope, each.new) for each in told if isinstance(each, Change)))
    if not wanted:
        return {}
    asked = ask_for_merges(connection)
    owners = _owners(connection, wanted)
    changing = [(each.scope, each.old) for each in told if isinstance(each, Change)]
    ledger = _Ledger(owners, _identified(connection, people, changing, owners))
    found: dict[tuple[str, Person], int] = {}
    for each in told:
        if isinstance(each, Change):
            _change(ledger, each)
        elif (key := (each.scope, each.person)) not in found:
            participant = _resolve(ledger, each.scope, each.person, each.at)
            if participant is not None:
                found[key] = participant
    ids = _insert_newcomers(connection, ledger.newcomers)
    found = {key: _real(participant, ids) for key, participant in found.items()}
    _insert_aliases(connection, ledger, ids)
    _insert_candidates(connection, ledger, ids)
    merges = read_merges(asked)
    keep_names(connection, _names(told, found), merges)
    return {key: merges.root(participant) for key, participant in found.items()} if merges.into else found


def _identifiers(scope: str, person: Person) -> list[AliasKey]:
    """The identifiers of ``person``, the strongest first."""
    given = (
        (AliasKind.BSUID.value, person.bsuid),
        (AliasKind.WA_ID.value, person.wa_id),
        (AliasKind.PARENT_BSUID.value, person.parent_bsuid),
    )
    return [(scope, kind, value) for kind, value in given if value]


def _spelled(key: AliasKey) -> list[AliasKey]:
    scope, kind, value = key
    return [(scope, kind, each) for each in spellings(value)] if kind == AliasKind.WA_ID else [key]


def _asked(people: Iterable[tuple[str, Person]]) -> Iterator[AliasKey]:
    for scope, person in people:
        for key in _identifiers(scope, person):
            yield from _spelled(key)


def _owners(connection: psycopg.Connection, aliases: set[AliasKey]) -> dict[AliasKey, int]:
    rows = connection.execute(
        "SELECT a.scope, a.kind, a.value, a.participant_id FROM participant_aliases a"
        " JOIN unnest(%s::text[], %s::text[], %s::text[]) AS u (scope, kind, value) USING (scope, kind, value)",
        columns(sorted(aliases), 3),
    ).fetchall()
    return {(scope, kind, value): owner for scope, kind, value, owner in rows}


def _identified(
    connection: psycopg.Connection,
    people: Sequence[tuple[str, Person]],
    changing: Sequence[tuple[str, Person]],
    owners: dict[AliasKey, int],
) -> set[int]:
    """Who has a BSUID, among those of whom it may matter: usually nobody has to be asked.

    It matters where a wa_id comes with a BSUID that is not known, and with somebody who gets another wa_id.
    """
    asked = {
        owners[key]
        for scope, person in people
        if person.bsuid and person.wa_id and (scope, AliasKind.BSUID.value, person.bsuid) not in owners
        for key in _spelled((scope, AliasKind.WA_ID.value, person.wa_id))
        if key in owners
    }
    asked.update(owners[key] for key in _asked(changing) if key in owners)
    if not asked:
        return set()
    rows = connection.execute(
        "SELECT participant_id FROM participant_aliases WHERE kind = 'bsuid' AND participant_id = ANY(%s::bigint[])",
        [array(sorted(asked))],
    ).fetchall()
    return {row[0] for row in rows}


def _resolve(ledger: _Ledger, scope: str, person: Person, at: int) -> int | None:
    keys = _identifiers(scope, person)
    if not keys:
        return None
    direct = [key for key in keys if key[1] != AliasKind.PARENT_BSUID] or keys
    known = next((key for each in direct for key in _spelled(each) if key in ledger.owners), None)
    owner = ledger.owners[known] if known is not None else None
    has_bsuid = keys[0][1] == AliasKind.BSUID
    if owner is None or (has_bsuid and known != keys[0] and owner in ledger.identified):
        ledger.newcomers += 1
        owner = -ledger.newcomers
    for key in keys:
        _attach(ledger, key, owner, at)
        for spelled in _spelled(key):
            _suspect(ledger, spelled, owner, at, None)
    if has_bsuid:
        ledger.identified.add(owner)
    return owner


def _change(ledger: _Ledger, change: Change) -> None:
    owner = _resolve(ledger, change.scope, change.old, change.at)
    if owner is None:
        _resolve(ledger, change.scope, change.new, change.at)
        return
    for key in _identifiers(change.scope, change.new):
        _attach(ledger, key, owner, change.at)
        for spelled in _spelled(key):
            _suspect(ledger, spelled, owner, change.at, CandidateReason.CHANGE)
    if change.new.bsuid:
        ledger.identified.add(owner)


def _attach(ledger: _Ledger, key: AliasKey, owner: int, at: int) -> None:
    if key not in ledger.owners:
        ledger.owners[key] = owner
        ledger.new_aliases[key] = (owner, at)


def _suspect(ledger: _Ledger, key: AliasKey, owner: int, at: int, reason: CandidateReason | None) -> None:
    """Notes that whom ``key`` belongs to and ``owner`` may be one person, unless they are."""
    other = ledger.owners.get(key, owner)
    if other != owner:
        if reason is None:
            reason = CandidateReason.NUMBER if key[1] == AliasKind.WA_ID else CandidateReason.PARENT_BSUID
        pair = (owner, other, reason.value)
        ledger.candidates[pair] = min(at, ledger.candidates.get(pair, at))


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


def _insert_aliases(connection: psycopg.Connection, ledger: _Ledger, ids: list[int]) -> None:
    if ledger.new_aliases:
        rows = [(*key, _real(owner, ids), at) for key, (owner, at) in sorted(ledger.new_aliases.items())]
        connection.execute(
            "INSERT INTO participant_aliases (scope, kind, value, participant_id, first_seen_at)"
            " SELECT u.scope, u.kind, u.value, u.owner, to_timestamp(u.at)"
            " FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[])"
            " AS u (scope, kind, value, owner, at)",
            columns(rows, 5),
        )


def _insert_candidates(connection: psycopg.Connection, ledger: _Ledger, ids: list[int]) -> None:
    if not ledger.candidates:
        return
    since: dict[tuple[int, int, str], int] = {}
    for (owner, other, reason), at in ledger.candidates.items():
        one, two = sorted((_real(owner, ids), _real(other, ids)))
        since[(one, two, reason)] = min(at, since.get((one, two, reason), at))
    connection.execute(
        "INSERT INTO merge_candidates AS c (one_id, other_id, reason, first_seen_at)"
        " SELECT u.one, u.other, u.reason, to_timestamp(u.at)"
        " FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::bigint[]) AS u (one, other, reason, at)"
        " ON CONFLICT (one_id, other_id, reason) DO UPDATE SET first_seen_at = excluded.first_seen_at"
        " WHERE excluded.first_seen_at < c.first_seen_at",
        columns([(*key, since[key]) for key in sorted(since)], 4),
    )


def _names(told: Sequence[Mention | Change], found: dict[tuple[str, Person], int]) -> Iterator[tuple[NameKey, int]]:
    for each in told:
        if not isinstance(each, Mention):
            continue
        person, named = each.person, each.person.name or each.person.username or each.book_name
        participant = found.get((each.scope, person)) if named else None
        if participant is None:
            continue
        if person.name:
            yield (participant, NameKind.NAME.value, person.name), each.at
        if person.username:
            yield (participant, NameKind.USERNAME.value, person.username), each.at
        if each.book_name:
            yield (participant, NameKind.BOOK.value, each.book_name), each.at

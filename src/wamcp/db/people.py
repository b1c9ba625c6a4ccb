"""Keeping people: which participant a webhook means, under which aliases and names."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import psycopg

from wamcp.db.columns import array, columns
from wamcp.vocabulary import AliasKind
from wamcp.whatsapp.payload.facts import Person

AliasKey = tuple[str, str, str]
NameKey = tuple[int, str, str]
SECONDS_PER_DAY = 86_400


class Mention(NamedTuple):
    """Somebody was named: within ``scope``, at ``at`` (unix seconds)."""

    scope: str
    person: Person
    at: int


class _Seen(NamedTuple):
    """When a name was seen: first at (unix seconds), last on (UTC day number)."""

    first_at: int
    last_day: int


@dataclass(slots=True)
class _Ledger:
    """What is known of the people of one batch. Participants not yet in the database have negative ids."""

    owners: dict[AliasKey, int]
    identified: set[int]
    """Those of them of whom it matters that they have a BSUID already."""
    new_aliases: dict[AliasKey, int] = field(default_factory=dict)
    newcomers: int = 0


def keep_people(connection: psycopg.Connection, mentions: Sequence[Mention]) -> dict[tuple[str, Person], int]:
    """The participant of every (scope, person) that has an identifier; unknown ones are created.

    A person is found by BSUID, then by wa_id, and by parent BSUID only when neither is told. Identifiers that were not
    known yet are attached; one that belongs to another participant stays there. A new BSUID with the wa_id of somebody
    who has another BSUID is somebody new, to whom the phone number went: two people are never merged silently.
    """
    aliases = {(m.scope, kind, value) for m in mentions for kind, value in _identifiers(m.person)}
    if not aliases:
        return {}
    owners = _owners(connection, aliases)
    ledger = _Ledger(owners, _identified(connection, mentions, owners))
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


def _identified(connection: psycopg.Connection, mentions: Sequence[Mention], owners: dict[AliasKey, int]) -> set[int]:
    """Who has a BSUID, among those whose wa_id comes with a BSUID that is not known: usually nobody has to be asked."""
    asked = {
        owners[wa_id]
        for mention in mentions
        if (wa_id := (mention.scope, AliasKind.WA_ID.value, mention.person.wa_id or "")) in owners
        and mention.person.bsuid
        and (mention.scope, AliasKind.BSUID.value, mention.person.bsuid) not in owners
    }
    if not asked:
        return set()
    rows = connection.execute(
        "SELECT participant_id FROM participant_aliases WHERE kind = 'bsuid' AND participant_id = ANY(%s::bigint[])",
        [array(sorted(asked))],
    ).fetchall()
    return {row[0] for row in rows}


def _resolve(ledger: _Ledger, mention: Mention) -> int | None:
    keys = [(mention.scope, kind, value) for kind, value in _identifiers(mention.person)]
    if not keys:
        return None
    direct = [key for key in keys if key[1] != AliasKind.PARENT_BSUID] or keys
    known = next((key for key in direct if key in ledger.owners), None)
    owner = ledger.owners[known] if known is not None else None
    has_bsuid = keys[0][1] == AliasKind.BSUID
    if owner is None or (has_bsuid and known != keys[0] and owner in ledger.identified):
        ledger.newcomers += 1
        owner = -ledger.newcomers
    for key in keys:
        if key not in ledger.owners:
            ledger.owners[key] = owner
            ledger.new_aliases[key] = owner
    if has_bsuid:
        ledger.identified.add(owner)
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
    """Notes under which names people were seen, and shows the one seen on the latest day; of several, the newest.

    First moment and last day do not depend on the order in which events come, and change at most once a day.
    """
    seen: dict[NameKey, _Seen] = {}
    for mention in mentions:
        participant = found.get((mention.scope, mention.person))
        if participant is not None:
            for kind, value in (("name", mention.person.name), ("username", mention.person.username)):
                if value:
                    _see(seen, (participant, kind, value), _Seen(mention.at, mention.at // SECONDS_PER_DAY))
    if not seen:
        return
    known = _known_names(connection, sorted({key[0] for key in seen}))
    news = {key: now for key, now in seen.items() if key not in known or _see(known, key, now)}
    if news:
        _write_names(connection, news)


def _see(seen: dict[NameKey, _Seen], key: NameKey, now: _Seen) -> bool:
    before = seen.get(key, now)
    seen[key] = _Seen(min(before.first_at, now.first_at), max(before.last_day, now.last_day))
    return seen[key] != before


def _known_names(connection: psycopg.Connection, participants: list[int]) -> dict[NameKey, _Seen]:
    rows = connection.execute(
        "SELECT participant_id, kind, value, extract(epoch FROM first_seen_at)::bigint, last_seen_day"
        " FROM participant_names WHERE participant_id = ANY(%s::bigint[])",
        [array(participants)],
    ).fetchall()
    return {(row[0], row[1], row[2]): _Seen(row[3], row[4]) for row in rows}


def _write_names(connection: psycopg.Connection, news: dict[NameKey, _Seen]) -> None:
    connection.execute(
        "INSERT INTO participant_names AS n (participant_id, kind, value, first_seen_at, last_seen_day)"
        " SELECT u.id, u.kind, u.value, to_timestamp(u.at), u.day"
        " FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::int[]) AS u (id, kind, value, at, day)"
        " ON CONFLICT (participant_id, kind, value) DO UPDATE SET"
        " first_seen_at = least(n.first_seen_at, excluded.first_seen_at),"
        " last_seen_day = greatest(n.last_seen_day, excluded.last_seen_day)",
        columns([(*key, *news[key]) for key in sorted(news)], 5),
    )
    connection.execute(
        "UPDATE participants p SET name = s.name, username = s.username FROM ("
        "  SELECT participant_id AS id, max(value) FILTER (WHERE kind = 'name') AS name,"
        "    max(value) FILTER (WHERE kind = 'username') AS username"
        "  FROM (SELECT DISTINCT ON (participant_id, kind) participant_id, kind, value FROM participant_names"
        "        WHERE participant_id = ANY(%s::bigint[])"
        "        ORDER BY participant_id, kind, last_seen_day DESC, first_seen_at DESC, value DESC) AS shown"
        "  GROUP BY participant_id) AS s"
        " WHERE p.id = s.id AND (p.name, p.username) IS DISTINCT FROM (s.name, s.username)",
        [array(sorted({key[0] for key in news}))],
    )

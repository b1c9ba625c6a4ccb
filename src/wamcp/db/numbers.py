"""Keeping our own numbers: their ids, and the scope within which Meta's ids of people are unique."""

from collections.abc import Iterable
from typing import NamedTuple

import psycopg

from wamcp.db.columns import array, columns
from wamcp.whatsapp.payload.facts import NumberFact


class Number(NamedTuple):
    """One of our numbers; ``scope`` is the account under which it was first seen, and stays."""

    id: int
    scope: str


def keep_numbers(connection: psycopg.Connection, facts: Iterable[NumberFact]) -> dict[str, Number]:
    """Every number that is named, by phone number id; unknown ones are created, newer display numbers kept."""
    first: dict[str, NumberFact] = {}
    latest: dict[str, NumberFact] = {}
    for fact in facts:
        before = first.setdefault(fact.phone_number_id, fact)
        if fact.display_phone_number is None and before is not fact:
            known = latest[fact.phone_number_id].display_phone_number
            fact = NumberFact(fact.phone_number_id, known, fact.waba_id)
        latest[fact.phone_number_id] = fact
    if not latest:
        return {}
    found = _select(connection, list(latest))
    changed = [
        (key, fact.display_phone_number, fact.waba_id, first[key].waba_id)
        for key, fact in sorted(latest.items())
        if _is_news(fact, found.get(key))
    ]
    if changed:
        connection.execute(
            "INSERT INTO numbers AS n (phone_number_id, display_phone_number, waba_id, scope)"
            " SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])"
            " ON CONFLICT (phone_number_id) DO UPDATE SET waba_id = excluded.waba_id,"
            " display_phone_number = coalesce(excluded.display_phone_number, n.display_phone_number)",
            columns(changed, 4),
        )
        found = _select(connection, list(latest))
    return {key: row[0] for key, row in found.items()}


def _is_news(fact: NumberFact, known: tuple[Number, str | None, str] | None) -> bool:
    return known is None or known[1:] != (fact.display_phone_number or known[1], fact.waba_id)


def _select(connection: psycopg.Connection, phone_number_ids: list[str]) -> dict[str, tuple[Number, str | None, str]]:
    rows = connection.execute(
        "SELECT phone_number_id, id, scope, display_phone_number, waba_id FROM numbers"
        " WHERE phone_number_id = ANY(%s::text[])",
        [array(phone_number_ids)],
    ).fetchall()
    return {row[0]: (Number(row[1], row[2]), row[3], row[4]) for row in rows}

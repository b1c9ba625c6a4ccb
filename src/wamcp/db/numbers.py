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
    latest = {fact.phone_number_id: fact for fact in facts}
    if not latest:
        return {}
    found = _select(connection, list(latest))
    changed = [
        (fact.phone_number_id, fact.display_phone_number, fact.waba_id)
        for fact in latest.values()
        if _is_news(fact, found.get(fact.phone_number_id))
    ]
    if changed:
        connection.execute(
            "INSERT INTO numbers AS n (phone_number_id, display_phone_number, waba_id, scope)"
            " SELECT u.p, u.d, u.w, u.w FROM unnest(%s::text[], %s::text[], %s::text[]) AS u (p, d, w)"
            " ON CONFLICT (phone_number_id) DO UPDATE SET waba_id = excluded.waba_id,"
            " display_phone_number = coalesce(excluded.display_phone_number, n.display_phone_number)",
            columns(sorted(changed), 3),
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

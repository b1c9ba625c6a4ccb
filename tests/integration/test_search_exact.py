"""Whichever way a search takes, it gives exactly what a naive query gives."""

import random
from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from tests import factories
from tests.factories import ADMIN, NOON, grant
from wamcp.archive import terms, wordsearch
from wamcp.archive.asking import asking
from wamcp.archive.search import SearchQuery, search
from wamcp.db.migrate import migrate
from wamcp.db.session import Pool, ReadConnection
from wamcp.words import parse_query

WORDS = ["ok", "thx", "invoice", "refund", "purchase", "order", "zebra", "中国", "手机", "فاتورة", "école", "old"]
QUERIES = [
    *WORDS,
    "ok thx",
    '"purchase order"',
    "inv*",
    "o*",
    "中",
    "中国手机",
    '"ok thx"',
    "absent",
    "order ok",
    "old",
    "image*",
    "im*",
]
TYPES = ["text", "image", "audio", "contacts", "sticker"]  # sticker: never seen
WAYS: list[dict[str, Any]] = [
    {},
    {"PROBE_ROWS": 20, "DIRECT_ROWS": 0, "PREFIX_DIRECT_ROWS": 0, "PREFIX_PROBE_ROWS": 60},
    {"PROBE_ROWS": 50, "DIRECT_ROWS": 0, "SLICE_ROWS": (100, 200)},
    {"PROBE_ROWS": 10, "DIRECT_ROWS": 100, "SLICE_ROWS": (1, 50), "SLICE_HITS": 5},
    {"PROBE_ROWS": 2000, "DIRECT_ROWS": 0, "SLICE_ROWS": (400, 1000)},
]


@pytest.fixture(scope="module")
def many(postgres: Any) -> Iterator[Pool]:
    """3,000 messages of two numbers over 40 days, analyzed: types from nearly all (text) to one message (contacts)."""
    url = postgres.clone("migrated", lambda url: migrate(factories.settings_for(url)))
    chance = random.Random(7)
    with factories.writing(url) as archive:
        conversations = [archive.conversation(archive.number(name)) for name in ("111", "222", "111", "111")]
        with archive.connection.transaction():
            for number in range(3000):
                day = chance.randrange(40)
                words = chance.choices(WORDS[:-1], weights=[30, 20, 5, 5, 5, 5, 0.2, 3, 3, 3, 3], k=4)
                words += ["old"] if day < 5 else []
                kind = chance.choices(TYPES[:3], weights=[80, 19, 1])[0]
                if number == 1500:
                    words, kind = ["ok", "thx", "purchase", "order"], "contacts"
                archive.message(
                    chance.choice(conversations),
                    " ".join(words),
                    NOON + timedelta(days=day, minutes=chance.randrange(60)),
                    outbound=chance.random() < 0.3,
                    kind=kind,
                )
        archive.connection.execute("ANALYZE messages")
    with factories.reader_pool(url) as pool:
        yield pool
    postgres.drop(url)


def naive(connection: ReadConnection, query: SearchQuery, numbers: list[str]) -> list[int]:
    found = terms.terms_of(connection, parse_query(query.text))
    assert found is not None
    rows = connection.execute(
        "SELECT m.id FROM messages m JOIN numbers n ON n.id = m.number_id"
        " WHERE m.tsv @@ %(words)s::tsquery AND n.phone_number_id = ANY(%(numbers)s::text[])"
        " AND (%(conversation)s::bigint IS NULL OR m.conversation_id = %(conversation)s::bigint)"
        " AND (%(direction)s::text IS NULL OR m.direction = %(direction)s)"
        " AND (%(type)s::text IS NULL OR m.type = %(type)s)"
        " AND (%(after)s::timestamptz IS NULL OR m.sent_at >= %(after)s)"
        " AND (%(before)s::timestamptz IS NULL OR m.sent_at < %(before)s)"
        " ORDER BY m.sent_at DESC, m.id DESC",
        {
            "words": found.tsquery,
            "numbers": numbers,
            "conversation": query.conversation_id,
            "direction": query.direction,
            "type": query.type,
            "after": query.after,
            "before": query.before,
        },
    )
    return [row[0] for row in rows]


def some_filters(chance: random.Random) -> dict[str, Any]:
    days = sorted(chance.sample(range(41), 2))
    every = {
        "conversation_id": chance.choice([1, 2, 3]),
        "number": chance.choice(["111", "222"]),
        "direction": chance.choice(["inbound", "outbound"]),
        "type": chance.choice(TYPES),
        "after": NOON + timedelta(days=days[0], minutes=30),
        "before": NOON + timedelta(days=days[1], minutes=30),
    }
    return {name: every[name] for name in every if chance.random() < 0.25}


@pytest.mark.parametrize("settings", WAYS)
def test_every_way_gives_the_exact_newest(
    many: Pool, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setattr(wordsearch, name, value)
    chance = random.Random(str(settings))
    bearers = [(ADMIN, ["111", "222"]), (grant(numbers=frozenset({"111"})), ["111"])]
    for _ in range(100):
        bearer, numbers = chance.choice(bearers)
        filters = some_filters(chance)
        if filters.get("number", numbers[0]) not in numbers or filters.get("conversation_id") == 2 != len(numbers):
            continue  # nothing but a refusal to compare
        if "conversation_id" in filters:
            filters.pop("number", None)
        query = SearchQuery(chance.choice(QUERIES), limit=chance.choice([1, 5, 50]), **filters)
        shown = [query.number] if query.number else numbers
        with asking(many) as connection:
            expected = naive(connection, query, shown)
            got = search(connection, bearer, query)
            assert [item.id for item in got.items] == expected[: query.limit], query
            if got.next_cursor:
                following = SearchQuery(query.text, limit=query.limit, cursor=got.next_cursor, **filters)
                rest = search(connection, bearer, following)
                assert [item.id for item in rest.items] == expected[query.limit : 2 * query.limit], query
            else:
                assert len(expected) <= query.limit


@pytest.mark.parametrize("settings", WAYS)
def test_every_way_heeds_the_type(many: Pool, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in settings.items():
        monkeypatch.setattr(wordsearch, name, value)
    for kind, text, filters in product(TYPES, ["ok", "o*", '"purchase order"'], [{}, {"conversation_id": 1}]):
        query = SearchQuery(text, type=kind, **filters)
        with asking(many) as connection:
            expected = naive(connection, query, ["111", "222"])
            got = search(connection, ADMIN, query)
        assert [item.id for item in got.items] == expected[: query.limit], query
        assert {item.type for item in got.items} <= {kind}
        assert got.matched_by == ("words" if expected else "substring"), query
        if text == "ok" and not filters:
            assert {"contacts": len(expected) == 1, "sticker": not expected}.get(kind, len(expected) > 1), query


def test_a_rare_type_makes_common_words_rare(many: Pool) -> None:
    with asking(many) as connection:
        share = {kind: found.share for kind in [None, *TYPES] if (found := terms_of(connection, kind))}
    assert share[None] == share["text"] > 0.5
    assert 0.1 < share["image"] < 0.3
    assert max(share["audio"], share["contacts"], share["sticker"]) < 0.05


def terms_of(connection: ReadConnection, kind: str | None) -> terms.Terms | None:
    return terms.terms_of(connection, parse_query("ok"), kind)

"""Whichever way a search takes, it gives exactly what a naive query gives."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from tests import factories
from tests.factories import ADMIN, NOON, grant
from wamcp.access.grants import Grant
from wamcp.archive import substring, terms, wordsearch
from wamcp.archive.asking import asking
from wamcp.archive.search import SearchQuery, search
from wamcp.archive.searched import MESSAGES, PAGES, Searched
from wamcp.archive.views import SearchPage
from wamcp.archive.wordsearch import Bounds
from wamcp.db.migrate import migrate
from wamcp.db.session import Pool, ReadConnection
from wamcp.words import parse_query

WORDS = ["ok", "thx", "invoice", "refund", "purchase", "order", "zebra", "中国", "手机", "فاتورة", "école", "old"]
PAGE_WORDS = [*WORDS[:-1], "warranty", "total"]
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
    "warranty",
    "wa*",
    "total warranty",
    "image*",
    "im*",
]
LETTERS = ["nvoic", "arrant", "urchas rde", "ebr", "qqq", "colÉ"]
TYPES = ["text", "image", "audio", "contacts", "sticker"]  # sticker: never seen
ALL = Bounds(0, 20, 0, 60, (100, 200), 2_000)
WAYS: list[dict[Searched, Bounds]] = [
    {},
    {MESSAGES: replace(ALL, slice_rows=(16_000, 512_000)), PAGES: replace(ALL, slice_rows=(16_000, 512_000))},
    {MESSAGES: replace(ALL, probe_rows=50), PAGES: replace(ALL, probe_rows=5, slice_rows=(10, 40))},
    {
        MESSAGES: replace(ALL, probe_rows=10, direct_rows=100, slice_rows=(1, 50), slice_hits=5),
        PAGES: replace(ALL, probe_rows=3, direct_rows=20, slice_rows=(1, 20), slice_hits=5),
    },
    {MESSAGES: replace(ALL, probe_rows=2000, slice_rows=(400, 1000)), PAGES: replace(ALL, probe_rows=2000)},
]
READERS = [(ADMIN, ["111", "222"]), (grant(numbers=frozenset({"111"})), ["111"])]
UNREAD = (replace(ADMIN, documents=False), ["111", "222"])


@pytest.fixture(scope="module")
def many(postgres: Any) -> Iterator[Pool]:
    """3,000 messages of two numbers over 40 days, analyzed: types from nearly all (text) to one message (contacts).

    About 500 of them carry documents of 1 to 12 pages; many messages are of the same moment.
    """
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
                made = archive.message(
                    chance.choice(conversations),
                    " ".join(words),
                    NOON + timedelta(days=day, minutes=chance.randrange(60)),
                    outbound=chance.random() < 0.3,
                    kind=kind,
                )
                for _ in range(0 if kind in ("text", "contacts") else chance.choice([0, 1, 1, 1, 2])):
                    archive.document(made, some_pages(chance, day))
        archive.connection.execute("ANALYZE messages, document_pages")
    with factories.reader_pool(url) as pool:
        yield pool
    postgres.drop(url)


def some_pages(chance: random.Random, day: int) -> list[str]:
    weights = [30, 20, 5, 5, 5, 5, 0.2, 3, 3, 3, 3, 2, 40]
    return [
        " ".join(chance.choices(PAGE_WORDS, weights, k=chance.choice([0, 3, 8])) + (["old"] if day < 5 else []))
        for _ in range(chance.choice([1, 1, 2, 12]))
    ]


def naive(connection: ReadConnection, query: SearchQuery, reader: tuple[Grant, list[str]]) -> list[tuple[int, Any]]:
    """(message, (document, its pages with a match) or None), newest first."""
    asked = terms.lexemes_of(connection, parse_query(query.text))
    return naively(
        connection, query, reader, "{}.tsv @@ %(sought)s::tsquery", terms.terms_of(connection, asked).tsquery
    )


def naively(
    connection: ReadConnection, query: SearchQuery, reader: tuple[Grant, list[str]], match: str, sought: object
) -> list[tuple[int, Any]]:
    bearer, numbers = reader
    rows = connection.execute(
        "WITH place AS (SELECT m.* FROM messages m JOIN numbers n ON n.id = m.number_id"
        "  WHERE n.phone_number_id = ANY(%(numbers)s::text[])"
        "  AND (%(conversation)s::bigint IS NULL OR m.conversation_id = %(conversation)s::bigint)"
        "  AND (%(direction)s::text IS NULL OR m.direction = %(direction)s)"
        "  AND (%(type)s::text IS NULL OR m.type = %(type)s)"
        "  AND (%(after)s::timestamptz IS NULL OR m.sent_at >= %(after)s)"
        "  AND (%(before)s::timestamptz IS NULL OR m.sent_at < %(before)s)),"
        " doc AS (SELECT m.id AS message, m.sent_at, d.id, array_agg(p.page ORDER BY p.page) AS pages FROM place m"
        "  JOIN documents d USING (number_id, wamid) JOIN document_pages p ON p.document_id = d.id"
        f"  WHERE %(documents)s AND {match.format('p')} GROUP BY 1, 2, 3),"
        " mes AS (SELECT id AS message, sent_at FROM place"
        f"  WHERE %(messages)s AND {match.format('place')} AND NOT (%(documents)s AND id IN (SELECT message FROM doc)))"
        " SELECT message, id, pages FROM (SELECT message, sent_at, 1 AS kind, id, pages FROM doc UNION ALL"
        "  SELECT message, sent_at, 0, message, NULL FROM mes) AS found ORDER BY sent_at DESC, kind DESC, id DESC",
        {
            "sought": sought,
            "numbers": [query.number] if query.number else numbers,
            "conversation": query.conversation_id,
            "direction": query.direction,
            "type": query.type,
            "after": query.after,
            "before": query.before,
            "documents": bearer.documents and query.search_in != "messages",
            "messages": query.search_in != "documents",
        },
    )
    return [(message, (row_id, pages) if pages else None) for message, row_id, pages in rows]


def told(found: SearchPage, expected: list[tuple[int, Any]]) -> bool:
    """Whether ``found`` says what is expected."""
    got = [
        (item.id, item.document and (item.document.id, list(item.document.pages), item.document.page_count))
        for item in found.items
    ]
    return got == [(message, each and (each[0], each[1][:10], len(each[1]))) for message, each in expected]


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


def some_query(chance: random.Random, numbers: list[str], texts: list[str]) -> SearchQuery | None:
    """None where the filters would only be refused."""
    filters = some_filters(chance)
    if filters.get("number", numbers[0]) not in numbers or filters.get("conversation_id") == 2 != len(numbers):
        return None
    if "conversation_id" in filters:
        filters.pop("number", None)
    filters["search_in"] = chance.choice(["all", "all", "messages", "documents"])
    return SearchQuery(chance.choice(texts), limit=chance.choice([1, 5, 50]), **filters)


@pytest.mark.parametrize("way", WAYS)
def test_every_way_gives_the_exact_newest(
    many: Pool, way: dict[Searched, Bounds], monkeypatch: pytest.MonkeyPatch
) -> None:
    for table, bounds in way.items():
        monkeypatch.setitem(wordsearch.BOUNDS, table, bounds)
    chance = random.Random(WAYS.index(way))
    compared = 0
    while compared < 100:
        reader = chance.choice([*READERS, UNREAD])
        query = some_query(chance, reader[1], QUERIES)
        if query is None:
            continue
        compared += 1
        with asking(many) as connection:
            expected = naive(connection, query, reader)
            got = search(connection, reader[0], query)
            assert told(got, expected[: query.limit]), query
            if not expected:
                assert got.matched_by == "substring", query
                continue
            for start in range(query.limit, 4 * query.limit, query.limit):  # and the pages after it
                assert (got.next_cursor is not None) == (len(expected) > start), query
                if got.next_cursor is None:
                    break
                got = search(connection, reader[0], replace(query, cursor=got.next_cursor))
                assert told(got, expected[start : start + query.limit]), query


@pytest.mark.parametrize("rows", [(20_000, 1_200), (70, 15), (400, 13)])
def test_letters_are_found_to_the_last(many: Pool, rows: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    for table, count in zip((MESSAGES, PAGES), rows, strict=True):
        monkeypatch.setitem(substring.NEWEST_ROWS, table, count)
    monkeypatch.setattr(substring, "NEWEST_BYTES", rows[1] * 30)
    chance = random.Random(str(rows))
    compared = 0
    while compared < 12:
        reader = chance.choice([*READERS, UNREAD])
        query = some_query(chance, reader[1], LETTERS)
        if query is None:
            continue
        compared += 1
        with asking(many) as connection:
            patterns = [f"%{piece.lower().replace('é', 'e')}%" for piece in query.text.split()]
            expected = naively(connection, query, reader, "public.wa_norm({}.text) LIKE ALL (%(sought)s)", patterns)
            pages, got = [], search(connection, reader[0], query)
            assert got.matched_by == "substring" and got.covered
            while True:
                pages.append(got)
                assert len(got.items) <= query.limit
                if got.next_cursor is None:
                    break
                got = search(connection, reader[0], replace(query, cursor=got.next_cursor))
        every = SearchPage([item for page in pages for item in page.items], None, "substring")
        assert told(every, expected), query


@pytest.mark.parametrize("way", WAYS)
def test_every_way_heeds_the_type(many: Pool, way: dict[Searched, Bounds], monkeypatch: pytest.MonkeyPatch) -> None:
    for table, bounds in way.items():
        monkeypatch.setitem(wordsearch.BOUNDS, table, bounds)
    for kind, text, filters in product(TYPES, ["ok", "o*", '"purchase order"'], [{}, {"conversation_id": 1}]):
        query = SearchQuery(text, type=kind, **filters)
        with asking(many) as connection:
            expected = naive(connection, query, READERS[0])
            got = search(connection, ADMIN, query)
        assert told(got, expected[: query.limit]), query
        assert {item.type for item in got.items} <= {kind}
        assert got.matched_by == ("words" if expected else "substring"), query
        if text == "ok" and not filters:
            assert {"contacts": len(expected) == 1, "sticker": not expected}.get(kind, len(expected) > 1), query


def test_a_rare_type_makes_common_words_rare(many: Pool) -> None:
    def shares(table: Searched) -> dict[str | None, float]:
        with asking(many) as connection:
            asked = terms.lexemes_of(connection, parse_query("ok"))
            return {kind: terms.terms_of(connection, asked, kind, table).share for kind in [None, *TYPES]}

    share = shares(MESSAGES)
    assert share[None] == share["text"] > 0.5
    assert 0.1 < share["image"] < 0.3
    assert max(share["audio"], share["contacts"], share["sticker"]) < 0.05
    of_pages = shares(PAGES)
    assert of_pages[None] == of_pages["image"] > 0.4
    assert max(of_pages["text"], of_pages["audio"], of_pages["contacts"]) < 0.1

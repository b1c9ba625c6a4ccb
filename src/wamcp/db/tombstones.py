"""What was erased, remembered as hashes: enough to know it again when it comes late, not enough to read it."""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import psycopg

from wamcp.db.columns import array, columns
from wamcp.whatsapp.payload.gone import Gone, Until

BATCH = 10_000
Alias = tuple[str, str, str]
"""(scope, kind, value)"""


class Named(NamedTuple):
    """What a webhook names: people by their aliases, messages by (phone_number_id, wamid), callbacks of sends."""

    people: set[Alias]
    messages: set[tuple[str, str]]
    callbacks: set[str]


class Stone(NamedTuple):
    """The key of the hashes, and until when (unix seconds) the last one who was erased is erased."""

    key: bytes
    newest: int


def newest_stone(connection: psycopg.Connection) -> Stone | None:
    """None while nobody was ever erased."""
    row = connection.execute(
        "SELECT (SELECT key FROM public.erasure_key), (SELECT max(before) FROM public.erased_people)"
    ).fetchone()
    return None if row is None or row[0] is None or row[1] is None else Stone(row[0], row[1])


def key_of(connection: psycopg.Connection) -> bytes:
    """The key of this database's hashes."""
    row = connection.execute("SELECT key FROM erasure_key").fetchone()
    assert row is not None
    return bytes(row[0])


def digest(key: bytes, *words: str) -> bytes:
    """HMAC-SHA256 of ``words``, 32 bytes."""
    return hmac.digest(key, "\0".join(words).encode("utf-8", "replace"), hashlib.sha256)


def pseudonym(key: bytes, word: str) -> str:
    """What stands for ``word`` where somebody erased was named: the same word, the same pseudonym."""
    return f"erased:{digest(key, 'pseudonym', word).hex()[:16]}"


def remember_people(connection: psycopg.Connection, key: bytes, people: Iterable[Alias], until: Until) -> None:
    """Whoever is called so was erased, as far as he is spoken of until then."""
    rows = sorted((digest(key, "person", *alias), until.before, until.identified) for alias in people)
    connection.execute(
        "INSERT INTO erased_people AS e (digest, before, identified)"
        " SELECT * FROM unnest(%s::bytea[], %s::bigint[], %s::boolean[])"
        " ON CONFLICT (digest) DO UPDATE SET before = greatest(e.before, excluded.before),"
        " identified = excluded.identified",
        columns(rows, 3),
    )


def remember_messages(connection: psycopg.Connection, key: bytes, named: Named) -> None:
    """These messages, and what bears these callbacks, were erased."""
    digests = [digest(key, "message", *each) for each in named.messages]
    digests += [digest(key, "callback", each) for each in named.callbacks]
    for start in range(0, len(digests), BATCH):
        connection.execute(
            "INSERT INTO erased_messages SELECT * FROM unnest(%s::bytea[]) ON CONFLICT DO NOTHING",
            [array(sorted(digests[start : start + BATCH]))],
        )


def recognised(connection: psycopg.Connection, key: bytes, named: Named, scopes: dict[str, str]) -> Gone | None:
    """What of ``named`` was erased; None when nothing was. ``scopes`` are those of our numbers."""
    people = {digest(key, "person", *alias): alias for alias in named.people}
    messages = {digest(key, "message", *each): each for each in named.messages}
    callbacks = {digest(key, "callback", each): each for each in named.callbacks}
    found = dict[Alias, Until]()
    for mark, before, identified in connection.execute(
        "SELECT digest, before, identified FROM erased_people WHERE digest = ANY(%s::bytea[])", [array(sorted(people))]
    ):
        found[people[bytes(mark)]] = Until(before, identified)
    marks = _known(connection, [*messages, *callbacks])
    if not found and not marks:
        return None
    return Gone(
        found,
        frozenset(each for mark, each in messages.items() if mark in marks),
        frozenset(each for mark, each in callbacks.items() if mark in marks),
        scopes,
    )


def _known(connection: psycopg.Connection, marks: Sequence[bytes]) -> set[bytes]:
    rows = connection.execute(
        "SELECT digest FROM erased_messages WHERE digest = ANY(%s::bytea[])", [array(sorted(marks))]
    )
    return {bytes(row[0]) for row in rows}

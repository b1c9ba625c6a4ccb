"""The writer against a real Postgres: kept before told, once, in good time, whatever the database does."""

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.patience import PATIENCE
from wamcp.embedded.scratch import FAST, TemporaryPostgres, temporary_directory, temporary_postgres
from wamcp.errors import Overloaded
from wamcp.ingest import receive
from wamcp.ingest.receive import KeepResult, Writer
from wamcp.vocabulary import BELL

ACCEPTED, DUPLICATE = KeepResult.ACCEPTED, KeepResult.DUPLICATE


@asynccontextmanager
async def writing(url: str) -> AsyncIterator[Writer]:
    writer = Writer(url)
    await writer.start()
    try:
        yield writer
    finally:
        await writer.stop()


async def outcome(keeping: Callable[[], Awaitable[KeepResult]]) -> tuple[str, float]:
    began = time.monotonic()
    try:
        result = (await keeping()).value
    except Overloaded:
        result = "overloaded"
    return result, time.monotonic() - began


async def keep(writer: Writer, body: bytes) -> tuple[str, float]:
    async def keeping() -> KeepResult:
        return await writer.keep(body)

    return await outcome(keeping)


async def kept_soon(writer: Writer, body: bytes) -> None:
    """Asks again as Meta does; a machine that stood still is no fault."""
    began = time.monotonic()
    while (await keep(writer, body))[0] != "accepted":
        assert time.monotonic() - began < PATIENCE


def rows(url: str, query: str) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query).fetchall()


def run(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def stored(url: str) -> list[bytes]:
    return [body for (body,) in rows(url, "SELECT body FROM webhook_events ORDER BY id")]


def test_a_body_is_committed_with_its_digest_and_its_place_in_the_queue_when_the_writer_says_so(
    database_url: str,
) -> None:
    body = bytes(range(256)) * 3

    async def story() -> list[Any]:
        async with writing(database_url) as writer:
            assert await writer.keep(body) is ACCEPTED
            return rows(
                database_url, "SELECT sha256, body, size FROM webhook_events JOIN webhook_queue ON event_id = id"
            )

    assert asyncio.run(story()) == [(sha256(body).digest(), body, len(body))]


def test_the_same_body_is_kept_once_whenever_it_comes(database_url: str) -> None:
    async def story() -> list[KeepResult]:
        async with writing(database_url) as writer:
            at_once = await asyncio.gather(*(writer.keep(b"the same") for _ in range(50)))
            return [*at_once, await writer.keep(b"the same")]

    results = asyncio.run(story())
    assert results.count(ACCEPTED) == 1 and results.count(DUPLICATE) == 50
    assert stored(database_url) == [b"the same"]
    assert rows(database_url, "SELECT count(*) FROM webhook_queue") == [(1,)]


def test_what_arrives_together_shares_transactions(database_url: str) -> None:
    async def story() -> None:
        async with writing(database_url) as writer:
            await asyncio.gather(*(writer.keep(b"%d" % n) for n in range(1000)))

    asyncio.run(story())
    assert len(stored(database_url)) == 1000
    ((transactions,),) = rows(database_url, "SELECT count(DISTINCT xmin::text) FROM webhook_events")
    assert transactions <= 1000 // receive.MAX_BATCH + 2


def test_a_batch_is_bounded_by_bytes_too(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receive, "MAX_BATCH_BYTES", 1000)

    async def story() -> None:
        async with writing(database_url) as writer:
            await asyncio.gather(*(writer.keep(b"%03d" % n * 100) for n in range(30)), writer.keep(b"x" * 5000))

    asyncio.run(story())
    query = "SELECT max(n) FROM (SELECT count(*) AS n FROM webhook_events GROUP BY xmin::text) AS batches"
    assert rows(database_url, query) == [(3,)]
    assert len(stored(database_url)) == 31


def test_the_queue_is_bounded_by_bytes_and_by_count(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receive, "MAX_WAITING_BYTES", 1000)
    monkeypatch.setattr(receive, "MAX_WAITING", 5)

    async def story() -> None:
        async with writing(database_url) as writer:
            waiting = [writer.keep(b"x" * 400), writer.keep(b"y" * 400)]
            with pytest.raises(Overloaded):
                writer.keep(b"z" * 400)
            waiting += [writer.keep(b"%d" % n) for n in range(3)]
            with pytest.raises(Overloaded):
                writer.keep(b"one too many")
            assert await asyncio.gather(*waiting) == [ACCEPTED] * 5
            assert await writer.keep(b"z" * 400) is ACCEPTED

    asyncio.run(story())


def test_a_row_that_the_database_refuses_does_not_harm_its_neighbours(database_url: str) -> None:
    run(database_url, "ALTER TABLE webhook_events ADD CHECK (get_byte(body, 0) <> ascii('!'))")

    async def story() -> list[tuple[str, float]]:
        async with writing(database_url) as writer:
            bodies = [b"!poison %d" % n if n % 40 == 7 else b"good %d" % n for n in range(120)]
            return await asyncio.gather(*(keep(writer, body) for body in bodies))

    results = [result for result, _ in asyncio.run(story())]
    assert [n for n, result in enumerate(results) if result == "overloaded"] == [7, 47, 87]
    assert len(stored(database_url)) == 117


def test_the_bell_rings_after_the_commit(database_url: str) -> None:
    async def story() -> bool:
        async with writing(database_url) as writer:
            assert await writer.keep(b"new") is ACCEPTED
            return await asyncio.to_thread(lambda: list(listener.notifies(timeout=20, stop_after=1))) != []

    with psycopg.connect(database_url, autocommit=True) as listener:
        listener.execute(f"LISTEN {BELL}")
        assert asyncio.run(story())


def test_two_writers_under_a_storm_of_the_same_bodies_never_deadlock(database_url: str) -> None:
    rounds, size = 60, 150

    async def story() -> int:
        accepted = 0
        rng = random.Random(7)
        async with writing(database_url) as one, writing(database_url) as other:
            for number in range(rounds):
                bodies = [b"%d %d" % (number, n) for n in range(size)]
                storm = []
                for writer in (one, other):
                    rng.shuffle(bodies)
                    storm += [writer.keep(body) for body in bodies[: size - 20]]
                accepted += (await asyncio.gather(*storm)).count(ACCEPTED)
        return accepted

    accepted = asyncio.run(story())
    ((distinct,),) = rows(database_url, "SELECT count(*) FROM webhook_events")
    assert accepted == distinct
    assert rows(database_url, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == [(0,)]


def test_stopping_keeps_what_came_before_and_refuses_what_comes_after(database_url: str) -> None:
    async def story() -> list[KeepResult]:
        writer = Writer(database_url)
        await writer.start()
        waiting = [writer.keep(b"%d" % n) for n in range(600)]
        await writer.stop()
        with pytest.raises(Overloaded):
            writer.keep(b"late")
        return await asyncio.gather(*waiting)

    assert asyncio.run(story()) == [ACCEPTED] * 600
    assert len(stored(database_url)) == 600


def test_a_request_that_was_abandoned_harms_nobody(database_url: str) -> None:
    async def story() -> KeepResult:
        async with writing(database_url) as writer:
            abandoned = writer.keep(b"abandoned")
            neighbour = writer.keep(b"neighbour")
            abandoned.cancel()
            return await neighbour

    assert asyncio.run(story()) is ACCEPTED


def test_a_locked_table_is_given_up_in_time_and_used_again_afterwards(database_url: str) -> None:
    async def story() -> None:
        async with writing(database_url) as writer:
            with psycopg.connect(database_url) as locking:
                locking.execute("LOCK TABLE webhook_queue IN ACCESS EXCLUSIVE MODE")
                refused = await asyncio.gather(*(keep(writer, b"%d" % n) for n in range(300)))
            assert {result for result, _ in refused} == {"overloaded"}
            assert max(seconds for _, seconds in refused) < 2 * PATIENCE
            assert (await keep(writer, b"after"))[0] == "accepted"

    asyncio.run(story())
    assert stored(database_url) == [b"after"]


def test_a_lost_connection_costs_nobody_anything(database_url: str) -> None:
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'wamcp %'"

    async def story() -> list[str]:
        results = []
        async with writing(database_url) as writer:
            for number in range(40):
                storm = [asyncio.create_task(keep(writer, b"%d %d" % (number, n))) for n in range(50)]
                await asyncio.sleep(0)
                if number % 8 == 3:
                    await asyncio.to_thread(run, database_url, kill)
                results += [result for result, _ in await asyncio.gather(*storm)]
        return results

    results = asyncio.run(story())
    assert "overloaded" not in results
    assert sorted(stored(database_url)) == sorted(b"%d %d" % (a, b) for a in range(40) for b in range(50))


def test_a_database_that_commits_without_its_disk_is_told_not_to(database_url: str) -> None:
    name = database_url.rpartition("/")[2]
    run(database_url, f"ALTER DATABASE {name} SET synchronous_commit = off")
    run(
        database_url,
        "CREATE FUNCTION reveal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " NEW.body := convert_to(current_setting('synchronous_commit'), 'UTF8'); RETURN NEW; END $$;"
        " CREATE TRIGGER reveal BEFORE INSERT ON webhook_events FOR EACH ROW EXECUTE FUNCTION reveal()",
    )

    async def story() -> None:
        async with writing(database_url) as writer:
            await writer.keep(b"anything")

    asyncio.run(story())
    assert stored(database_url) == [b"on"]


def test_parameters_that_only_libpq_knows_are_no_obstacle(database_url: str) -> None:
    async def story() -> bool:
        options = "?channel_binding=prefer&connect_timeout=5&keepalives_idle=30&sslmode=disable"
        async with writing(database_url + options) as writer:
            return writer.is_connected

    assert asyncio.run(story())


@pytest.fixture(scope="module")
def mortal() -> Iterator[TemporaryPostgres]:
    """A Postgres of its own, to be stopped."""
    with temporary_directory() as directory, temporary_postgres(directory, FAST) as server:
        yield server


@pytest.fixture
def mortal_database(mortal: TemporaryPostgres) -> Iterator[str]:
    url = mortal.create()
    run(
        url,
        "CREATE TABLE webhook_events (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,"
        " sha256 bytea NOT NULL UNIQUE, received_at timestamptz NOT NULL DEFAULT now(), body bytea NOT NULL);"
        "CREATE TABLE webhook_queue (event_id bigint PRIMARY KEY, size integer NOT NULL,"
        " queued_at timestamptz NOT NULL DEFAULT now())",
    )
    yield url
    mortal.drop(url)


def family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def test_a_frozen_database_is_answered_for_in_time_and_its_return_is_noticed_at_once(
    mortal: TemporaryPostgres, mortal_database: str
) -> None:
    async def story() -> None:
        async with writing(mortal_database) as writer:
            assert (await keep(writer, b"before"))[0] == "accepted"
            frozen = family(mortal.process.pid)
            for pid in frozen:
                os.kill(pid, signal.SIGSTOP)
            try:
                first = await asyncio.gather(*(keep(writer, b"first %d" % n) for n in range(300)))
                later = [await keep(writer, b"later %d" % n) for n in range(8)]
            finally:
                for pid in frozen:
                    os.kill(pid, signal.SIGCONT)
            assert {result for result, _ in [*first, *later]} == {"overloaded"}
            assert max(seconds for _, seconds in first) < 2 * PATIENCE
            assert sorted(seconds for _, seconds in later)[4] < 0.6
            await kept_soon(writer, b"after")

    asyncio.run(story())
    bodies = stored(mortal_database)
    assert b"before" in bodies and b"after" in bodies and len(bodies) == len(set(bodies))


def test_without_a_database_everybody_is_told_quickly_and_the_first_one_after_finds_it(
    mortal: TemporaryPostgres, mortal_database: str
) -> None:
    name = mortal_database.rpartition("/")[2]
    kill = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"

    async def story() -> None:
        writer = Writer(mortal_database)
        run(mortal.url, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await writer.start()
        assert not writer.is_connected
        refused = await asyncio.gather(*(keep(writer, b"%d" % n) for n in range(50)))
        await asyncio.sleep(1.2)
        refused += [await keep(writer, b"again %d" % n) for n in range(5)]
        assert {result for result, _ in refused} == {"overloaded"}
        assert max(seconds for _, seconds in refused) < 0.6 * PATIENCE
        assert sorted(seconds for _, seconds in refused)[40] < 0.6
        run(mortal.url, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await kept_soon(writer, b"first")
        run(mortal.url, kill)
        for _ in range(30):
            await asyncio.sleep(0.1)
        assert writer.is_connected, "a connection lost while nobody came must be replaced"
        await writer.stop()

    asyncio.run(story())
    assert stored(mortal_database) == [b"first"]

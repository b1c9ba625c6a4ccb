"""Understanding: events per second and CPU of the normalizer, for texts and statuses and for the full mix.

The baseline is an ORM that takes one event at a time; it understands texts and statuses alone.
"""

import argparse
import gc
import hashlib
import statistics
import time
from collections.abc import Callable
from itertools import islice

import psycopg

from bench.measure import print_table, tree_cpu_seconds
from bench.naive_normalize import Base
from bench.naive_normalize import normalize as naive
from wamcp.db.migrate import engine_of, migrate
from wamcp.db.threads import sort_in_words
from wamcp.embedded.scratch import TemporaryPostgres, temporary_directory, temporary_postgres
from wamcp.ingest.normalize import work_off
from wamcp.settings import load
from wamcp.simulator.lives import lives
from wamcp.simulator.traffic import events

NAIVE, TEXTS, FULL = "ORM, one event at a time", "WAMCP, texts and statuses", "WAMCP, full mix"


def main() -> None:
    """Runs interleaved rounds and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000, help="events a round for the normalizer, of each mix")
    parser.add_argument("--naive-events", type=int, default=1_500, help="events a round for the baseline")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    gc.set_threshold(50_000, 20, 100)  # as the normalizer's process does
    texts = events(7, arguments.rounds * (arguments.events + arguments.naive_events))
    full = (said.body for said in lives(7, 0))
    with temporary_directory() as directory, temporary_postgres(directory) as server:
        urls = {name: server.create() for name in (NAIVE, TEXTS, FULL)}
        for name in (TEXTS, FULL):
            migrate(load({"DATABASE_URL": urls[name]}))
        engine = engine_of(urls[NAIVE])
        Base.metadata.create_all(engine)
        results: dict[str, list[tuple[float, float, float]]] = {name: [] for name in urls}
        for _ in range(arguments.rounds):
            share = list(islice(texts, arguments.naive_events))
            results[NAIVE].append(
                _measure(server, len(share), lambda share=share: [naive(engine, body) for body in share])  # type: ignore[misc]
            )
            for name, source in ((TEXTS, texts), (FULL, full)):
                share = list(islice(source, arguments.events))
                with psycopg.connect(urls[name], autocommit=True) as connection:
                    queue(connection, share)
                    results[name].append(_measure(server, len(share), lambda c=connection: _work(c)))  # type: ignore[misc]
        engine.dispose()
    _report(results)


def queue(connection: psycopg.Connection, bodies: list[bytes]) -> None:
    connection.execute(
        "WITH kept AS (INSERT INTO webhook_events (sha256, body) SELECT * FROM unnest(%s::bytea[], %s::bytea[])"
        " ON CONFLICT DO NOTHING RETURNING id, length(body) AS size)"
        " INSERT INTO webhook_queue (event_id, size) SELECT id, size FROM kept",
        [[hashlib.sha256(body).digest() for body in bodies], bodies],
    )


def _work(connection: psycopg.Connection) -> None:
    while work_off(connection):
        sort_in_words(connection)


def _measure(server: TemporaryPostgres, count: int, work: Callable[[], object]) -> tuple[float, float, float]:
    """(events/s, CPU seconds per 1000 here, the same in Postgres)."""
    pid = server.process.pid
    ours, theirs, began = time.process_time(), tree_cpu_seconds(pid), time.perf_counter()
    work()
    taken = time.perf_counter() - began
    thousand = count / 1000
    return count / taken, (time.process_time() - ours) / thousand, (tree_cpu_seconds(pid) - theirs) / thousand


def _report(results: dict[str, list[tuple[float, float, float]]]) -> None:
    medians = {
        name: [statistics.median(column) for column in zip(*rounds, strict=True)] for name, rounds in results.items()
    }
    base, texts = medians[NAIVE], medians[TEXTS]
    print_table(
        [
            "",
            "events/s (min-max)",
            "CPU-s/1000 here",
            "CPU-s/1000 Postgres",
            "events/s to ORM",
            "CPU to ORM",
            "to texts",
        ],
        [
            [
                name,
                f"{m[0]:,.0f} ({min(r[0] for r in results[name]):,.0f}-{max(r[0] for r in results[name]):,.0f})",
                f"{m[1]:.3f}",
                f"{m[2]:.3f}",
                f"{m[0] / base[0]:.1f}x",
                f"1/{(base[1] + base[2]) / (m[1] + m[2]):.1f}",
                "" if name == NAIVE else f"{100 * m[0] / texts[0]:.0f} %",
            ]
            for name, m in medians.items()
        ],
    )


if __name__ == "__main__":
    main()

"""Connections to Postgres: pools for reading, for the audit and for writing; each step commits where one can see it."""

import select
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NewType
from weakref import WeakSet

import psycopg
from psycopg.pq import ExecStatus
from psycopg_pool import ConnectionPool

from wamcp.metrics import Reading, read_at_scrape

Pool = ConnectionPool[psycopg.Connection]
ReadConnection = NewType("ReadConnection", psycopg.Connection)
"""A connection of the reader's login: what is asked through it cannot write."""

CONNECT_TIMEOUT_S = 3
PREPARE_THRESHOLD = 2
"""A statement that a connection was asked so often is prepared."""
CHECK_S = 1.0
"""So soon an idle connection has to answer before it is used."""
NETWORK: dict[str, Any] = {
    "connect_timeout": CONNECT_TIMEOUT_S,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""Parameters of libpq by which a connection to a server that nobody reaches any more ends in about ten seconds.

A network that was cut, or a server that is somewhere else now, tells nobody: Linux waits for a quarter of an hour.
"""


def open_pool(url: str, name: str, *, size: int = 4, prepares: bool = True) -> Pool:
    """A pool of at most ``size`` autocommit connections that are checked before use; opens in the background.

    Without ``prepares`` no statement is prepared: behind a pooler of transactions the next may find another server.
    """
    pool: Pool = ConnectionPool(
        url,
        min_size=1,
        max_size=size,
        timeout=CONNECT_TIMEOUT_S,
        # Its pauses double until then: after a long outage it would sleep on when the database is there again.
        reconnect_timeout=CONNECT_TIMEOUT_S,
        kwargs={
            "autocommit": True,
            "application_name": name,
            "prepare_threshold": PREPARE_THRESHOLD if prepares else None,
            **NETWORK,
        },
        check=check,
        name=name,
        open=True,
    )
    _pools.add(pool)
    return pool


def check(connection: psycopg.Connection) -> None:
    """Raises OperationalError unless the server answers within :data:`CHECK_S`.

    The pool's own check waits for as long as a network that swallows everything keeps silent.
    """
    server, end = connection.pgconn, time.monotonic() + CHECK_S
    poll = select.poll()
    poll.register(server.socket, select.POLLIN)
    server.send_query(b"")
    server.flush()
    while True:
        while server.is_busy():
            if not poll.poll(max(0.0, end - time.monotonic()) * 1000):
                raise psycopg.OperationalError("the server does not answer")
            server.consume_input()
        result = server.get_result()
        if result is None:
            return
        if result.status != ExecStatus.EMPTY_QUERY:
            raise psycopg.OperationalError("the server ends the connection")


@contextmanager
def reading(pool: Pool) -> Iterator[ReadConnection]:
    """One connection for one question, in one read-only snapshot."""
    with pool.connection() as connection, connection.transaction():
        yield ReadConnection(connection)


def be_noticed(connection: psycopg.Connection) -> None:
    """Lets the server notice as soon as we do that the other end is gone: the locks of the session end with it."""
    limits = {name: value for name, value in NETWORK.items() if name != "connect_timeout"}
    connection.execute(
        "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS t (name, value)",
        [[name if name.startswith("tcp_") else f"tcp_{name}" for name in limits], [*map(str, limits.values())]],
    )


_pools: WeakSet[Pool] = WeakSet()


def _pool_readings() -> Iterable[Reading]:
    for pool in list(_pools):
        if pool.closed:
            continue
        told, label = pool.get_stats(), {"pool": pool.name}
        size, free, waiting = (told.get(key, 0) for key in ("pool_size", "pool_available", "requests_waiting"))
        yield Reading("wamcp_database_pool_connections", "Connections to Postgres that are open.", size, label)
        yield Reading("wamcp_database_pool_idle", "Those of them that nobody uses.", free, label)
        yield Reading("wamcp_database_pool_waiting", "Who waits for a connection.", waiting, label)


read_at_scrape(_pool_readings)

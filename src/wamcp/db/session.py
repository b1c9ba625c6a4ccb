"""Connections to Postgres: pools for reading, for the audit and for writing; each step commits where one can see it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NewType
from weakref import WeakSet

import psycopg
from psycopg_pool import ConnectionPool

from wamcp.metrics import Reading, read_at_scrape

Pool = ConnectionPool[psycopg.Connection]
ReadConnection = NewType("ReadConnection", psycopg.Connection)
"""A connection of the reader's login: what is asked through it cannot write."""

CONNECT_TIMEOUT_S = 3
PREPARE_THRESHOLD = 5
"""A statement that a connection was asked so often is prepared."""
# A server whose machine is gone says nothing: it is given up after ten seconds, not after Linux's quarter of an hour.
NOTICES_SILENCE: dict[str, Any] = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


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
            "connect_timeout": CONNECT_TIMEOUT_S,
            "application_name": name,
            "prepare_threshold": PREPARE_THRESHOLD if prepares else None,
            **NOTICES_SILENCE,
        },
        check=ConnectionPool.check_connection,
        name=name,
        open=True,
    )
    _pools.add(pool)
    return pool


@contextmanager
def reading(pool: Pool) -> Iterator[ReadConnection]:
    """One connection for one question, in one read-only snapshot."""
    with pool.connection() as connection, connection.transaction():
        yield ReadConnection(connection)


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

"""Connections to Postgres: pools for reading, for the audit and for writing; each step commits where one can see it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NewType
from weakref import WeakSet

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import ConnectionPool

from wamcp.metrics import Reading, read_at_scrape

Pool = ConnectionPool[psycopg.Connection]
ReadConnection = NewType("ReadConnection", psycopg.Connection)
"""A connection of the reader's login: what is asked through it cannot write."""

CONNECT_TIMEOUT_S = 3
NOTICING = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 15_000}
"""What one end of a connection needs to find out soon that the other is gone (seconds; the last in milliseconds).

A network that was cut, or a server that is somewhere else now, tells nobody: Linux waits for a quarter of an hour.
"""


def open_pool(url: str, name: str, *, size: int = 4) -> Pool:
    """A pool of at most ``size`` autocommit connections that are checked before use; opens in the background."""
    pool: Pool = ConnectionPool(
        noticing(url),
        min_size=1,
        max_size=size,
        timeout=CONNECT_TIMEOUT_S,
        kwargs={"autocommit": True, "connect_timeout": CONNECT_TIMEOUT_S, "application_name": name},
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


def noticing(url: str) -> str:
    """``url`` with :data:`NOTICING`, unless it says otherwise itself."""
    return make_conninfo("", **{**NOTICING, **conninfo_to_dict(url)})


def be_noticed(connection: psycopg.Connection) -> None:
    """Lets the server notice as soon when this end is gone: the locks of the session end with it."""
    names = [name if name.startswith("tcp_") else f"tcp_{name}" for name in NOTICING]
    connection.execute(
        "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS t (name, value)",
        [names, [str(value) for value in NOTICING.values()]],
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

"""Connections to Postgres: pools for reading, for the audit and for writing; each step commits where one can see it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NewType

import psycopg
from psycopg_pool import ConnectionPool

Pool = ConnectionPool[psycopg.Connection]
ReadConnection = NewType("ReadConnection", psycopg.Connection)
"""A connection of the reader's login: what is asked through it cannot write."""

CONNECT_TIMEOUT_S = 3


def open_pool(url: str, name: str, *, size: int = 4) -> Pool:
    """A pool of at most ``size`` autocommit connections that are checked before use; opens in the background."""
    return ConnectionPool(
        url,
        min_size=1,
        max_size=size,
        timeout=CONNECT_TIMEOUT_S,
        kwargs={"autocommit": True, "connect_timeout": CONNECT_TIMEOUT_S, "application_name": name},
        check=ConnectionPool.check_connection,
        name=name,
        open=True,
    )


@contextmanager
def reading(pool: Pool) -> Iterator[ReadConnection]:
    """One connection for one question, in one read-only snapshot."""
    with pool.connection() as connection, connection.transaction():
        yield ReadConnection(connection)

"""Heartbeats: a row for each worker process, written from within its work, so that an old one means it hangs."""

from typing import NamedTuple

import psycopg

FORGOTTEN_AFTER_HOURS = 1
"""A process that has not been heard of for so long is gone, and so is its row."""


class Worker(NamedTuple):
    """A process that works: ``role`` is normalizer or celery, ``host`` the machine's or container's name."""

    role: str
    host: str
    pid: int
    version: str
    git_version: str | None


def beat(connection: psycopg.Connection, worker: Worker, *, worked: bool) -> None:
    """Writes that ``worker`` lives, and, when it ``worked`` since the last time, that it did."""
    with connection.transaction():
        # Nothing is lost with the last few seconds of this: no need to wait for the disk.
        connection.execute("SET LOCAL synchronous_commit = off")
        connection.execute(
            "INSERT INTO heartbeats AS h (role, host, pid, version, git_version, beat_at, worked_at)"
            " VALUES (%s, %s, %s, %s, %s, clock_timestamp(), CASE WHEN %s THEN clock_timestamp() END)"
            " ON CONFLICT (role, host, pid) DO UPDATE SET beat_at = excluded.beat_at,"
            " worked_at = coalesce(excluded.worked_at, h.worked_at), version = excluded.version,"
            " git_version = excluded.git_version",
            [*worker, worked],
        )
        connection.execute(
            "DELETE FROM heartbeats WHERE beat_at < clock_timestamp() - make_interval(hours => %s)",
            [FORGOTTEN_AFTER_HOURS],
        )


def stopped(connection: psycopg.Connection, worker: Worker) -> None:
    """Removes the row of a process that ends in order."""
    connection.execute("DELETE FROM heartbeats WHERE (role, host, pid) = (%s, %s, %s)", [*worker[:3]])

"""The normalizer as a process: works until it is told to stop, and finishes its batch before it does."""

import gc
import signal
import threading
from contextlib import nullcontext

import psycopg

from wamcp.ingest.normalize import run
from wamcp.settings import Settings
from wamcp.worker.pulse import Pulse, Watchdog


def serve(settings: Settings) -> None:
    """Runs the normalizer until SIGTERM or SIGINT."""
    stop = threading.Event()
    # A batch makes some ten thousand objects that all live until it is written; looking through them is lost time.
    gc.set_threshold(50_000, 20, 100)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    url = settings.direct_url()
    pulse = Pulse("normalizer", settings, lambda: psycopg.connect(url, autocommit=True, connect_timeout=3))
    backend = 0

    def turn(connection: psycopg.Connection, worked: int) -> None:
        nonlocal backend
        backend = connection.info.backend_pid
        pulse.moved(worked=worked > 0, connect=lambda: nullcontext(connection))

    Watchdog(
        pulse,
        url,
        waits=lambda connection: _is_left_alone(connection, backend),
        parting=lambda connection: _give_up_seat(connection, backend),
    ).start(stop)
    try:
        run(url, stop, turn)
    finally:
        pulse.stopped()


def _is_left_alone(connection: psycopg.Connection, backend: int) -> bool:
    """Whether events wait, and Postgres neither works for the normalizer nor has it wait for somebody's lock."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM webhook_queue) AND NOT EXISTS (SELECT FROM pg_stat_activity"
        " WHERE pid = %s AND state = 'active' AND wait_event_type IS DISTINCT FROM 'Client')",
        [backend],
    ).fetchone()
    return row == (True,)


def _give_up_seat(connection: psycopg.Connection, backend: int) -> None:
    """Ends the old connection: where Postgres was not told that it broke, nobody else could have the seat for hours."""
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND usename = current_user", [backend]
    )

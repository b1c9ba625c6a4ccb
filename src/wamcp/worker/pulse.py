"""How a worker shows that it lives: a row written from within its work, and a watchdog that ends it when it hangs."""

import math
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout

from wamcp import log, telemetry
from wamcp.db import heartbeats
from wamcp.settings import Settings
from wamcp.version import commit, version

BEAT_EVERY_S = 5.0
PATIENCE_S = 180.0
"""Longer than any single step of the work (the longest is an upload of 150 s), so that who is busy is not ended."""
LOOK_EVERY_S = 5.0
EXIT_CODE = 70

Connect = Callable[[], AbstractContextManager[psycopg.Connection]]

_log = log.get(__name__)


class Pulse:
    """What a process last did, for any number of threads. Its row is written at most every five seconds."""

    def __init__(self, role: str, settings: Settings, connect: Connect) -> None:
        self.role = role
        self._worker = heartbeats.Worker(
            role, socket.gethostname(), os.getpid(), version(), settings.git_version or commit()
        )
        self._connect = connect
        self._lock = threading.Lock()
        self._moved_at = time.monotonic()
        self._written_at = -math.inf
        self._worked = False

    def quiet_s(self) -> float:
        """Seconds since something went on here."""
        return time.monotonic() - self._moved_at

    def excuse(self) -> None:
        """Something keeps this process from working that a restart would not help."""
        self._moved_at = time.monotonic()

    def moved(self, *, worked: bool = False, connect: Connect | None = None) -> None:
        """Something goes on here; ``worked``: it took work. Never raises for what the database does."""
        with self._lock:
            self._moved_at = now = time.monotonic()
            self._worked = self._worked or worked
            if now - self._written_at < BEAT_EVERY_S:
                return
            self._written_at, worked, self._worked = now, self._worked, False
        try:
            with (connect or self._connect)() as connection:
                heartbeats.beat(connection, self._worker, worked=worked)
        except (psycopg.Error, PoolTimeout, PoolClosed) as failure:
            _log.warning("heartbeat_not_written", reason=type(failure).__name__)

    def watched(self, goes_on: Callable[[], bool]) -> Callable[[], bool]:
        """``goes_on`` for one task that works off rows and calls it before each, and during long ones."""
        calls = 0

        def watched() -> bool:
            nonlocal calls
            self.moved(worked=calls > 0)  # who asks a second time took a row after the first
            calls += 1
            return goes_on()

        return watched

    def stopped(self) -> None:
        """Removes the row, since the process ends in order."""
        try:
            with self._connect() as connection:
                heartbeats.stopped(connection, self._worker)
        except (psycopg.Error, PoolTimeout, PoolClosed) as failure:
            _log.warning("heartbeat_not_removed", reason=type(failure).__name__)


class Watchdog(NamedTuple):
    """What ends a process that hangs. Its questions go through a connection of its own: the others may hang too.

    ``waits`` says whether this process has work to do, ``parting`` does what is left to do before the end.
    """

    pulse: Pulse
    url: str
    waits: Callable[[psycopg.Connection], bool]
    parting: Callable[[psycopg.Connection], object] = lambda _: None

    def start(self, stop: threading.Event) -> None:
        """From now on ends the process, with exit code 70, when work waits and nothing has gone on for three minutes.

        Whoever started it (``wamcp worker``, ``wamcp up``, a container engine) starts it again.
        """
        threading.Thread(target=self._watch, args=(stop,), name="watchdog", daemon=True).start()

    def _watch(self, stop: threading.Event) -> None:
        seen = 0  # twice, since the whole process may have been stopped for a while
        while not stop.wait(LOOK_EVERY_S):
            seen = seen + 1 if self.pulse.quiet_s() > PATIENCE_S and self._ask(self.waits) else 0
            quiet_s = self.pulse.quiet_s()
            if seen >= 2 and quiet_s > PATIENCE_S:
                self._ask(self.parting)
                role = self.pulse.role
                _log.error("watchdog_ends_process", role=role, quiet_s=round(quiet_s), exit_code=EXIT_CODE)
                sys.stderr.flush()
                telemetry.flush()
                os._exit(EXIT_CODE)

    def _ask(self, question: Callable[[psycopg.Connection], object]) -> bool:
        """False also when the database does not answer: then nobody could work."""
        try:
            with psycopg.connect(
                self.url, autocommit=True, connect_timeout=3, tcp_user_timeout=5000, application_name="wamcp watchdog"
            ) as connection:
                connection.execute("SET statement_timeout = '3s'")
                return bool(question(connection))
        except psycopg.Error:
            return False

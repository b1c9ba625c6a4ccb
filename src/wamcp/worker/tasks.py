"""Celery's half of the worker: its tasks look at rows, and a sweep beside them rings for what waits."""

import logging
import math
import threading
import time
import warnings
from collections.abc import Callable

from celery.platforms import SecurityWarning
from celery.signals import worker_shutting_down

from wamcp import log
from wamcp.db import sends
from wamcp.ingest import retention
from wamcp.jobs import ECHO, FETCH, PURGE, SEND, celery_app, kick
from wamcp.media import fetch
from wamcp.media.means import Fetching, fetching_of
from wamcp.sending import echo, queue
from wamcp.sending.means import Means, means_of
from wamcp.settings import Settings, require_safe_echo

THREADS = 8
FETCHERS = 3
"""As many threads as may be busy with downloads, which last long; the others are for sends."""
SWEEP_S = 0.5
SETTLE_EVERY_S = 1.0
STORE_SWEEP_EVERY_S = 3600.0
"""As often what is too old is purged."""

_log = log.get(__name__)


def serve(settings: Settings) -> None:
    """Runs Celery until SIGTERM or SIGINT; what it is working on is ended first. Raises ``Misconfigured``."""
    require_safe_echo(settings)
    # Its messages are empty and JSON, so nobody can have a worker that runs as root do anything by them.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    url = settings.require("redis_url")
    with (
        means_of(settings, "wamcp worker", connections=THREADS + 2) as means,
        fetching_of(settings, means.pool, means.graph, means.store) as fetching,
    ):
        stop = threading.Event()
        crew = _Crew(means, fetching, stop)
        app = celery_app(url)
        app.task(name=SEND)(crew.send)
        app.task(name=ECHO)(crew.echo)
        app.task(name=FETCH)(crew.fetch)
        app.task(name=PURGE)(crew.purge)
        sweep = threading.Thread(target=_sweep, args=(means, crew, url, stop), name="sweep", daemon=True)
        sweep.start()
        # Celery waits for its tasks before it ends: they have to stop by themselves, however much is queued.
        worker_shutting_down.connect(lambda **_: stop.set(), weak=False)
        worker = app.Worker(
            pool="threads",
            concurrency=THREADS,
            loglevel=logging.getLevelName(settings.log_level.upper()),
            without_gossip=True,
            without_mingle=True,
            quiet=True,
        )
        try:
            worker.start()
        finally:
            stop.set()
            sweep.join(SETTLE_EVERY_S + 10)


class _Crew:
    """The tasks of one process; no more of them work at a time than there are threads."""

    def __init__(self, means: Means, fetching: Fetching | None, stop: threading.Event) -> None:
        self._means = means
        self._fetching = fetching
        self._stop = stop
        self._working = 0
        self._downloading = 0
        self._lock = threading.Lock()

    def free(self) -> int:
        """How many more could work."""
        return THREADS - self._working

    def send(self) -> None:
        """Hands over what is due."""
        self._work(lambda: queue.drain(self._means, lambda: not self._stop.is_set()))

    def echo(self) -> None:
        """Decides which messages are echoed, and hands the answers over."""

        def work() -> None:
            if echo.echo(self._means):
                queue.drain(self._means, lambda: not self._stop.is_set())

        self._work(work)

    def fetch(self) -> None:
        """Fetches the files that came, unless enough threads do."""
        fetching = self._fetching
        with self._lock:
            if fetching is None or self._downloading >= FETCHERS:
                return
            self._downloading += 1
        try:
            self._work(lambda: fetch.drain(fetching, lambda: not self._stop.is_set()))
        finally:
            with self._lock:
                self._downloading -= 1

    def purge(self) -> None:
        """Purges what is older than it may be."""
        means = self._means
        self._work(lambda: retention.purge(means.settings, means.pool, means.store, lambda: not self._stop.is_set()))

    def fetchers(self) -> int:
        """How many more may fetch; 0 without an access token."""
        return 0 if self._fetching is None else min(FETCHERS - self._downloading, self.free())

    def _work(self, work: Callable[[], object]) -> None:
        with self._lock:
            self._working += 1
        try:
            work()
        finally:
            with self._lock:
                self._working -= 1


def _sweep(means: Means, crew: _Crew, url: str, stop: threading.Event) -> None:
    """Rings for rows that nobody was rung for, or whose ringing got lost, and settles what was cut off."""
    settled_at, swept_at, echoes = -math.inf, -math.inf, echo.is_on(means.settings)
    while not stop.wait(SWEEP_S):
        try:
            if time.monotonic() - settled_at > SETTLE_EVERY_S:
                settled_at = time.monotonic()
                _settle(means)
            if time.monotonic() - swept_at > STORE_SWEEP_EVERY_S:
                swept_at = time.monotonic()
                means.store.sweep()
                queue.forget_idle_clocks(means.pool)
                if retention.is_on(means.settings):
                    kick(url, PURGE)
            if echoes and echo.anybody_waits(means):
                kick(url, ECHO)
            for _ in range(min(queue.count_due(means.pool), crew.free())):
                kick(url, SEND)
            if fetchers := crew.fetchers():
                for _ in range(min(fetch.count_due(means.pool), fetchers)):
                    kick(url, FETCH)
        except Exception as failure:  # noqa: BLE001 - a sweep that ended would leave rows lying for good
            _log.warning("sweep_failed", reason=type(failure).__name__)


def _settle(means: Means) -> None:
    """One worker at a time does this; the others have no need to."""
    with means.pool.connection() as connection, connection.transaction():
        if sends.settles_alone(connection):
            queue.settle_what_can_be(means.pool, means.settings.waba_id)

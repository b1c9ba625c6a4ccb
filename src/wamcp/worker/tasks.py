"""Celery's half of the worker: its tasks look at rows, and a sweep beside them rings for what waits."""

import logging
import math
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
from celery.platforms import SecurityWarning
from celery.signals import worker_shutting_down

from wamcp import log
from wamcp.db import documents, incoming, sends
from wamcp.documents import sandbox
from wamcp.documents import work as reading_work
from wamcp.documents.means import Reading, reading_of
from wamcp.errors import CannotStart
from wamcp.ingest import retention
from wamcp.jobs import BEAT, ECHO, EXTRACT, FETCH, PURGE, SEND, celery_app, kick
from wamcp.media import fetch
from wamcp.media.means import Fetching, fetching_of
from wamcp.metrics import serve_metrics
from wamcp.safety import require_safe_echo
from wamcp.sending import echo, queue
from wamcp.sending.means import Means, means_of
from wamcp.settings import Settings
from wamcp.worker.pulse import BEAT_EVERY_S, Pulse, Watchdog

THREADS = 8
"""Besides those that wait for readers of documents, of which there are ``WAMCP_EXTRACTORS``."""
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
    url, threads = settings.require("redis_url"), THREADS + settings.extractors
    with (
        _metrics(settings),
        means_of(settings, "wamcp worker", connections=threads + 2) as means,
        fetching_of(settings, means.pool, means.graph, means.store) as fetching,
    ):
        stop = threading.Event()
        pulse = Pulse("celery", settings, means.pool.connection)
        crew = _Crew(means, fetching, reading_of(settings, means.pool, means.store), pulse, stop)
        app = celery_app(url)
        app.task(name=SEND)(crew.send)
        app.task(name=ECHO)(crew.echo)
        app.task(name=FETCH)(crew.fetch)
        app.task(name=EXTRACT)(crew.extract)
        app.task(name=PURGE)(crew.purge)
        app.task(name=BEAT)(crew.beat)
        sweep = threading.Thread(target=_sweep, args=(means, crew, stop), name="sweep", daemon=True)
        sweep.start()
        Watchdog(pulse, settings.direct_url(), crew.has_work).start(stop)
        # Celery waits for its tasks before it ends: they have to stop by themselves, however much is queued.
        worker_shutting_down.connect(lambda **_: stop.set(), weak=False)
        worker = app.Worker(
            pool="threads",
            concurrency=threads,
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
            pulse.stopped()


class _Crew:
    """The tasks of one process; each kind of slow work has its share of the threads, so that sends never wait."""

    def __init__(
        self, means: Means, fetching: Fetching | None, reading: Reading, pulse: Pulse, stop: threading.Event
    ) -> None:
        self._means = means
        self._fetching = fetching and replace(fetching, stored_one=self._read_soon)
        self._reading = reading
        self._url = means.settings.require("redis_url")
        self._pulse = pulse
        self._stop = stop
        self._rung_at = -math.inf
        self._quick = _Share(THREADS)
        self._downloading = _Share(FETCHERS if fetching else 0)
        self._extracting = _Share(means.settings.extractors)

    def free(self) -> int:
        """How many more could work."""
        return self._quick.free

    def send(self) -> None:
        """Hands over what is due."""
        with self._quick.taken():
            queue.drain(self._means, self._goes_on())

    def echo(self) -> None:
        """Decides which messages are echoed, and hands the answers over."""
        with self._quick.taken():
            if echo.echo(self._means):
                queue.drain(self._means, self._goes_on())

    def fetch(self) -> None:
        """Fetches the files that came, unless enough threads do."""
        with self._downloading.taken() as is_free, self._quick.taken():
            if is_free and self._fetching is not None:
                fetch.drain(self._fetching, self._goes_on())

    def purge(self) -> None:
        """Purges what is older than it may be, and objects that an erasure which died left behind."""
        means = self._means
        with self._quick.taken():
            retention.purge(means.settings, means.store, self._goes_on())

    def fetchers(self) -> int:
        """How many more may fetch; 0 without an access token."""
        return min(self._downloading.free, self.free())

    def extract(self) -> None:
        """Reads the documents that came, unless enough threads do."""
        with self._extracting.taken() as is_free:
            if is_free:
                reading_work.drain(self._reading, self._goes_on())

    def extractors(self) -> int:
        """How many more may read documents."""
        return self._extracting.free

    def beat(self) -> None:
        """Shows that this process hears its bell."""
        self._pulse.moved()

    def ring(self, task: str, times: int = 1) -> None:
        """Rings for a task; nobody is to blame for not hearing a bell that is not there."""
        for _ in range(times):
            if not kick(self._url, task):
                self._pulse.excuse()

    def ring_for_beat(self) -> None:
        """Rings for :meth:`beat` now and then. It may be another process that hears it: each gets its share."""
        if time.monotonic() - self._rung_at > BEAT_EVERY_S:
            self._rung_at = time.monotonic()
            self.ring(BEAT)

    def has_work(self, connection: psycopg.Connection) -> bool:
        """Whether there are rows that this process could work on."""
        if sends.count_due(connection) or (self._fetching is not None and incoming.count_wanted(connection)):
            return True
        return self._means.settings.extractors > 0 and documents.count_wanted(connection) > 0

    def _goes_on(self) -> Callable[[], bool]:
        """For one task, which asks it before each row and during long ones."""
        return self._pulse.watched(lambda: not self._stop.is_set())

    def _read_soon(self) -> None:
        if self.extractors():
            self.ring(EXTRACT)


class _Share:
    """So many threads may be busy with one kind of work."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._busy = 0
        self._lock = threading.Lock()

    @property
    def free(self) -> int:
        """How many more may be."""
        return self._most - self._busy

    @contextmanager
    def taken(self) -> Iterator[bool]:
        """A thread of them until the block ends; False when all are busy."""
        with self._lock:
            is_free = self._busy < self._most
            self._busy += is_free
        try:
            yield is_free
        finally:
            with self._lock:
                self._busy -= is_free


def _sweep(means: Means, crew: _Crew, stop: threading.Event) -> None:
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
                sandbox.sweep()
                queue.forget_idle_clocks(means.pool)
                crew.ring(PURGE)
            crew.ring_for_beat()
            if echoes and echo.anybody_waits(means):
                crew.ring(ECHO)
            _ring(means, crew)
        except Exception as failure:  # noqa: BLE001 - a sweep that ended would leave rows lying for good
            _log.warning("sweep_failed", reason=type(failure).__name__)


def _ring(means: Means, crew: _Crew) -> None:
    """As often as there are rows that wait and threads that could work on them."""
    for task, free, count_due in (
        (SEND, crew.free(), queue.count_due),
        (FETCH, crew.fetchers(), fetch.count_due),
        (EXTRACT, crew.extractors(), reading_work.count_due),
    ):
        if free > 0:
            crew.ring(task, min(count_due(means.pool), free))


@contextmanager
def _metrics(settings: Settings) -> Iterator[None]:
    """Answers Prometheus on ``WAMCP_WORKER_METRICS_PORT``, where that is set. Raises :class:`CannotStart`."""
    port = settings.worker_metrics_port
    if port is None:
        yield
        return
    try:
        end = serve_metrics(settings.host, port)
    except OSError as error:
        raise CannotStart(
            f"Cannot listen on {settings.host}:{port}: {error.strerror}. Set WAMCP_WORKER_METRICS_PORT to another port."
        ) from error
    try:
        yield
    finally:
        end()


def _settle(means: Means) -> None:
    """One worker at a time does this; the others have no need to."""
    with means.pool.connection() as connection, connection.transaction():
        if sends.settles_alone(connection):
            queue.settle_what_can_be(means.pool, means.settings.waba_id)

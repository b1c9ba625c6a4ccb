"""Receipt: a webhook's bytes are committed, together with whatever arrived beside them, before anyone is told so."""

import asyncio
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from enum import StrEnum
from hashlib import sha256
from itertools import chain
from operator import attrgetter

import asyncpg

from wamcp import log
from wamcp.errors import Overloaded
from wamcp.ingest.line import Line
from wamcp.vocabulary import BELL

IN_FLIGHT = 2
MAX_BATCH = 256
MAX_BATCH_BYTES = 8 * 1024 * 1024
MAX_WAITING = 20_000
MAX_WAITING_BYTES = 64 * 1024 * 1024
STUCK_S = 1.5
PATIENCE_S = 1.75
PATIENCE_WHILE_DOWN_S = 0.3
DRAIN_S = 3.0
TROUBLE_S = 30.0
"""For so long what could not be kept tells that nothing can be, unless something is kept meanwhile."""

_SWEEP_S = 0.1
_RING_SPACING_S = 0.005
_RETRY_SPACING_S = 0.05
_RETRY_AT_MOST_S = 1.0
_REPORT_S = 10.0

_STORE = """
WITH stored AS (
  INSERT INTO webhook_events (sha256, body)
  SELECT * FROM unnest($1::bytea[], $2::bytea[])
  ON CONFLICT (sha256) DO NOTHING
  RETURNING id, sha256, octet_length(body) AS size
), queued AS (
  INSERT INTO webhook_queue (event_id, size) SELECT id, size FROM stored
)
SELECT array_agg(sha256) FROM stored
"""
# A server told to commit without waiting for its disk would make every 200 a guess.
_BE_DURABLE = "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
_RING = f"SELECT pg_notify('{BELL}', '')"

# Should a connection be given up while its statement waits for a lock, the server must not go on waiting for ever.
_STORE_SETTINGS = {
    "application_name": "wamcp door",
    "statement_timeout": f"{STUCK_S * 1000 - 100:.0f}ms",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
}
# A bell writes a commit record of its own; nobody has to wait for the disk because of it.
_RING_SETTINGS = {"application_name": "wamcp bell", "synchronous_commit": "off", "statement_timeout": "1400ms"}

# Classes of SQLSTATE (Postgres manual, appendix A). The connection is of no use any more: lost, shut down, read-only
# after a failover, prepared against a schema that changed.
_LOST = ("08", "57P", "25", "0A")
# The server's trouble, the same for every row: schema missing, disk or memory full, locked, cancelled, I/O error.
_WORLDLY = ("42", "53", "55", "57", "58")

_log = log.get(__name__)


class KeepResult(StrEnum):
    """What became of a body that is now kept: it was new, or exactly these bytes were known."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"


class _Item:
    __slots__ = ("body", "future", "sha256", "since")

    def __init__(self, body: bytes, future: asyncio.Future[KeepResult], since: float) -> None:
        self.sha256 = sha256(body).digest()
        self.body = body
        self.future = future
        self.since = since

    def refuse(self) -> None:
        if not self.future.done():
            self.future.set_exception(Overloaded())


class _Flight:
    """One of the batches that may be on their way at the same time, and its connection."""

    __slots__ = ("batch", "line")

    def __init__(self, url: str) -> None:
        self.line = Line(url, _STORE, _STORE_SETTINGS, first=_BE_DURABLE)
        self.batch: Sequence[_Item] = ()


_by_sha256 = attrgetter("sha256")


class Writer:
    """Keeps bodies in Postgres. What arrives while a batch commits shares the next batch's transaction.

    At most :data:`IN_FLIGHT` batches are on their way; nobody waits longer than two seconds, whatever Postgres does.
    Several writers, in one process or many, may keep the same bodies: rows are unique on their SHA-256 and every batch
    is written in that order, so that two batches never wait for each other.
    """

    def __init__(self, url: str) -> None:
        self._flights = [_Flight(url) for _ in range(IN_FLIGHT)]
        self._bell = Line(url, _RING, _RING_SETTINGS)
        self._waiting: deque[_Item] = deque()
        self._waiting_bytes = 0
        self._idle: list[asyncio.Future[None]] = []
        self._woken = False
        self._under_way = 0
        self._called = asyncio.Event()
        self._unrung = asyncio.Event()
        self._closing = False
        self._tasks: list[asyncio.Task[None]] = []
        self._trouble: Counter[str] = Counter()
        self._reported_at = float("-inf")
        self._refused: tuple[str, float] | None = None

    async def start(self) -> None:
        """Connects, and begins to keep; when Postgres is not there yet, goes on trying in the background."""
        self._loop = asyncio.get_running_loop()
        self._tasks.append(asyncio.create_task(self._sweep(), name="door sweep"))
        await asyncio.gather(*(self._try_to_open(flight.line) for flight in self._flights))
        self._tasks.append(asyncio.create_task(self._ring(), name="door bell"))
        self._tasks.extend(asyncio.create_task(self._fly(flight), name="door writer") for flight in self._flights)

    async def stop(self) -> None:
        """Refuses what is new, keeps what came before (for at most :data:`DRAIN_S`), and disconnects."""
        self._closing = True
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                while self._waiting or any(flight.batch for flight in self._flights) or self._unrung.is_set():
                    await asyncio.sleep(0.01)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        _refuse_older(chain(self._waiting, *(flight.batch for flight in self._flights)), self._loop.time())
        for line in self._lines():
            line.drop()

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection to keep things through."""
        return any(flight.line.is_open for flight in self._flights)

    @property
    def trouble(self) -> str | None:
        """Why Postgres, though it answers, kept nothing of what came last, in a sentence; None after half a minute."""
        if self._refused is None or self._loop.time() - self._refused[1] > TROUBLE_S:
            return None
        state = self._refused[0]
        if state == "53100":
            return "The database's disk is full: make room, and webhooks are kept again by themselves."
        return f"The database cannot keep webhooks (SQLSTATE {state}): its log says why."

    def keep(self, body: bytes) -> asyncio.Future[KeepResult]:
        """Await the result: it comes after the commit that keeps ``body`` byte for byte.

        Raises :class:`Overloaded`, here or when awaited: not known to be kept, the sender must try again.
        """
        size = len(body)
        if self._closing or len(self._waiting) >= MAX_WAITING or self._waiting_bytes + size > MAX_WAITING_BYTES:
            raise Overloaded
        future: asyncio.Future[KeepResult] = self._loop.create_future()
        self._waiting.append(_Item(body, future, self._loop.time()))
        self._waiting_bytes += size
        self._wake()
        return future

    def _wake(self) -> None:
        # One at a time: whoever wakes takes all that is there by then. The next leaves with as much as is on its way,
        # so that batches grow with the traffic; with less, who lands first takes it.
        if self._woken:
            return
        if self._idle:
            if len(self._waiting) >= self._under_way:
                self._woken = True
                self._idle.pop().set_result(None)
        elif not self._called.is_set():
            self._called.set()

    def _wake_all(self) -> None:
        # A connection that was lost while nobody came is noticed here, and a batch that got stuck delays nobody else.
        while self._idle:
            self._idle.pop().set_result(None)

    async def _fly(self, flight: _Flight) -> None:
        pause = _RETRY_SPACING_S
        while True:
            if not flight.line.is_open and not await self._reopen(flight.line):
                pause = await self._pause(pause)
                continue
            pause = _RETRY_SPACING_S
            if not self._waiting:
                await self._rest()
                continue
            flight.batch = self._take()
            self._under_way += len(flight.batch)
            try:
                await self._store(flight.line, flight.batch)
            except Exception as error:  # noqa: BLE001 - whatever the driver raises, the writer goes on
                flight.line.drop()
                self._trouble[_name(error)] += 1
                self._put_back(flight.batch)
                await asyncio.sleep(_RETRY_SPACING_S)
            self._under_way -= len(flight.batch)
            flight.batch = ()

    async def _reopen(self, line: Line) -> bool:
        if self._waiting:
            self._wake()  # the other connection may be good
        return await self._try_to_open(line)

    async def _try_to_open(self, line: Line) -> bool:
        began = self._loop.time()
        try:
            await line.open()
        except Exception as error:  # noqa: BLE001 - refused, unreachable, shut down, no such table: try again later
            line.drop()
            self._trouble[_name(error)] += 1
            if not self.is_connected:
                _refuse_older(self._waiting, began)
                self._forget_refused()
            return False
        return True

    async def _pause(self, seconds: float) -> float:
        # Cut short by whoever comes to the door: when Postgres is back, the first request must find it.
        await asyncio.sleep(_RETRY_SPACING_S)
        if not self._waiting:
            self._called.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._called.wait()
        return min(seconds * 2, _RETRY_AT_MOST_S)

    async def _rest(self) -> None:
        bed = self._loop.create_future()
        self._idle.append(bed)
        await bed
        self._woken = False

    def _take(self) -> list[_Item]:
        batch: list[_Item] = []
        size = 0
        while self._waiting and len(batch) < MAX_BATCH:
            item = self._waiting[0]
            if batch and size + len(item.body) > MAX_BATCH_BYTES:
                break
            self._waiting.popleft()
            self._waiting_bytes -= len(item.body)
            if not item.future.done():
                size += len(item.body)
                batch.append(item)
        batch.sort(key=_by_sha256)
        if self._waiting:
            self._wake()
        return batch

    def _put_back(self, batch: Sequence[_Item]) -> None:
        # Not known to be kept, yet safe to keep again; how long they may still wait is the sweep's affair.
        self._waiting.extendleft(reversed(batch))
        self._waiting_bytes += sum(len(item.body) for item in batch)

    async def _store(self, line: Line, batch: Sequence[_Item]) -> None:
        bodies = {item.sha256: item.body for item in batch}
        try:
            stored = await line.run(list(bodies), list(bodies.values()))
        except asyncpg.PostgresError as error:
            state = error.sqlstate or ""
            if state.startswith(_LOST):
                raise
            if state.startswith(_WORLDLY) or len(batch) == 1:
                self._trouble[_name(error)] += len(batch)
                if state.startswith(_WORLDLY):
                    self._refused = state, self._loop.time()
                for item in batch:
                    item.refuse()
                return
            middle = len(batch) // 2
            await self._store(line, batch[:middle])
            await self._store(line, batch[middle:])
            return
        self._tell(batch, stored)

    def _tell(self, batch: Sequence[_Item], stored: Sequence[bytes] | None) -> None:
        new = set(stored or ())
        self._refused = None
        if new:
            self._unrung.set()
        for item in batch:
            result = KeepResult.DUPLICATE
            if item.sha256 in new:
                new.remove(item.sha256)
                result = KeepResult.ACCEPTED
            if not item.future.done():
                item.future.set_result(result)

    async def _ring(self) -> None:
        while True:
            await self._unrung.wait()
            self._unrung.clear()
            try:
                if not self._bell.is_open:
                    await self._bell.open()
                await self._bell.run()
            except Exception:  # noqa: BLE001 - a lost bell is made up for by the normalizer's own sweep
                self._bell.drop()
                await asyncio.sleep(_RETRY_AT_MOST_S)
            await asyncio.sleep(_RING_SPACING_S)

    async def _sweep(self) -> None:
        # One clock for all deadlines: a timer per request would cost more than the request.
        while True:
            await asyncio.sleep(_SWEEP_S)
            now = self._loop.time()
            for line in self._lines():
                if line.drop_if_stuck(now - STUCK_S):
                    self._trouble["stuck"] += 1
            if self._waiting or not all(flight.line.is_open for flight in self._flights):
                self._wake_all()
            patience = PATIENCE_S if self.is_connected else PATIENCE_WHILE_DOWN_S
            _refuse_older(self._waiting, now - patience)
            _refuse_older(chain.from_iterable(flight.batch for flight in self._flights), now - PATIENCE_S)
            self._forget_refused()
            if self._trouble and now - self._reported_at > _REPORT_S:
                self._reported_at = now
                _log.warning("webhooks_not_kept", connected=self.is_connected, reasons=dict(self._trouble))
                self._trouble.clear()

    def _forget_refused(self) -> None:
        while self._waiting and self._waiting[0].future.done():
            self._waiting_bytes -= len(self._waiting.popleft().body)

    def _lines(self) -> list[Line]:
        return [*(flight.line for flight in self._flights), self._bell]


def _refuse_older(items: Iterable[_Item], than: float) -> None:
    for item in items:
        if item.since <= than:
            item.refuse()


def _name(error: Exception) -> str:
    return getattr(error, "sqlstate", None) or type(error).__name__

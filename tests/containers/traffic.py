"""Webhooks that come to the public port all the while, and whether what was promised for them is kept."""

import asyncio
import random
import re
import secrets
import threading
import time
from contextlib import suppress
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from tests.containers.engine import Stack, until
from tests.e2e.meta import Connection, Ledger, wamid, webhook

RATE = 20.0
"""Webhooks a second."""
AGAIN_S = (0.5, 8.0)
"""A webhook that was not answered with 200 comes again after so long at first, and at the end."""
TWICE_EVERY = 10
"""Every tenth comes a second time although it was acknowledged, as Meta does now and then."""
REACH_S = 120.0
UNDERSTOOD_S = 240.0


class Answer(NamedTuple):
    """When it came (``time.monotonic``), its status (0: none came) and the seconds it took."""

    at: float
    status: int
    seconds: float


class Traffic:
    """Meta's part, from entering the block until :meth:`end`: each webhook comes until it is acknowledged."""

    def __init__(self, stack: Stack, ledger: Path, *, rate: float = RATE, more_bytes: int = 0) -> None:
        """Each body is larger by ``more_bytes``."""
        env = (stack.directory / ".env").read_text()
        secret = re.findall(r"^WHATSAPP_APP_SECRET=(.+)$", env, re.MULTILINE)[-1]
        self.run = secrets.randbits(31)
        self.bodies: list[bytes] = []
        self.answers: list[Answer] = []
        self.acknowledged: set[str] = set()
        self._stack = stack
        self._port = int(stack.compose("port", "api", "8001").strip().rpartition(":")[2])
        self._secret = secret.encode()
        self._rate = rate
        self._padding = bytes(random.choices(b" \t\r\n", k=more_bytes))  # no body can be compressed to nothing
        self._ledger = Ledger(ledger)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._come()))

    def __enter__(self) -> "Traffic":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ending.set()
        self._thread.join()
        self._ledger.__exit__(kind, error, at)

    def end(self) -> None:
        """No new ones come; returns once all that came were acknowledged, and fails when that takes too long."""
        self._ending.set()
        self._thread.join(REACH_S)
        self.acknowledged = {digest.hex() for digest in self._ledger.digests()}
        missing = len({sha256(body).hexdigest() for body in self.bodies} - self.acknowledged)
        assert not missing, f"{missing} of {len(self.bodies)} webhooks were never acknowledged"

    def since(self, began: float) -> list[Answer]:
        """The answers to what was sent after ``began`` (``time.monotonic``)."""
        return [answer for answer in list(self.answers) if answer.at - answer.seconds >= began]

    def statuses(self, began: float) -> set[int]:
        """Which statuses came to what was sent after ``began``."""
        return {answer.status for answer in self.since(began)}

    def accepts(self, began: float) -> bool:
        """Whether something that was sent after ``began`` was acknowledged."""
        return 200 in self.statuses(began)

    def longest_silence(self) -> float:
        """The longest time between two acknowledgements, in seconds."""
        times = sorted(answer.at for answer in self.answers if answer.status == 200)
        return max(later - earlier for earlier, later in pairwise(times))

    def told(self) -> dict[int, int]:
        """How often each status came; 0 is no answer."""
        statuses = [answer.status for answer in self.answers]
        return {status: statuses.count(status) for status in sorted(set(statuses))}

    def check_all_is_there_once(self) -> None:
        """Every body is kept as it came, understood as one message, and nothing was parked."""
        stack, mark = self._stack, f"wamid.HBgL{self.run:08x}"
        until(
            lambda: stack.sql("SELECT count(*) FROM webhook_queue") == "0", UNDERSTOOD_S, "they were not all understood"
        )
        ours = f"position('{mark}'::bytea IN body) > 0"
        kept = stack.sql(f"SELECT encode(sha256(body), 'hex') FROM webhook_events WHERE {ours}").split()
        assert self.acknowledged - set(kept) == set(), "lost"
        assert sorted(kept) == sorted(self.acknowledged), "double, or never acknowledged"
        messages = stack.sql(f"SELECT wamid FROM messages WHERE wamid LIKE '{mark}%'").split()
        assert sorted(messages) == [wamid(number, self.run) for number in range(len(self.bodies))]
        parked = f"SELECT count(*) FROM parked p JOIN webhook_events e ON e.id = p.event_id WHERE {ours}"
        assert stack.sql(parked) == "0"

    async def _come(self) -> None:
        deliveries: set[asyncio.Task[None]] = set()
        began = time.monotonic()
        while not self._ending.is_set():
            number = len(self.bodies)
            self.bodies.append(webhook(number, self.run) + self._padding)
            delivery = asyncio.create_task(self._deliver(self.bodies[-1], 2 if number % TWICE_EVERY == 0 else 1))
            deliveries.add(delivery)
            delivery.add_done_callback(deliveries.discard)
            await asyncio.sleep(max(0.0, began + (number + 1) / self._rate - time.monotonic()))
        with suppress(TimeoutError):
            async with asyncio.timeout(REACH_S - 5):
                await asyncio.gather(*deliveries)

    async def _deliver(self, body: bytes, times: int) -> None:
        line = Connection(self._port, self._secret)
        pause, at_most = AGAIN_S
        while times:
            began = time.monotonic()
            status = await line.post(body)
            self.answers.append(Answer(time.monotonic(), status, time.monotonic() - began))
            if status == 200:
                self._ledger.add(body)
                times -= 1
            else:
                line.close()
                await asyncio.sleep(pause * random.uniform(0.8, 1.2))
                pause = min(2 * pause, at_most)
        line.close()

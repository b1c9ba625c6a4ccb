"""The part of Meta in the tests of loss: delivers until it gets a 200, and keeps a ledger of what it was promised."""

import asyncio
import json
import os
import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from types import TracebackType

from tests.patience import PATIENCE
from wamcp.whatsapp.signature import sign

PATIENCE_S = 5.0 * PATIENCE
"""How long one answer is waited for."""


def webhook(number: int, run: int) -> bytes:
    """A webhook of one text message, its wamid unique to ``run`` and ``number``."""
    who = f"1555010{number % 97:04d}"
    message = {
        "from": who,
        "id": wamid(number, run),
        "timestamp": str(1_790_000_000 + number),
        "type": "text",
        "text": {"body": f"Message {number}: is the blue bicycle still there?"},
    }
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550100000", "phone_number_id": "106540352242922"},
        "contacts": [{"profile": {"name": f"Person {number % 97}"}, "wa_id": who}],
        "messages": [message],
    }
    entry = {"id": "102290129340398", "changes": [{"field": "messages", "value": value}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


def wamid(number: int, run: int) -> str:
    """The id of the message in :func:`webhook`."""
    return f"wamid.HBgL{run:08x}{number:012d}=="


class Ledger:
    """What was acknowledged, on disk: a digest counts once its line is written, and the file is synced in steps."""

    def __init__(self, path: Path, sync_every: int = 50) -> None:
        self.path = path
        self._file = path.open("a")
        self._sync_every = sync_every
        self._unsynced = 0

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._sync()
        self._file.close()

    def add(self, body: bytes) -> None:
        self._file.write(sha256(body).hexdigest() + "\n")
        self._unsynced += 1
        if self._unsynced >= self._sync_every:
            self._sync()

    def digests(self) -> list[bytes]:
        """What a reader of the file finds there, one per acknowledgement."""
        self._sync()
        return [bytes.fromhex(line) for line in self.path.read_text().split()]

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._unsynced = 0


@dataclass
class Meta:
    """Delivers over a few connections, each body until it is acknowledged."""

    port: int
    secret: bytes
    ledger: Ledger
    answers: dict[int, int] = field(default_factory=dict)
    """How often each status came; 0 is no answer."""
    times: list[tuple[float, float, int]] = field(default_factory=list)
    """Of each attempt: when it began (monotonic), the seconds until its answer, and the status."""

    @property
    def seconds(self) -> dict[int, list[float]]:
        """How long each of the answers took, by status."""
        return {code: [taken for _, taken, status in self.times if status == code] for code in self.answers}

    async def deliver(self, bodies: Iterable[bytes], *, connections: int = 24, pause: float = 0.01) -> None:
        """Returns when every body was acknowledged; ``pause`` seconds after each, on each connection."""
        waiting = list(bodies)[::-1]

        async def work() -> None:
            line = Connection(self.port, self.secret)
            try:
                while waiting:
                    await self._insist(line, waiting.pop())
                    await asyncio.sleep(pause)
            finally:
                line.close()

        await asyncio.gather(*(work() for _ in range(connections)))

    async def deliver_steadily(self, bodies: Sequence[bytes], rate: float) -> None:
        """Begins with ``rate`` bodies a second, whether the earlier ones were answered or not."""
        began = time.monotonic()
        lines: list[Connection] = []
        free: list[Connection] = []

        async def one(number: int, body: bytes) -> None:
            await asyncio.sleep(began + number / rate - time.monotonic())
            if not free:
                free.append(Connection(self.port, self.secret))
                lines.append(free[-1])
            line = free.pop()
            await self._insist(line, body)
            free.append(line)

        try:
            await asyncio.gather(*(one(number, body) for number, body in enumerate(bodies)))
        finally:
            for line in lines:
                line.close()

    async def _insist(self, line: "Connection", body: bytes) -> None:
        delay = 0.05
        while True:
            began = time.monotonic()
            status = await line.post(body)
            self.times.append((began, time.monotonic() - began, status))
            self.answers[status] = self.answers.get(status, 0) + 1
            if status == 200:
                self.ledger.add(body)
                return
            await asyncio.sleep(delay * random.uniform(0.5, 1.5))
            delay = min(delay * 2, 1.0)


class Connection:
    """One keep-alive connection, opened again when it breaks."""

    def __init__(self, port: int, secret: bytes) -> None:
        self._port = port
        self._secret = secret
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, body: bytes) -> int:
        """The status that came back, 0 when none did."""
        head = (
            "POST /webhooks/whatsapp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"X-Hub-Signature-256: {sign(body, self._secret)}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            async with asyncio.timeout(PATIENCE_S):
                if self._streams is None:
                    self._streams = await asyncio.open_connection("127.0.0.1", self._port)
                reader, writer = self._streams
                writer.write(head.encode() + body)
                answer = await reader.readuntil(b"\r\n\r\n")
                headers = dict(line.lower().split(b": ", 1) for line in answer.split(b"\r\n")[1:-2])
                await reader.readexactly(int(headers[b"content-length"]))
        except (OSError, EOFError, TimeoutError):
            self.close()
            return 0
        if headers.get(b"connection") == b"close":
            self.close()
        return int(answer[9:12])

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


def takes_webhooks(port: int, secret: bytes, body: bytes) -> bool:
    """Whether a door keeps ``body``."""

    async def once() -> int:
        line = Connection(port, secret)
        status = await line.post(body)
        line.close()
        return status

    return asyncio.run(once()) == 200

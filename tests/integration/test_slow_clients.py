"""Clients that are slow, many or rude, on real sockets against the real api process: webhooks do not notice them."""

import asyncio
import resource
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from tests.api_process import SECRET, Served, serving
from tests.e2e.figures import percentile
from tests.patience import PATIENCE
from tests.webhooks import message_event
from wamcp.whatsapp.signature import sign

LINE = b"POST /webhooks/whatsapp HTTP/1.1\r\nHost: localhost\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]
SLOW = [
    b"",
    b"POST /webhooks/wh",
    LINE + b"X-Half: a he",
    LINE + b"Content-Length: 1000\r\n\r\n{",
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Half",
    b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\nAuthorization: Bearer x\r\n\r\n{",
]
"""How far a slow client comes before it sends a byte a second."""


@asynccontextmanager
async def connections(port: int, count: int = 1) -> AsyncIterator[list[Pair]]:
    """So many connections, which are gone afterwards."""
    made: list[Pair] = []
    try:
        for _ in range(count):
            made.append(await asyncio.open_connection("127.0.0.1", port))
        yield made
    finally:
        for _, writer in made:
            writer.transport.abort()
        await asyncio.sleep(0)


async def ask(port: int, request: bytes) -> tuple[bytes, float]:
    """The first bytes of the answer on a connection of its own, and the seconds until they came."""
    began = time.perf_counter()
    async with asyncio.timeout(20), connections(port) as [(reader, writer)]:
        writer.write(request)
        answer = await reader.read(65536)
        return answer, time.perf_counter() - began


def webhook(number: int, secret: bytes = SECRET) -> bytes:
    body = message_event(f"wamid.{number}", f"Hello {number}")
    return LINE + f"X-Hub-Signature-256: {sign(body, secret)}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class SlowClient:
    """Sends the beginning of a request, then a byte a second, until it is cut off."""

    def __init__(self, port: int, beginning: bytes) -> None:
        self.port, self.beginning = port, beginning
        self.closed_after: float | None = None

    async def run(self) -> None:
        async with connections(self.port) as [(reader, writer)]:
            began = time.perf_counter()
            writer.write(self.beginning)
            dripping = asyncio.create_task(self.drip(writer))
            with suppress(ConnectionError):
                while await reader.read(65536):
                    pass
            self.closed_after = time.perf_counter() - began
            dripping.cancel()

    async def drip(self, writer: asyncio.StreamWriter) -> None:
        while self.beginning:
            await asyncio.sleep(1)
            writer.write(b"x")


def kept(url: str) -> int:
    with psycopg.connect(url) as connection:
        (count,) = connection.execute("SELECT count(*) FROM webhook_events").fetchone() or (0,)
    return int(count)


@pytest.mark.fault(12)
@pytest.mark.slow
def test_300_slow_clients_hold_no_webhook_up_and_are_cut_off(
    database_url: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    async def story(served: Served) -> tuple[list[SlowClient], list[float]]:
        slow = [
            SlowClient(port, SLOW[number % len(SLOW)]) for number in range(150) for port in (served.full, served.public)
        ]
        running = [asyncio.create_task(client.run()) for client in slow]
        await asyncio.sleep(1)
        taken = []
        for number in range(60):
            answer, seconds = await ask((served.full, served.public)[number % 2], webhook(number))
            assert answer.startswith(b"HTTP/1.1 200")
            taken.append(seconds)
            await asyncio.sleep(0.02)
        async with asyncio.timeout(25):
            await asyncio.gather(*running)
        return slow, taken

    with serving(database_url, tmp_path) as served:
        slow, taken = asyncio.run(story(served))
        assert percentile(taken, 0.95) < 0.25 * PATIENCE
        assert max(client.closed_after or 99 for client in slow) < 20
        heads = [client.closed_after or 99 for client in slow if not client.beginning.endswith(b"{")]
        assert max(heads) < 9 + 2 * PATIENCE
        assert kept(database_url) == 60
        assert served.log.read_text().count("connections_cut") <= 6
    record_property(
        "figure",
        f"300 slow clients: 60 webhooks beside them, 0 refused, ack at most {max(taken) * 1000:.0f} ms;"
        f" the last slow one cut off after {max(client.closed_after or 99 for client in slow):.1f} s",
    )


def test_when_there_are_too_many_the_quiet_ones_go(database_url: str, tmp_path: Path) -> None:
    async def story(served: Served) -> None:
        async with connections(served.public, 60) as [(first_reader, _), *_, (busy_reader, busy_writer)]:
            busy_writer.write(HEALTH)
            assert (await busy_reader.readuntil(b'"ok"}')).startswith(b"HTTP/1.1 200")
            for number in range(20):
                answer, seconds = await ask(served.public, webhook(number))
                assert answer.startswith(b"HTTP/1.1 200") and seconds < PATIENCE + 2
            # 80 came, 50 fit: those that never said anything went first, and were told so.
            async with asyncio.timeout(10):
                assert (await first_reader.read(100)).startswith(b"HTTP/1.1 503")
            busy_writer.write(HEALTH)
            assert (await busy_reader.readuntil(b'"ok"}')).startswith(b"HTTP/1.1 200")

    with serving(database_url, tmp_path, WAMCP_MAX_CONNECTIONS="50") as served:
        asyncio.run(story(served))
        assert kept(database_url) == 20


def test_with_few_files_allowed_connections_give_way_before_files_run_out(database_url: str, tmp_path: Path) -> None:
    async def story(served: Served) -> None:
        async with connections(served.public, 400):
            for number in range(10):
                answer, _ = await ask(served.public, webhook(number))
                assert answer.startswith(b"HTTP/1.1 200")

    with serving(database_url, tmp_path, files=320) as served:
        asyncio.run(story(served))
        told = served.log.read_text()
        assert "few_descriptors" in told and "ulimit" in told
        assert kept(database_url) == 10


def test_running_out_of_files_does_not_end_the_accepting(database_url: str, tmp_path: Path) -> None:
    """The limit is lowered behind the process's back, so that accepting really fails."""

    async def story(served: Served) -> None:
        used = len(list(Path(f"/proc/{served.process.pid}/fd").iterdir()))
        resource.prlimit(served.process.pid, resource.RLIMIT_NOFILE, (used + 5, used + 5))
        async with connections(served.public, 40):
            await asyncio.sleep(1)
        await asyncio.sleep(1.5)
        for number in range(5):
            answer, _ = await ask(served.public, webhook(number))
            assert answer.startswith(b"HTTP/1.1 200")

    with serving(database_url, tmp_path) as served:
        asyncio.run(story(served))
        assert kept(database_url) == 5


def test_headers_without_end_are_refused(database_url: str, tmp_path: Path) -> None:
    async def story(served: Served) -> None:
        answer, _ = await ask(served.public, LINE + b"X-Long: " + b"x" * 400_000)
        assert answer.startswith(b"HTTP/1.1 431")
        answer, _ = await ask(
            served.public, b"GET /healthz HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
        )
        assert answer.startswith(b"HTTP/1.1 200")
        for _ in range(50):
            answer, _ = await ask(served.public, b"\x16\x03\x01 this is no HTTP\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 400")

    with serving(database_url, tmp_path) as served:
        asyncio.run(story(served))
        assert served.log.read_text().count("requests_not_understood") == 2
        assert "Invalid HTTP" not in served.log.read_text()


@pytest.mark.fault(13)
def test_bad_signatures_cost_no_row_and_one_line(
    database_url: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    async def flood(served: Served, until: float) -> int:
        """Refused webhooks on one connection, as fast as they are answered."""
        request, refused = webhook(1, b"another secret"), 0
        async with connections(served.public) as [(reader, writer)]:
            while time.perf_counter() < until or refused < 101:
                writer.write(request)
                assert (await reader.readuntil(b"app secret.")).startswith(b"HTTP/1.1 401")
                refused += 1
        return refused

    async def story(served: Served) -> tuple[float, list[float]]:
        began = time.perf_counter()
        floods = [asyncio.create_task(flood(served, time.perf_counter() + 2)) for _ in range(4)]
        taken = []
        for number in range(20):
            answer, seconds = await ask(served.public, webhook(number))
            assert answer.startswith(b"HTTP/1.1 200")
            taken.append(seconds)
            await asyncio.sleep(0.05)
        return sum(await asyncio.gather(*floods)) / (time.perf_counter() - began), taken

    with serving(database_url, tmp_path) as served:
        refused, taken = asyncio.run(story(served))
        assert percentile(taken, 0.95) < 0.25 * PATIENCE
        assert kept(database_url) == 20
        assert served.log.read_text().count("webhooks_refused") == 1
    record_property(
        "figure",
        f"{refused:,.0f} refusals a second for 2 s, {4 / refused * 1000:.1f} ms each;"
        f" 20 true webhooks beside them, ack at most {max(taken) * 1000:.0f} ms; no row and one line of the log",
    )

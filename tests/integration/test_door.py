"""The door behind its real server, with its real writer: what a socket sees when a client is slow, large or rude."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import psycopg
import pytest
import uvicorn

from wamcp.ingest.receive import Writer
from wamcp.settings import load
from wamcp.web import door as door_module
from wamcp.web.door import Door
from wamcp.whatsapp.signature import sign

SECRET = b"a secret of invented letters"
BODY = b'{"object":"whatsapp_business_account","entry":[]}'


@asynccontextmanager
async def serving(database_url: str) -> AsyncIterator[int]:
    """The door on a free port, which is yielded."""
    writer = Writer(database_url)
    await writer.start()
    door: Any = Door(load({"WHATSAPP_APP_SECRET": SECRET.decode(), "WHATSAPP_VERIFY_TOKEN": "plum-tree"}), writer)
    config = uvicorn.Config(door, port=0, http="httptools", lifespan="off", access_log=False, log_config=None)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await running
        await writer.stop()


def head(body: bytes, *more: str, length: int | None = None) -> bytes:
    lines = [
        "POST /webhooks/whatsapp HTTP/1.1",
        "Host: localhost",
        f"X-Hub-Signature-256: {sign(body, SECRET)}",
        f"Content-Length: {len(body) if length is None else length}",
        *more,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


async def exchange(port: int, *parts: bytes, pause: float = 0.0, answers: int = 1) -> bytes:
    """What comes back for ``parts`` until there are ``answers`` or the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    try:
        for part in parts:
            writer.write(part)
            await asyncio.sleep(pause)
        async with asyncio.timeout(5):
            while answer.count(b"HTTP/1.1 ") < answers and (chunk := await reader.read(65536)):
                answer += chunk
    except TimeoutError:
        pass
    finally:
        writer.close()
    return answer


def bodies(url: str) -> list[bytes]:
    with psycopg.connect(url) as connection:
        return [body for (body,) in connection.execute("SELECT body FROM webhook_events")]


def test_a_signed_webhook_is_in_the_database_when_its_200_arrives(database_url: str) -> None:
    async def story() -> None:
        async with serving(database_url) as port, httpx.AsyncClient() as client:
            headers = {"X-Hub-Signature-256": sign(BODY, SECRET)}
            answer = await client.post(f"http://127.0.0.1:{port}/webhooks/whatsapp", content=BODY, headers=headers)
            assert (answer.status_code, answer.text) == (200, "ok")
            assert bodies(database_url) == [BODY]

    asyncio.run(story())


def test_a_slow_body_is_waited_for_but_not_for_ever(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> tuple[bytes, bytes]:
        async with serving(database_url) as port:
            slow = await exchange(port, head(BODY), BODY[:9], BODY[9:], pause=0.05)
            monkeypatch.setattr(door_module, "READ_S", 0.4)
            stuck = await exchange(port, head(BODY), BODY[:9])
            return slow, stuck

    slow, stuck = asyncio.run(story())
    assert slow.startswith(b"HTTP/1.1 200 ")
    assert stuck.startswith(b"HTTP/1.1 408 ") and b"connection: close" in stuck.lower()
    assert bodies(database_url) == [BODY]


def test_a_large_body_gets_its_413_although_it_is_still_being_sent(database_url: str) -> None:
    large = b" " * 5_000_000

    async def story() -> tuple[int, bytes, bytes]:
        async with serving(database_url) as port, httpx.AsyncClient() as client:
            headers = {"X-Hub-Signature-256": sign(large, SECRET)}
            url = f"http://127.0.0.1:{port}/webhooks/whatsapp"
            answer = await client.post(url, content=large, headers=headers)
            announced = await exchange(port, head(BODY, length=5_000_000))
            asking = await exchange(port, head(BODY, "Expect: 100-continue", length=5_000_000))
            return answer.status_code, announced, asking

    status, announced, asking = asyncio.run(story())
    assert status == 413
    assert announced.startswith(b"HTTP/1.1 413 ")
    assert asking.startswith(b"HTTP/1.1 413 ") and b"100 Continue" not in asking
    assert bodies(database_url) == []


def test_a_chunked_body_that_grows_too_large_is_refused(database_url: str) -> None:
    start = head(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"

    async def story() -> bytes:
        async with serving(database_url) as port:
            return await exchange(port, start, *[chunk] * 5, b"0\r\n\r\n")

    assert asyncio.run(story()).startswith(b"HTTP/1.1 413 ")


def test_a_client_that_leaves_in_the_middle_harms_nobody(database_url: str) -> None:
    async def story() -> bytes:
        async with serving(database_url) as port:
            for parts in ([head(BODY)], [head(BODY), BODY[:9]], [head(BODY) + BODY]):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.writelines(parts)
                await asyncio.sleep(0.02)
                writer.transport.abort()
            return await exchange(port, head(BODY + b" ") + BODY + b" ")

    assert asyncio.run(story()).startswith(b"HTTP/1.1 200 ")
    assert set(bodies(database_url)) <= {BODY, BODY + b" "}


def test_one_connection_carries_good_and_bad_requests_one_after_the_other(database_url: str) -> None:
    async def story() -> bytes:
        async with serving(database_url) as port:
            bad = head(b"something else", length=len(BODY)) + BODY
            return await exchange(port, bad, head(BODY) + BODY, head(BODY) + BODY, answers=3)

    answer = asyncio.run(story())
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"401", b"200", b"200"]
    assert bodies(database_url) == [BODY]

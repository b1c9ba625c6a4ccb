"""A small HTTP client for webhooks: a general one takes five times the CPU, and a message has three statuses."""

import asyncio
import ssl
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httptools

Key = tuple[str, str, int]


class Poster:
    """Posts over connections that are kept; belongs to one event loop."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._idle: dict[Key, list[_Connection]] = {}
        self._tls: ssl.SSLContext | None = None

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        """The HTTP status of the answer; 0 where there is none in time, or ``url`` is no address."""
        try:
            parts = urlsplit(url)
            key = (parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
            async with asyncio.timeout(self._timeout_s):
                return await self._exchange(key, _request(parts, body, headers))
        except (OSError, ValueError, ssl.SSLError):  # a TimeoutError is an OSError
            return 0

    def close(self) -> None:
        """Ends its connections."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()

    async def _exchange(self, key: Key, request: bytes) -> int:
        idle = self._idle.setdefault(key, [])
        while idle:
            connection = idle.pop()
            if connection.is_open():
                break
        else:
            connection = await self._connect(key)
        try:
            status = await connection.exchange(request)
        except BaseException:
            connection.close()
            raise
        if connection.is_open():
            idle.append(connection)
        return status

    async def _connect(self, key: Key) -> "_Connection":
        scheme, host, port = key
        if scheme not in ("http", "https"):
            raise ValueError("neither http nor https")
        if scheme == "https" and self._tls is None:
            self._tls = ssl.create_default_context()
        loop = asyncio.get_running_loop()
        tls = self._tls if scheme == "https" else None
        _, connection = await loop.create_connection(_Connection, host, port, ssl=tls)
        return connection


class _Connection(asyncio.Protocol):
    """One connection; one request at a time."""

    def __init__(self) -> None:
        self._transport: Any = None
        self._parser: Any = None
        self._answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._fail(ConnectionError("closed before the answer was complete"))

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, AttributeError):
            self._fail(ConnectionError("the answer is no HTTP"))
            self.close()

    def on_message_complete(self) -> None:
        """The parser has read the whole answer."""
        if not self._parser.should_keep_alive():
            self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(self._parser.get_status_code())

    async def exchange(self, request: bytes) -> int:
        """Sends a request, returns the status of the whole answer; raises ``ConnectionError``."""
        self._parser = httptools.HttpResponseParser(self)
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def is_open(self) -> bool:
        """Whether another request may be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        """Ends the connection."""
        if self._transport is not None:
            self._transport.close()

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


def _request(parts: SplitResult, body: bytes, headers: dict[str, str]) -> bytes:
    host = parts.netloc.rpartition("@")[2]
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"POST {target} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + body

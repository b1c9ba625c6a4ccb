"""Meta's Graph API over HTTP: every call ends in bounded time, and says whether it may have reached Meta."""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Any, NamedTuple, Self

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal

from wamcp.metrics import graph_limited, graph_request_seconds
from wamcp.telemetry import span
from wamcp.version import version
from wamcp.whatsapp.graph_errors import GraphError, read_error

DEADLINE_S = 8.0
CONNECT_S = 3.0
KEEP_IDLE_S = 4.0
"""A connection that idles longer is not used again: Meta may have closed it, and then nobody knows what arrived."""
MAX_ANSWER_BYTES = 4_000_000
CONNECTIONS = 32
TOO_MANY = frozenset({4, 80007, 130429, 131048, 131056})
"""Codes by which Meta says that there were too many calls or messages."""
_ENDPOINTS = frozenset({"messages", "media", "message_templates", "subscribed_apps", "phone_numbers"})
"""What of paths becomes a label; ids are all called node."""


class Reached(StrEnum):
    """What is known of a call after it ended."""

    ANSWERED = "answered"
    """Meta, or whoever stands before it, answered in full."""
    NOT_SENT = "not_sent"
    """No connection came about: nothing reached Meta."""
    UNANSWERED = "unanswered"
    """The request may have arrived; its answer did not, or not in time, or not in full."""


class Reply(NamedTuple):
    """How a call ended. ``data`` is the JSON object that was answered, None for anything else.

    ``error`` is what Meta complains of, ``retry_after_s`` its header in seconds, ``reason`` why there is no answer,
    ``date`` the header of that name as it came.
    """

    reached: Reached
    status: int = 0
    data: dict[str, Any] | None = None
    error: GraphError | None = None
    retry_after_s: float | None = None
    reason: str = ""
    date: str | None = None

    @property
    def is_fine(self) -> bool:
        """Whether it was answered with 200 and a JSON object that is no error."""
        return self.reached == Reached.ANSWERED and self.status == 200 and self.data is not None and self.error is None


class Graph:
    """A client of one Graph API with one token; for any number of threads. Close it, or use it in ``with``."""

    def __init__(self, base_url: str, version: str, token: str, *, deadline_s: float = DEADLINE_S) -> None:
        """``deadline_s`` is how long a call may take from its beginning to the last byte of its answer."""
        self._deadline_s = deadline_s
        self._root = f"{base_url.rstrip('/')}/{version.strip('/')}"
        self._token = token
        self._portal_context: AbstractContextManager[BlockingPortal] = start_blocking_portal()
        self._portal = self._portal_context.__enter__()
        self._client = self._portal.call(self._open)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends its connections."""
        self._portal.call(self._client.aclose)
        self._portal_context.__exit__(None, None, None)

    def get(self, path: str, *, deadline_s: float | None = None, **parameters: str) -> Reply:
        """GETs ``path`` below the version, like ``106540352240001``. Never raises for what the network does."""
        return self._call("GET", path, deadline_s, lambda: {"params": parameters or None})

    def post(self, path: str, body: dict[str, Any] | None = None, *, deadline_s: float | None = None) -> Reply:
        """POSTs JSON to ``path``; like :meth:`get`. It is sent once: whether to try again is for the caller to say."""
        return self._call("POST", path, deadline_s, lambda: {"json": {} if body is None else body})

    def post_form(
        self, path: str, fields: dict[str, str], file: tuple[str, Any, str], *, deadline_s: float | None = None
    ) -> Reply:
        """POSTs a multipart form whose ``file`` is (name, binary file object, mime type), streamed."""
        return self._call("POST", path, deadline_s, lambda: {"data": fields, "files": {"file": file}})

    def _call(self, method: str, path: str, deadline_s: float | None, content: Callable[[], dict[str, Any]]) -> Reply:
        began = time.monotonic()
        with span("graph", endpoint=_endpoint(path)):
            reply: Reply = self._portal.call(
                self._exchange, method, f"{self._root}/{path}", deadline_s or self._deadline_s, content()
            )
        _count(path, reply, time.monotonic() - began)
        return reply

    async def _open(self) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=CONNECTIONS, keepalive_expiry=KEEP_IDLE_S)
        headers = {"Authorization": f"Bearer {self._token}", "User-Agent": f"wamcp/{version()}"}
        timeout = httpx.Timeout(None, connect=CONNECT_S, pool=CONNECT_S)
        return httpx.AsyncClient(headers=headers, limits=limits, timeout=timeout, follow_redirects=False)

    async def _exchange(self, method: str, url: str, deadline_s: float, content: dict[str, Any]) -> Reply:
        try:
            async with asyncio.timeout(deadline_s), self._client.stream(method, url, **content) as response:
                body = await _read(response)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as failure:
            return Reply(Reached.NOT_SENT, reason=_named(failure))
        except TimeoutError:
            return Reply(Reached.UNANSWERED, reason=f"no whole answer within {deadline_s:.0f} s")
        except httpx.HTTPError as failure:
            return Reply(Reached.UNANSWERED, reason=_named(failure))
        if body is None:
            return Reply(Reached.UNANSWERED, response.status_code, reason="the answer is larger than any of Meta's")
        data = _object(body)
        error = read_error(data) if data is not None else None
        date = response.headers.get("date")
        return Reply(Reached.ANSWERED, response.status_code, data, error, _retry_after(response), date=date)


def _endpoint(path: str) -> str:
    last = path.rpartition("/")[2]
    return last if last in _ENDPOINTS else "node"


def _count(path: str, reply: Reply, seconds: float) -> None:
    code = str(reply.status) if reply.reached == Reached.ANSWERED else str(reply.reached)
    graph_request_seconds.labels(_endpoint(path), code).observe(seconds)
    if reply.error is not None and (reply.error.code in TOO_MANY or reply.status == 429):
        graph_limited.labels(str(reply.error.code)).inc()


async def _read(response: httpx.Response) -> bytes | None:
    parts, size = [], 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            return None
        parts.append(part)
    return b"".join(parts)


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds of ``Retry-After`` (RFC 9110, 10.2.3); its form with a date is not used by Meta."""
    written = response.headers.get("retry-after", "")
    return float(written) if written.isascii() and written.isdecimal() and len(written) < 7 else None


def _named(failure: Exception) -> str:
    """What went wrong, without addresses and what was sent."""
    return type(failure).__name__

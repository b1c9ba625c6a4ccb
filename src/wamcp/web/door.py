"""The webhook door: a signed body in, 200 out once it is kept. Bare ASGI, since FastAPI would double its cost."""

import asyncio
import hmac
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol
from urllib.parse import parse_qsl

from wamcp import log
from wamcp.errors import Overloaded
from wamcp.ingest.receive import KeepResult
from wamcp.metrics import webhook_ack_seconds, webhook_requests
from wamcp.settings import Settings
from wamcp.whatsapp import signature

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MAX_BODY_BYTES = 4 * 1024 * 1024
"""Meta's payloads have at most 3 MB."""
MAX_HELD_BYTES = 128 * 1024 * 1024
"""Of all bodies that are still coming, together; above it the one that has been coming the longest is given up."""
READ_S = 10.0
LINGER_S = 2.0
LINGER_BYTES = 4 * MAX_BODY_BYTES
RETRY_AFTER_S = 5

_SIGNATURE = b"x-hub-signature-256"
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{1,256}")

_log = log.get(__name__)


class Keeper(Protocol):
    """What the door needs of the writer."""

    def keep(self, body: bytes) -> Awaitable[KeepResult]:
        """Returns once ``body`` is committed; raises :class:`Overloaded` when that is not known."""


class Door:
    """The ASGI application for ``/webhooks/whatsapp``."""

    def __init__(self, settings: Settings, writer: Keeper) -> None:
        self._writer = writer
        self._secrets = settings.app_secrets()
        self._verify_token = settings.verify_token.get_secret_value() if settings.verify_token else ""
        # Settings refuse this in production; the door does not rely on anybody having asked them.
        self._checks_signature = settings.verify_webhook_signature or settings.env == "production"
        self._readers = _Readers()
        self._refusals = _Refusals()
        if self._checks_signature and not self._secrets:
            _log.error("webhooks_refused", reason="WHATSAPP_APP_SECRET is not set: every webhook gets 401 until it is.")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        method = scope["method"]
        if method == "POST":
            await self._post(scope, receive, send)
        elif method == "GET":
            await _answer(send, *self._verify(scope["query_string"]))
        else:
            await _answer(send, 405, "Only GET and POST are answered here.", (b"allow", b"GET, POST"))

    async def _post(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        signatures: list[bytes] = []
        length = 0
        for name, value in scope["headers"]:
            if name == _SIGNATURE:
                signatures.append(value)
            elif name == b"content-length":
                length = int(value) if value.isdigit() else MAX_BODY_BYTES + 1
        body = None
        try:
            if length <= MAX_BODY_BYTES:
                body = await self._readers.limit(began, _read(receive, self._readers))
        except TimeoutError:
            self._refusals.note("timeout")
            await _answer(send, 408, "The body did not arrive in time.", _CLOSE)
            return
        except _Gone:
            _count_disconnected()
            return
        if body is None:
            self._refusals.note("too_large")
            await _answer_and_linger(receive, send, 413, f"A webhook has at most {MAX_BODY_BYTES} bytes.")
            return
        if self._checks_signature and not signature.is_valid(signatures, body, self._secrets):
            self._refusals.note("bad_signature")
            await _answer(send, 401, "X-Hub-Signature-256 does not sign this body with the app secret.")
            return
        await self._keep(body, began, send)

    async def _keep(self, body: bytes, began: float, send: Send) -> None:
        try:
            result = await self._writer.keep(body)
        except Overloaded as error:
            self._refusals.note("overloaded")
            await _answer(send, 503, str(error), (b"retry-after", b"%d" % RETRY_AFTER_S))
            return
        except BaseException:
            _count_error()
            raise
        if result is KeepResult.ACCEPTED:
            _count_accepted()
        else:
            _count_duplicate()
        _observe(time.perf_counter() - began)
        await send(_OK_START)
        await send(_OK_BODY)

    def _verify(self, query: bytes) -> tuple[int, str]:
        """Meta's handshake: https://developers.facebook.com/docs/graph-api/webhooks/getting-started"""
        asked = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
        if missing := self._missing(asked):
            return 403, f"This is WAMCP's webhook, so the way to it works, but {missing}."
        challenge = asked.get("hub.challenge", "")
        if not _CHALLENGE.fullmatch(challenge):
            return 400, "hub.challenge must be 1 to 256 letters, digits, hyphens or underscores."
        return 200, challenge

    def _missing(self, asked: dict[str, str]) -> str | None:
        token = asked.get("hub.verify_token", "")
        if not self._verify_token:
            return "WHATSAPP_VERIFY_TOKEN is not set on this server"
        if not token:
            return "hub.verify_token is missing"
        if not hmac.compare_digest(token.encode(), self._verify_token.encode()):
            return "hub.verify_token is not this server's WHATSAPP_VERIFY_TOKEN"
        return None if asked.get("hub.mode") == "subscribe" else "hub.mode=subscribe is missing"


class _Gone(Exception):
    """The client went away in the middle of its body."""


class _Readers:
    """Who is still reading a body, with one timer for all: an ``asyncio.timeout`` each would be a tenth of the cost."""

    def __init__(self) -> None:
        self._since: dict[asyncio.Task[Any], float] = {}
        self._bytes: dict[asyncio.Task[Any], int] = {}
        self._held = 0
        self._late: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def limit(self, began: float, reading: Awaitable[bytes | None]) -> bytes | None:
        """``reading``'s result; raises TimeoutError about :data:`READ_S` after ``began`` (``time.perf_counter``)."""
        task = asyncio.current_task()
        assert task is not None
        self._since[task] = began
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(READ_S / 4, self._look)
        try:
            return await reading
        except asyncio.CancelledError:
            if task not in self._late:
                raise
            task.uncancel()
            raise TimeoutError from None
        finally:
            del self._since[task]
            self._late.discard(task)
            if self._bytes:
                self._held -= self._bytes.pop(task, 0)

    def hold(self, size: int) -> None:
        """Notes that the body which the current task reads has grown. Raises TimeoutError when it is given up."""
        task = asyncio.current_task()
        assert task is not None
        self._bytes[task] = self._bytes.get(task, 0) + size
        self._held += size
        if self._held > MAX_HELD_BYTES:
            oldest = next((other for other in self._bytes if other not in self._late), task)
            if oldest is task:
                raise TimeoutError
            self._give_up(oldest)

    def _look(self) -> None:
        self._timer = None
        limit = time.perf_counter() - READ_S
        for task, began in self._since.items():
            if began < limit:
                self._give_up(task)
        if self._since:
            self._timer = asyncio.get_running_loop().call_later(READ_S / 4, self._look)

    def _give_up(self, task: asyncio.Task[Any]) -> None:
        self._late.add(task)
        task.cancel()


class _Refusals:
    """Counts every refusal; floods of them make one line a minute."""

    def __init__(self) -> None:
        self._counters = {
            reason: webhook_requests.labels(reason)
            for reason in ("bad_signature", "too_large", "timeout", "overloaded")
        }
        self._flood = log.Flood(_log, "webhooks_refused", "reason")

    def note(self, reason: str) -> None:
        self._counters[reason].inc()
        self._flood.note(reason)


_count_accepted = webhook_requests.labels(KeepResult.ACCEPTED.value).inc
_count_duplicate = webhook_requests.labels(KeepResult.DUPLICATE.value).inc
_count_disconnected = webhook_requests.labels("disconnected").inc
_count_error = webhook_requests.labels("error").inc
_observe = webhook_ack_seconds.observe


async def _read(receive: Receive, readers: _Readers) -> bytes | None:
    """The body; None when it is too large. Raises :class:`_Gone`."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        part = message.get("body", b"")
        more = message.get("more_body", False)
        if not more and not parts:
            return part if len(part) <= MAX_BODY_BYTES else None
        size += len(part)
        if size > MAX_BODY_BYTES:
            return None
        readers.hold(len(part))
        parts.append(part)
        if not more:
            return b"".join(parts)


_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_CLOSE = (b"connection", b"close")
_OK_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain"), (b"content-length", b"2")],
}
_OK_BODY = {"type": "http.response.body", "body": b"ok"}


async def _answer(send: Send, status: int, text: str, *headers: tuple[bytes, bytes]) -> None:
    body = text.encode()
    await send(_start(status, body, *headers))
    await send({"type": "http.response.body", "body": body})


async def _answer_and_linger(receive: Receive, send: Send, status: int, text: str) -> None:
    """Answers at once, then reads on for a while: a client cut off while it sends would never see the answer."""
    body = text.encode()
    await send(_start(status, body, _CLOSE))
    await send({"type": "http.response.body", "body": body, "more_body": True})
    left = LINGER_BYTES
    try:
        async with asyncio.timeout(LINGER_S):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        pass
    await send({"type": "http.response.body", "body": b""})


def _start(status: int, body: bytes, *headers: tuple[bytes, bytes]) -> Message:
    length = (b"content-length", b"%d" % len(body))
    return {"type": "http.response.start", "status": status, "headers": [_TEXT, length, *headers]}

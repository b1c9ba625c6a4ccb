"""The api process: the door, the admin API and Claude's door in one ASGI application on two ports."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Literal
from urllib.parse import urlsplit

import anyio.to_thread
import uvicorn

from wamcp import log
from wamcp.access.doorkeeper import Doorkeeper
from wamcp.access.tokens import TokenCache
from wamcp.db.logins import audit_url, reader_url
from wamcp.db.session import open_pool
from wamcp.errors import CannotStart
from wamcp.ingest.receive import Writer
from wamcp.mcp.server import Behind, create_mcp_app
from wamcp.sending.desk import Desk
from wamcp.sending.means import means_of
from wamcp.settings import Settings, networks
from wamcp.storage.read import open_store
from wamcp.version import version
from wamcp.vocabulary import TokenKind
from wamcp.web.app import create_app
from wamcp.web.connections import IDLE_S, count_noise, patient_to_a_point, raise_descriptor_limit
from wamcp.web.door import Door
from wamcp.web.forwarded import put_client
from wamcp.web.metrics import expose_door
from wamcp.web.request_id import RequestId

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Part = Literal["door", "answers"]

WEBHOOK = "/webhooks/whatsapp"
HEALTH = "/healthz"
MCP = "/mcp"
READER_CONNECTIONS = 4
AUDIT_CONNECTIONS = 2
QUESTION_THREADS = 2
SWITCH_INTERVAL_S = 0.0005

_log = log.get(__name__)


def serve(settings: Settings, *, only: Part | None = None) -> None:
    """Serves until SIGTERM or SIGINT. Raises :class:`CannotStart` when a port is taken."""
    # Questions run in threads beside the door: with the default interval of 5 ms they would hold up its answers.
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    sockets = [_listen(settings.host, settings.port)]
    if settings.public_port is not None:
        sockets.append(_listen(settings.public_host, settings.public_port))
        settings = settings.model_copy(update={"public_port": sockets[1].getsockname()[1]})  # 0 asked for any
    room = raise_descriptor_limit(settings.max_connections * len(sockets)) // len(sockets)
    count_noise()
    config = uvicorn.Config(
        Api(settings, only),
        loop="uvloop",
        http=patient_to_a_point(room),
        ws="none",
        timeout_keep_alive=IDLE_S,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=2048,
        timeout_graceful_shutdown=10,
    )
    uvicorn.Server(config).run(sockets=sockets)


class Api:
    """Sends each request to the part that answers it; the public port leads to the webhook and ``/healthz`` alone."""

    def __init__(self, settings: Settings, only: Part | None = None) -> None:
        self._settings = settings
        self._only = only
        self._trusted = networks(settings.trusted_proxies)
        self._public_paths = {WEBHOOK, HEALTH} | _extra_public_paths(settings)
        self._door: App | None = None
        self._mcp: App | None = None
        self._web: App = _not_found

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(self._running(), receive, send)
        elif scope["type"] == "http":
            await self._choose(scope)(scope, receive, send)

    def _choose(self, scope: Scope) -> App:
        path = scope["path"]
        server = scope.get("server")
        if server and server[1] == self._settings.public_port and path not in self._public_paths:
            return _not_found
        if path == WEBHOOK:
            return self._door or _not_found
        put_client(scope, self._trusted)
        if path == MCP:
            return self._mcp or _not_found
        return self._web

    @contextlib.asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = QUESTION_THREADS
        async with contextlib.AsyncExitStack() as stack:
            writer = None
            if self._only != "answers":
                writer = Writer(self._settings.direct_url())
                await writer.start()
                stack.push_async_callback(writer.stop)
                self._door = Door(self._settings, writer)
            await self._open_answers(stack, writer)
            _say_callback_url(self._settings)
            yield

    async def _open_answers(self, stack: contextlib.AsyncExitStack, writer: Writer | None) -> None:
        told, prepares = self._settings, not self._settings.is_pooled()
        reader = open_pool(reader_url(told), "wamcp reader", size=READER_CONNECTIONS, prepares=prepares)
        auditor = open_pool(audit_url(told), "wamcp audit", size=AUDIT_CONNECTIONS, prepares=prepares)
        stack.push_async_callback(asyncio.to_thread, reader.close)
        stack.push_async_callback(asyncio.to_thread, auditor.close)
        self._web = web = create_app(self._settings, reader, auditor)
        web.state.writer = writer
        if self._only != "door":
            means = await asyncio.to_thread(stack.enter_context, means_of(self._settings, "wamcp sends", connections=8))
            web.state.sending = Desk(means)
            tokens = TokenCache(reader, TokenKind.MCP)
            keeper = Doorkeeper(tokens, door="mcp", per_minute=self._settings.mcp_rate)
            expose_door("mcp", keeper)
            mcp = create_mcp_app(
                Behind(reader, auditor, open_store(self._settings)),
                keeper,
                version=version(),
                allowed_hosts=_public_host(self._settings),
                allowed_origins=[self._settings.public_base_url] if self._settings.public_base_url else [],
            )
            await stack.enter_async_context(mcp.lifespan())
            self._mcp = RequestId(mcp)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise CannotStart(f"Cannot listen on {host}:{port}: {error.strerror}. Choose another port.") from error
    return listener


def _extra_public_paths(settings: Settings) -> set[str]:
    wanted = {path.strip() for path in settings.public_paths.split(",") if path.strip()}
    if refused := wanted - {MCP}:
        raise CannotStart(f"WAMCP_PUBLIC_PATHS names {', '.join(sorted(refused))}; only {MCP} may be public.")
    return wanted


def _public_host(settings: Settings) -> list[str]:
    return [host] if settings.public_base_url and (host := urlsplit(settings.public_base_url).hostname) else []


def _say_callback_url(settings: Settings) -> None:
    base = settings.public_base_url or "https://<set PUBLIC_BASE_URL to your public address>"
    _log.info(f"Webhook Callback URL for Meta: {base}{WEBHOOK}")


async def _lifespan(running: contextlib.AbstractAsyncContextManager[None], receive: Receive, send: Send) -> None:
    await receive()
    async with running:
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def _not_found(_scope: Scope, _receive: Receive, send: Send) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": b"Nothing is served here.\n"})

"""The api process: the door, the admin API and Claude's door in one ASGI application on two ports.

The door opens first: what answers questions takes seconds to import, and webhooks come meanwhile.
"""

import asyncio
import contextlib
import gc
import json
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Literal

import anyio.to_thread
import uvicorn

from wamcp import log
from wamcp.errors import CannotStart
from wamcp.ingest.receive import Writer
from wamcp.settings import Settings, networks
from wamcp.web.connections import IDLE_S, count_noise, patient_to_a_point, raise_descriptor_limit
from wamcp.web.door import Door
from wamcp.web.forwarded import put_client
from wamcp.web.request_id import problem

if TYPE_CHECKING:
    from wamcp.answers import Answers

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Part = Literal["door", "answers"]

WEBHOOK = "/webhooks/whatsapp"
HEALTH = "/healthz"
MCP = "/mcp"
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
    api = Api(settings, only)
    config = uvicorn.Config(
        api,
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
    server = uvicorn.Server(config)
    api.end = lambda: setattr(server, "should_exit", True)
    server.run(sockets=sockets)
    if api.failure is not None:
        raise api.failure


class Api:
    """Sends each request to the part that answers it; the public port leads to the webhook and ``/healthz`` alone.

    When what answers questions cannot be opened, ``failure`` says why and ``end`` is called.
    """

    def __init__(self, settings: Settings, only: Part | None = None) -> None:
        self.end: Callable[[], None] = lambda: None
        self.failure: BaseException | None = None
        self._settings = settings
        self._only = only
        self._trusted = networks(settings.trusted_proxies)
        self._public_paths = {WEBHOOK, HEALTH} | _extra_public_paths(settings)
        self._door: App = _not_found
        self._mcp: App = _starting
        self._web: App = _starting

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
            return self._door
        put_client(scope, self._trusted)
        return self._mcp if path == MCP else self._web

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
            await stack.enter_async_context(self._answering_soon(writer))
            _say_callback_url(self._settings)
            yield

    @contextlib.asynccontextmanager
    async def _answering_soon(self, writer: Writer | None) -> AsyncIterator[None]:
        """Opens what answers in a task of its own, since what is opened in a task has to be closed in it."""
        ending = asyncio.Event()
        task = asyncio.create_task(self._answer(writer, ending))
        task.add_done_callback(self._note_failure)
        try:
            yield
        finally:
            ending.set()
            await asyncio.wait([task])

    async def _answer(self, writer: Writer | None, ending: asyncio.Event) -> None:
        answers = await asyncio.to_thread(_import_answers)
        async with answers(self._settings, writer, door_only=self._only == "door") as (web, mcp):
            self._web, self._mcp = web, mcp or _not_found
            await ending.wait()

    def _note_failure(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (failure := task.exception()):
            self.failure = failure
            self.end()


def _import_answers() -> "Callable[..., contextlib.AbstractAsyncContextManager[Answers]]":
    # Meanwhile, and for all that stays afterwards, the collector would hold webhooks up for 140 ms at a time.
    gc.disable()
    try:
        from wamcp.answers import answering
    finally:
        gc.freeze()
        gc.enable()
    return answering


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


async def _starting(_scope: Scope, _receive: Receive, send: Send) -> None:
    told = problem("starting", "WAMCP has just been started and answers in a few seconds; try again then.")
    headers = [(b"content-type", b"application/json"), (b"retry-after", b"2")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})

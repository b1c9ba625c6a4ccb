"""The simulator as a server: in a process of its own until a signal ends it, or in a thread beside a test."""

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from wamcp.errors import CannotStart, Rejected
from wamcp.simulator.graph.account import Config
from wamcp.simulator.graph.front import TRANSPORT, Front
from wamcp.simulator.graph.wire import Entry
from wamcp.simulator.graph.world import World

START_SECONDS = 10.0
STOP_SECONDS = 1
CONTROL_SECONDS = 90.0
"""A webhook of a customer's message may be tried again for a minute."""


class _Protocol(HttpToolsProtocol):
    """HTTP as uvicorn speaks it; the application can reach the connection itself, to break it."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        state: Any = self.scope["state"]
        state[TRANSPORT] = self.transport


class Simulated:
    """A simulator that runs in this process. ``url`` is its base URL, without a version."""

    def __init__(self, url: str, world: World) -> None:
        self.url = url
        self._world = world

    def wire(self, since: int = 0) -> list[Entry]:
        """The entries of the wire log after the one with the number ``since``."""
        return self._world.wire.since(since)

    def clear(self) -> None:
        """Forgets the wire log so far; its numbers go on."""
        self._world.wire.clear()

    def script(self, rules: Any) -> None:
        """Replaces the script; raises ``Rejected`` for one that cannot be used."""
        self._world.set_script(rules)

    def account(self, **facts: Any) -> None:
        """Merges facts into the account; raises ``Rejected`` for what is none of them."""
        self._world.set_account(facts)

    def messages(self) -> dict[str, dict[str, Any]]:
        """The messages that were accepted, by wamid: ``phone_number_id``, ``body`` and ``statuses`` so far."""
        return dict(self._world.messages)

    def receive(self, **message: Any) -> dict[str, Any]:
        """Lets a customer write, like ``POST /_simulator/receive``; raises ``Rejected`` with what is wrong."""
        answer: dict[str, Any] = self._control("receive", json=message)
        return answer

    def put_in(self, content: bytes, mime: str) -> dict[str, Any]:
        """Keeps a file as if a customer had sent it; answers ``id``, ``mime_type`` and ``sha256`` for a message."""
        answer: dict[str, Any] = self._control("media", content=content, params={"mime": mime})
        return answer

    def _control(self, name: str, **content: Any) -> Any:
        answer = httpx.post(f"{self.url}/_simulator/{name}", timeout=CONTROL_SECONDS, trust_env=False, **content)
        if answer.status_code != httpx.codes.OK:
            raise Rejected(answer.json()["error"]["message"])
        return answer.json()

    def wait_for(self, fits: Callable[[Entry], bool], *, count: int = 1, seconds: float = 10.0) -> list[Entry]:
        """The entries that fit, once there are ``count``; raises ``TimeoutError`` after so many seconds."""
        end = time.monotonic() + seconds
        while True:
            found = [entry for entry in self.wire() if fits(entry)]
            if len(found) >= count:
                return found
            if time.monotonic() > end:
                raise TimeoutError(f"{len(found)} of {count} entries came within {seconds:.0f} s")
            time.sleep(0.01)


@contextmanager
def simulated(config: Config | None = None) -> Iterator[Simulated]:
    """A simulator on a free loopback port, in a thread, until the block ends."""
    chosen = config or Config()
    world = World(chosen)
    with _listening(chosen) as listener:
        server = _Server(Front(world))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="graph simulator")
        thread.start()
        try:
            _wait_until_started(server, thread)
            yield Simulated(_url(chosen, listener), world)
        finally:
            server.should_exit = True
            thread.join()
            world.wire.close()


def serve(config: Config, ready: Callable[[str], None]) -> None:
    """Serves until SIGTERM or SIGINT; ``ready`` gets the URL once it listens.

    Raises ``CannotStart`` when the port is taken, and ``Rejected`` for a script or facts that cannot be used.
    """
    world = World(config)
    with _listening(config) as listener:
        server = _Server(Front(world), lambda: ready(_url(config, listener)))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)  # uvicorn stops in order, and then raises the signal once more
        try:
            server.run(sockets=[listener])
        finally:
            world.wire.close()


class _Server(uvicorn.Server):
    """Says when it listens; hangs up on those who wait for nothing before it waits for the others."""

    def __init__(self, front: Front, started: Callable[[], None] = lambda: None) -> None:
        super().__init__(_settings(front))
        self._front = front
        self._announce = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._front.hang_up()
        await super().shutdown(sockets)


def _settings(front: Front) -> uvicorn.Config:
    return uvicorn.Config(
        front,
        http=_Protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        backlog=2048,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=STOP_SECONDS,
    )


@contextmanager
def _listening(config: Config) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((config.host, config.port))
        except OSError as error:
            raise CannotStart(
                f"Cannot listen on {config.host}:{config.port}: {error.strerror}. Choose another port."
            ) from error
        yield listener


def _url(config: Config, listener: socket.socket) -> str:
    host = f"[{config.host}]" if ":" in config.host else config.host
    return f"http://{host}:{listener.getsockname()[1]}"


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    end = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > end:
            raise CannotStart("The Graph API simulator did not start; its log says why.")
        time.sleep(0.005)

"""A network that misbehaves: a TCP proxy on loopback that delays, cuts off, swallows or resets what goes through it."""

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from wamcp.embedded.ports import free_port

_LINGER_0 = struct.pack("ii", 1, 0)
_CHUNK = 65536


class Fault(Enum):
    """What becomes of connections, of new ones and of those that there are."""

    NONE = "passed on"
    BLACK_HOLE = "taken, and nothing is passed on in either direction"
    RESET = "reset"


class Proxy:
    """Passes on from ``port`` to ``target``, both on loopback."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.delay_s = 0.0
        """So much later each piece arrives, in each direction."""
        self.cut_after: int | None = None
        """A connection is reset once so many bytes came back through it."""
        self._target = target
        self._fault = Fault.NONE
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._flows.set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def start(self) -> None:
        """Listens."""
        self._thread.start()
        serving = asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self._server = asyncio.run_coroutine_threadsafe(serving, self._loop).result(5)

    def stop(self) -> None:
        """Ends every connection and listens no longer."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    @contextmanager
    def broken(self, fault: Fault) -> Iterator[None]:
        """The fault, until the block ends."""
        self._set_everywhere(fault)
        try:
            yield
        finally:
            self._set_everywhere(Fault.NONE)

    def _set_everywhere(self, fault: Fault) -> None:
        asyncio.run_coroutine_threadsafe(self._set(fault), self._loop).result(5)

    async def _set(self, fault: Fault) -> None:
        self._fault = fault
        if fault is Fault.BLACK_HOLE:
            self._flows.clear()
        else:
            self._flows.set()
        if fault is Fault.RESET:
            for writer in list(self._open):
                _reset(writer)

    async def _stop(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            if self._fault is Fault.RESET:
                _reset(writer)
                return
            await self._flows.wait()
            there, onward = await asyncio.open_connection("127.0.0.1", self._target)
            try:
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._pass(reader, onward))
                    both.create_task(self._pass(there, writer, self.cut_after))
            finally:
                onward.transport.abort()
        except* (OSError, EOFError):
            _reset(writer)
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int | None = None) -> None:
        """Until somebody hangs up, which ends both directions as an EOFError."""
        due: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        async with asyncio.TaskGroup() as both:
            both.create_task(self._write(due, writer, left))
            while piece := await reader.read(_CHUNK):
                due.put_nowait((self._loop.time() + self.delay_s, piece))
            due.put_nowait((self._loop.time() + self.delay_s, b""))

    async def _write(
        self, due: "asyncio.Queue[tuple[float, bytes]]", writer: asyncio.StreamWriter, left: int | None
    ) -> None:
        while True:
            at, piece = await due.get()
            if (wait := at - self._loop.time()) > 0:
                await asyncio.sleep(wait)
            await self._flows.wait()
            if not piece:
                raise EOFError
            if left is not None:
                piece, left = piece[:left], left - len(piece)
            writer.write(piece)
            await writer.drain()
            if left is not None and left <= 0:
                raise EOFError


@contextmanager
def between(target: int) -> Iterator[Proxy]:
    """A proxy to the port ``target``, until the block ends."""
    proxy = Proxy(target)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
    writer.transport.abort()

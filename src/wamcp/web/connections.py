"""The connections of both ports: each has its time and each port its number, so that slow clients hold nobody up."""

import asyncio
import logging
import resource
from collections import OrderedDict
from enum import StrEnum
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from wamcp import log
from wamcp.metrics import connections_cut

HEAD_S = 5.0
"""From a connection's begin, or from the first byte of a later request, to the end of its header lines."""
MAX_HEAD_BYTES = 64 * 1024
BODY_S = 25.0
SLOWEST_BODY = 4096
"""Bytes a second by which a long body may take longer than ``BODY_S``."""
REST_S = 10.0
"""How long the rest of a body may come that was answered before its end."""
UNREAD_S = 60.0
"""How long an answer may wait for a client that reads none of it."""
IDLE_S = 120
"""How long a connection is kept for the next request: longer than proxies keep theirs, so that they are who closes."""
CLOSING_S = 5.0
LOOK_S = 1.0
SPARE_DESCRIPTORS = 256
"""Files that are left to the database, the broker and the object store."""

_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_NOISE = {"Invalid HTTP request": "no HTTP", "Unsupported upgrade ": "upgrade", "No supported WebSock": "upgrade"}
_log = log.get(__name__)


class Stage(StrEnum):
    """What a connection waits for; the value is what it is called when it was cut for it."""

    IDLE = "idle"
    """For the next request."""
    HEAD = "head"
    BODY = "body"
    REST = "rest"
    ANSWER = "answer"
    """For us."""
    UNREAD = "unread"
    CLOSING = "closing"


class Connections:
    """Those of one listener, the one that was quiet the longest first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: OrderedDict[Connection, None] = OrderedDict()
        self._looking = False
        self._flood = log.Flood(_log, "connections_cut", "reason")

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, connection: "Connection") -> "OrderedDict[Connection, None]":
        """Takes one more; where they are too many, one that waits for its client goes, else the new one.

        Returns all of them: whoever is heard goes to the end.
        """
        self._open[connection] = None
        if not self._looking:
            self._looking = True
            connection.loop.call_later(LOOK_S, self._look, connection.loop)
        if len(self._open) > self._most:
            self.cut(next(other for other in self._open if other is connection or other.is_waiting()), "too_many")
        return self._open

    def forget(self, connection: "Connection") -> None:
        """Notes that it is gone."""
        self._open.pop(connection, None)

    def cut(self, connection: "Connection", reason: str) -> None:
        """Ends it, counts it, and tells the log once a minute."""
        if reason != Stage.IDLE:
            connections_cut.labels(reason).inc()
            self._flood.note(reason)
        connection.end(_FULL if reason == "too_many" else _LARGE if reason == "large_head" else _SLOW)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in list(self._open):
            stage = connection.stage_since(now)
            if now - connection.since > connection.limit(stage):
                self.cut(connection, stage)
        self._looking = bool(self._open)
        if self._looking:
            loop.call_later(LOOK_S, self._look, loop)


class Connection(HttpToolsProtocol):
    """uvicorn's connection, which waits for headers and bodies for ever, with an end to its patience."""

    books: dict[int | None, Connections]
    most: int

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.since = self.loop.time()
        self.received = 0
        self._counted: object = None
        self._seen: tuple[Any, ...] = (Stage.HEAD, None, 0)
        port = self.server[1] if self.server else None
        self._book = self.books.setdefault(port, Connections(self.most))
        self._order = self._book.admit(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._book.forget(self)

    def data_received(self, data: bytes) -> None:
        # On the way of every webhook: what can be told later from uvicorn's own state is not noted here.
        self._order.move_to_end(self)
        super().data_received(data)
        if self.scope is not self._counted:
            self._counted, self.received = self.scope, len(data)
            return
        self.received += len(data)
        if self.received > MAX_HEAD_BYTES and self._in_head():
            self._book.cut(self, "large_head")

    def is_waiting(self) -> bool:
        """Whether it waits for its client, so that nothing is lost with it."""
        return self._stage() not in (Stage.ANSWER, Stage.UNREAD, Stage.CLOSING)

    def stage_since(self, now: float) -> Stage:
        """What it waits for; ``since`` becomes when that was first seen. Call it every :data:`LOOK_S`."""
        stage = self._stage()
        seen = (stage, self.cycle, self.transport.get_write_buffer_size() if stage is Stage.UNREAD else 0)
        if seen != self._seen:
            self._seen, self.since = seen, now
        return stage

    def limit(self, stage: Stage) -> float:
        """The most seconds that it may wait for that."""
        if stage is Stage.BODY:
            return BODY_S + self.received / SLOWEST_BODY
        return _LIMITS[stage]

    def end(self, answer: bytes) -> None:
        """Closes it with ``answer`` where an answer is due; at once where it reads nothing."""
        stage = self._stage()
        if stage in (Stage.UNREAD, Stage.CLOSING):
            self.transport.abort()
            return
        if stage is Stage.HEAD or (stage is Stage.BODY and not self.cycle.response_started):
            self.transport.write(answer)
        self.transport.close()

    def _in_head(self) -> bool:
        """Whether the header lines of a request, or of the first one, are not complete: uvicorn knows no method yet."""
        return self.scope is None or "method" not in self.scope

    def _stage(self) -> Stage:
        if self.transport.is_closing():
            return Stage.CLOSING
        if self.flow.write_paused:
            return Stage.UNREAD
        if self.timeout_keep_alive_task:
            return Stage.IDLE
        if self.cycle is None or self.cycle.response_complete:
            return Stage.HEAD if self._in_head() else Stage.REST
        return Stage.BODY if self.cycle.more_body and not self.flow.read_paused else Stage.ANSWER


_LIMITS = {
    Stage.IDLE: IDLE_S + CLOSING_S,  # uvicorn ends these itself
    Stage.HEAD: HEAD_S,
    Stage.REST: REST_S,
    Stage.ANSWER: float("inf"),
    Stage.UNREAD: UNREAD_S,
    Stage.CLOSING: CLOSING_S,
}


def patient_to_a_point(most: int) -> type[Connection]:
    """The class of connections to give to uvicorn: at most ``most`` on each port."""
    return cast(type[Connection], type("Connection", (Connection,), {"books": {}, "most": most}))


def count_noise() -> None:
    """Has what uvicorn logs of each broken request counted and told once a minute in its place."""
    flood = log.Flood(_log, "requests_not_understood", "reason")

    def is_no_noise(record: logging.LogRecord) -> bool:
        reason = _NOISE.get(str(record.msg)[:20])
        if reason:
            flood.note(reason)
        return reason is None

    logging.getLogger("uvicorn.error").addFilter(is_no_noise)


def raise_descriptor_limit(wanted: int) -> int:
    """Lets this process open more files, and returns how many connections of ``wanted`` there is room for.

    Without room, accepting would fail, and so would reaching the database.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = wanted + SPARE_DESCRIPTORS
    target = max(soft, min(hard, wanted + SPARE_DESCRIPTORS))
    if target > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    room = max(1, target - SPARE_DESCRIPTORS)
    if room < wanted:
        _log.warning("few_descriptors", room=room, wanted=wanted, advice="raise the limit of open files (ulimit -n)")
    return min(wanted, room)

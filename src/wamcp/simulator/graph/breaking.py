"""The ways in which an answer goes wrong on the wire: none, a reset, nonsense, one byte at a time, half of it."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec
from starlette.responses import Response

from wamcp.simulator.graph.script import Answer, Do
from wamcp.simulator.graph.trouble import body_of, trouble

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
_GARBAGE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 27\r\n\r\n"
    b'{"messages":[{"id":"wami\x00\xff\xfe'
)
_HTML = (
    b"<!DOCTYPE html>\n<html><head><title>Error</title></head><body><h1>Sorry, something went wrong.</h1></body></html>"
)


def scripted(do: Do) -> Response | None:
    """The answer that a rule wants in place of the true one, None where the connection itself goes wrong."""
    if do.answer is not None:
        return _answer(do.answer)
    if do.status is not None:
        content = _HTML if do.html else b""
        return Response(content, do.status, media_type="text/html; charset=utf-8" if do.html else None)
    return None


async def break_off(do: Do, transport: asyncio.Transport, receive: Receive, whole: bytes) -> None:
    """Spoils the connection as ``do`` says; ``whole`` are the bytes of the true answer. Ends when it is closed."""
    if do.reset is not None:
        _reset(transport)
    elif do.garbage:
        transport.write(_GARBAGE)
        transport.close()
    elif do.drip is not None:
        await _drip(do, transport, whole)
    elif do.media == "truncated":
        head, _, content = whole.partition(b"\r\n\r\n")
        transport.write(head + b"\r\n\r\n" + content[: len(content) // 2])
        transport.close()
    await _gone(receive)


def raw(response: Response, headers: list[tuple[bytes, bytes]]) -> bytes:
    """``response`` as the bytes of HTTP/1.1, with ``headers`` added; the connection ends after it."""
    lines = [f"HTTP/1.1 {response.status_code} Simulated".encode()]
    lines += [name + b": " + value for name, value in (*response.raw_headers, *headers, (b"connection", b"close"))]
    return b"\r\n".join(lines) + b"\r\n\r\n" + bytes(response.body)


def _answer(answer: Answer) -> Response:
    if answer.body is not None:
        content = answer.body
    elif answer.code is not None:
        content = body_of(trouble(answer.code, answer.details or "A script of the simulator says so."))
        if answer.is_transient is not None:
            content["error"]["is_transient"] = answer.is_transient
    else:
        content = {}
    text = content.encode() if isinstance(content, str) else msgspec.json.encode(content)
    headers = {} if answer.retry_after is None else {"Retry-After": str(answer.retry_after)}
    kind = "text/plain" if isinstance(content, str) else "application/json"
    return Response(text, answer.status, headers=headers, media_type=kind)


def _reset(transport: asyncio.Transport) -> None:
    """Ends the connection with RST instead of FIN, like a machine that fell over."""
    peer = transport.get_extra_info("socket")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def _drip(do: Do, transport: asyncio.Transport, whole: bytes) -> None:
    head, _, content = whole.partition(b"\r\n\r\n")
    rest = whole if do.headers else content
    if not do.headers:
        transport.write(head + b"\r\n\r\n")
    for byte in rest:
        if transport.is_closing():
            return
        transport.write(bytes([byte]))
        await asyncio.sleep(do.drip or 0)
    transport.close()


async def _gone(receive: Receive) -> None:
    """Waits until the connection is closed: by us, or by a client that has waited long enough."""
    while (await receive())["type"] != "http.disconnect":
        pass

"""The gate of Claude's door: who asks, and a row in the audit before the first byte of any answer leaves."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.types import Message, Receive, Scope, Send

from wamcp import log
from wamcp.access.doorkeeper import Doorkeeper
from wamcp.access.grants import Grant
from wamcp.archive import audit
from wamcp.db.session import Pool
from wamcp.errors import NotAudited, TooOften
from wamcp.mcp import record
from wamcp.mcp.record import AUDITED, Answered, Asked
from wamcp.mcp.visit import Visit, entered
from wamcp.metrics import mcp_calls

MAX_BODY = 256 * 1024
"""Bytes of a request; the largest that a tool takes is a few hundred."""

BODY_SECONDS = 20.0
THREADS = 2
AT_ONCE = 2
"""Questions worked on at the same time; the others wait, so that webhooks in the same process never do."""
INNER_PATH = "/mcp"
HOW_TO_ASK = (
    "WAMCP answers only with a token: send the header `Authorization: Bearer wamcp_...`."
    " Make one with `wamcp token create --label claude`; it may also have expired or been revoked."
)

_log = log.get(__name__)


class Gate:
    """An ASGI application around the MCP server: bearer tokens, body limit, audit. Mount it anywhere, e.g. at /mcp."""

    def __init__(self, app: Starlette, keeper: Doorkeeper, audit_pool: Pool) -> None:
        self._app = app
        self._keeper = keeper
        self._audit_pool = audit_pool
        self._limiter = anyio.CapacityLimiter(THREADS)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._tools: set[str] = set()
        """Those that have answered."""

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """The application that mounts this one must be inside of it while it serves."""
        async with self._app.router.lifespan_context(self._app):
            yield
        self._keeper.tell()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.monotonic()
        headers = _headers(scope)
        if scope["path"].removeprefix(scope.get("root_path", "")).strip("/") not in ("", "mcp"):
            await _reply(send, 404, {"error": "Not found; the MCP endpoint is /mcp."})
            return
        grant = await self._grant(headers, scope, send)
        body = None if grant is None else await self._body(headers, receive, send)
        if grant is None or body is None:
            return
        message = _decoded(body)
        visit = Visit(grant)
        asked = Asked(_claimed(message), headers, _address(scope))
        if scope["method"] == "POST" and not isinstance(message, dict):
            parts = _response(400, _error(None, -32600 if message else -32700, "Send one JSON-RPC message, as JSON."))
        else:
            async with self._turns:
                with entered(visit):
                    parts = await self._inner(scope, headers, json.dumps(message).encode() if message else b"", receive)
        if asked.method in AUDITED:
            row = record.entry(asked, _whole(parts), visit, round((time.monotonic() - started) * 1000))
            mcp_calls.labels(self._tool(row), row.outcome).inc()
            if not await self._audited(row):
                refusal = "Not answered: the access could not be written to the audit log. Try again in a minute."
                parts = _response(503, _error(asked.message.get("id"), -32603, refusal))
        for part in parts:
            await send(part)

    def _tool(self, row: audit.AuditEntry) -> str:
        """What was called, for the metrics: names that nobody answers to would be as many as somebody likes."""
        if row.action != "tools/call":
            return row.action
        if row.outcome == "ok":
            self._tools.add(row.target)
        return row.target if row.target in self._tools else "other"

    async def _grant(self, headers: dict[str, str], scope: Scope, send: Send) -> Grant | None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        grant = None
        if scheme.lower() == "bearer" and token.strip():
            try:
                grant = await self._keeper.find(token.strip(), _address(scope))
            except Exception:  # noqa: BLE001 - whatever keeps us from asking, nobody gets in
                _log.exception("mcp_token_not_checked")
                await _reply(send, 503, {"error": "The token cannot be checked just now; try again in a minute."})
                return None
        if grant is None:
            self._keeper.note_stranger(_address(scope))
            challenge = [(b"www-authenticate", b'Bearer scope="wamcp:read"')]
            await _reply(send, 401, {"error": HOW_TO_ASK}, challenge)
        elif seconds := self._keeper.wait(grant):
            error = TooOften(seconds, "WAMCP_MCP_RATE")
            await _reply(send, 429, {"error": str(error)}, [(b"retry-after", b"%d" % error.retry_after)])
            return None
        return grant

    async def _body(self, headers: dict[str, str], receive: Receive, send: Send) -> bytes | None:
        length = headers.get("content-length", "0")
        body = bytearray()
        more = not (length.isdecimal() and int(length) > MAX_BODY)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    body += message.get("body", b"")
                    more = message.get("more_body", False) and len(body) <= MAX_BODY
        except TimeoutError:
            await _reply(send, 408, {"error": f"The request did not arrive within {BODY_SECONDS:.0f} s."})
            return None
        if len(body) > MAX_BODY or (length.isdecimal() and int(length) > MAX_BODY):
            await _reply(send, 413, {"error": f"The request is larger than {MAX_BODY} bytes."})
            return None
        return bytes(body)

    async def _inner(self, scope: Scope, headers: dict[str, str], body: bytes, receive: Receive) -> list[Message]:
        """The whole answer of the MCP server. It reads our own spelling of the body, so that both read the same."""
        unread = [{"type": "http.request", "body": body, "more_body": False}]
        parts: list[Message] = []

        async def replay() -> Message:
            return unread.pop() if unread else await receive()

        async def keep(part: Message) -> None:
            parts.append(part)

        kept_headers = {name: value for name, value in headers.items() if name != "authorization"}
        kept_headers["content-length"] = str(len(body))
        inner = {
            **scope,
            "path": INNER_PATH,
            "raw_path": INNER_PATH.encode(),
            "root_path": "",
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in kept_headers.items()],
        }
        try:
            await self._app(inner, replay, keep)
        except Exception:  # noqa: BLE001 - the outermost edge: an answer that broke is audited like any other
            _log.exception("mcp_answer_failed")
            return _response(500, _error(None, -32603, "Internal error; the operator finds it in the log."))
        return parts

    async def _audited(self, row: audit.AuditEntry) -> bool:
        try:
            await anyio.to_thread.run_sync(audit.write, self._audit_pool, row, limiter=self._limiter)
        except NotAudited as error:
            _log.error("mcp_audit_failed", action=row.action, error=type(error.__cause__).__name__)
            return False
        return True


def _headers(scope: Scope) -> dict[str, str]:
    """Lower-case names; values stripped, which httptools leaves undone; of names that occur twice nothing is kept
    where it would matter: two tokens are none."""
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1").strip(" \t")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _claimed(message: Any) -> dict[str, Any]:
    """What a body asks for: itself, or of a batch, which is refused as a whole, the first call that is audited."""
    calls = message if isinstance(message, list) else [message]
    objects = [item for item in calls if isinstance(item, dict)]
    audited = (item for item in objects if isinstance(item.get("method"), str) and item["method"] in AUDITED)
    return next(audited, message if isinstance(message, dict) else {})


def _error(request_id: object, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}}


def _whole(parts: list[Message]) -> Answered:
    return Answered(parts[0]["status"], b"".join(part.get("body", b"") for part in parts[1:]))


def _response(status: int, body: dict[str, Any], headers: list[tuple[bytes, bytes]] | None = None) -> list[Message]:
    content = json.dumps(body).encode()
    base = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    return [
        {"type": "http.response.start", "status": status, "headers": base + (headers or [])},
        {"type": "http.response.body", "body": content},
    ]


async def _reply(
    send: Send, status: int, body: dict[str, Any], headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    for part in _response(status, body, headers):
        await send(part)

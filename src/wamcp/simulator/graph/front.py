"""The simulator as an ASGI application: reads a request, lets the script decide, answers, and writes it down."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from email.utils import formatdate
from time import time
from typing import Any, NamedTuple

import msgspec
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import Response

from wamcp.errors import Rejected
from wamcp.simulator.graph import breaking, control, routes
from wamcp.simulator.graph.call import Call, File
from wamcp.simulator.graph.script import Asked, Do
from wamcp.simulator.graph.trouble import Trouble, body_of, trouble
from wamcp.simulator.graph.webhooks import Deliveries
from wamcp.simulator.graph.wire import masked, stamp
from wamcp.simulator.graph.world import World

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

TRANSPORT = "transport"
"""The key of ``scope["state"]`` under which the server leaves the connection itself."""


class Outcome(NamedTuple):
    """How a request ended: the answer, whether Meta took it, and its error code, if it has one."""

    response: Response
    accepted: bool
    code: int | None = None


class Front:
    """One simulator; it needs a server that leaves ``scope["state"]["transport"]`` for what goes wrong on the wire."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._broken: set[asyncio.Transport] = set()

    def hang_up(self) -> None:
        """Ends the connections on which somebody waits for an answer that will not come."""
        for transport in tuple(self._broken):
            transport.abort()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            async with self._running():
                await send({"type": "lifespan.startup.complete"})
                await receive()
            await send({"type": "lifespan.shutdown.complete"})
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        self.world.deliveries = Deliveries(self.world.wire)
        try:
            yield
        finally:
            await self.world.deliveries.close()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = stamp()
        call = await _read(self.world, Request(scope, receive))
        if call.path.startswith(control.PREFIX):
            response = await _controlled(call)
        else:
            do = self.world.script.choose(_asked(call))
            outcome = await _settle(call, do)
            self._note(began, call, outcome, do)
            if do is not None and _breaks(do):
                transport: asyncio.Transport = scope["state"][TRANSPORT]
                whole = breaking.raw(outcome.response, [(b"date", self._date())])
                self._broken.add(transport)
                try:
                    await breaking.break_off(do, transport, receive, whole)
                finally:
                    self._broken.discard(transport)
                return
            response = outcome.response
        response.raw_headers.append((b"date", self._date()))
        await response(scope, receive, send)

    def _date(self) -> bytes:
        return formatdate(time() + self.world.account.clock_offset_s, usegmt=True).encode("ascii")

    def _note(self, began: dict[str, Any], call: Call, outcome: Outcome, do: Do | None) -> None:
        entry = {
            "kind": "request", **began, "method": call.method, "path": call.path, "token": call.token_state(),
            "body": _summary(call), "accepted": outcome.accepted, "wamid": call.wamid,
            "status": outcome.response.status_code, "code": outcome.code,
        }  # fmt: skip
        if call.query:
            entry["query"] = masked(call.query)
        if call.notes:
            entry["notes"] = call.notes
        if "lost" in call.notes:
            entry["lost"] = True
        if do is not None:
            entry["script"] = {key: value for key, value in msgspec.to_builtins(do).items() if value is not None}
            if _breaks(do):
                entry |= {"status": None, "broken": do.kind()}
        self.world.wire.write(entry)


async def _settle(call: Call, do: Do | None) -> Outcome:
    """The answer to ``call``, with what the script wants; Meta takes nothing of what the rule says it does not."""
    if do is not None and do.delay_ms is not None:
        await asyncio.sleep(do.delay_ms / 1000)
    if do is None or do.accepts():
        call.spoil = do.media if do is not None else None
        outcome = await _outcome(call)
    else:
        outcome = Outcome(_json(500, body_of(trouble(131016, "A script of the simulator says so."))), accepted=False)
    answer = breaking.scripted(do) if do is not None else None
    if answer is None or do is None:
        return outcome
    return Outcome(answer, outcome.accepted, do.answer.code if do.answer is not None else None)


async def _outcome(call: Call) -> Outcome:
    try:
        answer = await routes.find(call)(call)
    except Trouble as error:
        return Outcome(_json(error.status, body_of(error)), accepted=False, code=error.code)
    if isinstance(answer, Response):
        return Outcome(answer, accepted=answer.status_code == 200)
    return Outcome(_json(200, answer), accepted=True)


async def _controlled(call: Call) -> Response:
    try:
        return _json(200, await control.answer(call))
    except Rejected as error:
        return _json(400, {"error": {"message": str(error)}})
    except Trouble as error:
        return _json(error.status, body_of(error))


def _breaks(do: Do) -> bool:
    return do.kind() in ("timeout", "reset", "garbage", "drip") or do.media == "truncated"


async def _read(world: World, request: Request) -> Call:
    host = request.headers.get("host", "127.0.0.1")
    call = Call(
        world=world,
        method=request.method,
        path=request.scope["path"],
        base_url=f"{request.scope['scheme']}://{host}",
        query=dict(request.query_params),
    )
    await _read_body(call, request)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    stated = token.strip() if scheme.lower() == "bearer" else call.parameter("access_token")
    call.token = stated if isinstance(stated, str) else None
    return call


async def _read_body(call: Call, request: Request) -> None:
    kind = request.headers.get("content-type", "")
    if kind.startswith(("multipart/form-data", "application/x-www-form-urlencoded")):
        try:
            await _read_form(call, request)
        except MultiPartException:
            call.body = b"not the form that its header says"
        return
    content = await request.body()
    if not content:
        return
    try:
        call.body = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError):
        call.body = content
    if call.path.endswith("/_simulator/media"):
        call.body = content


async def _read_form(call: Call, request: Request) -> None:
    async with request.form() as form:
        call.body = {key: value for key, value in form.items() if isinstance(value, str)}
        file = form.get("file")
        if isinstance(file, UploadFile):
            call.file = File(file.filename or "", file.content_type or "", await file.read())


def _asked(call: Call) -> Asked:
    body = call.body if isinstance(call.body, dict) else {}
    kind = "read" if "status" in body else body.get("type") or ("text" if "text" in body else "")
    return Asked(call.method, call.path, str(kind), str(body.get("to") or body.get("recipient") or ""))


def _summary(call: Call) -> Any:
    if call.file is not None:
        about = {"name": call.file.name, "mime": call.file.mime, "size": len(call.file.content)}
        return {**masked(call.body), "file": about}
    return {"bytes": len(call.body)} if isinstance(call.body, bytes) else masked(call.body)


def _json(status: int, content: Any) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json; charset=UTF-8")

"""One name for each request but Meta's: in its log lines, its answer and its row of the audit."""

import re
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from wamcp import log

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_HEADER = b"x-request-id"
_GOOD = re.compile(rb"[\w.:/+=@-]{1,100}")


class RequestId:
    """An ASGI middleware: takes the caller's ``X-Request-Id`` when it looks like one, else makes one."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == _HEADER), b"")
        request_id = given if _GOOD.fullmatch(given) else secrets.token_hex(8).encode()

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), (_HEADER, request_id)]}
            await send(message)

        with log.bound(request_id=request_id.decode()):
            await self._app(scope, receive, send_named)


def problem(name: str, sentence: str) -> dict[str, str]:
    """How every error looks in JSON; ``request_id`` is that of the request that is being answered, if it has one."""
    found = log.bound_now("request_id")
    return {"error": name, "detail": sentence} | ({} if found is None else {"request_id": found})

"""The gate of the admin API: who asks, and a row in the audit before the first byte of any answer leaves."""

import hashlib
import hmac
import ipaddress
import json
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from anyio import to_thread

from wamcp import log
from wamcp.access.doorkeeper import Doorkeeper
from wamcp.access.grants import Grant, admin_grant
from wamcp.archive import audit
from wamcp.archive.asking import translating
from wamcp.archive.audit import AuditEntry
from wamcp.db.session import Pool
from wamcp.errors import NotAllowed, NotAudited, NotAuthorized, Overloaded, TooOften, WamcpError
from wamcp.web import scopes
from wamcp.web.request_id import problem

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HEADER = "X-Admin-Api-Key"
AUDITED_PATHS = ("/admin", "/send")
SENDING_PATHS = re.compile(r"/send(/.*)?|/admin/sends/[^/]*/retry")
"""What sends. Their answers go out even if they cannot be audited."""
WITHHELD_NEVER = "/admin/health"
"""Shows nobody's messages, and is asked most when the database cannot write."""
_BROKEN = "Something went wrong here; the operator finds it in the log."
STREAMED_PATHS = re.compile(r"/admin/media/[^/]+")
"""Whose answers are too large to be held here; they are audited before their first byte all the same."""
GUARDED_PATHS = {"/metrics", "/openapi.json", "/readyz"}
"""Open to this machine itself, else with a key."""

_KEY_PARAMETERS = {"limit", "offset", "before_ts", "q", "conversation_id", "number", "direction", "type"}
_KEY_PARAMETERS |= {"after", "before", "order", "since", "until", "field", "event", "severity", "state"}
_KEY_PARAMETERS |= {"group_id", "participant", "phone_number_id", "doc_type", "mime"}
_ADVICE = f"Send a valid key in the header {HEADER}: the value of ADMIN_API_KEY, or a token from `wamcp token create`."
_log = log.get(__name__)


class Gate:
    """An ASGI middleware: answers 401 itself, hands on the bearer's grant in ``scope["state"]["grant"]``."""

    def __init__(self, app: App, *, admin_api_key: str | None, keeper: Doorkeeper, auditor: Pool) -> None:
        self._app = app
        self._key = _digest(admin_api_key.encode()) if admin_api_key else None
        self._grant = admin_grant(admin_api_key) if admin_api_key else None
        self._keeper = keeper
        self._auditor = auditor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        audited = _is_below(path, AUDITED_PATHS)
        if not audited and (path not in GUARDED_PATHS or _is_loopback(scope)):
            await self._app(scope, receive, send)
            return
        began = time.monotonic()
        try:
            grant = await self._authorized(scope)
            if seconds := self._keeper.wait(grant):
                raise TooOften(seconds, "WAMCP_ADMIN_RATE")
        except WamcpError as error:
            parts = error_parts(error)
        else:
            scope.setdefault("state", {}).update(grant=grant, shown=[], failure=None)
            refused = _refusal(scope, grant)
            if not refused and STREAMED_PATHS.fullmatch(path) and scope["method"] == "GET":
                await self._stream(scope, receive, send, grant, began)
                return
            parts = refused or await _answer(self._app, scope, receive)
            if audited:
                parts = await self._audited(_entry(scope, grant, parts, began), parts)
        for part in parts:
            await send(part)

    async def _stream(self, scope: Scope, receive: Receive, send: Send, grant: Grant, began: float) -> None:
        """Passes an answer on as it comes, once it was audited."""
        told: list[Message] = []

        async def pass_on(message: Message) -> None:
            if not told:
                told.extend(await self._audited(_entry(scope, grant, [message], began), [message]))
                for part in told:
                    await send(part)
            elif len(told) == 1:  # else the audit failed, and its error was sent in place of the answer
                await send(message)

        try:
            await self._app(scope, receive, pass_on)
        except Exception:  # the outermost edge, as in _answer below
            if told:
                raise  # the server cuts the connection, by which the asker sees that it is not whole
            _log.exception("admin_answer_failed", target=scope["path"])
            for part in error_parts(WamcpError(_BROKEN)):
                await pass_on(part)

    async def _authorized(self, scope: Scope) -> Grant:
        written = next((value for name, value in scope["headers"] if name == HEADER.lower().encode()), None)
        address = str(scope["client"][0]) if scope.get("client") else ""
        if written is None:
            self._keeper.note_stranger(address)
            raise NotAuthorized(f"This needs a key. {_ADVICE}")
        if self._key is not None and self._grant is not None and hmac.compare_digest(_digest(written), self._key):
            return self._grant
        with translating():
            grant = await self._keeper.find(written.decode("latin-1"), address)
        if grant is None:
            self._keeper.note_stranger(address)
            raise NotAuthorized(f"This key is unknown, revoked or expired. {_ADVICE}")
        return grant

    async def _audited(self, entry: AuditEntry, parts: list[Message]) -> list[Message]:
        try:
            await to_thread.run_sync(audit.write, self._auditor, entry)
        except NotAudited as error:
            if entry.target == WITHHELD_NEVER:
                _log.warning("health_not_audited", reason=type(error.__cause__).__name__)
                return parts
            if SENDING_PATHS.fullmatch(entry.target):
                # The message has gone, and its row in `sends` says who asked: without an answer people send it again.
                _log.error("send_not_audited", target=entry.target, refs=entry.refs)
                return parts
            _log.error("admin_answer_withheld", target=entry.target, reason=type(error.__cause__).__name__)
            return error_parts(error)
        return parts


def error_body(error: WamcpError) -> dict[str, str]:
    """How every error of ours looks in JSON."""
    name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in type(error).__name__)
    return problem(name.lstrip("_"), str(error))


def error_parts(error: WamcpError) -> list[Message]:
    """The ASGI messages of an error's answer."""
    body = json.dumps(error_body(error), ensure_ascii=False).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if isinstance(error, Overloaded | NotAudited):
        headers.append((b"retry-after", b"5"))
    if isinstance(error, TooOften):
        headers.append((b"retry-after", b"%d" % error.retry_after))
    return [
        {"type": "http.response.start", "status": error.status_code, "headers": headers},
        {"type": "http.response.body", "body": body},
    ]


def _refusal(scope: Scope, grant: Grant) -> list[Message]:
    """The answer for a key without the scope that this needs; nothing when it has it."""
    try:
        scopes.require(grant, scope["method"], scope["path"])
    except NotAllowed as error:
        return error_parts(error)
    return []


def _digest(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()


def _is_loopback(scope: Scope) -> bool:
    """Whether this machine itself asks, and not a proxy on it for somebody else."""
    forwarded = {b"x-forwarded-for", b"forwarded", b"x-real-ip", b"cf-connecting-ip"}
    if scope.get("client") is None or any(name in forwarded for name, _ in scope["headers"]):
        return False
    try:
        address = ipaddress.ip_address(scope["client"][0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


async def _answer(app: App, scope: Scope, receive: Receive) -> list[Message]:
    """The whole answer, none of it sent yet."""
    parts: list[Message] = []

    async def keep(message: Message) -> None:
        parts.append(message)

    try:
        await app(scope, receive, keep)
    except Exception:  # noqa: BLE001 - the outermost edge: an answer that broke is audited like any other
        _log.exception("admin_answer_failed", target=scope["path"])
        return error_parts(WamcpError(_BROKEN))
    return parts


def _entry(scope: Scope, grant: Grant, parts: list[Message], began: float) -> AuditEntry:
    status = parts[0]["status"]
    body = b"".join(part.get("body", b"") for part in parts[1:])
    headers = dict(scope["headers"])
    state, sends = scope["state"], SENDING_PATHS.fullmatch(scope["path"]) is not None
    return AuditEntry(
        actor=grant.actor,
        action="read" if scope["method"] in ("GET", "HEAD") else "send" if sends else "operate",
        target=scope["path"][:200],
        token_id=grant.token_id,
        token_label=grant.label,
        request_id=log.bound_now("request_id"),
        client=_text(headers.get(b"user-agent"), 100),
        transport="http",
        address=scope["client"][0] if scope.get("client") else None,
        parameters={} if sends else _parameters(scope),
        outcome="ok" if status < 400 else "refused" if status < 500 else "failed",
        error=None if status < 400 else state["failure"] or body.decode("utf-8", "replace")[:500],
        refs=state["shown"] if status < 400 or sends else [],
        characters=len(body.decode("utf-8", "replace")) if status < 400 else 0,
        duration_ms=round((time.monotonic() - began) * 1000),
    )


def _is_below(path: str, roots: tuple[str, ...]) -> bool:
    return any(path == root or path.startswith(root + "/") for root in roots)


def _parameters(scope: Scope) -> dict[str, Any]:
    given = parse_qsl(scope["query_string"].decode("latin-1"), errors="replace")
    return {name: value[:200] for name, value in given if name in _KEY_PARAMETERS}


def _text(value: bytes | None, limit: int) -> str | None:
    return value.decode("latin-1")[:limit] if value is not None else None

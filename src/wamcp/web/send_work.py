"""How a posted message is handed over to be sent: within bounds, in threads of its own, and how the answer is said."""

import re
from collections.abc import Callable, Coroutine
from typing import Any, BinaryIO, NamedTuple, TypeVar

import anyio
from anyio import to_thread
from fastapi import Request, Response
from fastapi.routing import APIRoute

from wamcp.archive.asking import translating
from wamcp.errors import Misconfigured, NotSendable, TooLarge, WrongContentType
from wamcp.sending.desk import Desk
from wamcp.sending.told import SendAnswer
from wamcp.sending.wanted import Recipient, Wanted
from wamcp.vocabulary import SendState
from wamcp.web import answers, asked
from wamcp.web.send_asked import SendCommon

JSON, FORM = "application/json", "multipart/form-data"
MAX_JSON = 1_000_000
"""Bytes. The largest message there may be, a page of contact cards, is far below."""
MAX_KEY = 200
SENDING_THREADS = 16
"""A send waits for Meta up to ten seconds; questions, which have their own threads, must not wait with it."""

documented: dict[str, Any] = {
    **asked.documented,
    "responses": {
        **asked.documented["responses"],
        202: {"model": SendAnswer, "description": "Kept; whether Meta took it is not known yet."},
        413: {"model": answers.Problem},
        415: {"model": answers.Problem},
        422: {"model": SendAnswer | answers.Problem, "description": "Refused here, or by Meta (then with `send_id`)."},
    },
}

_T = TypeVar("_T")
STATUS = {SendState.SENT: 200, SendState.FAILED: 422}
"""The HTTP status of an answer; of what is not settled yet it is 202."""


class Kept(NamedTuple):
    """A file to be kept before its message is sent."""

    file: BinaryIO
    mime_type: str
    filename: str | None


class SendRoute(APIRoute):
    """Before anything of a body is understood: who may send, which content types, how many bytes."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own handler behind these checks."""
        handle = super().get_route_handler()
        forms = FORM in (self.openapi_extra or {}).get("requestBody", {}).get("content", {})

        async def checked(request: Request) -> Response:
            asked.unlimited_grant(request)
            kind = content_type(request)
            if kind == JSON:
                return await handle(_replayed(request, await read_json(request)))
            if kind != FORM or not forms:
                also = f" or {FORM}" if forms else ""
                raise WrongContentType(
                    f"Only {JSON}{also} is taken here; set the header Content-Type to what you send."
                )
            return await handle(request)

        return checked


def content_type(request: Request) -> str:
    """The content type without parameters, in lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_json(request: Request) -> bytes:
    """The body of at most a million bytes. Raises :class:`TooLarge`."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_JSON:
            raise TooLarge(
                f"The JSON is larger than {MAX_JSON:,} bytes; no message is. Files go into a multipart form."
            )
        parts.append(part)
    return b"".join(parts)


async def in_thread(request: Request, function: Callable[..., _T], *arguments: Any) -> _T:
    """Runs what blocks in a thread for sending."""
    state = request.app.state
    if not hasattr(state, "sending_threads"):
        state.sending_threads = anyio.CapacityLimiter(SENDING_THREADS)

    def run() -> _T:
        with translating():
            return function(*arguments)

    return await to_thread.run_sync(run, limiter=state.sending_threads)


def desk_of(request: Request) -> Desk:
    """Where sends are taken. Raises :class:`Misconfigured` in a process that is there for webhooks alone."""
    desk: Desk | None = getattr(request.app.state, "sending", None)
    if desk is None:
        raise Misconfigured("This process only takes webhooks (--only door); ask the one that runs --only answers.")
    return desk


def idempotency_key(written: str | None) -> str | None:
    """What the header ``Idempotency-Key`` holds. Raises :class:`NotSendable`."""
    if written is None:
        return None
    advice = f"give 1 to {MAX_KEY} printable ASCII characters, a new key for each message"
    if not re.fullmatch(r"[ -~]+", written) or not written.strip():
        raise NotSendable("Idempotency-Key", f"is blank or holds odd characters; {advice}")
    if len(written) > MAX_KEY:
        raise NotSendable("Idempotency-Key", f"has {len(written):,} characters; {advice}")
    return written.strip()


async def hand_over(
    request: Request, response: Response, given: SendCommon, key: str | None, upload: Kept | None = None
) -> SendAnswer:
    """Sends ``given`` and tells how it stands. Raises what :class:`Desk` raises, and :class:`NotSendable`."""
    kept_key = idempotency_key(key)
    label = asked.grant_of(request).label
    answer = await in_thread(request, _send, desk_of(request), given, kept_key, label, upload)
    asked.note_shown(request, [answer.send_id])
    if answer.state == SendState.FAILED:
        meaning = answer.error.meaning if answer.error is not None else "no reason is known"
        asked.note_failure(request, f"{answer.send_id} failed: {meaning}")
    response.status_code = STATUS.get(answer.state, 202)
    if answer.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return answer


def _send(desk: Desk, given: SendCommon, key: str | None, label: str, upload: Kept | None) -> SendAnswer:
    to, sender = given.address(), given.our_number()
    # Everything is checked with the reference as it was written, before the database is asked what it stands for.
    body = given.body(given.refers_to)
    if given.refers_to is not None:
        body = given.body(desk.wamid(given.refers_to, sender))
    media_row_id = None
    if upload is not None:
        media_row_id = desk.keep_upload(upload.file, upload.mime_type, upload.filename, sender)
    return desk.send(
        Wanted(
            recipient=Recipient(to.kind, to.value),
            type=given.kind,
            body=body,
            sender=sender,
            media_row_id=media_row_id,
            idempotency_key=key,
            require_open_window=given.require_open_window,
            asked_by=label,
        )
    )


def _replayed(request: Request, body: bytes) -> Request:
    """The same request with its body still to be read."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(request.scope, receive)

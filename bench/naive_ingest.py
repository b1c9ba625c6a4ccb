"""The baselines of bench.ingest: what one would write first, the same with a plain insert, and no database at all."""

import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

import asyncpg
from fastapi import FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import IntegrityError

from bench.load import SECRET
from bench.naive_normalize import Base, normalize
from wamcp.db.migrate import engine_of

POOL = 20


def inline(url: str) -> FastAPI:
    """FastAPI and the ORM: the signature is checked, the event is understood and committed, then 200."""
    engine = engine_of(url, pool_size=POOL, max_overflow=POOL)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        Base.metadata.create_all(engine)
        yield
        engine.dispose()

    app = FastAPI(lifespan=lifespan)

    @app.post("/webhooks/whatsapp")
    async def webhook(request: Request) -> dict[str, str]:
        body = await _signed_body(request)
        await run_in_threadpool(_understand, body)
        return {"status": "ok"}

    def _understand(body: bytes) -> None:
        for attempt in range(5):
            try:
                return normalize(engine, body)
            except IntegrityError:  # another request created the same person or thread just now
                if attempt == 4:
                    raise

    return app


def insert(url: str) -> FastAPI:
    """FastAPI and asyncpg: the raw body is inserted and committed by each request."""
    pools: list[Any] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with asyncpg.create_pool(url, min_size=POOL, max_size=POOL) as pool:
            pools.append(pool)
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/webhooks/whatsapp")
    async def webhook(request: Request) -> dict[str, str]:
        body = await _signed_body(request)
        statement = "INSERT INTO webhook_events (sha256, body) VALUES ($1, $2) ON CONFLICT DO NOTHING"
        await pools[0].execute(statement, sha256(body).digest(), body)
        return {"status": "ok"}

    return app


async def bare(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """HTTP and the signature alone: nothing is kept."""
    if scope["type"] != "http":
        return
    message = await receive()
    body = message["body"]
    while message.get("more_body"):
        message = await receive()
        body += message["body"]
    status = 200 if _is_signed(body, dict(scope["headers"]).get(b"x-hub-signature-256", b"")) else 401
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def _signed_body(request: Request) -> bytes:
    body = await request.body()
    if not _is_signed(body, request.headers.get("x-hub-signature-256", "").encode("latin-1")):
        raise HTTPException(401, "bad signature")
    return body


def _is_signed(body: bytes, header: bytes) -> bool:
    return hmac.compare_digest(b"sha256=" + hmac.digest(SECRET, body, "sha256").hex().encode(), header)

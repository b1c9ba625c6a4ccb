"""Is it alive, is it ready, what waits: for probes, for Prometheus and for the operator."""

import subprocess
import time
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Literal

import redis
from fastapi import APIRouter, Request, Response
from prometheus_client.registry import Collector
from pydantic import BaseModel

from wamcp.archive import house
from wamcp.archive.asking import asking
from wamcp.db.session import Pool
from wamcp.errors import Misconfigured, StoreUnavailable, WamcpError
from wamcp.settings import Settings
from wamcp.storage import write as storage
from wamcp.version import version
from wamcp.web.metrics import REGISTRY, Reading, exposition, read_at_scrape

PROBE_TIMEOUT_S = 0.5

router = APIRouter(tags=["health"])


class Dependency(BaseModel):
    """What one thing we depend on said just now."""

    status: Literal["ok", "failed", "not configured"]
    latency_ms: float | None = None
    version: str | None = None
    detail: str | None = None


class Objects(Dependency):
    """The same of the object store: ``detail`` says where it is, or what is wrong."""

    free_bytes: int | None = None


class Health(BaseModel):
    """Everything at a glance; ``status`` is degraded when a dependency fails or the schema is not current."""

    status: Literal["ok", "degraded"]
    version: str
    git_version: str | None
    postgres: Dependency
    redis: Dependency
    object_store: Objects
    migrations_current: bool | None
    events_pending: int | None
    oldest_pending_seconds: float | None
    parked: dict[str, int] | None
    documents_pending: int | None
    oldest_document_seconds: float | None


class Readiness(BaseModel):
    """Whether questions can be answered; the broker is told, but is not needed for that."""

    ready: bool
    postgres: Dependency
    redis: Dependency
    migrations_current: bool | None


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process lives. Asks nothing else."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"model": Readiness}})
def readyz(request: Request, response: Response) -> Readiness:
    """Postgres answers and has this release's schema."""
    postgres, found = _postgres(request.app.state.reader)
    ready = found is not None and found.migrations_current
    response.status_code = 200 if ready else 503
    current = found.migrations_current if found else None
    return Readiness(
        ready=ready, postgres=postgres, redis=_redis(request.app.state.settings), migrations_current=current
    )


@router.get("/admin/health", tags=["admin"])
def health(request: Request) -> Health:
    """Dependencies with their latency, versions, what waits and what is parked."""
    postgres, found = _postgres(request.app.state.reader)
    broker = _redis(request.app.state.settings)
    objects = _object_store(request.app.state.settings)
    failing = "failed" in (broker.status, objects.status)
    fine = found is not None and found.migrations_current and not failing
    return Health(
        status="ok" if fine else "degraded",
        version=version(),
        git_version=request.app.state.settings.git_version or _git_says(),
        postgres=postgres,
        redis=broker,
        object_store=objects,
        migrations_current=found.migrations_current if found else None,
        events_pending=found.backlog.events_pending if found else None,
        oldest_pending_seconds=round(found.backlog.oldest_pending_seconds, 3) if found else None,
        parked=found.backlog.parked if found else None,
        documents_pending=found.backlog.documents_pending if found else None,
        oldest_document_seconds=round(found.backlog.oldest_document_seconds, 3) if found else None,
    )


@router.get("/metrics", include_in_schema=False)
def metrics(request: Request) -> Response:
    """Prometheus's exposition."""
    body, content_type = exposition(request.headers.get("accept", ""))
    return Response(body, headers={"content-type": content_type})


def expose_backlog(reader: Pool) -> None:
    """Has every scrape read what waits and what is parked from the database, through the newest ``reader`` given."""
    while _exposed:
        REGISTRY.unregister(_exposed.pop())
    _exposed.append(read_at_scrape(_backlog_readings(reader)))


_exposed: list[Collector] = []


def _backlog_readings(reader: Pool) -> Callable[[], Iterable[Reading]]:
    def read() -> Iterable[Reading]:
        try:
            with asking(reader) as connection:
                found = house.backlog(connection)
        except WamcpError:
            return [Reading("wamcp_database_up", "Whether Postgres answered this scrape.", 0)]
        return [
            Reading("wamcp_database_up", "Whether Postgres answered this scrape.", 1),
            Reading("wamcp_events_pending", "Webhooks kept and not yet understood.", found.events_pending),
            Reading("wamcp_oldest_pending_seconds", "Age of the oldest of them.", found.oldest_pending_seconds),
            Reading("wamcp_documents_pending", "Fetched documents not yet read.", found.documents_pending),
            Reading("wamcp_oldest_document_seconds", "Time since the first was stored.", found.oldest_document_seconds),
            *(
                Reading("wamcp_parked", "Events and items that could not be understood.", count, {"kind": kind})
                for kind, count in found.parked.items()
            ),
        ]

    return read


class _Found(BaseModel):
    migrations_current: bool
    backlog: house.Backlog


def _postgres(reader: Pool) -> tuple[Dependency, _Found | None]:
    began = time.monotonic()
    try:
        with asking(reader) as connection:
            house.ping(connection)
            latency = time.monotonic() - began
            found = _Found(migrations_current=house.schema_is_current(connection), backlog=house.backlog(connection))
            told = Dependency(status="ok", latency_ms=_ms(latency), version=house.server_version(connection))
    except WamcpError as error:
        return Dependency(status="failed", latency_ms=_ms(time.monotonic() - began), detail=str(error)), None
    return told, found


def _redis(settings: Settings) -> Dependency:
    if settings.redis_url is None:
        return Dependency(status="not configured")
    began = time.monotonic()
    try:
        with redis.Redis.from_url(
            settings.redis_url.get_secret_value(),
            socket_timeout=PROBE_TIMEOUT_S,
            socket_connect_timeout=PROBE_TIMEOUT_S,
        ) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        return Dependency(status="failed", latency_ms=_ms(time.monotonic() - began), detail=type(error).__name__)
    return Dependency(status="ok", latency_ms=_ms(time.monotonic() - began))


def _object_store(settings: Settings) -> Objects:
    began = time.monotonic()
    free: int | None = None
    try:
        store = storage.open_store(settings)
        wrong, place = store.trouble(), store.place()
        free = store.free_bytes()
    except (StoreUnavailable, Misconfigured) as error:
        wrong, place = str(error), ""
    status: Literal["ok", "failed"] = "failed" if wrong else "ok"
    latency = _ms(time.monotonic() - began)
    return Objects(status=status, latency_ms=latency, detail=wrong or place, free_bytes=free)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)


@cache
def _git_says() -> str | None:
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "rev-parse", "--short", "HEAD"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=2, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return said.stdout.strip() or None

"""Is it alive, is it ready, what waits: for probes, for Prometheus and for the operator."""

import time
from dataclasses import asdict
from datetime import datetime
from typing import Literal

import redis
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from wamcp.archive import house
from wamcp.archive.asking import asking
from wamcp.db.session import Pool
from wamcp.errors import Misconfigured, StoreUnavailable, WamcpError
from wamcp.ingest.receive import Writer
from wamcp.settings import Settings
from wamcp.storage import write as storage
from wamcp.version import commit, version
from wamcp.web.metrics import exposition

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


class Waiting(BaseModel):
    """One kind of slow work: rows by state but for its good end, each up to 10,000, and the age of the oldest due."""

    kind: Literal["sends", "media", "documents"]
    states: dict[str, int]
    oldest_seconds: float


class WorkerProcess(BaseModel):
    """A process that works; ``late`` when it was not heard of for a minute: it hangs, or died."""

    role: str
    host: str
    pid: int
    version: str
    git_version: str | None
    started_at: datetime
    worked_at: datetime | None
    seconds_since_beat: float
    late: bool


class Health(BaseModel):
    """Everything at a glance; ``status`` is degraded when something fails, the schema is old, or workers are lost.

    ``replica_behind_seconds``: questions are asked of a replica, whose newest commit is so old; null on the primary.
    """

    status: Literal["ok", "degraded"]
    version: str
    git_version: str | None
    postgres: Dependency
    replica_behind_seconds: float | None
    redis: Dependency
    object_store: Objects
    migrations_current: bool | None
    events_pending: int | None
    oldest_pending_seconds: float | None
    parked: dict[str, int] | None
    slow_work: list[Waiting] | None
    workers: list[WorkerProcess] | None


class Readiness(BaseModel):
    """Whether questions can be answered and webhooks kept; the broker is told, but is not needed for that."""

    ready: bool
    postgres: Dependency
    webhooks: Dependency
    redis: Dependency
    migrations_current: bool | None


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process lives. Asks nothing else."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"model": Readiness}})
def readyz(request: Request, response: Response) -> Readiness:
    """Postgres answers, has this release's schema, or a newer one, and did not refuse the webhooks that came last."""
    postgres, found = _postgres(request.app.state.reader)
    webhooks = _webhooks(getattr(request.app.state, "writer", None))
    ready = found is not None and found.migrations_current and webhooks.status != "failed"
    response.status_code = 200 if ready else 503
    current = found.migrations_current if found else None
    return Readiness(
        ready=ready,
        postgres=postgres,
        webhooks=webhooks,
        redis=_redis(request.app.state.settings),
        migrations_current=current,
    )


@router.get("/admin/health", tags=["admin"])
def health(request: Request) -> Health:
    """Dependencies with their latency, versions, what waits and what is parked."""
    postgres, found = _postgres(request.app.state.reader)
    broker = _redis(request.app.state.settings)
    objects = _object_store(request.app.state.settings)
    failing = "failed" in (broker.status, objects.status)
    fine = found is not None and found.migrations_current and not failing and not _lost_roles(found.processes)
    return Health(
        status="ok" if fine else "degraded",
        version=version(),
        git_version=request.app.state.settings.git_version or commit(),
        postgres=postgres,
        replica_behind_seconds=_rounded(found.behind_seconds) if found else None,
        redis=broker,
        object_store=objects,
        migrations_current=found.migrations_current if found else None,
        events_pending=found.backlog.events_pending if found else None,
        oldest_pending_seconds=round(found.backlog.oldest_pending_seconds, 3) if found else None,
        parked=found.backlog.parked if found else None,
        slow_work=[Waiting(**asdict(work)) for work in found.slow_work] if found else None,
        workers=[_worker(process) for process in found.processes] if found else None,
    )


@router.get("/metrics", include_in_schema=False)
def metrics(request: Request) -> Response:
    """Prometheus's exposition."""
    body, content_type = exposition(request.headers.get("accept", ""))
    return Response(body, headers={"content-type": content_type})


class _Found(BaseModel):
    migrations_current: bool
    behind_seconds: float | None
    backlog: house.Backlog
    slow_work: list[house.SlowWork]
    processes: list[house.Process]


def _postgres(reader: Pool) -> tuple[Dependency, _Found | None]:
    began = time.monotonic()
    try:
        with asking(reader) as connection:
            house.ping(connection)
            latency = time.monotonic() - began
            found = _Found(
                migrations_current=house.schema_is_current(connection),
                behind_seconds=house.behind_seconds(connection),
                backlog=house.backlog(connection),
                slow_work=house.slow_work(connection),
                processes=house.processes(connection),
            )
            told = Dependency(status="ok", latency_ms=_ms(latency), version=house.server_version(connection))
    except WamcpError as error:
        return Dependency(status="failed", latency_ms=_ms(time.monotonic() - began), detail=str(error)), None
    return told, found


def _webhooks(writer: Writer | None) -> Dependency:
    if writer is None:
        return Dependency(status="not configured")
    return Dependency(status="failed" if writer.trouble else "ok", detail=writer.trouble)


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


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)


def _lost_roles(processes: list[house.Process]) -> set[str]:
    """Roles of which there was somebody lately, and is nobody now."""
    fresh = {process.role for process in processes if process.seconds_since_beat < house.FRESH_S}
    return {process.role for process in processes} - fresh


def _worker(process: house.Process) -> WorkerProcess:
    told = asdict(process) | {"seconds_since_beat": round(process.seconds_since_beat, 1)}
    return WorkerProcess(**told, late=process.seconds_since_beat >= house.FRESH_S)

"""What Prometheus may ask of the api process: its own counters, and what the database tells at every scrape."""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from wamcp.access.doorkeeper import Doorkeeper
from wamcp.archive import house, unknowns
from wamcp.archive.asking import asking
from wamcp.db.session import Pool, ReadConnection
from wamcp.errors import Misconfigured, StoreUnavailable, WamcpError
from wamcp.metrics import REGISTRY, Reading, read_at_scrape
from wamcp.settings import Settings
from wamcp.storage import write as storage
from wamcp.vocabulary import ParkedKind, UnknownKind


def expose(reader: Pool, settings: Settings) -> None:
    """Has every scrape read the house through the newest ``reader`` given; what cannot be read is left out."""
    while _exposed:
        REGISTRY.unregister(_exposed.pop())
    lags = _Lags(reader)
    REGISTRY.register(lags)
    _exposed.extend([lags, read_at_scrape(lambda: _readings(reader)), read_at_scrape(lambda: _free(settings))])


_exposed: list[Collector] = []


def expose_door(door: str, keeper: Doorkeeper) -> None:
    """Has every scrape tell how many the newest ``keeper`` given for ``door`` refused."""
    if not _keepers:
        read_at_scrape(_refusals)
    _keepers[door] = keeper


_keepers: dict[str, Doorkeeper] = {}


def _refusals() -> Iterable[Reading]:
    for door, keeper in _keepers.items():
        label = {"door": door}
        yield Reading("wamcp_auth_failures_total", "Requests without a valid key or token.", keeper.refused, label)
        yield Reading("wamcp_rate_limited_total", "Requests of keys that asked too often.", keeper.limited, label)


def exposition(accept: str = "") -> tuple[bytes, str]:
    """All metrics in the format that the ``Accept`` header asks for, and its content type."""
    encode, content_type = choose_encoder(accept)
    return encode(REGISTRY), content_type


def _readings(reader: Pool) -> Iterable[Reading]:
    found: list[Reading] = []
    try:
        with asking(reader) as connection:
            for part in (_replica, _events, _work, _workers, _unknowns):
                found.extend(part(connection))
    except WamcpError:
        return [Reading("wamcp_database_up", "Whether Postgres answered this scrape.", 0)]
    return [Reading("wamcp_database_up", "Whether Postgres answered this scrape.", 1), *found]


def _replica(connection: ReadConnection) -> Iterable[Reading]:
    behind = house.behind_seconds(connection)
    if behind is not None:
        yield Reading("wamcp_replica_behind_seconds", "Age of the newest commit that the asked replica knows.", behind)


def _events(connection: ReadConnection) -> Iterable[Reading]:
    found = house.backlog(connection)
    yield Reading("wamcp_events_pending", "Webhooks kept and not yet understood.", found.events_pending)
    yield Reading("wamcp_oldest_pending_seconds", "Age of the oldest of them.", found.oldest_pending_seconds)
    for kind, count in (dict.fromkeys(map(str, ParkedKind), 0) | found.parked).items():
        yield Reading("wamcp_parked", "Events and items that could not be understood.", count, {"kind": kind})


def _work(connection: ReadConnection) -> Iterable[Reading]:
    for work in house.slow_work(connection):
        for state, count in work.states.items():
            name, most = f"wamcp_{work.kind}_rows", house.COUNTED_UPTO
            yield Reading(name, f"Rows in states that are not its good end, up to {most:,}.", count, {"state": state})
        age, kind = work.oldest_seconds, {"kind": work.kind}
        yield Reading("wamcp_oldest_due_seconds", "How long the oldest waits that somebody could do now.", age, kind)


def _workers(connection: ReadConnection) -> Iterable[Reading]:
    by_role: dict[str, list[house.Process]] = {}
    for process in house.processes(connection):
        by_role.setdefault(process.role, []).append(process)
    for role, processes in by_role.items():
        label = {"role": role}
        fresh = [process for process in processes if process.seconds_since_beat < house.FRESH_S]
        beat = max(process.beat_at.timestamp() for process in processes)
        yield Reading("wamcp_workers", f"Processes heard of in the last {house.FRESH_S} s.", len(fresh), label)
        yield Reading("wamcp_worker_heartbeat_timestamp", "When one of them was last heard of, unix time.", beat, label)
        if worked := [process.worked_at.timestamp() for process in processes if process.worked_at is not None]:
            yield Reading(
                "wamcp_worker_last_claim_timestamp", "When one last took work, unix time.", max(worked), label
            )


def _unknowns(connection: ReadConnection) -> Iterable[Reading]:
    found = {count.kind: (count.paths, count.seen) for count in unknowns.counts(connection)}
    for kind, (paths, seen) in (dict.fromkeys(map(str, UnknownKind), (0, 0)) | found).items():
        label = {"kind": kind}
        yield Reading("wamcp_unknowns", "Different things of Meta's without a word for them.", paths, label)
        yield Reading("wamcp_unknowns_seen_total", "How often such things came.", seen, label)


def _free(settings: Settings) -> Iterable[Reading]:
    try:
        free = storage.open_store(settings).free_bytes()
    except (StoreUnavailable, Misconfigured):
        return
    if free is not None:
        yield Reading("wamcp_object_store_free_bytes", "Room left where the objects lie; not told of buckets.", free)


class _Lags(Collector):
    """How long events waited to be understood, as the normalizer counted them together with its work."""

    def __init__(self, reader: Pool) -> None:
        self._reader = reader

    def describe(self) -> Iterable[HistogramMetricFamily]:
        return ()

    def collect(self) -> Iterable[HistogramMetricFamily | CounterMetricFamily]:
        try:
            with asking(self._reader) as connection:
                found = house.lags(connection)
        except WamcpError:
            return
        done = found.buckets[-1][1]
        yield CounterMetricFamily("wamcp_events_processed", "Events that were understood.", value=done)
        yield HistogramMetricFamily(
            "wamcp_event_lag_seconds",
            "From the commit that keeps a webhook to its being understood.",
            buckets=[(_bound(upto), float(count)) for upto, count in found.buckets],
            sum_value=found.seconds,
        )


def _bound(upto: float) -> str:
    return "+Inf" if upto == float("inf") else str(upto)

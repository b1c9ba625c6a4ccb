"""What Prometheus may ask: counters of this process, and gauges that are read from the database when it asks."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from wamcp.access.doorkeeper import Doorkeeper
from wamcp.archive import unknowns
from wamcp.archive.asking import asking
from wamcp.db.session import Pool
from wamcp.errors import WamcpError
from wamcp.version import version

REGISTRY = CollectorRegistry()

webhook_requests = Counter(
    "wamcp_webhook_requests", "Webhooks answered, by what became of them.", ["result"], registry=REGISTRY
)
webhook_ack_seconds = Histogram(
    "wamcp_webhook_ack_seconds",
    "From a webhook's first byte to the commit that keeps it.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0),
    registry=REGISTRY,
)
connections_cut = Counter(
    "wamcp_connections_cut",
    "Connections ended since their client was too slow or they were too many.",
    ["reason"],
    registry=REGISTRY,
)
Gauge("wamcp_build_info", "The version that is running.", ["version"], registry=REGISTRY).labels(version()).set(1)
ProcessCollector(registry=REGISTRY)


@dataclass(frozen=True, slots=True)
class Reading:
    """One value as it stood when it was asked for: of a counter when ``name`` ends in ``_total``, else of a gauge.

    Readings of one name have the same label names.
    """

    name: str
    help: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


def read_at_scrape(read: Callable[[], Iterable[Reading]]) -> Collector:
    """Has ``read`` called at every scrape, so that several processes need not add up their numbers.

    Returns the collector, for ``REGISTRY.unregister``. When nothing can be read, ``read`` returns nothing.
    """
    collector = _AtScrape(read)
    REGISTRY.register(collector)
    return collector


def expose_unknowns(reader: Pool) -> None:
    """Has every scrape read how much is unknown, through the newest ``reader`` given; nothing when it cannot."""

    def read() -> Iterable[Reading]:
        try:
            with asking(reader) as connection:
                found = unknowns.counts(connection)
        except WamcpError:
            return
        for count in found:
            kind = {"kind": count.kind}
            yield Reading("wamcp_unknowns", "Different things of Meta's without a word for them.", count.paths, kind)
            yield Reading("wamcp_unknowns_seen_total", "How often such things came.", count.seen, kind)

    while _exposed:
        REGISTRY.unregister(_exposed.pop())
    _exposed.append(read_at_scrape(read))


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


class _AtScrape(Collector):
    def __init__(self, read: Callable[[], Iterable[Reading]]) -> None:
        self._read = read

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return ()  # registering must not read the database

    def collect(self) -> Iterable[GaugeMetricFamily | CounterMetricFamily]:
        families: dict[str, GaugeMetricFamily | CounterMetricFamily] = {}
        for reading in self._read():
            if reading.name not in families:
                kind = CounterMetricFamily if reading.name.endswith("_total") else GaugeMetricFamily
                families[reading.name] = kind(reading.name, reading.help, labels=list(reading.labels))
            families[reading.name].add_metric(list(reading.labels.values()), reading.value)
        return families.values()

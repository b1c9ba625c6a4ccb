"""What this process counts for Prometheus, and readings that are taken when it asks."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

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
graph_request_seconds = Histogram(
    "wamcp_graph_request_seconds",
    "Calls of Meta's Graph API, by what was called and by the status answered (or why there was none).",
    ["endpoint", "code"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0),
    registry=REGISTRY,
)
graph_limited = Counter(
    "wamcp_graph_limited",
    "Calls that Meta refused since there were too many, by Meta's code.",
    ["code"],
    registry=REGISTRY,
)
sends_handed_over = Counter(
    "wamcp_sends",
    "Sends that this process handed over to Meta, by what came of it; `again` are tried again.",
    ["type", "result"],
    registry=REGISTRY,
)
media_settled = Counter(
    "wamcp_media_settled",
    "Files that this process fetched or gave up, by their state then.",
    ["state"],
    registry=REGISTRY,
)
media_bytes = Counter("wamcp_media_bytes", "Bytes of files that this process fetched.", registry=REGISTRY)
mcp_calls = Counter(
    "wamcp_mcp_calls",
    "Questions of Claude's, by tool (or MCP method) and outcome.",
    ["tool", "result"],
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


def serve_metrics(host: str, port: int) -> Callable[[], object]:
    """Answers scrapes of this process on a port of its own; returns what ends that. Raises OSError."""
    server, _ = start_http_server(port, host, registry=REGISTRY)
    return server.shutdown


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

"""Traces for OpenTelemetry and errors for Sentry, for who asks: what goes out is listed here, the rest stays."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from wamcp import log
from wamcp.errors import Misconfigured
from wamcp.settings import Settings
from wamcp.version import version

FLUSH_S = 2.0
_OURS = "wamcp."
_THEIRS = frozenset({"mcp.method.name", "mcp.protocol.version", "fastmcp.component.type", "rpc.system"})
"""Attributes of other libraries' spans that hold no more than names which this release gave."""
_NAME = re.compile(r"[a-z_/]{1,40}( [a-z_]{1,40})?")
_EVENT_KEYS = ("event_id", "timestamp", "level", "platform", "release", "environment", "server_name", "logger", "sdk")
_FRAME_KEYS = ("filename", "module", "function", "lineno", "in_app")

ErrorInfo = tuple[type[BaseException], BaseException, TracebackType | None]

_tracer: Any = None
_flushes: list[Callable[[], object]] = []


def start(settings: Settings, role: str) -> None:
    """Sends traces and errors of this process, ``role``, where the settings say; nothing when they do not.

    Raises :class:`Misconfigured` when the extra that this needs is not installed.
    """
    if settings.otel_endpoint:
        try:
            _start_traces(settings.otel_endpoint, role)
        except ImportError:
            raise Misconfigured(_missing("OTEL_EXPORTER_OTLP_ENDPOINT", "otel")) from None
    if settings.sentry_dsn:
        try:
            _start_errors(settings, role)
        except ImportError:
            raise Misconfigured(_missing("SENTRY_DSN", "sentry")) from None


@contextmanager
def span(name: str, **ids: int | str) -> Iterator[None]:
    """A piece of work in the trace: a constant name, and ids or counts; nothing that a customer wrote."""
    if _tracer is None:
        yield
        return
    attributes = {_OURS + key: value for key, value in ids.items()}
    with _tracer.start_as_current_span(name, attributes=attributes, record_exception=False):
        yield


def flush() -> None:
    """Sends what is still here, for at most a few seconds: before a process ends without being asked."""
    for each in _flushes:
        each()


def scrubbed_error(event: Mapping[str, Any], _hint: object = None) -> dict[str, Any]:
    """An event of Sentry's with what is known to be harmless: types and places of exceptions, names and ids."""
    kept: dict[str, Any] = {key: event[key] for key in _EVENT_KEYS if key in event}
    kept["message"] = event.get("message") or ""
    kept["tags"] = dict(event.get("tags") or {})
    kept["extra"] = log.redact(None, "", _plain(event.get("extra") or {}))
    values = (event.get("exception") or {}).get("values") or []
    kept["exception"] = {"values": [_scrubbed_exception(value) for value in values]}
    return kept


def _missing(variable: str, extra: str) -> str:
    return f"{variable} is set, but what it needs is not installed: pip install 'wamcp[{extra}]', or unset it."


def _start_traces(endpoint: str, role: str) -> None:
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    global _tracer
    resource = Resource.create({"service.name": f"wamcp-{role}", "service.version": version()})
    provider = TracerProvider(resource=resource)
    exporter = _Scrubbing(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces"))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    _tracer = trace.get_tracer("wamcp", version())
    _flushes.append(lambda: provider.force_flush(round(FLUSH_S * 1000)))


class _Scrubbing:
    """An exporter of spans that lets through what is known to be harmless: names, ids, times."""

    def __init__(self, exporter: Any) -> None:
        self._exporter = exporter
        self.shutdown = exporter.shutdown
        self.force_flush = exporter.force_flush

    def export(self, spans: Sequence[Any]) -> Any:
        """Sends them on without what may hold words: other attributes, events, links, the words of a status."""
        return self._exporter.export([_scrubbed_span(one) for one in spans])


def _scrubbed_span(one: Any) -> Any:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Status

    return ReadableSpan(
        name=_scrubbed_name(one.name),
        context=one.context,
        parent=one.parent,
        resource=one.resource,
        attributes={key: value for key, value in one.attributes.items() if key.startswith(_OURS) or key in _THEIRS},
        kind=one.kind,
        status=Status(one.status.status_code),
        start_time=one.start_time,
        end_time=one.end_time,
        instrumentation_scope=one.instrumentation_scope,
    )


def _start_errors(settings: Settings, role: str) -> None:
    import sentry_sdk
    from sentry_sdk.integrations.atexit import AtexitIntegration
    from sentry_sdk.integrations.excepthook import ExcepthookIntegration
    from sentry_sdk.integrations.threading import ThreadingIntegration

    def before_send(event: Any, hint: Any) -> Any:
        return scrubbed_error(event, hint)

    sentry_sdk.init(
        dsn=settings.require("sentry_dsn"),
        release=f"wamcp@{version()}",
        environment=settings.env,
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[ExcepthookIntegration(), ThreadingIntegration(), AtexitIntegration(callback=lambda *_: None)],
        send_default_pii=False,
        include_local_variables=False,
        include_source_context=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        auto_session_tracking=False,
        before_send=before_send,
    )
    sentry_sdk.set_tag("role", role)
    log.listen(_report)
    _flushes.append(lambda: sentry_sdk.flush(FLUSH_S))


def _report(event: Mapping[str, Any], failure: ErrorInfo | None) -> None:
    """Sends an error of the log: its constant name and ids; of other libraries only who complains."""
    import sentry_sdk
    from sentry_sdk.utils import event_from_exception

    record = event.get("_record")
    told: Any = event_from_exception(failure)[0] if failure else {}
    told["level"] = "error"
    told["message"] = f"{record.name} logged an error" if record is not None else str(event.get("event", ""))
    told["extra"] = {} if record is not None else _plain(event)
    sentry_sdk.capture_event(told)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if isinstance(value, str | int | float | bool)}


def _scrubbed_name(name: str) -> str:
    """Names of ours and of FastMCP's are words; what looks otherwise was chosen by somebody else."""
    return name if _NAME.fullmatch(name) else name.partition(" ")[0] if _NAME.match(name) else "span"


def _scrubbed_exception(value: Mapping[str, Any]) -> dict[str, Any]:
    """Its type and where it was raised. Its words are left out: a database quotes what it refuses."""
    frames = (value.get("stacktrace") or {}).get("frames") or []
    places = [{key: frame[key] for key in _FRAME_KEYS if key in frame} for frame in frames]
    return {"type": value.get("type"), "module": value.get("module"), "stacktrace": {"frames": places}}

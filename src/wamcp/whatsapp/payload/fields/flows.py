"""``flows``: whether a flow is published, answers in time, and fails."""

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from wamcp.vocabulary import Severity
from wamcp.whatsapp.payload.facts import Facts
from wamcp.whatsapp.payload.fields.lines import line, said, word
from wamcp.whatsapp.payload.fields.place import Place
from wamcp.whatsapp.payload.fields.reading import Reader, happened, keys
from wamcp.whatsapp.payload.fields.severities import severity_of
from wamcp.whatsapp.payload.scalars import identifier


def read_flow(value: dict[str, Any], place: Place, facts: Facts) -> None:
    """Adds the one event about a flow that ``value`` is."""
    flow, event = identifier(value.get("flow_id")), word(value.get("event"))
    facts.account.append(
        replace(
            happened(place, place.path, value),
            event=event,
            subject_kind=None if flow is None else "flow",
            subject=flow,
            severity=_severity(event, value).value,
            text=line(f"Flow {flow or ''}".strip(), event, *_news(value)),
        )
    )


def _news(value: dict[str, Any]) -> Iterator[object]:
    before, now = said(value.get("old_status")), said(value.get("new_status"))
    if now:
        yield f"{now}, before {before}" if before else now
    for key, words in _MEASURED.items():
        if measured := said(value.get(key)):
            yield f"{words} {measured}"
    yield value.get("alert_state")
    yield value.get("warning")
    yield value.get("message")


def _severity(event: str, value: dict[str, Any]) -> Severity:
    if event in _ALERTS:
        return Severity.INFO if value.get("alert_state") == "DEACTIVATED" else _ALERTS[event]
    return severity_of(word(value.get("new_status")) or event)


_ALERTS = {
    "CLIENT_ERROR_RATE": Severity.CRITICAL,
    "ENDPOINT_ERROR_RATE": Severity.CRITICAL,
    "ENDPOINT_LATENCY": Severity.WARNING,
    "ENDPOINT_AVAILABILITY": Severity.WARNING,
}
_MEASURED = {"error_rate": "error rate", "p90_latency": "p90 latency", "availability": "availability"}

READERS = {
    "flows": Reader(
        read_flow,
        keys(
            value="event message flow_id old_status new_status error_rate threshold alert_state errors p90_latency"
            " p50_latency requests_count availability warning",
            errors="error_type error_rate error_count",
        ),
    )
}

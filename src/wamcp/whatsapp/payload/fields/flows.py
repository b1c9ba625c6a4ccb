"""``flows``: the state of a flow, and how well its screens and its endpoint work."""

from collections.abc import Iterator
from typing import Any

from wamcp.whatsapp.payload.fields.lines import line, said
from wamcp.whatsapp.payload.fields.reading import VALUE, keys
from wamcp.whatsapp.payload.fields.table import Row, row_reader
from wamcp.whatsapp.payload.scalars import objects

Value = dict[str, Any]

_RATES = ("CLIENT_ERROR_RATE", "ENDPOINT_ERROR_RATE", "ENDPOINT_AVAILABILITY")
_FIGURES = ("error_rate", "availability", "p90_latency", "p50_latency", "requests_count", "threshold", "alert_state")


def _line(value: Value) -> str:
    before, now = said(value.get("old_status")), said(value.get("new_status"))
    figures = (f"{key.replace('_', ' ')} {said(value.get(key))}" for key in _FIGURES if said(value.get(key)))
    head = f"Flow {said(value.get('flow_id'))}".rstrip()
    return line(
        head,
        value.get("event"),
        f"{before} to {now}" if before and now else now,
        value.get("message"),
        value.get("warning"),
        *figures,
        *_errors(value),
    )


def _errors(value: Value) -> Iterator[str]:
    for error in objects(value.get("errors")):
        yield f"{said(error.get('error_count'))} {said(error.get('error_type'))}".strip()


def _loud(value: Value) -> tuple[object, ...]:
    """A state, or how much an alert that is on tells of broken flows."""
    alert = "WARNING" if value.get("alert_state") == "ACTIVATED" else ""
    if alert and value.get("event") in _RATES:
        alert = "CRITICAL"
    return (value.get("new_status"), alert)


ROWS = {
    "flows": Row(
        "event",
        (("flow", "flow_id"),),
        _line,
        keys(
            value=VALUE + "event message flow_id old_status new_status error_rate threshold alert_state p90_latency"
            " p50_latency requests_count availability warning",
            errors="error_type error_rate error_count",
        ),
        _loud,
        warning=frozenset({"THROTTLED", "FLOW_VERSION_EXPIRY_WARNING"}),
    )
}

READERS = {field: row_reader(row) for field, row in ROWS.items()}

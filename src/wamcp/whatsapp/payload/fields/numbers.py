"""Fields about one of our numbers: its name, username, quality and limits, and its PIN."""

from typing import Any

from wamcp.whatsapp.payload.fields.lines import joined, line, said
from wamcp.whatsapp.payload.fields.reading import keys
from wamcp.whatsapp.payload.fields.table import Row, row_reader, words_of

Value = dict[str, Any]


def _head(value: Value) -> str:
    return f"Number {said(value.get('display_phone_number'))}".rstrip()


def _name_line(value: Value) -> str:
    name = said(value.get("requested_verified_name"))
    return line(
        _head(value), f'name "{name}"' if name else "name", value.get("decision"), value.get("rejection_reason")
    )


def _username_line(value: Value) -> str:
    name = said(value.get("username")) or said(value.get("requested_username"))
    decided = value.get("status") or value.get("decision")
    reasons = joined(words_of(value.get("rejection_reasons")))
    return line(_head(value), f"username {name}".rstrip(), decided, reasons)


def _quality_line(value: Value) -> str:
    before, now = said(value.get("old_limit")), said(value.get("current_limit"))
    per_day = said(value.get("max_daily_conversations_per_business"))
    return line(
        _head(value),
        value.get("event"),
        f"limit {now}" if now else "",
        f"was {before}" if before else "",
        f"{per_day} conversations a day" if per_day else "",
    )


def _security_line(value: Value) -> str:
    requester = said(value.get("requester"))
    return line(_head(value), value.get("event"), f"asked by {requester}" if requester else "")


_OURS = (("number", "display_phone_number"),)
_USERNAME = Row(
    "status",
    _OURS,
    _username_line,
    keys(value="display_phone_number username status"),
    warning=frozenset({"DELETED"}),
)

ROWS = {
    "phone_number_name_update": Row(
        "decision",
        _OURS,
        _name_line,
        keys(value="display_phone_number decision requested_verified_name rejection_reason"),
    ),
    "phone_number_quality_update": Row(
        "event",
        _OURS,
        _quality_line,
        keys(value="display_phone_number event current_limit old_limit max_daily_conversations_per_business"),
        warning=frozenset({"DOWNGRADE"}),
    ),
    "business_username_update": _USERNAME,
    "business_username_updates": _USERNAME,
    "phone_number_username_update": Row(
        "decision",
        _OURS,
        _username_line,
        keys(value="display_phone_number decision requested_username rejection_reasons username status"),
        lambda value: (value.get("status"),),
        warning=frozenset({"DELETED"}),
    ),
    "security": Row(
        "event",
        _OURS,
        _security_line,
        keys(value="display_phone_number event requester"),
        warning=frozenset({"PIN_CHANGED", "PIN_RESET_REQUEST", "PIN_REQUEST_SUCCESS"}),
    ),
}

READERS = {field: row_reader(row) for field, row in ROWS.items()}

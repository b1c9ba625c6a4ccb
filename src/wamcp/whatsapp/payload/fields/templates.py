"""Fields about message templates: what Meta decided on them, their quality, text and category."""

from typing import Any

from wamcp.whatsapp.payload.fields.lines import day, line, said
from wamcp.whatsapp.payload.fields.reading import keys
from wamcp.whatsapp.payload.fields.table import Row, at_path, row_reader

Value = dict[str, Any]


def _head(value: Value) -> str:
    name = said(value.get("message_template_name")) or said(value.get("message_template_id"))
    language = said(value.get("message_template_language"))
    return f"Template {name}".rstrip() + (f" ({language})" if language else "")


def _status_line(value: Value) -> str:
    disabled = day(at_path(value, "disable_info.disable_date"))
    return line(
        _head(value),
        value.get("event"),
        value.get("reason"),
        at_path(value, "other_info.title"),
        at_path(value, "other_info.description"),
        f"from {disabled}" if disabled else "",
        at_path(value, "rejection_info.reason"),
        at_path(value, "rejection_info.recommendation"),
    )


def _quality_line(value: Value) -> str:
    before, now = said(value.get("previous_quality_score")), said(value.get("new_quality_score"))
    return line(_head(value), f"quality {now}" if now else "", f"was {before}" if before else "")


def _text_line(value: Value) -> str:
    parts = (value.get(f"message_template_{part}") for part in ("title", "element", "footer"))
    return line(f"{_head(value)} has another text", *parts)


def _category_line(value: Value) -> str:
    """Before the change ``new_category`` is, against its name, the category of today."""
    now, right = said(value.get("new_category")), said(value.get("correct_category"))
    if not right:
        before = said(value.get("previous_category"))
        return line(_head(value), f"category {now}", f"was {before}" if before else "")
    when = day(value.get("category_update_timestamp"))
    return line(_head(value), f"category will be {right}", f"is {now}" if now else "", f"from {when}" if when else "")


def _wrong_category_line(value: Value) -> str:
    category, right = said(value.get("category")), said(value.get("correct_category"))
    return line(_head(value), f"category {category}", f"should be {right}" if right else "")


def _impending(value: Value) -> tuple[str, ...]:
    return ("PENDING",) if value.get("correct_category") else ()


_TEMPLATE = (("template", "message_template_id"),)
_NAMES = "message_template_id message_template_name message_template_language "
_BUTTON = "message_template_button_"

ROWS = {
    "message_template_status_update": Row(
        "event",
        _TEMPLATE,
        _status_line,
        keys(
            value=_NAMES + "event reason message_template_category disable_info other_info rejection_info"
            " previous_quality_score new_quality_score",
            disable_info="disable_date",
            other_info="title description",
            rejection_info="reason recommendation",
        ),
        warning=frozenset({"DELETED", "LOCKED"}),
    ),
    "message_template_quality_update": Row(
        "new_quality_score",
        _TEMPLATE,
        _quality_line,
        keys(value=_NAMES + "previous_quality_score new_quality_score"),
    ),
    "message_template_components_update": Row(
        "",
        _TEMPLATE,
        _text_line,
        keys(
            value=_NAMES + "message_template_element message_template_title message_template_footer"
            " message_template_buttons",
            message_template_buttons=" ".join(_BUTTON + key for key in ("type", "text", "url", "phone_number")),
        ),
    ),
    "template_category_update": Row(
        "",
        _TEMPLATE,
        _category_line,
        keys(value=_NAMES + "correct_category new_category previous_category category_update_timestamp"),
        _impending,
    ),
    "template_correct_category_detection": Row(
        "",
        _TEMPLATE,
        _wrong_category_line,
        keys(value=_NAMES + "category correct_category"),
        _impending,
    ),
}

READERS = {field: row_reader(row) for field, row in ROWS.items()}

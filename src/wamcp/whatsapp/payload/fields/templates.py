"""The fields about templates: approved or not, how well received, of which category, changed."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from msgspec.structs import replace

from wamcp.whatsapp.payload.facts import Facts
from wamcp.whatsapp.payload.fields.lines import day, line, said, word
from wamcp.whatsapp.payload.fields.place import Place
from wamcp.whatsapp.payload.fields.reading import Reader, happened, keys
from wamcp.whatsapp.payload.fields.severities import severity_of
from wamcp.whatsapp.payload.scalars import identifier, mapping, objects

_News = Callable[[dict[str, Any]], Iterator[object]]


def read_template(news: _News, value: dict[str, Any], place: Place, facts: Facts) -> None:
    """Adds the one event about a template that ``value`` is; ``news`` says what there is to tell beside its word.

    A change of quality has been seen in the field of the status, so the word is looked for under both keys.
    """
    event = word(value.get("event")) or word(value.get("new_quality_score"))
    template = identifier(value.get("message_template_id"))
    facts.account.append(
        replace(
            happened(place, place.path, value),
            event=event,
            subject_kind=None if template is None else "template",
            subject=template,
            severity=severity_of(event).value,
            text=line(_head(value), *news(value)),
        )
    )


def _head(value: dict[str, Any]) -> str:
    name = said(value.get("message_template_name")) or said(value.get("message_template_id"))
    language = said(value.get("message_template_language"))
    return f"Template {name}".strip() + (f" ({language})" if language else "")


def _status(value: dict[str, Any]) -> Iterator[object]:
    yield value.get("event")
    yield value.get("reason")
    if since := day(mapping(value.get("disable_info")).get("disable_date")):
        yield f"on {since}"
    other, rejection = mapping(value.get("other_info")), mapping(value.get("rejection_info"))
    yield from (other.get("title"), other.get("description"), rejection.get("reason"), rejection.get("recommendation"))
    yield from _quality(value)


def _quality(value: dict[str, Any]) -> Iterator[object]:
    now, before = said(value.get("new_quality_score")), said(value.get("previous_quality_score"))
    if now:
        yield f"quality {now}" + (f", before {before}" if before else "")


def _category(value: dict[str, Any]) -> Iterator[object]:
    """Announced (``new_category`` is then the one it still has) or done."""
    stated, right = said(value.get("new_category")), said(value.get("correct_category"))
    if right:
        since = day(value.get("category_update_timestamp"))
        yield f"category changes from {stated or 'another'} to {right}" + (f" on {since}" if since else "")
    elif stated:
        yield f"category changed from {said(value.get('previous_category')) or 'another'} to {stated}"


def _right_category(value: dict[str, Any]) -> Iterator[object]:
    if right := said(value.get("correct_category")):
        yield f"category {said(value.get('category')) or 'unknown'}, by its content {right}"


def _components(value: dict[str, Any]) -> Iterator[object]:
    yield "changed"
    for key in ("title", "element", "footer"):
        yield value.get(f"message_template_{key}")
    buttons = objects(value.get("message_template_buttons"))
    if texts := [said(each.get("message_template_button_text")) for each in buttons]:
        yield f"buttons {' / '.join(texts)}"


_ID = "message_template_id message_template_name message_template_language message_template_category "
_QUALITY = "previous_quality_score new_quality_score "

_FIELDS: dict[str, tuple[_News, dict[str, frozenset[str]]]] = {
    "message_template_status_update": (
        _status,
        keys(
            value=_ID + _QUALITY + "event reason disable_info other_info rejection_info",
            disable_info="disable_date",
            other_info="title description",
            rejection_info="reason recommendation",
        ),
    ),
    "message_template_quality_update": (_quality, keys(value=_ID + _QUALITY)),
    "message_template_components_update": (
        _components,
        keys(
            value=_ID + "message_template_element message_template_title message_template_footer"
            " message_template_buttons",
            message_template_buttons="message_template_button_type message_template_button_text"
            " message_template_button_url message_template_button_phone_number",
        ),
    ),
    "template_category_update": (
        _category,
        keys(value=_ID + "correct_category new_category previous_category category_update_timestamp"),
    ),
    "template_correct_category_detection": (_right_category, keys(value=_ID + "category correct_category")),
}

READERS = {name: Reader(partial(read_template, news), known) for name, (news, known) in _FIELDS.items()}

"""The fields about accounts, numbers and payments whose value is one event with a word of Meta's for what happened."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from msgspec.structs import replace

from wamcp.vocabulary import Severity
from wamcp.whatsapp.payload.facts import Facts
from wamcp.whatsapp.payload.fields.lines import day, joined, line, said, word
from wamcp.whatsapp.payload.fields.place import Place
from wamcp.whatsapp.payload.fields.reading import Reader, happened, keys
from wamcp.whatsapp.payload.fields.severities import severity_of
from wamcp.whatsapp.payload.scalars import identifier, mapping

Value = dict[str, Any]


class Sort(NamedTuple):
    """How one field names its event and its subject, and what it says about it.

    ``portfolio``: ``entry.id`` is a business portfolio's. ``weighs``: the key that decides on the severity, if not the
    event.
    """

    words: tuple[str, ...]
    subject: tuple[str, str] | None
    head: Callable[[Value], str]
    news: Callable[[Value], Iterator[object]]
    portfolio: bool = False
    weighs: str = ""


def read_sort(sort: Sort, value: Value, place: Place, facts: Facts) -> None:
    """Adds the one event that ``value`` is, as ``sort`` describes it."""
    event = first_word(value, sort.words)
    subject = None if sort.subject is None else identifier(value.get(sort.subject[1]))
    facts.account.append(
        replace(
            happened(place, place.path, value),
            event=event,
            waba_id=None if sort.portfolio else place.waba_id or None,
            display_phone_number=identifier(value.get("display_phone_number")),
            subject_kind=None if sort.subject is None or subject is None else sort.subject[0],
            subject=subject,
            severity=severity_of(word(value.get(sort.weighs)) or event).value,
            text=line(sort.head(value), event, *sort.news(value)),
        )
    )


def read_alert(value: Value, place: Place, facts: Facts) -> None:
    """``account_alerts``: Meta says itself how severe it is. The alert's keys have been seen beside the entity's."""
    alert = mapping(value.get("alert_info")) or value
    event, kind, subject = word(alert.get("alert_type")), word(value.get("entity_type")), value.get("entity_id")
    severities = {"CRITICAL": Severity.CRITICAL, "WARNING": Severity.WARNING}
    known = identifier(subject)
    facts.account.append(
        replace(
            happened(place, place.path, value),
            event=event,
            subject_kind=None if known is None else _ENTITIES.get(kind, kind.lower() or "entity"),
            subject=known,
            severity=severities.get(word(alert.get("alert_severity")), Severity.INFO).value,
            text=line("Alert", event, alert.get("alert_status"), alert.get("alert_description")),
        )
    )


def read_settings(value: Value, place: Place, facts: Facts) -> None:
    """``account_settings_update``: the settings of a number as they are now."""
    settings = mapping(value.get("phone_number_settings"))
    number = identifier(settings.get("phone_number_id"))
    calling = mapping(settings.get("calling"))
    news = (
        ("calling", calling.get("status")),
        ("icon", calling.get("call_icon_visibility")),
        ("callback permission", calling.get("callback_permission_status")),
        ("call hours", mapping(calling.get("call_hours")).get("status")),
        ("SIP", mapping(calling.get("sip")).get("status")),
    )
    facts.account.append(
        replace(
            happened(place, place.path, value),
            event=word(value.get("type")),
            phone_number_id=number,
            subject_kind=None if number is None else "number",
            subject=number,
            text=line("Settings of a number", *(f"{name} {said(state)}" for name, state in news if said(state))),
        )
    )


def first_word(value: Value, names: tuple[str, ...]) -> str:
    """The first of these keys that says a word."""
    return next(filter(None, (word(value.get(name)) for name in names)), "")


def _number(value: Value) -> str:
    return f"Number {said(value.get('display_phone_number'))}".strip()


def _named(name: str, *names: str) -> Callable[[Value], str]:
    return lambda value: f"{name} {first_word(value, names)}".strip()


def _review(value: Value) -> Iterator[object]:
    yield from ()


def _capabilities(value: Value) -> Iterator[object]:
    for key, words in _CAPABILITIES.items():
        if limit := said(value.get(key)):
            yield f"{'unlimited' if limit == '-1' else limit} {words}"


def _username(value: Value) -> Iterator[object]:
    name = said(value.get("username")) or said(value.get("requested_username"))
    yield f"username {name}" if name else ""
    reasons = value.get("rejection_reasons")
    yield joined(reasons) if isinstance(reasons, list) else reasons


def _verified_name(value: Value) -> Iterator[object]:
    name = said(value.get("requested_verified_name"))
    yield f'name "{name}"' if name else ""
    yield value.get("rejection_reason")


def _quality(value: Value) -> Iterator[object]:
    limit = said(value.get("current_limit")) or said(value.get("max_daily_conversations_per_business"))
    yield f"limit {limit}" if limit else ""
    before = said(value.get("old_limit"))
    yield f"before {before}" if before else ""


def _requester(value: Value) -> Iterator[object]:
    requester = said(value.get("requester"))
    yield f"requested by {requester}" if requester else ""


def _provider(value: Value) -> Iterator[object]:
    yield value.get("provider_name")
    updated = day(value.get("updated_timestamp"))
    yield f"updated {updated}" if updated else ""


def _solution(value: Value) -> Iterator[object]:
    yield value.get("solution_status")


_ENTITIES = {"BUSINESS": "business", "PHONE_NUMBER": "number"}
_CAPABILITIES = {
    "max_daily_conversations_per_business": "conversations a day for the business",
    "max_daily_conversation_per_phone": "conversations a day for each number",
    "max_phone_numbers_per_business": "numbers for the business",
    "max_phone_numbers_per_waba": "numbers for the account",
}
_DISPLAY = ("number", "display_phone_number")
_USERNAME = "display_phone_number username requested_username status decision rejection_reasons"

_USERNAMES = Sort(("status", "decision"), _DISPLAY, _number, _username)
_SORTS: dict[str, tuple[Sort, str]] = {
    "account_review_update": (Sort(("decision",), None, lambda _: "Review of the account", _review), "decision"),
    "business_capability_update": (
        Sort((), None, lambda _: "Limits", _capabilities),
        " ".join(_CAPABILITIES),
    ),
    "business_status_update": (
        Sort(("event",), ("business", "business_id"), _named("Business", "business_id"), _review),
        "business_id event",
    ),
    "business_username_updates": (_USERNAMES, _USERNAME),
    "business_username_update": (_USERNAMES, _USERNAME),
    "phone_number_username_update": (_USERNAMES, _USERNAME),
    "phone_number_name_update": (
        Sort(("decision",), _DISPLAY, _number, _verified_name),
        "display_phone_number decision requested_verified_name rejection_reason",
    ),
    "phone_number_quality_update": (
        Sort(("event",), _DISPLAY, _number, _quality),
        "display_phone_number event current_limit old_limit max_daily_conversations_per_business",
    ),
    "security": (Sort(("event",), _DISPLAY, _number, _requester), "display_phone_number event requester"),
    "payment_configuration_update": (
        Sort(
            ("status",),
            ("configuration", "configuration_name"),
            _named("Payment configuration", "configuration_name"),
            _provider,
        ),
        "configuration_name provider_name provider_mid status created_timestamp updated_timestamp",
    ),
    "partner_solutions": (
        Sort(
            ("event",),
            ("solution", "solution_id"),
            _named("Solution", "solution_id"),
            _solution,
            True,
            "solution_status",
        ),
        "event solution_id solution_status",
    ),
}

_SETTINGS = keys(
    value="messaging_product timestamp type phone_number_settings",
    phone_number_settings="phone_number_id calling",
    calling="status call_icon_visibility callback_permission_status call_hours sip",
    call_hours="status timezone_id weekly_operating_hours holiday_schedule",
    weekly_operating_hours="day_of_week open_time close_time",
    holiday_schedule="date start_time end_time",
    sip="status servers",
    servers="hostname port",
)
_ALERT = "alert_severity alert_status alert_type alert_description"

READERS = {
    **{name: Reader(partial(read_sort, sort), keys(value=known)) for name, (sort, known) in _SORTS.items()},
    "account_alerts": Reader(read_alert, keys(value="entity_type entity_id alert_info", alert_info=_ALERT)),
    "account_settings_update": Reader(read_settings, _SETTINGS),
}

"""Fields about accounts: bans, restrictions, alerts, reviews, capabilities, payments, partners, settings."""

from typing import Any

from wamcp.whatsapp.payload.fields.lines import day, joined, line, said
from wamcp.whatsapp.payload.fields.reading import VALUE, keys
from wamcp.whatsapp.payload.fields.table import Row, all_at, at_path, row_reader, words_of
from wamcp.whatsapp.payload.scalars import mapping, objects

Value = dict[str, Any]


def _update_line(value: Value) -> str:
    ban, disconnection = mapping(value.get("ban_info")), mapping(value.get("disconnection_info"))
    tier, waba = mapping(value.get("volume_tier_info")), mapping(value.get("waba_info"))
    certification = mapping(value.get("partner_client_certification_info"))
    rates = mapping(value.get("auth_international_rate_eligibility"))
    by = said(disconnection.get("initiated_by"))
    return line(
        "Account",
        value.get("event"),
        f"number {number}" if (number := said(value.get("phone_number"))) else "",
        f"account {account}" if (account := said(waba.get("waba_id"))) else "",
        at_path(value, "violation_info.violation_type"),
        *map(_restriction, objects(value.get("restriction_info"))),
        joined(words_of(ban.get("waba_ban_state"))),
        day(ban.get("waba_ban_date")),
        disconnection.get("reason"),
        f"by {by}" if by else "",
        certification.get("status"),
        joined(words_of(certification.get("rejection_reasons"))),
        *(tier.get(key) for key in ("pricing_category", "tier", "effective_month", "region")),
        value.get("country"),
        f"from {day(rates.get('start_time'))}" if rates.get("start_time") else "",
        joined(all_at(rates, "exception_countries", "country_code")),
        at_path(value, "violation_info.remediation"),
    )


def _restriction(restriction: Value) -> str:
    until = day(restriction.get("expiration"))
    name = said(restriction.get("restriction_type"))
    return joined((f"{name} until {until}" if until else name, restriction.get("remediation")))


def _update_words(value: Value) -> list[object]:
    is_back = words_of(at_path(value, "ban_info.waba_ban_state")) == ["REINSTATE"]
    ban = "DISABLE" if value.get("event") == "DISABLED_UPDATE" and not is_back else ""
    return [at_path(value, "partner_client_certification_info.status"), ban]


def _is_of_a_portfolio(event: str) -> bool:
    return event.startswith("PARTNER_") or event in ("AD_ACCOUNT_LINKED", "MM_LITE_TERMS_SIGNED")


def _alert_line(value: Value) -> str:
    alert = mapping(value.get("alert_info"))
    severity, status = said(alert.get("alert_severity")), said(alert.get("alert_status"))
    return line(
        f"Alert for {said(value.get('entity_type')).replace('_', ' ').lower() or 'the account'}",
        alert.get("alert_type"),
        f"{severity} {status}".strip(),
        alert.get("alert_description"),
    )


def _alert_words(value: Value) -> list[object]:
    return [at_path(value, "alert_info.alert_severity")]


def _settings_line(value: Value) -> str:
    settings = mapping(value.get("phone_number_settings"))
    calling = mapping(settings.get("calling"))
    parts = [f"calling {said(calling.get('status')).lower()}"] if calling.get("status") else []
    for key in ("call_hours", "sip"):
        status = said(mapping(calling.get(key)).get("status"))
        parts += [f"{key.replace('_', ' ')} {status.lower()}"] if status else []
    return line("Settings of a number", value.get("type"), *parts)


def _capability_line(value: Value) -> str:
    limits = (f"{key.removeprefix('max_').replace('_', ' ')} {said(value.get(key))}" for key in _LIMITS if key in value)
    return line("Limits", *limits)


def _gone_line(value: Value) -> str:
    return line("Account offboarded", value.get("reason"))


def _back_line(value: Value) -> str:
    return line("Account reconnected", value.get("reason"))


def _solution_line(value: Value) -> str:
    return line("Partner solution", value.get("event"), value.get("solution_status"))


def _payment_line(value: Value) -> str:
    name = said(value.get("configuration_name"))
    return line(f"Payment configuration {name}".rstrip(), value.get("status"), value.get("provider_name"))


def _word_line(head: str, key: str) -> Any:
    return lambda value: line(head, value.get(key))


_LIMITS = (
    "max_daily_conversations_per_business",
    "max_daily_conversation_per_phone",
    "max_phone_numbers_per_waba",
    "max_phone_numbers_per_business",
)
_UPDATE = Row(
    event="event",
    subjects=(
        ("app", "waba_info.partner_app_id"),
        ("ad_account", "waba_info.ad_account_linked"),
        ("ad_account", "waba_info.ad_account_id"),
        ("solution", "waba_info.solution_id"),
        ("business", "partner_client_certification_info.client_business_id"),
        ("business", "partner_client_certification_needed_info.client_business_id"),
        ("business", "waba_info.owner_business_id"),
        ("number", "phone_number"),
    ),
    line=_update_line,
    loud=_update_words,
    critical=frozenset({"ACCOUNT_DELETED", "ACCOUNT_OFFBOARDED", "ACCOUNT_RESTRICTION", "ACCOUNT_VIOLATION"}),
    warning=frozenset({"PARTNER_REMOVED", "PARTNER_APP_UNINSTALLED", "PARTNER_CLIENT_CERTIFICATION_NEEDED"}),
    portfolio=_is_of_a_portfolio,
    known=keys(
        value="event phone_number country violation_info restriction_info ban_info waba_info volume_tier_info"
        " auth_international_rate_eligibility disconnection_info partner_client_certification_info"
        " partner_client_certification_needed_info",
        violation_info="violation_type remediation",
        restriction_info="restriction_type expiration remediation",
        ban_info="waba_ban_state waba_ban_date",
        waba_info="waba_id owner_business_id ad_account_linked ad_account_id partner_app_id solution_id"
        " solution_partner_business_ids",
        volume_tier_info="tier_update_time pricing_category tier effective_month region",
        auth_international_rate_eligibility="exception_countries start_time",
        exception_countries="country_code start_time",
        disconnection_info="reason initiated_by",
        partner_client_certification_info="client_business_id status rejection_reasons",
        partner_client_certification_needed_info="client_business_id",
    ),
)
_FLAT = "waba_id timestamp reason phone_number_id"

ROWS = {
    "account_update": _UPDATE,
    "account_alerts": Row(
        "alert_info.alert_type",
        (("entity", "entity_id"),),
        _alert_line,
        keys(
            value="entity_type entity_id alert_info",
            alert_info="alert_severity alert_status alert_type alert_description",
        ),
        _alert_words,
    ),
    "account_review_update": Row("decision", (), _word_line("Account review", "decision"), keys(value="decision")),
    "account_settings_update": Row(
        "type",
        (),
        _settings_line,
        keys(
            value="messaging_product type timestamp phone_number_settings",
            phone_number_settings="phone_number_id calling",
            calling="status call_icon_visibility callback_permission_status call_hours sip",
            call_hours="status timezone_id weekly_operating_hours holiday_schedule",
            weekly_operating_hours="day_of_week open_time close_time",
            holiday_schedule="date start_time end_time",
            sip="status servers",
            servers="hostname port",
        ),
    ),
    "business_capability_update": Row(
        "",
        (),
        _capability_line,
        keys(value=" ".join(_LIMITS)),
    ),
    "business_status_update": Row(
        "event",
        (("business", "business_id"),),
        _word_line("Business", "event"),
        keys(value="business_id event"),
        critical=frozenset({"COMPROMISED_NOTIFICATION"}),
    ),
    "account_offboarded": Row("", (), _gone_line, keys(value=_FLAT), lambda value: ("CRITICAL",)),
    "account_reconnected": Row("", (), _back_line, keys(value=_FLAT)),
    "partner_solutions": Row(
        "event",
        (("solution", "solution_id"),),
        _solution_line,
        keys(value="event solution_id solution_status"),
        lambda value: (value.get("solution_status"),),
        portfolio=lambda event: True,
    ),
    "payment_configuration_update": Row(
        "status",
        (("configuration", "configuration_name"),),
        _payment_line,
        keys(value=VALUE + "configuration_name provider_name provider_mid status created_timestamp updated_timestamp"),
        warning=frozenset({"NEEDS CONNECTING", "NEEDS TESTING"}),
    ),
}

READERS = {field: row_reader(row) for field, row in ROWS.items()}

"""``account_update`` and its two flat relatives: bans, restrictions, partners, price tiers, an account that goes."""

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from wamcp.vocabulary import Severity
from wamcp.whatsapp.payload.facts import Facts
from wamcp.whatsapp.payload.fields.lines import day, joined, line, said, word
from wamcp.whatsapp.payload.fields.place import Place
from wamcp.whatsapp.payload.fields.reading import Reader, happened, keys
from wamcp.whatsapp.payload.fields.severities import severity_of
from wamcp.whatsapp.payload.scalars import identifier, mapping, objects


def read_account(value: dict[str, Any], place: Place, facts: Facts) -> None:
    """Adds the one event that ``value`` is; a business portfolio's id never stands where an account's does."""
    event, number = word(value.get("event")), identifier(value.get("phone_number"))
    named = identifier(mapping(value.get("waba_info")).get("waba_id"))
    kind, subject = _subject(value)
    facts.account.append(
        replace(
            happened(place, place.path, value),
            event=event,
            waba_id=named or (None if _is_of_a_portfolio(event) else place.waba_id or None),
            display_phone_number=number,
            subject_kind=kind,
            subject=subject,
            severity=_severity(event, value).value,
            text=line(f"Number {number}" if number else "Account", event, *_news(value)),
        )
    )


def read_offboarded(value: dict[str, Any], place: Place, facts: Facts) -> None:
    """``account_offboarded`` and ``account_reconnected``, whose flat value names the account and perhaps a number."""
    gone = place.field == "account_offboarded"
    number = identifier(value.get("phone_number_id"))
    facts.account.append(
        replace(
            happened(place, place.path, value),
            event=word(value.get("event")),
            waba_id=identifier(value.get("waba_id")) or place.waba_id or None,
            phone_number_id=number,
            subject_kind=None if number is None else "number",
            subject=number,
            severity=(Severity.CRITICAL if gone else Severity.INFO).value,
            text=line("Account offboarded" if gone else "Account reconnected", value.get("reason")),
        )
    )


def _subject(value: dict[str, Any]) -> tuple[str | None, str | None]:
    """The business or the number that the event is about, besides the account."""
    businesses = (
        mapping(value.get("waba_info")).get("owner_business_id"),
        *(mapping(value.get(key)).get("client_business_id") for key in (_CERTIFICATION, _CERTIFICATION_NEEDED)),
    )
    for business in businesses:
        if known := identifier(business):
            return "business", known
    number = identifier(value.get("phone_number"))
    return ("number", number) if number else (None, None)


def _is_of_a_portfolio(event: str) -> bool:
    """Whether ``entry.id`` is a business portfolio's."""
    return event.startswith("PARTNER_") or event in ("AD_ACCOUNT_LINKED", "MM_LITE_TERMS_SIGNED")


def _severity(event: str, value: dict[str, Any]) -> Severity:
    if event == "DISABLED_UPDATE" and _ban_states(value) == ["REINSTATE"]:
        return Severity.INFO
    if event == "PARTNER_CLIENT_CERTIFICATION_STATUS_UPDATE":
        return severity_of(word(mapping(value.get(_CERTIFICATION)).get("status")))
    return severity_of(event)


def _ban_states(value: dict[str, Any]) -> list[str]:
    """The state of a ban; one example prints all three in a list."""
    states = mapping(value.get("ban_info")).get("waba_ban_state")
    return [word(state) for state in states] if isinstance(states, list) else [word(states)]


def _news(value: dict[str, Any]) -> Iterator[object]:
    yield from _trouble(value)
    yield from _partners(value)
    yield value.get("country")
    tier = mapping(value.get("volume_tier_info"))
    yield from (tier.get(key) for key in ("pricing_category", "tier", "region", "effective_month"))
    prices = mapping(value.get("auth_international_rate_eligibility"))
    if prices:
        countries = joined(each.get("country_code") for each in objects(prices.get("exception_countries")))
        yield f"from {day(prices.get('start_time')) or 'now'} on"
        yield f"except {countries}" if countries else ""


def _trouble(value: dict[str, Any]) -> Iterator[object]:
    violation = mapping(value.get("violation_info"))
    yield violation.get("violation_type")
    for each in objects(value.get("restriction_info")):
        until = day(each.get("expiration"))
        yield said(each.get("restriction_type")) + (f" until {until}" if until else "")
    yield joined(_ban_states(value))
    yield mapping(value.get("ban_info")).get("waba_ban_date")
    lost = mapping(value.get("disconnection_info"))
    yield lost.get("reason")
    initiator = said(lost.get("initiated_by"))
    yield f"by {initiator}" if initiator else ""


def _partners(value: dict[str, Any]) -> Iterator[object]:
    named = mapping(value.get("waba_info"))
    for key, words in _NAMED.items():
        if known := said(named.get(key)):
            yield f"{words} {known}"
    for key in (_CERTIFICATION, _CERTIFICATION_NEEDED):
        certification = mapping(value.get(key))
        if business := said(certification.get("client_business_id")):
            yield f"business {business}"
        yield certification.get("status")
        reasons = certification.get("rejection_reasons")
        yield joined(reasons) if isinstance(reasons, list) else reasons


_CERTIFICATION, _CERTIFICATION_NEEDED = "partner_client_certification_info", "partner_client_certification_needed_info"
_NAMED = {
    "waba_id": "account",
    "owner_business_id": "business",
    "ad_account_linked": "ad account",
    "ad_account_id": "ad account",
    "partner_app_id": "app",
    "solution_id": "solution",
}

_FLAT = Reader(read_offboarded, keys(value="waba_id timestamp reason phone_number_id event"))

READERS = {
    "account_update": Reader(
        read_account,
        keys(
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
    ),
    "account_offboarded": _FLAT,
    "account_reconnected": _FLAT,
}

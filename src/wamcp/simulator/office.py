"""What Meta tells about accounts, numbers, templates and flows: nothing that a customer would notice."""

from typing import Any

from wamcp.simulator import bodies
from wamcp.simulator.cast import Town
from wamcp.simulator.said import Change

_Value = dict[str, Any]


def account(town: Town) -> list[Change]:
    """One event of an account, a number, a template or a flow."""
    rng, at = town.rng, int(town.now)
    field, value = rng.choice(_EVENTS)
    value = dict(value)
    if field in _OF_NUMBERS:
        value["display_phone_number"] = rng.choice((bodies.SHOP, bodies.WORKSHOP)).display
    if field.startswith("message_template") or field.startswith("template"):
        template = rng.randrange(9)
        number = 1_200_000_000_000_000 + template
        value["message_template_id"] = str(number) if rng.random() < 0.05 else number
        value |= {"message_template_name": f"order_ready_{template}", "message_template_language": "pt_PT"}
    if field == "account_settings_update":
        value |= {"timestamp": str(at), "phone_number_settings": {"phone_number_id": bodies.SHOP.phone_number_id}}
    return [Change(field, value, at)]


_OF_NUMBERS = frozenset(
    {"phone_number_name_update", "phone_number_quality_update", "security", "business_username_update"}
)

_EVENTS: tuple[tuple[str, _Value], ...] = (
    ("account_update", {"event": "VERIFIED_ACCOUNT", "phone_number": "15550100001"}),
    ("account_update", {"event": "ACCOUNT_VIOLATION", "violation_info": {"violation_type": "SCAM"}}),
    (
        "account_update",
        {
            "event": "ACCOUNT_RESTRICTION",
            "restriction_info": [
                {"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING", "expiration": 1_796_000_000},
                {"restriction_type": "RESTRICTED_ADD_PHONE_NUMBER_ACTION", "expiration": "1796000000"},
            ],
        },
    ),
    (
        "account_update",
        {
            "event": "DISABLED_UPDATE",
            "ban_info": {"waba_ban_state": ["SCHEDULE_FOR_DISABLE"], "waba_ban_date": "December 17, 2026"},
        },
    ),
    ("account_update", {"event": "ACCOUNT_OFFBOARDED", "disconnection_info": {"reason": "CHANGE_NUMBER"}}),
    (
        "account_update",
        {
            "event": "VOLUME_BASED_PRICING_TIER_UPDATE",
            "volume_tier_info": {"pricing_category": "UTILITY", "tier": "25001:100000", "region": "Portugal"},
        },
    ),
    ("account_update", {"event": "BUSINESS_PRIMARY_LOCATION_COUNTRY_UPDATE", "country": "PT"}),
    (
        "account_alerts",
        {
            "entity_type": "PHONE_NUMBER",
            "entity_id": "700000000000001",
            "alert_info": {
                "alert_severity": "WARNING",
                "alert_status": "ACTIVE",
                "alert_type": "PROFILE_PICTURE_LOST",
                "alert_description": "The picture of the profile was removed",
            },
        },
    ),
    ("account_review_update", {"decision": "APPROVED"}),
    ("account_review_update", {"decision": "REJECTED"}),
    ("account_settings_update", {"type": "PHONE_NUMBER_SETTINGS"}),
    ("business_capability_update", {"max_daily_conversations_per_business": "TIER_10K"}),
    ("business_capability_update", {"max_daily_conversations_per_business": -1, "max_phone_numbers_per_waba": 25}),
    ("business_status_update", {"business_id": "800000000000009", "event": "COMPROMISED_NOTIFICATION"}),
    ("business_username_update", {"username": "olaria.do.barro", "status": "approved"}),
    ("business_username_update", {"status": "deleted"}),
    ("message_template_status_update", {"event": "APPROVED", "reason": "NONE"}),
    ("message_template_status_update", {"event": "REJECTED", "reason": "INCORRECT_CATEGORY"}),
    (
        "message_template_status_update",
        {"event": "PAUSED", "reason": None, "other_info": {"title": "FIRST_PAUSE", "description": "For three hours"}},
    ),
    ("message_template_quality_update", {"previous_quality_score": "GREEN", "new_quality_score": "YELLOW"}),
    ("message_template_components_update", {"message_template_element": "Your order {{1}} is ready"}),
    ("template_category_update", {"previous_category": "UTILITY", "new_category": "MARKETING"}),
    ("template_category_update", {"correct_category": "MARKETING", "new_category": "UTILITY"}),
    ("template_correct_category_detection", {"category": "UTILITY", "correct_category": "MARKETING"}),
    (
        "phone_number_name_update",
        {"decision": "APPROVED", "requested_verified_name": "Oficina do Barro", "rejection_reason": None},
    ),
    ("phone_number_quality_update", {"event": "FLAGGED", "current_limit": "TIER_1K", "old_limit": "TIER_10K"}),
    ("phone_number_quality_update", {"event": "THROUGHPUT_UPGRADE", "current_limit": "TIER_UNLIMITED"}),
    ("security", {"event": "PIN_CHANGED", "requester": "800000000000007"}),
    ("security", {"event": "PIN_RESET_REQUEST", "requester": "800000000000007"}),
    (
        "payment_configuration_update",
        {"configuration_name": "cards", "provider_name": "invented-pay", "provider_mid": "m-1", "status": "Active"},
    ),
    ("partner_solutions", {"event": "SOLUTION_UPDATED", "solution_id": "81", "solution_status": "ACTIVE"}),
    (
        "flows",
        {
            "event": "FLOW_STATUS_CHANGE",
            "message": "The flow was published",
            "flow_id": "660000000000001",
            "old_status": "DRAFT",
            "new_status": "PUBLISHED",
        },
    ),
    (
        "flows",
        {
            "event": "ENDPOINT_ERROR_RATE",
            "message": "The endpoint fails too often",
            "flow_id": "660000000000001",
            "error_rate": 14.5,
            "threshold": 10,
            "alert_state": "ACTIVATED",
            "errors": [{"error_type": "TIMEOUT", "error_rate": 100.0, "error_count": 4}],
        },
    ),
)

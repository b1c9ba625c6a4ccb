"""The checks of the number: that it exists, is registered and connected, and how well it stands with Meta."""

from wamcp.doctor.case import Case, complaint
from wamcp.doctor.finding import Said, failed, ok, skipped, warning
from wamcp.phones import digits_of
from wamcp.whatsapp.payload.scalars import string

FIELDS = (
    "display_phone_number,verified_name,quality_rating,code_verification_status,platform_type,status,name_status,"
    "throughput,webhook_configuration"
)
MANAGER = "Meta's WhatsApp Manager > Account tools > Phone numbers"
STANDARD_A_SECOND = 80
_STATES = {
    "PENDING": "the number is not set up to the end",
    "UNVERIFIED": "the number was never verified",
    "DISCONNECTED": "the number is disconnected",
    "BANNED": "the number is banned",
    "RESTRICTED": "the number reached its limit and may not begin conversations",
    "RATE_LIMITED": "the number is limited",
    "FLAGGED": "the number is flagged for its quality",
    "DELETED": "the number is deleted",
    "MIGRATED": "the number moved to another account",
}
_PASSING = ("FLAGGED", "RESTRICTED", "RATE_LIMITED")


def number(case: Case) -> Said:
    """The number exists, and this token sees it."""
    number_id = case.settings.phone_number_id
    if number_id is None:
        return failed("WHATSAPP_PHONE_NUMBER_ID is not set", "run `wamcp setup`, or set it to the id from API Setup")
    reply = case.ask(number_id, fields=FIELDS)
    if reply.error is not None and "nonexisting field" in reply.error.message:
        reply = case.ask(number_id)
    if reply.error is not None and reply.error.code in (33, 100):
        return failed(
            f"{number_id} is no number that this token sees",
            "copy the *Phone number ID* (not the number) from Meta's App Dashboard > WhatsApp > API Setup into "
            "WHATSAPP_PHONE_NUMBER_ID, and give the system user access to its account",
        )
    if not reply.is_fine or reply.data is None:
        return complaint(reply, "the number")
    if string(reply.data.get("display_phone_number")) is None:
        return failed(
            f"{number_id} is something else than a number",
            "copy the *Phone number ID* from Meta's App Dashboard > WhatsApp > API Setup into WHATSAPP_PHONE_NUMBER_ID",
        )
    case.number = reply.data
    name = string(reply.data.get("verified_name")) or "without a name"
    return ok(f"{masked(_fact(case, 'display_phone_number'))}, {name}")


def number_of_waba(case: Case) -> Said:
    """The number belongs to the account that is set."""
    if case.settings.phone_number_id in case.waba_numbers:
        return ok(f"it belongs to account {case.settings.waba_id}")
    theirs = ", ".join(case.waba_numbers[:5]) or "none"
    return failed(
        f"account {case.settings.waba_id} has other numbers: {theirs}",
        "set WHATSAPP_WABA_ID and WHATSAPP_PHONE_NUMBER_ID to the pair that stands in Meta's App Dashboard > WhatsApp "
        "> API Setup",
    )


def registered(case: Case) -> Said:
    """The number is registered with the Cloud API."""
    platform = _fact(case, "platform_type")
    if not platform:
        return skipped("Meta does not tell the number's platform")
    if platform == "CLOUD_API":
        return ok("with the Cloud API")
    register = case.curl(
        f"{case.settings.phone_number_id}/register", " -d messaging_product=whatsapp -d pin=SIX_DIGITS"
    )
    return failed(f"it is not registered with the Cloud API (platform {platform})", f"register it: {register}")


def number_status(case: Case) -> Said:
    """The number is connected."""
    status = _fact(case, "status")
    if not status:
        return skipped("Meta does not tell the number's status")
    if status == "CONNECTED":
        return ok(status)
    words = f"{_STATES.get(status, 'the number is not connected')} ({status})"
    fix = f"see {MANAGER}: it says what is missing, and offers the way out"
    return warning(words, fix) if status in _PASSING else failed(words, fix)


def quality(case: Case) -> Said:
    """People do not complain about the number."""
    rating = _fact(case, "quality_rating")
    fix = f"send less of what people block: see {MANAGER} > Insights for the reasons that they gave"
    if rating == "RED":
        return failed("RED: people block it or report it; Meta lowers its limits", fix)
    if rating == "YELLOW":
        return warning("YELLOW: people begin to block it or to report it", fix)
    return ok(rating if rating == "GREEN" else "not rated yet")


def display_name(case: Case) -> Said:
    """The name under which people see the number is approved."""
    status = _fact(case, "name_status")
    fix = f"choose a name that follows Meta's rules in {MANAGER} > Profile, and wait for the review"
    if status in ("DECLINED", "EXPIRED"):
        return failed(f"Meta does not allow the display name ({status})", fix)
    if status in ("PENDING_REVIEW", "NONE"):
        return warning(f"the display name is not approved yet ({status})", fix)
    return ok(status) if status else skipped("Meta does not tell about the display name")


def throughput(case: Case) -> Said:
    """How fast the number may send, and that WAMCP keeps to it."""
    found = case.number.get("throughput")
    level = string(found.get("level")) if isinstance(found, dict) else None
    rate = case.settings.sends_per_second
    if level == "STANDARD" and rate > STANDARD_A_SECOND:
        return warning(
            f"WAMCP_SENDS_PER_SECOND={rate}, but the number may send {STANDARD_A_SECOND} a second",
            "set WAMCP_SENDS_PER_SECOND=70 and restart",
        )
    return ok(f"{level}; WAMCP sends at most {rate} a second") if level else skipped("Meta does not tell it")


def masked(phone: str) -> str:
    """A phone number as it may be shown: its last four digits."""
    return "****" + digits_of(phone)[-4:]


def _fact(case: Case, name: str) -> str:
    return string(case.number.get(name)) or ""

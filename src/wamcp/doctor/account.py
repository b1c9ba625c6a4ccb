"""The checks of where webhooks go: the account, the apps subscribed to it, the app's callback and what overrides it."""

from typing import Any

from wamcp.doctor.case import CALL_S, Case, complaint, rows_of
from wamcp.doctor.finding import Said, failed, ok, plain_url, skipped, warning
from wamcp.whatsapp.payload.scalars import string

OBJECT = "whatsapp_business_account"
MESSAGE_FIELDS = (
    "messages",
    "calls",
    "smb_message_echoes",
    "history",
    "smb_app_state_sync",
    "standby",
    "messaging_handovers",
    "user_preferences",
    "group_lifecycle_update",
    "group_participants_update",
    "group_settings_update",
    "group_status_update",
    "flows",
)
"""The webhook fields that speak of messages and people, as far as Meta documents that they can be subscribed."""
PAGE = "Meta's App Dashboard > WhatsApp > Configuration"
_UNKNOWN = "nobody knows whether that is here, since PUBLIC_BASE_URL is not set"
_SET_BASE = "set PUBLIC_BASE_URL to how the internet reaches WAMCP, and restart"


def waba(case: Case) -> Said:
    """The WhatsApp Business Account exists, this token sees it, and Meta approved it."""
    waba_id = case.settings.waba_id
    if waba_id is None:
        return failed("WHATSAPP_WABA_ID is not set", "run `wamcp setup`, or set it to the id from API Setup")
    reply = case.ask(waba_id, fields="id,name,account_review_status")
    if reply.error is not None and reply.error.code in (33, 100):
        return failed(
            f"{waba_id} is no WhatsApp Business Account that this token sees",
            "copy the *WhatsApp Business Account ID* from Meta's App Dashboard > WhatsApp > API Setup into "
            "WHATSAPP_WABA_ID, and give the system user access to it in Business settings > Accounts",
        )
    if not reply.is_fine or reply.data is None:
        return complaint(reply, "the account")
    numbers = case.ask(f"{waba_id}/phone_numbers", fields="id", limit="100")
    if not numbers.is_fine:
        return complaint(numbers, "the account's numbers")
    case.waba_numbers = [found for row in rows_of(numbers) if (found := string(row.get("id")))]
    name = string(reply.data.get("name")) or "without a name"
    return _judge_review(name, string(reply.data.get("account_review_status")) or "")


def _judge_review(name: str, review: str) -> Said:
    fix = "see Meta's Business settings > WhatsApp accounts, or Business Support Home: it says what Meta wants"
    if review == "REJECTED":
        return failed(f"{name}: Meta's review rejected it", fix)
    if review in ("PENDING", "DEFERRED"):
        return warning(f"{name}: Meta's review is not done ({review})", fix)
    return ok(f"{name}, {review}" if review else name)


def subscribed(case: Case) -> Said:
    """This app gets the account's webhooks. Without it the callback is verified, but nothing arrives."""
    path = f"{case.settings.waba_id}/subscribed_apps"
    reply = case.ask(path)
    if not reply.is_fine:
        return complaint(reply, "the subscribed apps")
    apps = {}
    for row in rows_of(reply):
        about = row.get("whatsapp_business_api_data")
        app_id = string(about.get("id")) if isinstance(about, dict) else None
        if isinstance(about, dict) and app_id:
            apps[app_id] = string(about.get("name")) or "without a name"
            if app_id == case.app_id:
                case.waba_override = string(row.get("override_callback_uri"))
    if case.app_id in apps:
        others = len(apps) - 1
        return ok(f"app {case.app_id}" + (f", and {others} more" if others else ""))
    shown = ", ".join(f"{app_id} ({name})" for app_id, name in list(apps.items())[:5])
    instead = f"only another app is: {shown}" if apps else "no app is"
    return failed(
        f"app {case.app_id} is not subscribed to account {case.settings.waba_id}; {instead}. Nothing arrives like this",
        f"run `wamcp setup`, or: {case.curl(path)}",
    )


def webhook(case: Case) -> Said:
    """The app has a webhook for WhatsApp, it is active, and leads here."""
    with case.as_app(case.app_secret) as client:
        reply = client.get(f"{case.app_id}/subscriptions", deadline_s=CALL_S)
    if not reply.is_fine:
        return complaint(reply, "the app's webhook")
    row = next((row for row in rows_of(reply) if row.get("object") == OBJECT), None)
    fix = f"run `wamcp setup`, or in {PAGE} enter {case.place.callback or 'the callback URL'} and the verify token"
    if row is None:
        return failed("the app has no webhook for WhatsApp", fix)
    case.fields = names_of(row.get("fields"))
    url = string(row.get("callback_url")) or ""
    if row.get("active") is False:
        return failed("the app's webhook is switched off: Meta gave up on it, or somebody removed it", fix)
    if case.place.callback is None:
        return warning(f"it leads to {plain_url(url)}; {_UNKNOWN}", _SET_BASE)
    if same(url, case.place.callback):
        return ok(f"active, leads to {plain_url(url)}")
    if leads_here(case):
        return warning(f"it leads to {plain_url(url)}; only what is about messages is overridden to come here", fix)
    return failed(f"it leads to {plain_url(url)}, not to {plain_url(case.place.callback)}", fix)


def fields(case: Case) -> Said:
    """The app is told everything that is about messages."""
    fix = f"run `wamcp setup`, or subscribe to them in {PAGE} > Webhook fields"
    if case.fields is None:
        return skipped("there is no webhook whose fields could be looked at")
    missing = [name for name in MESSAGE_FIELDS if name not in case.fields]
    if "messages" in missing:
        return failed("the field messages is not subscribed: nothing arrives", fix)
    if missing:
        return warning(f"these are not subscribed, so their news never arrive: {', '.join(missing)}", fix)
    return ok(f"all {len(MESSAGE_FIELDS)} that are about messages")


def override(case: Case) -> Said:
    """No callback of the number or of the account takes the messages elsewhere."""
    found = overrides(case)
    if not found:
        return ok("none: messages go to the app's webhook")
    wins, url = next(iter(found.items()))
    if case.place.callback is None:
        return warning(f"the callback of the {wins} takes the messages to {plain_url(url)}; {_UNKNOWN}", _SET_BASE)
    if same(url, case.place.callback):
        return ok(f"the callback of the {wins} leads here")
    loses = " and of the ".join(["account", "app"] if wins == "number" else ["app"])
    return failed(
        f"the callback of the {wins} wins over that of the {loses}, and takes the messages to {plain_url(url)}",
        f"if that is not meant: {_remove(case, wins)}",
    )


def overrides(case: Case) -> dict[str, str]:
    """The callbacks that override the app's, by what they belong to; the first wins."""
    configuration = case.number.get("webhook_configuration")
    told: dict[str, Any] = configuration if isinstance(configuration, dict) else {}
    number = string(told.get("phone_number"))
    account = string(told.get("whatsapp_business_account")) or case.waba_override
    return {name: url for name, url in (("number", number), ("account", account)) if url}


def leads_here(case: Case) -> bool:
    """Whether the override that wins, if there is one, is our address."""
    url = next(iter(overrides(case).values()), None)
    return url is not None and case.place.callback is not None and same(url, case.place.callback)


def same(one: str, other: str) -> bool:
    """Whether two callback URLs are the same address."""
    return one.rstrip("/").casefold() == other.rstrip("/").casefold()


def _remove(case: Case, level: str) -> str:
    if level == "number":
        data = """ -H "Content-Type: application/json" -d '{"webhook_configuration":{"override_callback_uri":""}}'"""
        return case.curl(str(case.settings.phone_number_id), data)
    return case.curl(f"{case.settings.waba_id}/subscribed_apps")


def names_of(found: object) -> list[str]:
    """The names of webhook fields, which Meta tells as words or as objects with a name."""
    rows = found if isinstance(found, list) else []
    names = (string(row.get("name")) if isinstance(row, dict) else string(row) for row in rows)
    return [name for name in names if name]

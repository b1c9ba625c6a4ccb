"""What ties an app to the account: subscriptions, callbacks that are verified first, and what a token is."""

import secrets
import time
from typing import Any

import msgspec

from wamcp.simulator.graph.account import FIELDS
from wamcp.simulator.graph.call import MANAGEMENT, Call, app_token
from wamcp.simulator.graph.trouble import Trouble, bad_token, missing, trouble

MAX_CALLBACK = 200
_OBJECT = "whatsapp_business_account"


async def check_callback(call: Call, url: Any, verify_token: Any) -> None:
    """Verifies a callback as Meta does, with a GET that has to answer the challenge; raises ``Trouble``."""
    if not isinstance(url, str) or not url.startswith(("https://", "http://")) or len(url) > MAX_CALLBACK:
        raise trouble(100, f"The callback must be a URL of at most {MAX_CALLBACK} characters.")
    if not isinstance(verify_token, str) or not verify_token:
        raise missing("verify_token")
    challenge = str(secrets.randbelow(10**10))
    if not await call.world.deliveries.challenge(url, verify_token, challenge):
        raise Trouble(
            2200,
            "Callback verification failed with the following errors: HTTP Status Code or challenge did not match. "
            "The URL couldn't be validated. Response does not match challenge.",
        )


async def get_subscribed(call: Call) -> dict[str, Any]:
    """``GET /{waba}/subscribed_apps``."""
    call.authorize(MANAGEMENT)
    account = call.world.account
    rows = []
    for app_id in account.waba.subscribed_apps:
        about = {"whatsapp_business_api_data": {"id": app_id, "name": account.token.application, "link": ""}}
        if account.waba.override_callback_uri and app_id == account.app_id:
            about["override_callback_uri"] = account.waba.override_callback_uri  # type: ignore[assignment]
        rows.append(about)
    return {"data": rows}


async def subscribe(call: Call) -> dict[str, Any]:
    """``POST /{waba}/subscribed_apps``: subscribes the token's app; an override is verified first."""
    call.authorize(MANAGEMENT)
    account = call.world.account
    url = call.parameter("override_callback_uri")
    if url:
        await check_callback(call, url, call.parameter("verify_token"))
    apps = list(dict.fromkeys([*account.waba.subscribed_apps, account.token.app_id]))
    call.world.set_account({"waba": {"subscribed_apps": apps, "override_callback_uri": url or None}})
    return {"success": True}


async def unsubscribe(call: Call) -> dict[str, Any]:
    """``DELETE /{waba}/subscribed_apps``: the token's app gets nothing any more."""
    call.authorize(MANAGEMENT)
    account = call.world.account
    apps = [each for each in account.waba.subscribed_apps if each != account.token.app_id]
    call.world.set_account({"waba": {"subscribed_apps": apps, "override_callback_uri": None}})
    return {"success": True}


async def get_subscriptions(call: Call) -> dict[str, Any]:
    """``GET /{app}/subscriptions``, with the app access token."""
    _needs_app_token(call)
    callback = call.world.account.callback
    if callback.url is None:
        return {"data": []}
    fields = [{"name": name, "version": call.world.account.newest_version} for name in callback.fields]
    row = {"object": _OBJECT, "callback_url": callback.url, "active": callback.active, "fields": fields}
    return {"data": [row]}


async def set_subscription(call: Call) -> dict[str, Any]:
    """``POST /{app}/subscriptions``: the app's callback and fields; the callback is verified first."""
    _needs_app_token(call)
    if call.parameter("object") != _OBJECT:
        raise trouble(100, f"object must be {_OBJECT}.")
    url = call.parameter("callback_url")
    await check_callback(call, url, call.parameter("verify_token"))
    fields = call.parameter("fields") or []
    names = fields.split(",") if isinstance(fields, str) else fields
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise trouble(100, "fields must be a list of names of webhook fields.")
    call.world.set_account({"callback": {"url": url, "fields": names or list(FIELDS), "active": True}})
    return {"success": True}


async def debug_token(call: Call) -> dict[str, Any]:
    """``GET /debug_token?input_token=...``: what the token is good for, and until when."""
    account = call.world.account
    state = call.token_state()
    if state not in ("app", "valid"):
        _complain_of(call)
    asked = call.parameter("input_token")
    if not asked:
        raise Trouble(100, "The parameter input_token is required.")
    if asked != account.access_token:
        error = {"code": 190, "message": "Malformed access token"}
        return {"data": {"error": error, "is_valid": False, "scopes": []}}
    token = account.token
    facts: dict[str, Any] = msgspec.to_builtins(token)
    if token.expired():
        at = time.strftime("%A, %d-%b-%y %H:%M:%S PST", time.gmtime(token.expires_at))
        words = f"Error validating access token: Session has expired on {at}."
        facts |= {"is_valid": False, "error": {"code": 190, "message": words, "subcode": 463}}
    return {"data": facts}


def _needs_app_token(call: Call) -> None:
    if call.token_state() != "app":
        _complain_of(call)


def _complain_of(call: Call) -> None:
    """Raises what Meta says of a token that is not the app's: a wrong app secret is told as such."""
    token = call.token or ""
    if "|" in token and token != app_token(call.world):
        app_id = token.split("|")[0]
        if app_id == call.world.account.app_id:
            raise Trouble(190, "Invalid OAuth access token signature.", plain=True)
        raise Trouble(101, "Error validating application. Cannot get application info due to a system error.")
    if call.token_state() == "valid":
        raise Trouble(15, "This method must be called with an app access_token.")
    if call.token_state() == "expired":
        raise bad_token("Error validating access token: Session has expired.", 463)
    raise bad_token()

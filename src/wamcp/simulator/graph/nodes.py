"""The nodes of the Graph API that describe the account: numbers, the WABA and its templates."""

from typing import Any

import msgspec
import phonenumbers

from wamcp.simulator.graph.account import Number
from wamcp.simulator.graph.apps import check_callback
from wamcp.simulator.graph.call import MANAGEMENT, Call
from wamcp.simulator.graph.trouble import Trouble, no_object
from wamcp.simulator.graph.validate import digits

_NUMBER = ("id", "display_phone_number", "verified_name", "quality_rating", "code_verification_status")
_WABA = ("id", "name", "currency", "timezone_id", "message_template_namespace")


async def get_number(call: Call) -> dict[str, Any]:
    """``GET /{number}``: the fields that were asked for, or Meta's usual ones."""
    call.authorize(MANAGEMENT)
    return _fields(call, _number(call, call.node), _NUMBER)


async def post_number(call: Call) -> dict[str, Any]:
    """``POST /{number}``: sets or clears the number's own callback."""
    call.authorize(MANAGEMENT)
    wanted = call.parameter("webhook_configuration")
    if not isinstance(wanted, dict):
        raise Trouble(100, "The parameter webhook_configuration is required: nothing else is emulated here.")
    url = wanted.get("override_callback_uri") or None
    if url is not None:
        await check_callback(call, url, wanted.get("verify_token"))
    call.world.set_account({"numbers": {call.node: {"override_callback_uri": url}}})
    return {"success": True}


async def get_waba(call: Call) -> dict[str, Any]:
    """``GET /{waba}``."""
    call.authorize(MANAGEMENT)
    return _fields(call, msgspec.to_builtins(call.world.account.waba), _WABA)


async def get_numbers(call: Call) -> dict[str, Any]:
    """``GET /{waba}/phone_numbers``."""
    call.authorize(MANAGEMENT)
    return _paged([_fields(call, _number(call, each), _NUMBER) for each in call.world.account.numbers])


async def get_templates(call: Call) -> dict[str, Any]:
    """``GET /{waba}/message_templates``; ``name``, ``status`` and ``language`` narrow it."""
    call.authorize(MANAGEMENT)
    wanted = {key: call.query[key] for key in ("name", "status", "language", "category") if key in call.query}
    found = [msgspec.to_builtins(template) for template in call.world.account.templates]
    return _paged([each for each in found if all(each[key] == value for key, value in wanted.items())])


def spaced(number: str) -> str:
    """A phone number as the Graph API writes it, with plus sign and blanks; webhooks write its digits alone."""
    try:
        parsed = phonenumbers.parse("+" + digits(number), None)
    except phonenumbers.NumberParseException:
        return number
    written: str = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    return written


def _number(call: Call, number_id: str) -> dict[str, Any]:
    account = call.world.account
    number: Number | None = account.numbers.get(number_id)
    if number is None:
        raise no_object(number_id, call.method)
    urls = {
        "phone_number": number.override_callback_uri,
        "whatsapp_business_account": account.waba.override_callback_uri,
        "application": account.callback.url,
    }
    facts: dict[str, Any] = msgspec.to_builtins(number)
    del facts["override_callback_uri"]
    facts["display_phone_number"] = spaced(number.display_phone_number)
    configuration = {level: url for level, url in urls.items() if url is not None}
    return {"id": number_id, **facts, "webhook_configuration": configuration}


def _fields(call: Call, facts: dict[str, Any], usual: tuple[str, ...]) -> dict[str, Any]:
    asked = call.query.get("fields")
    if not asked:
        return {key: facts[key] for key in usual if key in facts}
    names = [name.split("{")[0].strip() for name in asked.split(",") if name.strip()]
    for name in names:
        if name not in facts:
            raise Trouble(100, f"Tried accessing nonexisting field ({name}) on node type (WhatsAppBusinessNode)")
    return {"id": facts["id"], **{name: facts[name] for name in names if facts[name] is not None}}


def _paged(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"data": rows, "paging": {"cursors": {"before": "MAZDZD", "after": "MjQZD"}}}

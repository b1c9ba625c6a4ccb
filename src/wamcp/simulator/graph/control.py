"""``/_simulator/...``: a test or a person looks at the simulator, changes it, and lets customers write."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from wamcp.errors import Rejected
from wamcp.simulator import bodies
from wamcp.simulator.bodies import Number
from wamcp.simulator.graph import media_routes
from wamcp.simulator.graph.call import Call
from wamcp.simulator.graph.validate import BSUID, digits
from wamcp.simulator.graph.webhooks import callback_of

PREFIX = "/_simulator/"
Item = dict[str, Any]


async def answer(call: Call) -> Item:
    """Answers a control request; raises ``Rejected`` with a sentence, or ``Trouble`` for media."""
    handler = _ROUTES.get((call.method, call.path.removeprefix(PREFIX).strip("/")))
    if handler is None:
        known = ", ".join(f"{method} {PREFIX}{name}" for method, name in _ROUTES)
        raise Rejected(f"There is no {call.method} {call.path}; there are {known}.")
    return await handler(call)


async def _wire(call: Call) -> Item:
    since = call.query.get("since", "0")
    if not since.isdecimal():
        raise Rejected("since is the number `n` of an entry.")
    return {"entries": call.world.wire.since(int(since))}


async def _forget(call: Call) -> Item:
    call.world.wire.clear()
    return {"success": True}


async def _script(call: Call) -> Item:
    call.world.set_script(_json(call))
    return {"success": True}


async def _account(call: Call) -> Item:
    call.world.set_account(_json(call))
    return {"success": True}


async def _messages(call: Call) -> Item:
    return {"messages": list(call.world.messages.values())}


async def _verify(call: Call) -> Item:
    account = call.world.account
    if account.callback.url is None:
        raise Rejected("There is no webhook URL: start with --webhook-url, or set account.callback.url.")
    fine = await call.world.deliveries.challenge(account.callback.url, account.verify_token, "1158201444")
    return {"verified": fine}


async def _receive(call: Call) -> Item:
    wanted = _json(call)
    if not isinstance(wanted, dict):
        raise Rejected("A message is a JSON object with from or user_id, and text or message.")
    world, account = call.world, call.world.account
    number_id = str(wanted.get("phone_number_id") or next(iter(account.numbers), "None"))
    if number_id not in account.numbers:
        raise Rejected(f"phone_number_id {number_id} is none of the account's numbers.")
    phone, user_id = _who(wanted)
    person = world.people.who_writes(phone, user_id, wanted.get("name"))
    item = _message(call, wanted)
    if item["type"] not in ("system", "reaction", "unsupported"):
        person.wrote[number_id] = time.time()
    customer = person.customer(phone=phone is not None)
    number = Number(number_id, digits(account.numbers[number_id].display_phone_number))
    value = bodies.about(
        number, {"contacts": [bodies.contact(customer)], "messages": [{**bodies.sender(customer), **item}]}
    )
    body = bodies.written({"id": account.waba.id, "changes": [{"value": value, "field": "messages"}]})
    url = callback_of(account, number_id, "messages")
    status = await world.deliveries.deliver(account, url, body, {"wamid": item["id"], "about": "message"})
    return {"wamid": item["id"], "status": status}


def _who(wanted: Item) -> tuple[str | None, str | None]:
    phone, user_id = wanted.get("from"), wanted.get("user_id")
    if not phone and not user_id:
        raise Rejected("Say who writes: from (a phone number), user_id (a BSUID), or both.")
    if user_id is not None and (not isinstance(user_id, str) or not BSUID.fullmatch(user_id)):
        raise Rejected("user_id is a BSUID such as US.13491208655302741918.")
    if phone and (not isinstance(phone, str) or not digits(phone)):
        raise Rejected("from is a phone number, as a string.")
    return (digits(phone) if phone else None), user_id


def _message(call: Call, wanted: Item) -> Item:
    stamped = {"id": call.world.new_wamid(), "timestamp": str(int(time.time() + call.world.account.clock_offset_s))}
    if isinstance(wanted.get("message"), dict):
        item = {**stamped, **wanted["message"]}
        if not isinstance(item.get("type"), str):
            raise Rejected("message needs its type, as in a webhook of Meta's.")
        return item
    if not isinstance(wanted.get("text"), str):
        raise Rejected("Say what is written: text, or message as in a webhook of Meta's.")
    return {**stamped, "type": "text", "text": {"body": wanted["text"]}}


def _json(call: Call) -> Any:
    if call.body is None or isinstance(call.body, bytes):
        raise Rejected("The body has to be JSON.")
    return call.body


_ROUTES: dict[tuple[str, str], Callable[[Call], Awaitable[Item]]] = {
    ("GET", "wire"): _wire,
    ("DELETE", "wire"): _forget,
    ("PUT", "script"): _script,
    ("PUT", "account"): _account,
    ("GET", "messages"): _messages,
    ("POST", "receive"): _receive,
    ("POST", "media"): media_routes.put_in,
    ("POST", "verify"): _verify,
}

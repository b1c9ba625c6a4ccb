"""What follows a message that was accepted: its statuses, each in a webhook of its own."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from wamcp.simulator import bodies
from wamcp.simulator.bodies import Item, Number
from wamcp.simulator.graph.people import Person
from wamcp.simulator.graph.trouble import TITLES
from wamcp.simulator.graph.validate import digits
from wamcp.simulator.graph.webhooks import callback_of
from wamcp.simulator.graph.world import World

EARLY_S = 3.0
"""So long an answer waits for the status that is to come before it."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that was accepted. ``by_phone`` is whether it was addressed to a phone number, ``failure`` the code
    with which it will fail."""

    wamid: str
    number_id: str
    person: Person | None
    by_phone: bool
    group_id: str | None
    kind: str
    category: str
    opaque: str | None
    failure: int | None = None


async def follow(world: World, sent: Sent, *, first_only: bool = False, skip_first: bool = False) -> None:
    """Posts the statuses of ``sent``, with their pauses; ``first_only`` and ``skip_first`` split them in two."""
    settings = world.account.statuses
    names = _names(world, sent)
    names = names[:1] if first_only else names[1:] if skip_first else names
    if settings.out_of_order:
        names = names[::-1]
    low, high = settings.delay_ms
    for name in names:
        if not first_only:
            await asyncio.sleep((low + (high - low) * world.chance()) / 1000)
        for _ in range(2 if settings.twice else 1):
            delivery = _post(world, sent, name)
            if first_only:
                await asyncio.wait({delivery}, timeout=EARLY_S)


def _post(world: World, sent: Sent, name: str) -> asyncio.Task[int]:
    account = world.account
    body = status_body(world, sent, name)
    record = world.messages.get(sent.wamid)
    if record is not None:
        record["statuses"].append(name)
    url = callback_of(account, sent.number_id, "messages")
    return world.deliveries.start(world.deliveries.deliver(account, url, body, {"wamid": sent.wamid, "about": name}))


def status_body(world: World, sent: Sent, name: str) -> bytes:
    """The webhook that tells status ``name`` of ``sent``, in the shape of Meta's."""
    account = world.account
    number = Number(sent.number_id, digits(account.numbers[sent.number_id].display_phone_number))
    item: Item = {"id": sent.wamid, "status": name, "timestamp": str(int(time.time() + account.clock_offset_s))}
    item |= _reached(sent, name)
    if sent.opaque is not None:
        item["biz_opaque_callback_data"] = sent.opaque
    if name == "sent":
        kind = "free_customer_service" if sent.category == "service" else "regular"
        item["pricing"] = {
            "billable": kind == "regular", "pricing_model": "PMP", "category": sent.category, "type": kind,
        }  # fmt: skip
    if name == "failed" and sent.failure is not None:
        title = TITLES.get(sent.failure, "Something went wrong")
        href = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/"
        item["errors"] = [bodies.error(sent.failure, title, f"{title}.") | {"href": href}]
    contacts: Item = {}
    if sent.person is not None and name != "failed":
        contacts = {"contacts": [bodies.contact(sent.person.customer())]}
    value = bodies.about(number, {**contacts, "statuses": [item]})
    return bodies.written({"id": account.waba.id, "changes": [{"value": value, "field": "messages"}]})


def _names(world: World, sent: Sent) -> list[str]:
    settings = world.account.statuses
    if settings.none:
        return []
    if sent.failure is not None:
        return ["failed"]
    if sent.kind == "reaction":
        return ["sent"]
    return ["sent", "delivered", "read"] if world.chance() < float(settings.read) else ["sent", "delivered"]


def _reached(sent: Sent, name: str) -> dict[str, Any]:
    if sent.group_id is not None:
        return {"recipient_id": sent.group_id, "recipient_type": "group"}
    if sent.person is None:
        return {}
    reached = bodies.reached(sent.person.customer())
    if name == "failed":
        reached.pop("recipient_user_id" if sent.by_phone else "recipient_id", None)
    return reached

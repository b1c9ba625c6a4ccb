"""The bytes that Meta would send: items put into an envelope and written as Meta writes JSON."""

import base64
import json
import random
from dataclasses import dataclass
from typing import Any

WABA_ID = "900000000000001"

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Number:
    """One of the numbers of the invented company."""

    phone_number_id: str
    display: str


@dataclass(frozen=True, slots=True)
class Customer:
    """An invented person; without ``wa_id`` he is known by his username alone."""

    name: str
    bsuid: str
    wa_id: str | None
    username: str | None = None


SHOP = Number("700000000000001", "15550100001")
WORKSHOP = Number("700000000000002", "15550100002")


def wamid(rng: random.Random) -> str:
    """A fresh message id of Meta's look."""
    return "wamid." + base64.b64encode(b"\x1d\x0b" + rng.randbytes(36)).decode("ascii")


def inbound(customer: Customer, number: Number, item: Item) -> bytes:
    """A message of ``customer``; ``item`` has id, timestamp, type and content."""
    sender = _named(("from", customer.wa_id), ("from_user_id", customer.bsuid))
    return _body("messages", number, {"contacts": [_contact(customer)], "messages": [{**sender, **item}]})


def echo(customer: Customer, number: Number, item: Item) -> bytes:
    """A message that the company wrote to ``customer`` on its phone."""
    ends = {"from": number.display, **_named(("to", customer.wa_id), ("to_user_id", customer.bsuid))}
    return _body("smb_message_echoes", number, {"message_echoes": [{**ends, **item}]})


def statuses(customer: Customer, number: Number, *items: Item) -> bytes:
    """Statuses of messages to ``customer``; each item has id, status and timestamp."""
    recipient = _named(("recipient_id", customer.wa_id), ("recipient_user_id", customer.bsuid))
    failed = any(item["status"] == "failed" for item in items)
    contacts = {} if failed else {"contacts": [_contact(customer)]}
    return _body("messages", number, {**contacts, "statuses": [{**item, **recipient} for item in items]})


def status(message_id: str, name: str, at: int) -> Item:
    """One status; a sent one carries its price, a failed one its error."""
    item: Item = {"id": message_id, "status": name, "timestamp": str(at)}
    if name == "sent":
        item["pricing"] = {"billable": False, "pricing_model": "PMP", "category": "service", "type": "regular"}
    if name == "failed":
        item["errors"] = [
            {
                "code": 131026,
                "title": "Message undeliverable",
                "message": "Message undeliverable",
                "error_data": {"details": "Message Undeliverable."},
            }
        ]
    return item


def account_update(at: int) -> bytes:
    """A change of a field that carries no messages."""
    value = {"event": "VERIFIED_ACCOUNT", "phone_number": SHOP.display}
    entry = {"id": WABA_ID, "time": at, "changes": [{"value": value, "field": "account_update"}]}
    return _written({"object": "whatsapp_business_account", "entry": [entry]})


def _body(field: str, number: Number, content: Item) -> bytes:
    metadata = {"display_phone_number": number.display, "phone_number_id": number.phone_number_id}
    value = {"messaging_product": "whatsapp", "metadata": metadata, **content}
    entry = {"id": WABA_ID, "changes": [{"value": value, "field": field}]}
    return _written({"object": "whatsapp_business_account", "entry": [entry]})


def _contact(customer: Customer) -> Item:
    profile = _named(("name", customer.name), ("username", customer.username))
    return {"profile": profile, **_named(("wa_id", customer.wa_id), ("user_id", customer.bsuid))}


def _named(*pairs: tuple[str, str | None]) -> Item:
    return {key: value for key, value in pairs if value is not None}


def _written(value: Item) -> bytes:
    """Meta escapes everything beyond ASCII, and the slash."""
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/").encode("ascii")

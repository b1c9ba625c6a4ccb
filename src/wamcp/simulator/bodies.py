"""The bytes that Meta would send: items put into an envelope and written as Meta writes JSON."""

import base64
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

WABA_ID = "900000000000001"
MIDNIGHT = 1_795_046_400
"""2026-11-19 00:00 UTC, when it happens unless another time is asked for."""

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Number:
    """One of the numbers of the invented company."""

    phone_number_id: str
    display: str


@dataclass(frozen=True, slots=True)
class Customer:
    """An invented person; without ``wa_id`` he is known by his username, without ``bsuid`` by his number alone."""

    name: str
    bsuid: str | None
    wa_id: str | None
    username: str | None = None
    parent_bsuid: str | None = None


SHOP = Number("700000000000001", "15550100001")
WORKSHOP = Number("700000000000002", "15550100002")


def wamid(rng: random.Random) -> str:
    """A fresh message id of Meta's look."""
    return "wamid." + base64.b64encode(b"\x1d\x0b" + rng.randbytes(36)).decode("ascii")


def inbound(customer: Customer, number: Number, item: Item) -> bytes:
    """A message of ``customer``; ``item`` has id, timestamp, type and content."""
    return _body("messages", number, {"contacts": [contact(customer)], "messages": [{**sender(customer), **item}]})


def echo(customer: Customer, number: Number, item: Item) -> bytes:
    """A message that the company wrote to ``customer`` on its phone."""
    ends = {"from": number.display, **recipient(customer)}
    return _body("smb_message_echoes", number, {"message_echoes": [{**ends, **item}]})


def statuses(customer: Customer, number: Number, *items: Item) -> bytes:
    """Statuses of messages to ``customer``; each item has id, status and timestamp."""
    failed = any(item["status"] == "failed" for item in items)
    contacts = {} if failed else {"contacts": [contact(customer)]}
    return _body("messages", number, {**contacts, "statuses": [{**item, **reached(customer)} for item in items]})


def in_group(customer: Customer, number: Number, group_id: str, item: Item) -> bytes:
    """A message that ``customer`` wrote in a group of the company's."""
    message = {**sender(customer), "group_id": group_id, **item}
    return _body("messages", number, {"contacts": [contact(customer)], "messages": [message]})


def to_group(number: Number, group_id: str, item: Item) -> bytes:
    """A message that the company wrote in a group."""
    return _body(
        "smb_message_echoes", number, {"message_echoes": [{"from": number.display, "group_id": group_id, **item}]}
    )


def group_statuses(number: Number, group_id: str, item: Item, members: Sequence[Customer | None]) -> bytes:
    """A status of a message to a group, once for each of ``members``; None for the group as a whole."""
    told = {**item, "recipient_id": group_id, "recipient_type": "group"}
    return _body("messages", number, {"statuses": [{**told, **_member(member)} for member in members]})


def group_created(number: Number, group_id: str, subject: str, members: list[Customer], at: int) -> bytes:
    """The company opened a group."""
    group = {
        "timestamp": str(at),
        "group_id": group_id,
        "type": "group_create",
        "request_id": group_id[-12:],
        "subject": subject,
        "added_participants": [participant(member) for member in members],
    }
    return _body("group_lifecycle_update", number, {"groups": [group]})


def sender(customer: Customer) -> Item:
    """Who a message is from."""
    return named(
        ("from", customer.wa_id), ("from_user_id", customer.bsuid), ("from_parent_user_id", customer.parent_bsuid)
    )


def recipient(customer: Customer) -> Item:
    """Whom an echo is for."""
    return named(("to", customer.wa_id), ("to_user_id", customer.bsuid), ("to_parent_user_id", customer.parent_bsuid))


def reached(customer: Customer) -> Item:
    """Whom a status is about."""
    return named(
        ("recipient_id", customer.wa_id),
        ("recipient_user_id", customer.bsuid),
        ("recipient_parent_user_id", customer.parent_bsuid),
    )


def contact(customer: Customer) -> Item:
    """The entry of ``contacts[]`` beside a message."""
    profile = named(("name", customer.name), ("username", customer.username))
    return {"profile": profile, **participant(customer)}


def participant(customer: Customer) -> Item:
    """How groups, preferences and contacts name somebody."""
    return named(("wa_id", customer.wa_id), ("user_id", customer.bsuid), ("parent_user_id", customer.parent_bsuid))


def status(message_id: str, name: str, at: int) -> Item:
    """One status; a sent one carries its price, a failed one its error."""
    item: Item = {"id": message_id, "status": name, "timestamp": str(at)}
    if name == "sent":
        item["pricing"] = {"billable": False, "pricing_model": "PMP", "category": "service", "type": "regular"}
    if name == "failed":
        item["errors"] = [error(131026, "Message undeliverable", "Message Undeliverable.")]
    return item


def error(code: int, title: str, details: str) -> Item:
    """An error as Meta describes one."""
    return {"code": code, "title": title, "message": title, "error_data": {"details": details}}


def account_update(at: int) -> bytes:
    """A change of a field that carries no messages."""
    value = {"event": "VERIFIED_ACCOUNT", "phone_number": SHOP.display}
    return written({"id": WABA_ID, "time": at, "changes": [{"value": value, "field": "account_update"}]})


def about(number: Number, content: Item) -> Item:
    """The ``value`` of a change that names one of our numbers."""
    metadata = {"display_phone_number": number.display, "phone_number_id": number.phone_number_id}
    return {"messaging_product": "whatsapp", "metadata": metadata, **content}


def named(*pairs: tuple[str, str | None]) -> Item:
    """The pairs that have a value."""
    return {key: value for key, value in pairs if value is not None}


def written(*entries: Item) -> bytes:
    """One POST of ``entries``; Meta escapes everything beyond ASCII, and the slash."""
    body = {"object": "whatsapp_business_account", "entry": entries}
    return json.dumps(body, separators=(",", ":")).replace("/", "\\/").encode("ascii")


def _member(customer: Customer | None) -> Item:
    if customer is None:
        return {}
    return named(("recipient_participant_id", customer.wa_id), ("recipient_participant_user_id", customer.bsuid))


def _body(field: str, number: Number, content: Item) -> bytes:
    return written({"id": WABA_ID, "changes": [{"value": about(number, content), "field": field}]})

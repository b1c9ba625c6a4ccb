"""Webhook bodies for tests, built from plain words; people and numbers are invented."""

import json
from typing import Any

OFFICE = "106540352240001"
SHOP = "106540352240002"
ACCOUNT = "215589313240001"


def event(*changes: dict[str, Any], account: str = ACCOUNT) -> bytes:
    """The body of one POST with these changes."""
    entry = {"id": account, "changes": list(changes)}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


def change(number: str = OFFICE, *, field: str = "messages", **value: Any) -> dict[str, Any]:
    """One change of ``field`` about one of our numbers."""
    metadata = {"display_phone_number": "15550100" + number[-2:], "phone_number_id": number}
    return {"field": field, "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}


def contact(wa_id: str | None = None, name: str | None = None, **more: Any) -> dict[str, Any]:
    """An entry of contacts[]."""
    profile = {"name": name} if name is not None else {}
    return {"profile": profile, **({"wa_id": wa_id} if wa_id else {}), **more}


def text(
    wamid: str, words: str, *, sender: str | None = "15550100101", at: int = 1_770_000_000, **more: Any
) -> dict[str, Any]:
    """A text message."""
    who = {"from": sender} if sender else {}
    return {"id": wamid, "timestamp": str(at), "type": "text", "text": {"body": words}, **who, **more}


def status(wamid: str, name: str, *, at: int = 1_770_000_000, to: str = "15550100101", **more: Any) -> dict[str, Any]:
    """A status of a message of ours."""
    return {"id": wamid, "status": name, "timestamp": str(at), "recipient_id": to, **more}


def message_event(
    wamid: str, words: str, *, sender: str = "15550100101", name: str = "Ana Prado", **more: Any
) -> bytes:
    """The body of the commonest POST: one person's one message."""
    number = more.pop("number", OFFICE)
    return event(change(number, contacts=[contact(sender, name)], messages=[text(wamid, words, sender=sender, **more)]))

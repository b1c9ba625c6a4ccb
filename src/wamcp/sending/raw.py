"""A send that Meta took, written as a raw event in the shape of a webhook: from it the archive learns the message."""

import json
from typing import Any

from wamcp.db.sends import SendRow
from wamcp.db.windows import OurNumber
from wamcp.vocabulary import SENDS_FIELD, RecipientKind
from wamcp.whatsapp.payload.shapes import OBJECT


def raw_event(send: SendRow, number: OurNumber, *, wa_id: str | None = None, user_id: str | None = None) -> bytes:
    """The bytes of the event. ``wa_id`` and ``user_id`` are what Meta calls the recipient, where it told."""
    item: dict[str, Any] = {"id": send.wamid, "timestamp": str(int(_sent_at(send))), "message": send.body}
    if send.recipient_kind == RecipientKind.PHONE:
        item["to"] = wa_id or send.recipient
        if user_id:
            item["to_user_id"] = user_id
    elif send.recipient_kind == RecipientKind.BSUID:
        item["to_user_id"] = send.recipient
        if wa_id:
            item["to"] = wa_id
    metadata = {"phone_number_id": send.phone_number_id}
    if number.display_phone_number:
        metadata["display_phone_number"] = number.display_phone_number
    value = {"messaging_product": "whatsapp", "metadata": metadata, "message_echoes": [item]}
    change = {"field": SENDS_FIELD, "value": value}
    event = {"object": OBJECT, "entry": [{"id": number.waba_id or "", "changes": [change]}]}
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def _sent_at(send: SendRow) -> float:
    return (send.called_at or send.asked_at).timestamp()

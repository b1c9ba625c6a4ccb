"""Telling people that their message was read, and that somebody is writing an answer."""

from typing import Any

from wamcp.whatsapp.outgoing.envelope import wamid


def read_body(message_id: str, typing: bool = False) -> dict[str, Any]:
    """The whole body that marks ``message_id``, and what came before it, as read.

    With ``typing`` WhatsApp shows for at most 25 seconds that we are writing. Raises :class:`NotSendable`.
    """
    body: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "status": "read",
        "message_id": wamid("message_id", message_id),
    }
    if typing:
        body["typing_indicator"] = {"type": "text"}
    return body

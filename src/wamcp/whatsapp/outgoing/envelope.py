"""The outer JSON of every message that is sent: to whom, what type, in answer to what."""

from typing import Any

from wamcp.vocabulary import RecipientKind
from wamcp.whatsapp.outgoing.limits import reference, transportable
from wamcp.whatsapp.outgoing.recipient import BSUID, To


def message(to: To, kind: str, part: dict[str, Any] | list[Any], reply_to: str | None = None) -> dict[str, Any]:
    """The body of Meta's Send API for one message whose part for its type ``kind`` is ``part``.

    ``reply_to`` is the wamid that it quotes. Raises :class:`NotSendable` for what JSON or our tables cannot hold.
    """
    transportable(kind, part)
    body = {"messaging_product": "whatsapp", **_address(to), "type": kind, kind: part}
    if reply_to is not None:
        body["context"] = {"message_id": wamid("reply_to", reply_to)}
    return body


def wamid(field: str, written: str) -> str:
    """A message id of Meta's that can be one. Raises :class:`NotSendable`."""
    return reference(field, written, "a message id of Meta's (wamid...)")


def _address(to: To) -> dict[str, str]:
    if to.kind == RecipientKind.BSUID:
        return {"recipient_type": "individual", "recipient": to.value}
    # In `to`, Meta takes the digits of a BSUID for a phone number, says 200, and delivers nothing.
    if BSUID.fullmatch(to.value):
        raise ValueError("a BSUID belongs into `recipient`")
    if to.kind == RecipientKind.GROUP:
        return {"recipient_type": "group", "to": to.value}
    # Without the plus sign Meta may put the country code of our own number before it.
    return {"recipient_type": "individual", "to": "+" + to.value}

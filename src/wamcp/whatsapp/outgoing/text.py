"""Plain text, the message that most people mean."""

from typing import Any

from wamcp.whatsapp.outgoing.limits import words

MAX_BODY = 4096


def text_part(body: str, preview_url: bool = False) -> dict[str, Any]:
    """``text``: at most 4,096 characters; with ``preview_url`` its first link is shown. Raises :class:`NotSendable`."""
    words("body", body, MAX_BODY, advice="shorten it or send two messages")
    return {"body": body, "preview_url": preview_url}

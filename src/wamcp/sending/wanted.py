"""What somebody asks to be sent, and what he is told about it."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from wamcp.vocabulary import RecipientKind, SendOrigin


@dataclass(frozen=True, slots=True)
class Recipient:
    """To whom: ``value`` is the digits of a phone number, a BSUID, or a group id."""

    kind: RecipientKind
    value: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """One message to be sent.

    ``body`` is the whole JSON of Meta's Send API without ``biz_opaque_callback_data``; ``sender`` names our number by
    Meta's id or by its digits, None for the only one or the configured one. ``media_row_id`` is a row of ``media``
    whose file is uploaded to Meta first; its id is then put into the body's part for the type.
    """

    recipient: Recipient
    type: str
    body: dict[str, Any]
    sender: str | None = None
    media_row_id: int | None = None
    idempotency_key: str | None = None
    require_open_window: bool = False
    asked_by: str = ""
    origin: SendOrigin = SendOrigin.API

    def fingerprint(self) -> bytes:
        """A SHA-256 of what is asked, by which a repeated request is told from another one under the same key."""
        asked = [self.body, self.sender, self.media_row_id, self.require_open_window]
        return hashlib.sha256(json.dumps(asked, sort_keys=True, ensure_ascii=False).encode()).digest()

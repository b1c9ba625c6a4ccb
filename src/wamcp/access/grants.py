"""What a credential lets its bearer see and do: which numbers, since when, how much of it."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from wamcp.vocabulary import Actor, TokenScope


@dataclass(frozen=True, slots=True)
class Grant:
    """One bearer's rights. ``numbers`` holds Meta's phone number ids, None for all; ``since`` is UTC, None for ever.

    ``key`` is secret to the bearer's credential and signs the cursors that are handed out to it.
    """

    actor: Actor
    label: str
    key: bytes
    token_id: int | None = None
    numbers: frozenset[str] | None = None
    since: datetime | None = None
    documents: bool = True
    media: bool = True
    phones: bool = True
    scopes: frozenset[str] = frozenset(TokenScope)


def admin_grant(admin_api_key: str) -> Grant:
    """The rights of the bootstrap key: everything."""
    key = hashlib.sha256(b"cursor " + admin_api_key.encode()).digest()
    return Grant(actor=Actor.ADMIN_API, label="ADMIN_API_KEY", key=key)

"""The ground truth beside the bytes: what an invented webhook says, as a test can compare it with an archive."""

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple

from wamcp.vocabulary import Direction, Standing


class SaidMessage(NamedTuple):
    """One message. ``customer`` is the key of the other party, None for what we write to a group.

    ``text`` is stated for texts and for edits to a text alone; ``sent_at`` is unix seconds. Of several with one wamid
    the highest ``standing`` is what an archive shall hold, the first among equals.
    """

    phone_number_id: str
    wamid: str
    type: str
    direction: Direction
    sent_at: int
    customer: int | None
    text: str | None = None
    group_id: str | None = None
    reply_to: str | None = None
    refers_to: str | None = None
    standing: Standing = Standing.MESSAGE


class SaidStatus(NamedTuple):
    """One status; ``participant`` is the member of a group, ``kind`` empty for how far a message came."""

    phone_number_id: str
    wamid: str
    status: str
    at: int
    participant: str = ""
    kind: str = ""


class SaidPerson(NamedTuple):
    """Identifiers by which a customer was named together: pairs of a kind (``AliasKind``) and a value."""

    customer: int
    identifiers: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Said:
    """One webhook and all that it says; ``malformed`` counts items that nobody could understand.

    ``account`` holds the fields of changes that are account events: all without messages and statuses, and calls, which
    are both. ``again`` says that everything in it was said before.
    """

    body: bytes
    messages: tuple[SaidMessage, ...] = ()
    statuses: tuple[SaidStatus, ...] = ()
    people: tuple[SaidPerson, ...] = ()
    account: tuple[str, ...] = ()
    malformed: int = 0
    again: bool = False


@dataclass(slots=True)
class Change:
    """A change before it is written, with its truth; ``at`` is the time of its entry, for fields that have one."""

    field: str
    value: dict[str, Any]
    at: int | None = None
    messages: list[SaidMessage] = dataclasses.field(default_factory=list)
    statuses: list[SaidStatus] = dataclasses.field(default_factory=list)
    people: list[SaidPerson] = dataclasses.field(default_factory=list)
    malformed: int = 0

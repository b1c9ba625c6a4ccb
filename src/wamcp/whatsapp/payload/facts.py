"""What one webhook says, as plain facts: the words in which reading Meta's JSON hands over to keeping it."""

import msgspec


class Person(msgspec.Struct, frozen=True, gc=False):
    """How a webhook names somebody. Every identifier is optional; all are opaque strings of Meta's."""

    bsuid: str | None = None
    parent_bsuid: str | None = None
    wa_id: str | None = None
    name: str | None = None
    username: str | None = None


class NumberFact(msgspec.Struct, frozen=True, gc=False):
    """One of our numbers was named by an entry of account ``waba_id``."""

    phone_number_id: str
    display_phone_number: str | None
    waba_id: str


class MessageFact(msgspec.Struct, frozen=True, gc=False):
    """One message. ``person`` is the other party: the sender when inbound, the recipient when outbound.

    ``item`` is its place in the event (``entry/0/changes/0/messages/2``), ``sent_at`` Meta's unix seconds, ``text``
    the words or the rendered line, ``reply_to`` the wamid it quotes, ``ghost`` the placeholder of error 131060 that
    a later delivery with the same wamid replaces, ``fragment`` the item's JSON where the columns do not hold it all.
    """

    item: str
    phone_number_id: str
    wamid: str
    direction: str
    source: str
    type: str
    sent_at: int
    person: Person | None
    group_id: str | None
    text: str
    reply_to: str | None
    ghost: bool
    fragment: bytes | None


class StatusFact(msgspec.Struct, frozen=True, gc=False):
    """One status of an outbound message. ``participant`` is set for groups, where each member has a status."""

    item: str
    phone_number_id: str
    wamid: str
    status: str
    participant: str
    at: int
    recipient: Person | None
    errors: bytes | None
    pricing: bytes | None


class ParkedFact(msgspec.Struct, frozen=True, gc=False):
    """A part of the event that is kept without being understood; ``item`` is empty for the event as a whole."""

    item: str
    kind: str
    reason: str
    fragment: bytes | None


class Facts(msgspec.Struct, frozen=True, gc=False):
    """All that one event says, in the order of its JSON."""

    numbers: list[NumberFact]
    people: list[tuple[str, Person]]
    """(phone_number_id, person) for people who are named without a message or status of theirs."""
    messages: list[MessageFact]
    statuses: list[StatusFact]
    parked: list[ParkedFact]

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


class PersonFact(msgspec.Struct, frozen=True, gc=False):
    """Somebody was named beside any message, status or account event of his.

    ``at`` is unix seconds, None for when the webhook came. ``book_name`` is how the business's own contact book calls
    him, which is shown only where he does not name himself.
    """

    phone_number_id: str
    person: Person
    at: int | None = None
    book_name: str | None = None


class IdentityFact(msgspec.Struct, frozen=True, gc=False):
    """Somebody known as ``old`` is called ``new`` from ``at`` (unix seconds) on: another number, another BSUID."""

    phone_number_id: str
    old: Person
    new: Person
    at: int


class MessageFact(msgspec.Struct, frozen=True, gc=False):
    """One message. ``person`` is the other party: the sender when inbound, the recipient when outbound.

    ``item`` is its place in the event (``entry/0/changes/0/messages/2``), ``sent_at`` Meta's unix seconds, ``text``
    the words or the rendered line, ``reply_to`` the wamid it quotes, ``refers_to`` the wamid that a reaction, an edit
    or a revocation is about, ``standing`` one of :class:`wamcp.vocabulary.Standing`, ``content`` the JSON object of
    everything that the other columns do not hold (docs/messages.md describes its keys), None when they hold it all.
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
    refers_to: str | None
    standing: int
    content: bytes | None


class StatusFact(msgspec.Struct, frozen=True, gc=False):
    """One status of an outbound message. ``participant`` is set for groups, where each member has a status.

    ``kind`` is empty for how far a message came; statuses of another kind (``payment``) do not move its state.
    ``callback_data`` is what the sender gave along, ``extra`` the JSON object of all further keys.
    """

    item: str
    phone_number_id: str
    wamid: str
    status: str
    participant: str
    at: int
    recipient: Person | None
    errors: bytes | None
    pricing: bytes | None
    kind: str = ""
    callback_data: str | None = None
    extra: bytes | None = None


class AccountFact(msgspec.Struct, frozen=True, gc=False):
    """Something happened that is neither a message nor a status: to an account, a number, a template, a group, a call.

    ``event`` is Meta's word for it (``ACCOUNT_RESTRICTION``, ``group_create``, ``stop``, ``connect``), empty where
    there is none; ``at`` unix seconds, None for when the webhook came. Our number is named by ``phone_number_id`` where
    Meta gives its id, else by ``display_phone_number``. ``subject_kind`` and ``subject`` say what else it is about
    (``template`` and its id, ``call``, ``message``, ``flow``). ``severity`` is one of
    :class:`wamcp.vocabulary.Severity`, ``text`` a line for people, ``details`` the item as Meta wrote it.
    """

    item: str
    field: str
    event: str
    at: int | None
    waba_id: str | None
    phone_number_id: str | None
    display_phone_number: str | None
    group_id: str | None
    person: Person | None
    subject_kind: str | None
    subject: str | None
    severity: str
    text: str
    details: bytes


class UnknownFact(msgspec.Struct, frozen=True, gc=False):
    """Something that this release has no word for; ``kind`` is one of :class:`wamcp.vocabulary.UnknownKind`.

    ``path`` says what and where, without indexes and values: ``messages.text.colour``, ``field.new_field``.
    """

    kind: str
    path: str


class ParkedFact(msgspec.Struct, frozen=True, gc=False):
    """A part of the event that is kept without being understood; ``item`` is empty for the event as a whole."""

    item: str
    kind: str
    reason: str
    fragment: bytes | None


class Facts(msgspec.Struct, frozen=True, gc=False):
    """All that one event says, in the order of its JSON."""

    numbers: list[NumberFact] = []
    people: list[PersonFact] = []
    identities: list[IdentityFact] = []
    messages: list[MessageFact] = []
    statuses: list[StatusFact] = []
    account: list[AccountFact] = []
    unknowns: list[UnknownFact] = []
    parked: list[ParkedFact] = []

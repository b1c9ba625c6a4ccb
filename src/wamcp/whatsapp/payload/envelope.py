"""From the bytes of one webhook to the facts it states."""

import msgspec

from wamcp.vocabulary import ParkedKind
from wamcp.whatsapp.payload.facts import Facts, ParkedFact
from wamcp.whatsapp.payload.loose import read_loosely
from wamcp.whatsapp.payload.repair import UNREADABLE, is_plain, repaired
from wamcp.whatsapp.payload.shapes import Envelope
from wamcp.whatsapp.payload.value import read_value

_decode_envelope = msgspec.json.Decoder(Envelope).decode


def read_event(body: bytes) -> Facts:
    """All that ``body`` says; never raises, and all strings can be stored in Postgres.

    What is not understood is parked, item by item; a body of which nothing can be read is one parked fact with an
    empty ``item``.
    """
    if is_plain(body):
        try:
            return _read(body)
        except UNREADABLE:
            pass
    try:
        return _read(repaired(body))
    except UNREADABLE as error:
        reason = f"not readable as a JSON object: {type(error).__name__}: {error}"[:200]
        return Facts(parked=[ParkedFact("", ParkedKind.MALFORMED.value, reason, None)])


def _read(body: bytes) -> Facts:
    facts = Facts()
    try:
        envelope = _decode_envelope(body)
    except msgspec.ValidationError:
        read_loosely(body, facts)
        return facts
    for e, entry in enumerate(envelope.entry):
        for c, change in enumerate(entry.changes):
            read_value(change.value, entry.id, change.field, f"entry/{e}/changes/{c}", facts)
    return facts

"""To whom: what people write, read as a phone number, a BSUID or a group id."""

import re
from typing import NamedTuple

from wamcp.phones import digits_of, international
from wamcp.vocabulary import RecipientKind
from wamcp.whatsapp.outgoing.limits import reference, refuse

BSUID = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")
"""A business-scoped user id of Meta's, or a parent one. The whole of it counts, upper and lower case."""

_FORMATTING = re.compile(r"[\s\d+().\-/\u2010-\u2015\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\uff0b]*")


class To(NamedTuple):
    """``value`` is the digits of a phone number, a BSUID, or a group id."""

    kind: RecipientKind
    value: str


def person(written: str) -> To:
    """The person that ``written`` names: a phone number in any formatting, or a BSUID exactly as Meta wrote it.

    Raises :class:`NotSendable`.
    """
    text = written.strip()
    if BSUID.fullmatch(text):
        return To(RecipientKind.BSUID, text)
    if re.search(r"[^\W\d_]", text):
        refuse(
            "to",
            "holds letters, so it is no phone number, and it is no BSUID; write +1 555 010 0001,"
            ' or a BSUID exactly as Meta wrote it (US.1349...), or add "recipient_type": "group" to a group id',
        )
    try:
        return To(RecipientKind.PHONE, international(text))
    except ValueError as error:
        refuse("to", f"is no phone number: {_masked(str(error), digits_of(text))}")


def group(written: str) -> To:
    """The group with this id of Meta's. Raises :class:`NotSendable`."""
    found = reference("to", written, "a group id of Meta's")
    if BSUID.fullmatch(found):
        refuse("to", 'is a BSUID, which names a person; leave out "recipient_type": "group"')
    return To(RecipientKind.GROUP, found)


def our_number(written: str) -> str:
    """One of our numbers, by Meta's id or by its digits, as digits. Raises :class:`NotSendable`."""
    digits = digits_of(written)
    if not 5 <= len(digits) <= 25 or not _FORMATTING.fullmatch(written):
        refuse("from", "names none of our numbers; write Meta's phone number id, or the number with its country code")
    return digits


def _masked(sentence: str, digits: str) -> str:
    return sentence.replace(digits, f"...{digits[-4:]}") if len(digits) > 4 else sentence

"""The envelope as Meta documents it; a body that departs from it takes the patient way of ``loose``."""

from typing import Annotated, Literal

import msgspec

from wamcp.vocabulary import SENDS_FIELD
from wamcp.whatsapp.payload.people import Contact
from wamcp.whatsapp.payload.scalars import LONGEST_ID, Id

OBJECT = "whatsapp_business_account"
ECHO_FIELDS = frozenset({"smb_message_echoes", "message_echoes"})
"""Messages that the business wrote on its phone, or another app of its in its name."""

MESSAGE_FIELDS = ECHO_FIELDS | {"messages", "standby", "history", SENDS_FIELD}


class Metadata(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Which of our numbers the change is about."""

    phone_number_id: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_ID)]
    display_phone_number: str | None = None


class Value(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The part of a change that holds messages and statuses, which stay raw so that each can fail alone."""

    metadata: Metadata
    messaging_product: str | None = None
    contacts: list[Contact] | None = None
    messages: list[msgspec.Raw] | None = None
    statuses: list[msgspec.Raw] | None = None
    message_echoes: list[msgspec.Raw] | None = None


class Change(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A change of one of the fields that carry messages."""

    field: Literal["messages", "smb_message_echoes", "message_echoes"]
    value: Value


class Entry(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """What happened to one account."""

    id: Id
    changes: list[Change]
    time: int | str | None = None


class Envelope(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One POST of Meta's."""

    object: Literal["whatsapp_business_account"]
    entry: list[Entry]

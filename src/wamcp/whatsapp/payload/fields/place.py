"""Where a change stands in its event."""

import msgspec


class Place(msgspec.Struct, frozen=True):
    """The account (``entry.id``), the field, the path (``entry/0/changes/1``) and ``entry.time`` as unix seconds."""

    waba_id: str
    field: str
    path: str
    at: int | None

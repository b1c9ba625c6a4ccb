"""What a bearer may see, as the predicate that every query of the archive carries."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wamcp.access.grants import Grant
from wamcp.archive.views import NumberView
from wamcp.db.session import ReadConnection
from wamcp.errors import NotVisible


@dataclass(frozen=True, slots=True)
class Scope:
    """The visible numbers by row id, and the moment (UTC) before which nothing is visible.

    ``narrowed`` is False when every number is visible, so that no predicate on the number is needed.
    """

    numbers: Mapping[int, NumberView]
    narrowed: bool
    since: datetime | None
    phones: bool

    def messages(self, alias: str = "m") -> str:
        """The predicate on the table ``messages``; goes with :meth:`parameters`."""
        return self._predicate(f"{alias}.number_id", f"{alias}.sent_at")

    def conversations(self, alias: str = "c") -> str:
        """The predicate on ``conversations``: visible when its number is and a message lies in the window."""
        predicate = self._predicate(f"{alias}.number_id", f"{alias}.last_message_at")
        return f"{alias}.last_message_at IS NOT NULL AND {predicate}"

    def account_events(self, alias: str = "a", *, whole_time: bool = False) -> str:
        """The predicate on ``account_events``; ``whole_time`` leaves the window out.

        Whoever sees only some numbers sees what is about these, by Meta's id of them or by the number itself.
        """
        parts = []
        if self.narrowed:
            parts.append(
                f"({alias}.number_id = ANY(%(scope_numbers)s::int[]) OR {alias}.number_id IS NULL"
                f" AND regexp_replace({alias}.display_phone_number, '[^0-9]', '', 'g') = ANY(%(scope_digits)s::text[]))"
            )
        if self.since is not None and not whole_time:
            parts.append(f"{alias}.at >= %(scope_since)s::timestamptz")
        return " AND ".join(parts) or "true"

    def displayed(self, number: str | None) -> int | None:
        """The row id of the visible number that is shown to people as ``number``, however it is written."""
        digits = _digits(number or "")
        found = (row_id for row_id, view in self.numbers.items() if _digits(view.display_phone_number or "") == digits)
        return next(found, None) if digits else None

    def parameters(self) -> dict[str, Any]:
        """The values of all predicates."""
        return {
            "scope_numbers": list(self.numbers),
            "scope_number": min(self.numbers, default=0),
            "scope_digits": sorted({_digits(view.display_phone_number or "") for view in self.numbers.values()} - {""}),
            "scope_since": self.since,
        }

    def _predicate(self, number: str, moment: str) -> str:
        parts = []
        if self.narrowed and len(self.numbers) == 1:
            parts.append(f"{number} = %(scope_number)s::int")
        elif self.narrowed:
            parts.append(f"{number} = ANY(%(scope_numbers)s::int[])")
        if self.since is not None:
            parts.append(f"{moment} >= %(scope_since)s::timestamptz")
        return " AND ".join(parts) or "true"


def scope_of(connection: ReadConnection, grant: Grant, number: str | None = None) -> Scope:
    """What ``grant`` lets its bearer see, narrowed to one of our numbers when ``number`` names it.

    ``number`` is Meta's phone number id or the number itself. Raises :class:`NotVisible` for any other.
    """
    rows = connection.execute("SELECT id, phone_number_id, display_phone_number FROM numbers ORDER BY id").fetchall()
    every = {row_id: NumberView(phone_number_id, display) for row_id, phone_number_id, display in rows}
    visible = {
        row_id: view for row_id, view in every.items() if grant.numbers is None or view.phone_number_id in grant.numbers
    }
    if number is not None:
        visible = {row_id: view for row_id, view in visible.items() if _names(number, view)}
        if not visible:
            raise NotVisible(
                f"No business number {number[:40]!r} is visible to this client:"
                " leave the number out, or take one from the status."
            )
    return Scope(visible, grant.numbers is not None or number is not None, grant.since, grant.phones)


def _names(written: str, number: NumberView) -> bool:
    if written == number.phone_number_id:
        return True
    digits = _digits(written)
    return digits != "" and digits == _digits(number.display_phone_number or "")


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdecimal())

"""Whom the invented account writes to: what they are called, and when they last wrote themselves."""

import hashlib
import time
from dataclasses import dataclass, field

from wamcp.simulator.bodies import Customer
from wamcp.whatsapp.spellings import spellings

WINDOW_SECONDS = 86_400
_CANONICAL = {"55": min, "52": max, "54": max}
"""WhatsApp knows older Brazilian numbers without the ninth digit, and Mexican and Argentine ones with the digit."""


@dataclass(slots=True, eq=False)
class Person:
    """Somebody with a phone number, a business-scoped id, or both; ``wrote`` is Unix seconds by business number."""

    wa_id: str | None
    user_id: str
    name: str = "Ana Exemplo"
    wrote: dict[str, float] = field(default_factory=dict)

    def customer(self, *, phone: bool = True) -> Customer:
        """As webhooks name people; without ``phone`` the number stays hidden."""
        return Customer(self.name, self.user_id, self.wa_id if phone else None)


class People:
    """Everybody who was written to or who wrote."""

    def __init__(self) -> None:
        self._phones: dict[str, Person] = {}
        self._ids: dict[str, Person] = {}

    def by_phone(self, number: str) -> Person:
        """The person behind ``number`` (digits, in either spelling), made up where there was none."""
        for spelling in spellings(number):
            if spelling in self._phones:
                return self._phones[spelling]
        choose = _CANONICAL.get(number[:2], min)
        wa_id = choose(spellings(number), key=len)
        return self._keep(Person(wa_id, _invented_id(wa_id)))

    def by_id(self, user_id: str) -> Person:
        """The person with this business-scoped id; whoever is not known by a number has none that is shown."""
        return self._ids.get(user_id) or self._keep(Person(None, user_id))

    def who_writes(self, phone: str | None, user_id: str | None, name: str | None) -> Person:
        """The person who writes, with all that is said of him remembered; ``phone`` or ``user_id`` is needed."""
        person = self.by_phone(phone) if phone else self.by_id(user_id or "")
        if user_id and person.user_id != user_id:
            person.user_id = user_id
        if name:
            person.name = name
        return self._keep(person)

    def is_open(self, person: Person, number: str, unknown: bool) -> bool:
        """Whether the 24-hour window to ``number`` is open; ``unknown`` is the answer for whoever never wrote."""
        wrote = person.wrote.get(number)
        return unknown if wrote is None else time.time() - wrote < WINDOW_SECONDS

    def _keep(self, person: Person) -> Person:
        self._ids[person.user_id] = person
        if person.wa_id:
            for spelling in spellings(person.wa_id):
                self._phones[spelling] = person
        return person


def _invented_id(wa_id: str) -> str:
    digest = hashlib.sha256(wa_id.encode()).digest()
    return f"{_country(wa_id)}.{int.from_bytes(digest[:8], 'big')}"


def _country(wa_id: str) -> str:
    return {"55": "BR", "52": "MX", "54": "AR", "35": "PT", "49": "DE"}.get(wa_id[:2], "US")

"""Who is meant: the identifiers of an item and of the contacts beside it brought together into one person."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from wamcp.whatsapp.payload.facts import Person
from wamcp.whatsapp.payload.scalars import LONGEST_NAME, Id, identifier, mapping, string

_BSUID = re.compile(r"[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}")


class Profile(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """What somebody calls himself."""

    name: str | None = None
    username: str | None = None
    country_code: str | None = None


class Contact(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """An entry of ``contacts[]``; every key is optional."""

    wa_id: Id | None = None
    user_id: Id | None = None
    parent_user_id: Id | None = None
    profile: Profile | None = None
    identity_key_hash: str | None = None


class _Directory(NamedTuple):
    people: list[Person]
    by_bsuid: dict[str | None, int]
    by_wa_id: dict[str | None, int]


class Company(msgspec.Struct, gc=False):
    """The contacts of a value; ``alone`` tells, when it has to be known, whether all its items name one party."""

    contacts: list[Contact]
    alone: Callable[[], bool]
    met: int = 0
    """One bit for each contact who was recognised in an item."""
    _one_party: bool | None = None
    _directory: _Directory | None = None

    def strangers(self) -> list[Person]:
        """The contacts who have an identifier, and no item of theirs in the value."""
        people = self.directory().people
        return [each for index, each in enumerate(people) if not self.met >> index & 1 and is_named(each)]

    def directory(self) -> _Directory:
        """The contacts as persons, in their order and by their identifiers; the first of several alike counts."""
        if self._directory is None:
            people = [person_of(contact) for contact in self.contacts]
            ranked = list(enumerate(people))[::-1]
            self._directory = _Directory(
                people,
                {each.bsuid: index for index, each in ranked if each.bsuid is not None},
                {each.wa_id: index for index, each in ranked if each.wa_id is not None},
            )
        return self._directory

    def index_of(self, person: Person | None) -> int:
        """The place of the contact who is ``person``, or -1."""
        people, by_bsuid, by_wa_id = self.directory()
        if person is not None:
            index = by_bsuid.get(person.bsuid, -1)
            if index >= 0:
                return index
            index = by_wa_id.get(person.wa_id, -1)
            if index >= 0 and _agree(people[index].bsuid, person.bsuid):
                return index
        if len(people) == 1 and (person is None or _may_be(person, people[0])) and self._is_alone():
            return 0
        return -1

    def _is_alone(self) -> bool:
        if self._one_party is None:
            self._one_party = self.alone()
        return self._one_party


def acquainted(phone: str | None, user_id: str | None, parent_id: str | None, company: Company) -> Person | None:
    """The person with these identifiers, with the name and the further identifiers that the contacts add.

    None when nobody is named. A contact is recognised by BSUID, then by phone number, never by its position; a single
    contact is the other party when ``company`` speaks of one party only, unless identifiers contradict each other.
    """
    contacts = company.contacts
    if not contacts:
        return identified(phone, user_id, parent_id)
    first = contacts[0]
    if first.user_id == user_id and first.wa_id == phone and _are_usual(phone, user_id):
        company.met |= 1
        profile = first.profile
        return Person(
            user_id,
            parent_id or first.parent_user_id or None,
            phone,
            _words(profile.name) if profile else None,
            _handle(profile.username) if profile else None,
        )
    return known(identified(phone, user_id, parent_id), company)


def known(person: Person | None, company: Company) -> Person | None:
    """``person`` with what the contacts add, as in ``acquainted``."""
    index = company.index_of(person)
    if index < 0:
        return person
    company.met |= 1 << index
    contact = company.directory().people[index]
    if person is not None:
        contact = Person(
            person.bsuid or contact.bsuid,
            person.parent_bsuid or contact.parent_bsuid,
            person.wa_id or contact.wa_id,
            contact.name,
            contact.username,
        )
    return contact if is_named(contact) else None


def identified(phone: str | None, user_id: str | None, parent_id: str | None) -> Person | None:
    """The person behind the identifiers of an item, or None when there are none.

    Missing, null, blank and a business-scoped id in the place of the phone number are alike: since 2026 the number of
    somebody who has a username is left out, and gateways have written the id, or its digits, into its place.
    """
    wa_id, bsuid, parent = phone or None, user_id or None, parent_id or None
    if wa_id is not None and not wa_id.isdigit():
        wa_id = wa_id.strip().removeprefix("+") or None
        if wa_id is not None and (match := _BSUID.fullmatch(wa_id)):
            bsuid, parent = (bsuid, parent or wa_id) if match[1] else (bsuid or wa_id, parent)
            wa_id = None
    if bsuid is None:
        return Person(None, parent, wa_id) if parent or wa_id else None
    if wa_id is not None and bsuid.endswith("." + wa_id):
        wa_id = None
    return Person(bsuid, parent, wa_id)


def person_of(contact: Contact) -> Person:
    """The person that an entry of ``contacts[]`` describes."""
    profile = contact.profile or _NO_PROFILE
    person = identified(contact.wa_id, contact.user_id, contact.parent_user_id) or _NOBODY
    return Person(person.bsuid, person.parent_bsuid, person.wa_id, _words(profile.name), _handle(profile.username))


def contact_from(item: dict[str, Any]) -> Contact:
    """An entry of ``contacts[]`` whose types are not the documented ones, as far as it can be used."""
    profile = mapping(item.get("profile"))
    return Contact(
        identifier(item.get("wa_id")),
        identifier(item.get("user_id")),
        identifier(item.get("parent_user_id")),
        Profile(string(profile.get("name")), string(profile.get("username"))),
    )


def person_named(person: Person | None, words: dict[str, Any]) -> Person | None:
    """``person`` with the name and the username that stand among ``words``."""
    if person is None:
        return None
    profile = mapping(words.get("profile"))
    name = _words(string(profile.get("name")) or string(words.get("name")))
    username = _handle(string(words.get("username")) or string(profile.get("username")))
    return Person(person.bsuid, person.parent_bsuid, person.wa_id, name, username)


def is_named(person: Person) -> bool:
    """Whether there is an identifier to know the person by; a display name is none."""
    return (person.bsuid or person.parent_bsuid or person.wa_id) is not None


def _are_usual(phone: str | None, user_id: str | None) -> bool:
    """Whether the identifiers can stand as they are: digits, and an id that does not merely repeat them."""
    if phone is None:
        return bool(user_id)
    return phone.isdigit() and (user_id is None or (user_id != "" and not user_id.endswith(phone)))


def _may_be(one: Person, other: Person) -> bool:
    return _agree(one.bsuid, other.bsuid) and _agree(one.wa_id, other.wa_id)


def _agree(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one == other


def _words(value: str | None) -> str | None:
    return (value.strip()[:LONGEST_NAME] or None) if value else None


def _handle(value: str | None) -> str | None:
    """A username without the ``@`` that only some payloads write."""
    return (value.strip().removeprefix("@")[:LONGEST_NAME] or None) if value else None


_NOBODY = Person()
_NO_PROFILE = Profile()

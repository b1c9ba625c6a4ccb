"""What the readers of all fields have in common: items, our number, people, events, keys that nobody knows."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import msgspec

from wamcp.vocabulary import ParkedKind, Severity, UnknownKind
from wamcp.whatsapp.payload.facts import AccountFact, Facts, NumberFact, ParkedFact, Person, PersonFact
from wamcp.whatsapp.payload.fields.lines import LONGEST_WORD, failure, line
from wamcp.whatsapp.payload.fields.place import Place
from wamcp.whatsapp.payload.people import Company, contact_from, is_named, person_of
from wamcp.whatsapp.payload.repair import encode
from wamcp.whatsapp.payload.scalars import identifier, mapping, objects, unix_seconds
from wamcp.whatsapp.payload.unknown import note

Read = Callable[[dict[str, Any], Place, Facts], None]
Keys = dict[str, frozenset[str]]


class Reader(NamedTuple):
    """How a field is read, and which keys its objects may have; None where no page describes them."""

    read: Read
    known: Keys | None


class Ours(NamedTuple):
    """Our number as ``metadata`` names it."""

    phone_number_id: str | None = None
    display_phone_number: str | None = None


NOBODY_KNOWN = Ours()


def keys(**objects_: str) -> Keys:
    """The known keys of each object, written with spaces between them."""
    return {name: frozenset(words.split()) for name, words in objects_.items()}


ERROR = keys(errors="code title message error_data href", error_data="details messaging_product")

BESIDE_ITEMS = ERROR | keys(
    metadata="display_phone_number phone_number_id",
    contacts="profile wa_id user_id parent_user_id identity_key_hash",
    profile="name username country_code",
)
"""Of the objects that stand beside the items of any field that names our number."""

VALUE = "messaging_product metadata contacts errors "
PERSON = "wa_id user_id parent_user_id username country_code "


def park(path: str, reason: str, fragment: object, facts: Facts) -> None:
    """Keeps a part that is not as it must be."""
    facts.parked.append(ParkedFact(path, ParkedKind.MALFORMED.value, reason, encode(fragment)))


def items(value: dict[str, Any], key: str, place: Place, facts: Facts) -> Iterator[tuple[str, dict[str, Any]]]:
    """Path and object of each item in the list ``key``, or of the object alone; what is no object is parked alone."""
    listed = value.get(key)
    if listed is None:
        return
    if isinstance(listed, dict):
        listed = [listed]
    if not isinstance(listed, list):
        park(f"{place.path}/{key}", f"{key} is no list", listed, facts)
        return
    for index, item in enumerate(listed):
        path = f"{place.path}/{key}/{index}"
        if isinstance(item, dict) and item:
            yield path, item
        else:
            park(path, f"an item of {key} that is no object or says nothing", item, facts)


def our_number(value: dict[str, Any], place: Place, facts: Facts) -> Ours:
    """Our number as the value's metadata names it, which becomes a fact of its own."""
    metadata = mapping(value.get("metadata"))
    return our(metadata.get("phone_number_id"), metadata.get("display_phone_number"), place, facts)


def our(phone_number_id: object, display: object, place: Place, facts: Facts) -> Ours:
    """Our number by these, which becomes a fact of its own where Meta gives its id."""
    ours = Ours(identifier(phone_number_id), identifier(display))
    if ours.phone_number_id is not None:
        named = NumberFact(ours.phone_number_id, ours.display_phone_number, place.waba_id)
        if named not in facts.numbers:
            facts.numbers.append(named)
    return ours


def company_of(value: dict[str, Any], parties: Callable[[], set[Person | None]]) -> Company:
    """The contacts beside the items, ``parties`` being the people whom the items name."""
    contacts = [contact_from(contact) for contact in objects(value.get("contacts"))]
    return Company(contacts, partial(_is_one, parties))


def person_in(item: dict[str, Any], phone_key: str = "wa_id") -> Person | None:
    """Whom an item names by keys of its own: phone number, business-scoped ids, username."""
    phone = identifier(item.get(phone_key))
    if phone is not None and phone_key != "wa_id":
        phone = dialled(phone)
    person = person_of(contact_from({**item, "wa_id": phone, "profile": {"username": item.get("username")}}))
    return person if is_named(person) else None


def dialled(phone: str) -> str:
    """A phone number as its digits where it was written for people; anything else as it is."""
    digits = phone.translate(_PUNCTUATION)
    return digits if digits.isascii() and digits.isdigit() else phone


def happened(place: Place, path: str, item: dict[str, Any], ours: Ours = NOBODY_KNOWN) -> AccountFact:
    """An account event about ``item`` that says no more yet than when it was and which number of ours it concerns."""
    at = unix_seconds(item.get("timestamp"))
    return AccountFact(
        item=path,
        field=place.field[:LONGEST_WORD],
        event="",
        at=place.at if at is None else at,
        waba_id=place.waba_id or None,
        phone_number_id=ours.phone_number_id,
        display_phone_number=ours.display_phone_number,
        group_id=None,
        person=None,
        subject_kind=None,
        subject=None,
        severity=Severity.INFO.value,
        text="",
        details=encode(item),
    )


def meet(ours: Ours, person: Person | None, at: int | None, facts: Facts, book_name: str | None = None) -> None:
    """Notes that somebody was named, where our number is known."""
    if person is not None and ours.phone_number_id is not None:
        facts.people.append(PersonFact(ours.phone_number_id, person, at, book_name))


def meet_strangers(ours: Ours, company: Company, facts: Facts) -> None:
    """Notes the contacts whom no item names."""
    if company.contacts:
        for person in company.strangers():
            meet(ours, person, None, facts)


def read_errors(value: dict[str, Any], place: Place, ours: Ours, facts: Facts) -> None:
    """The errors beside or instead of items, each an event."""
    for path, item in items(value, "errors", place, facts):
        facts.account.append(
            msgspec.structs.replace(
                happened(place, path, item, ours),
                event="error",
                severity=Severity.WARNING.value,
                text=line("Error", failure(item)),
            )
        )


def note_unknown_keys(name: str, part: object, known: Keys, place: Place, facts: Facts) -> None:
    """Notes the keys of the object ``name`` that it is not known to have, and those of the objects in it."""
    for item in objects(part):
        for key, inner in item.items():
            if key not in known[name]:
                note(facts.unknowns, UnknownKind.KEY, f"{place.field}.{name}.{key}")
            elif key in known:
                note_unknown_keys(key, inner, known, place, facts)


def _is_one(parties: Callable[[], set[Person | None]]) -> bool:
    return len(parties()) == 1


_PUNCTUATION = str.maketrans("", "", "+ -().\N{NO-BREAK SPACE}")

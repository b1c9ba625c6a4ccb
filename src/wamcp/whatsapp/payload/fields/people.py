"""Fields about somebody: the contact book, marketing preferences, changed ids, threads handed over, conversions."""

from typing import Any

from msgspec.structs import replace

from wamcp.whatsapp.payload.facts import Facts, IdentityFact, Person
from wamcp.whatsapp.payload.fields.lines import called, joined, line, said, word
from wamcp.whatsapp.payload.fields.place import Place
from wamcp.whatsapp.payload.fields.reading import (
    BESIDE_ITEMS,
    PERSON,
    VALUE,
    Reader,
    company_of,
    happened,
    items,
    keys,
    meet,
    meet_strangers,
    our,
    our_number,
    person_in,
    read_errors,
)
from wamcp.whatsapp.payload.people import identified, known
from wamcp.whatsapp.payload.scalars import LONGEST_NAME, identifier, mapping, objects, string, unix_seconds


def read_contact_book(value: dict[str, Any], place: Place, facts: Facts) -> None:
    """``smb_app_state_sync``: an entry of the business's own contact book was added, changed or removed."""
    ours = our_number(value, place, facts)
    for path, item in items(value, "state_sync", place, facts):
        contact, action = mapping(item.get("contact")), word(item.get("action"))
        name = said(contact.get("full_name")) or said(contact.get("first_name"))
        person = person_in(contact, "phone_number")
        told = happened(place, path, item, ours)
        at = unix_seconds(mapping(item.get("metadata")).get("timestamp")) or told.at
        verb = {"add": "added", "remove": "removed"}.get(action, action)
        told = replace(
            told, at=at, event=action, person=person, text=line("Contact book", name or called(person), verb)
        )
        facts.account.append(told)
        meet(ours, person, at, facts, None if action == "remove" else name[:LONGEST_NAME] or None)
    read_errors(value, place, ours, facts)


def read_preferences(value: dict[str, Any], place: Place, facts: Facts) -> None:
    """``user_preferences``: somebody stopped or resumed marketing messages, or signed up for them."""
    ours = our_number(value, place, facts)
    company = company_of(value, lambda: {person_in(item) for item in objects(value.get("user_preferences"))})
    for path, item in items(value, "user_preferences", place, facts):
        person, signup = known(person_in(item), company), identifier(item.get("signup_id"))
        wish = word(item.get("value"))
        said_so = said(item.get("detail")) or f"{wish} {word(item.get('category')).replace('_', ' ')}".strip()
        told = replace(
            happened(place, path, item, ours),
            event=wish,
            person=person,
            subject_kind="signup" if signup is not None else None,
            subject=signup,
            text=line(called(person) or "Somebody", said_so),
        )
        facts.account.append(told)
        meet(ours, person, told.at, facts)
    meet_strangers(ours, company, facts)
    read_errors(value, place, ours, facts)


def read_user_ids(value: dict[str, Any], place: Place, facts: Facts) -> None:
    """``user_id_update``: somebody has another business-scoped id from now on."""
    ours = our_number(value, place, facts)
    company = company_of(value, lambda: {_renamed(item, "current") for item in objects(value.get("user_id_update"))})
    for path, item in items(value, "user_id_update", place, facts):
        old, new = _renamed(item, "previous"), known(_renamed(item, "current"), company)
        told = replace(
            happened(place, path, item, ours),
            person=new or old,
            text=f"{called(new or old) or 'Somebody'} has another id",
        )
        facts.account.append(told)
        if old is None or new is None or _ids(old) == _ids(new) or ours.phone_number_id is None or told.at is None:
            continue
        facts.identities.append(IdentityFact(ours.phone_number_id, old, new, told.at))
    read_errors(value, place, ours, facts)


def read_handover(value: dict[str, Any], place: Place, facts: Facts) -> None:
    """``messaging_handovers``: a thread went from one app or role to another. The value itself is the item."""
    recipient = mapping(value.get("recipient"))
    ours = our(recipient.get("phone_number_id"), recipient.get("display_phone_number"), place, facts)
    kind = word(value.get("type"))
    control = mapping(value.get(kind))
    person = person_in(mapping(value.get("sender")), "phone_number")
    before = control.get("previous_owner_role") or control.get("previous_owner_app_role")
    after = control.get("new_owner_role") or control.get("new_owner_app_id")
    way = " ".join(filter(None, (f"from {said(before)}" if before else "", f"to {said(after)}" if after else "")))
    facts.account.append(
        replace(
            happened(place, place.path, value, ours),
            event=kind,
            person=person,
            text=line(
                f"Thread of {called(person) or 'somebody'}", kind.replace("_", " "), way, control.get("metadata")
            ),
        )
    )


def read_conversions(value: dict[str, Any], place: Place, facts: Facts) -> None:
    """``automatic_events`` and ``tracking_events``: a lead or purchase that Meta saw in a thread begun by an ad."""
    ours = our_number(value, place, facts)
    for key in ("automatic_events", "tracking_events"):
        for path, item in items(value, key, place, facts):
            event, wamid = word(item.get("event_name")), identifier(item.get("id"))
            bought = mapping(item.get("custom_data"))
            price = f"{said(bought.get('value'))} {said(bought.get('currency'))}".strip()
            facts.account.append(
                replace(
                    happened(place, path, item, ours),
                    event=event,
                    subject_kind="message" if wamid is not None else None,
                    subject=wamid,
                    text=joined((event or "Conversion", price)),
                )
            )
    read_errors(value, place, ours, facts)


def read_profile(value: dict[str, Any], place: Place, facts: Facts) -> None:
    """``consumer_profile``, which Meta names and nowhere describes: kept whole, with whom it names."""
    ours = our_number(value, place, facts)
    company = company_of(value, lambda: {person_in(value)})
    person = known(person_in(value), company)
    told = happened(place, place.path, value, ours)
    text = line("Profile", called(person))
    facts.account.append(replace(told, event=word(value.get("event")), person=person, text=text))
    meet(ours, person, told.at, facts)
    meet_strangers(ours, company, facts)


def _renamed(item: dict[str, Any], when: str) -> Person | None:
    """Who somebody was or is; an id that is no pair of the two is the current one."""
    ids = []
    for key in ("user_id", "parent_user_id"):
        either = item.get(key)
        if not isinstance(either, dict):
            either = {"current": string(either)}
        ids.append(identifier(either.get(when)))
    if ids == [None, None]:
        return None
    return identified(identifier(item.get("wa_id")), *ids)


def _ids(person: Person) -> tuple[str | None, str | None]:
    return person.bsuid, person.parent_bsuid


_CONVERSION = "id event_name timestamp ctwa_clid custom_data"
_CONTROL = (
    "metadata previous_owner_app_id previous_owner_app_role previous_owner_role new_owner_role new_owner_app_id"
    " new_owner_app_role conversation_context"
)

READERS = {
    "smb_app_state_sync": Reader(
        read_contact_book,
        BESIDE_ITEMS
        | keys(
            value=VALUE + "state_sync",
            state_sync="type action contact metadata",
            metadata="display_phone_number phone_number_id timestamp",
            contact="full_name first_name phone_number user_id parent_user_id username country_code",
        ),
    ),
    "user_preferences": Reader(
        read_preferences,
        BESIDE_ITEMS
        | keys(value=VALUE + "user_preferences", user_preferences=PERSON + "detail category value timestamp signup_id"),
    ),
    "user_id_update": Reader(
        read_user_ids,
        BESIDE_ITEMS
        | keys(
            value=VALUE + "user_id_update",
            user_id_update=PERSON + "detail timestamp",
            user_id="previous current",
            parent_user_id="previous current",
        ),
    ),
    "messaging_handovers": Reader(
        read_handover,
        keys(
            value="messaging_product sender recipient timestamp type control_passed control_taken",
            sender="phone_number",
            recipient="phone_number_id display_phone_number",
            control_passed=_CONTROL,
            control_taken=_CONTROL,
            conversation_context="type summary",
            summary="text",
        ),
    ),
    **dict.fromkeys(
        ("automatic_events", "tracking_events"),
        Reader(
            read_conversions,
            BESIDE_ITEMS
            | keys(
                value=VALUE + "automatic_events tracking_events",
                automatic_events=_CONVERSION,
                tracking_events=_CONVERSION,
                custom_data="currency value",
            ),
        ),
    ),
    "consumer_profile": Reader(read_profile, None),
}

"""One ``value`` of a change, item by item, into facts."""

from functools import partial

import msgspec

from wamcp.whatsapp.payload import repair
from wamcp.whatsapp.payload.facts import Facts, MessageFact, NumberFact, Person, PersonFact, StatusFact
from wamcp.whatsapp.payload.messages import other_party, read_message
from wamcp.whatsapp.payload.people import Company
from wamcp.whatsapp.payload.scalars import mapping
from wamcp.whatsapp.payload.shapes import ECHO_FIELDS, Value
from wamcp.whatsapp.payload.statuses import read_status, recipient_of


def read_value(value: Value, waba_id: str, field: str, path: str, facts: Facts) -> None:
    """Adds to ``facts`` what ``value`` says: our number, messages, statuses, and people named without either."""
    metadata = value.metadata
    named = NumberFact(metadata.phone_number_id, metadata.display_phone_number or None, waba_id)
    if not facts.numbers or named not in facts.numbers:
        facts.numbers.append(named)
    number, company = metadata.phone_number_id, Company(value.contacts or [], partial(_one_party, value, field))
    if value.messages:
        _read_messages(value.messages, field in ECHO_FIELDS, f"{path}/messages/", number, company, facts)
    if value.message_echoes:
        _read_messages(value.message_echoes, True, f"{path}/message_echoes/", number, company, facts)
    if value.statuses:
        _read_statuses(value.statuses, f"{path}/statuses/", number, company, facts)
    if company.contacts and company.met.bit_count() < len(company.contacts):
        facts.people.extend(PersonFact(number, person) for person in company.strangers())


def _read_messages(
    items: list[msgspec.Raw], echo: bool, path: str, number: str, company: Company, facts: Facts
) -> None:
    for index, raw in enumerate(items):
        message = read_message(raw, number, company, f"{path}{index}", echo)
        if isinstance(message, MessageFact):
            facts.messages.append(message)
        else:
            facts.parked.append(message)


def _read_statuses(items: list[msgspec.Raw], path: str, number: str, company: Company, facts: Facts) -> None:
    for index, raw in enumerate(items):
        status = read_status(raw, number, company, f"{path}{index}")
        if isinstance(status, StatusFact):
            facts.statuses.append(status)
        else:
            facts.parked.append(status)


def _one_party(value: Value, field: str) -> bool:
    """Whether all items of the value name the same other party, or there is but one item."""
    messages, echoes, statuses = value.messages or [], value.message_echoes or [], value.statuses or []
    if len(messages) + len(echoes) + len(statuses) == 1:
        return True
    parties: set[Person | None] = set()
    try:
        parties.update(other_party(mapping(repair.decode(raw)), field in ECHO_FIELDS) for raw in messages)
        parties.update(other_party(mapping(repair.decode(raw)), True) for raw in echoes)
        parties.update(recipient_of(mapping(repair.decode(raw))) for raw in statuses)
    except repair.UNREADABLE:
        return False
    return len(parties) == 1

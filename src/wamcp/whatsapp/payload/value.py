"""One ``value`` of a change, item by item, into facts."""

from functools import partial

from wamcp.vocabulary import SENDS_FIELD, Source
from wamcp.whatsapp.payload import repair
from wamcp.whatsapp.payload.facts import Facts, NumberFact, Person, PersonFact
from wamcp.whatsapp.payload.message import Letterbox, other_party, read_message
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
        outbound = field in ECHO_FIELDS
        source = _SOURCES.get(field) or (_ECHO if outbound else _WEBHOOK)
        box = Letterbox(number, company, source, outbound)
        for index, raw in enumerate(value.messages):
            read_message(raw, box, f"{path}/messages/{index}", facts)
    if value.message_echoes:
        box = Letterbox(number, company, _SOURCES.get(field) or _ECHO, True)
        for index, raw in enumerate(value.message_echoes):
            read_message(raw, box, f"{path}/message_echoes/{index}", facts)
    if value.statuses:
        for index, raw in enumerate(value.statuses):
            read_status(raw, number, company, f"{path}/statuses/{index}", facts)
    if company.contacts and company.met.bit_count() < len(company.contacts):
        facts.people.extend(PersonFact(number, person) for person in company.strangers())


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


_WEBHOOK, _ECHO = Source.WEBHOOK.value, Source.ECHO.value
_SOURCES = {"standby": Source.STANDBY.value, "history": Source.HISTORY.value, SENDS_FIELD: Source.SEND.value}
"""The fields whose messages came in another way than to us or from us."""

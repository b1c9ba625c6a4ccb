"""What comes late of somebody who was erased is cut out of its webhook before it is understood."""

from collections.abc import Iterator, Sequence

import psycopg

from wamcp.db.tombstones import Alias, Named, newest_stone, recognised
from wamcp.ingest.keep import Event
from wamcp.whatsapp.payload.cutting import cut_out
from wamcp.whatsapp.payload.facts import Facts, Person


def without_erased(
    connection: psycopg.Connection, events: Sequence[Event], bodies: Sequence[bytes]
) -> tuple[list[Event], dict[int, bytes]]:
    """The events as they are to be kept, and by id the bodies out of which something was cut, to be written back."""
    stone = newest_stone(connection)
    if stone is None:
        return list(events), {}
    scopes = scopes_of(connection)
    named = Named(set(), set(), set())
    for event in events:
        name_all(event.facts, scopes, named, people=_is_old(event.facts, stone.newest))
    gone = recognised(connection, stone.key, named, scopes)
    if gone is not None and (gone.messages or gone.callbacks):
        for event in events:
            name_all(event.facts, scopes, named, people=True)
        gone = recognised(connection, stone.key, named, scopes)
    kept, cut = list(events), dict[int, bytes]()
    if gone is not None:
        for index, (event, body) in enumerate(zip(events, bodies, strict=True)):
            found = cut_out(body, gone, event.received_at)
            if found is not None:
                kept[index] = event._replace(facts=found.after)
                cut[event.id] = found.body
    return kept, cut


def write_back(connection: psycopg.Connection, cut: dict[int, bytes]) -> None:
    """Puts cut bodies in the place of those that came; the SHA-256 stays that of what came, which is thus known."""
    for event_id in sorted(cut):
        connection.execute("UPDATE webhook_events SET body = %s WHERE id = %s", [cut[event_id], event_id])


def scopes_of(connection: psycopg.Connection) -> dict[str, str]:
    """Of each of our numbers, by Meta's id, the scope."""
    return dict(connection.execute("SELECT phone_number_id, scope FROM numbers").fetchall())


def name_all(facts: Facts, scopes: dict[str, str], named: Named, *, people: bool) -> None:
    """Adds to ``named`` which messages ``facts`` name, and with ``people`` whom."""
    wabas = {number.phone_number_id: number.waba_id for number in facts.numbers}
    for message in facts.messages:
        number = message.phone_number_id
        named.messages.update((number, each) for each in (message.wamid, message.reply_to, message.refers_to) if each)
    for status in facts.statuses:
        named.messages.add((status.phone_number_id, status.wamid))
        if status.callback_data:
            named.callbacks.add(status.callback_data)
    for told in facts.account:
        if told.subject and told.phone_number_id:
            named.messages.add((told.phone_number_id, told.subject))
    for number, waba, person in _people(facts) if people else ():
        scope = scopes.get(number) or wabas.get(number) or waba
        named.people.update(aliases_of(scope, person))


def aliases_of(scope: str, person: Person) -> Iterator[Alias]:
    """The identifiers of ``person`` as they are kept."""
    for kind, value in (("bsuid", person.bsuid), ("wa_id", person.wa_id), ("parent_bsuid", person.parent_bsuid)):
        if value:
            yield scope, kind, value


def _is_old(facts: Facts, newest: int) -> bool:
    """Whether something in it was before the last erasure: what happens now is about nobody erased."""
    times = [message.sent_at for message in facts.messages] + [status.at for status in facts.statuses]
    times += [told.at for told in facts.account if told.at is not None]
    return any(at <= newest for at in times)


def _people(facts: Facts) -> Iterator[tuple[str, str, Person]]:
    """(our number, account, person) of everybody who is named."""
    for message in facts.messages:
        if message.person is not None:
            yield message.phone_number_id, "", message.person
    for status in facts.statuses:
        if status.recipient is not None:
            yield status.phone_number_id, "", status.recipient
    for told in facts.account:
        if told.person is not None:
            yield told.phone_number_id or "", told.waba_id or "", told.person
    for named in facts.people:
        yield named.phone_number_id, "", named.person

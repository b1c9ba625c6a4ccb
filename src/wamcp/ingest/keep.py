"""From facts to rows: what a batch of events says is written in a handful of set-based statements."""

from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

import psycopg

from wamcp.db.account import AccountRow, digest, forget_account_events, keep_account_events
from wamcp.db.columns import array, columns
from wamcp.db.deliveries import StatusRow, keep_statuses
from wamcp.db.documents import keep_documents
from wamcp.db.incoming import IncomingFile, keep_incoming, link_sent
from wamcp.db.numbers import Number, keep_numbers
from wamcp.db.people import Change, Mention, keep_people
from wamcp.db.reactions import REACTION, line_about, targets
from wamcp.db.searchable import search_text
from wamcp.db.threads import MessageRow, Thread, Written, count_messages, keep_conversations, keep_messages
from wamcp.db.unknowns import count_unknowns
from wamcp.vocabulary import Direction, ParkedKind, Source
from wamcp.whatsapp.payload.facts import AccountFact, Facts, MessageFact, ParkedFact, Person
from wamcp.whatsapp.payload.media import file_in

Participants = dict[tuple[str, Person], int]


class Event(NamedTuple):
    """A webhook event that was read: its id, when it came (unix seconds), and what it says."""

    id: int
    received_at: int
    facts: Facts


class Again(IntEnum):
    """Whether events are kept for the first time; read again, they are not counted again among the unknown."""

    NO = 0
    RECOUNTED = 1
    YES = 2


def keep(connection: psycopg.Connection, events: Sequence[Event], again: Again = Again.NO) -> None:
    """Writes all that ``events`` say. Safe to repeat: every row has its own natural key.

    Events that are kept ``again`` take back what they said before and do not say now; with ``Again.RECOUNTED`` what
    they have that is unknown is counted, since the counts were emptied before.
    """
    numbers = keep_numbers(connection, (fact for event in events for fact in event.facts.numbers))
    participants = keep_people(connection, list(_told(events, numbers)))
    written, nameless = _keep_messages(connection, events, numbers, participants)
    keep_statuses(connection, list(_status_rows(events, numbers, participants)))
    account = list(_account_rows(events, numbers, participants))
    if again:
        forget_account_events(connection, [event.id for event in events], account)
    keep_account_events(connection, account)
    _keep_parked(connection, events, nameless)
    if again != Again.YES:
        count_unknowns(connection, _unknowns(events), quietly=bool(again))
    files = list(_files(events, numbers))
    keep_incoming(connection, files)
    sent = list(_sent(events, numbers))
    link_sent(connection, sent)
    keep_documents(connection, [*((file.number_id, file.wamid) for file in files), *sent])
    count_messages(connection, written)


def _told(events: Sequence[Event], numbers: dict[str, Number]) -> Iterator[Mention | Change]:
    for event in events:
        for change in event.facts.identities:
            yield Change(numbers[change.phone_number_id].scope, change.old, change.new, change.at)
        for named in event.facts.people:
            at = event.received_at if named.at is None else named.at
            yield Mention(numbers[named.phone_number_id].scope, named.person, at, named.book_name)
        for message in event.facts.messages:
            if message.person is not None:
                yield Mention(numbers[message.phone_number_id].scope, message.person, message.sent_at)
        for status in event.facts.statuses:
            if status.recipient is not None:
                yield Mention(numbers[status.phone_number_id].scope, status.recipient, status.at)
        for fact in event.facts.account:
            if fact.person is not None:
                at = event.received_at if fact.at is None else fact.at
                yield Mention(_scope(fact, numbers), fact.person, at)


def _scope(fact: AccountFact, numbers: dict[str, Number]) -> str:
    number = numbers.get(fact.phone_number_id or "")
    return number.scope if number is not None else fact.waba_id or ""


def _keep_messages(
    connection: psycopg.Connection, events: Sequence[Event], numbers: dict[str, Number], participants: Participants
) -> tuple[Written | None, list[tuple[int, ParkedFact]]]:
    """Keeps the messages; returns what to count, and those of no conversation, since nobody is named in them."""
    placed: list[tuple[int, MessageFact, Thread, int | None]] = []
    nameless: list[tuple[int, ParkedFact]] = []
    for event in events:
        for fact in event.facts.messages:
            number = numbers[fact.phone_number_id]
            person = participants.get((number.scope, fact.person)) if fact.person is not None else None
            if person is None and fact.group_id is None:
                reason = "The message names neither a sender nor a group."
                nameless.append((event.id, ParkedFact(fact.item, ParkedKind.MALFORMED, reason, fact.content)))
                continue
            partner = None if fact.group_id is not None else person
            sender = person if fact.direction == Direction.INBOUND else None
            placed.append((event.id, fact, Thread(number.id, partner, fact.group_id), sender))
    conversations = keep_conversations(connection, {thread for _, _, thread, _ in placed})
    rows = [
        _message_row(event_id, fact, thread, (conversations[thread], sender))
        for event_id, fact, thread, sender in placed
    ]
    return keep_messages(connection, _with_targets(connection, rows)), nameless


def _with_targets(connection: psycopg.Connection, rows: list[MessageRow]) -> list[MessageRow]:
    """The rows, in which reactions say what they were to as far as that is known already."""
    about = targets(
        connection, ((row.number_id, row.refers_to) for row in rows if row.type == REACTION and row.refers_to)
    )
    if not about:
        return rows
    told = []
    for row in rows:
        target = about.get((row.number_id, row.refers_to or "")) if row.type == REACTION else None
        line = line_about(row.text, target) if target is not None else row.text
        told.append(row if line == row.text else row._replace(text=line, search_text=search_text(line)))
    return told


def _message_row(event_id: int, fact: MessageFact, thread: Thread, place: tuple[int, int | None]) -> MessageRow:
    return MessageRow(
        number_id=thread.number_id,
        wamid=fact.wamid,
        conversation_id=place[0],
        sender_id=place[1],
        event_id=event_id,
        direction=fact.direction,
        source=fact.source,
        type=fact.type,
        sent_at=fact.sent_at,
        standing=fact.standing,
        reply_to=fact.reply_to,
        refers_to=fact.refers_to,
        party_wa_id=fact.person.wa_id if fact.person is not None else None,
        party_bsuid=fact.person.bsuid if fact.person is not None else None,
        text=fact.text,
        search_text=search_text(fact.text),
        content=_json_text(fact.content),
    )


def _status_rows(
    events: Sequence[Event], numbers: dict[str, Number], participants: Participants
) -> Iterator[StatusRow]:
    for event in events:
        for fact in event.facts.statuses:
            number = numbers[fact.phone_number_id]
            yield StatusRow(
                number_id=number.id,
                wamid=fact.wamid,
                status=fact.status,
                participant=fact.participant,
                at=fact.at,
                recipient_id=participants.get((number.scope, fact.recipient)) if fact.recipient is not None else None,
                event_id=event.id,
                errors=_json_text(fact.errors),
                pricing=_json_text(fact.pricing),
                kind=fact.kind,
                callback_data=fact.callback_data,
                extra=_json_text(fact.extra),
            )


def _account_rows(
    events: Sequence[Event], numbers: dict[str, Number], participants: Participants
) -> Iterator[AccountRow]:
    for event in events:
        for fact in event.facts.account:
            number = numbers.get(fact.phone_number_id or "")
            person = participants.get((_scope(fact, numbers), fact.person)) if fact.person is not None else None
            yield AccountRow(
                digest=digest(fact.field, fact.waba_id, fact.phone_number_id, fact.at, details=fact.details),
                event_id=event.id,
                field=fact.field,
                event=fact.event,
                at=event.received_at if fact.at is None else fact.at,
                waba_id=fact.waba_id,
                number_id=number.id if number is not None else None,
                display_phone_number=fact.display_phone_number,
                group_id=fact.group_id,
                participant_id=person,
                subject_kind=fact.subject_kind,
                subject=fact.subject,
                severity=fact.severity,
                text=fact.text,
                details=fact.details.decode("utf-8", "replace"),
            )


def _files(events: Sequence[Event], numbers: dict[str, Number]) -> Iterator[IncomingFile]:
    """The files that messages of others carry; those that we sent ourselves are known by their sends."""
    for event in events:
        for fact in event.facts.messages:
            if fact.content is None or fact.source == Source.SEND:
                continue
            file = file_in(fact.content)
            if file is not None:
                yield IncomingFile(
                    number_id=numbers[fact.phone_number_id].id,
                    wamid=fact.wamid,
                    phone_number_id=fact.phone_number_id,
                    media_id=file.media_id,
                    url=file.url,
                    mime_type=file.mime_type,
                    filename=file.filename,
                    stated_sha256=file.sha256,
                    event_id=event.id,
                    received_at=event.received_at,
                )


def _sent(events: Sequence[Event], numbers: dict[str, Number]) -> Iterator[tuple[int, str]]:
    """Messages of ours that may carry a file."""
    for event in events:
        for fact in event.facts.messages:
            if fact.source == Source.SEND and fact.content is not None and b'"media"' in fact.content:
                yield numbers[fact.phone_number_id].id, fact.wamid


def _unknowns(events: Sequence[Event]) -> Iterator[tuple[str, str, int, int]]:
    for event in events:
        for fact in event.facts.unknowns:
            yield fact.kind, fact.path, event.id, event.received_at


def _keep_parked(
    connection: psycopg.Connection, events: Sequence[Event], nameless: Sequence[tuple[int, ParkedFact]]
) -> None:
    facts = [(event.id, fact) for event in events for fact in event.facts.parked] + list(nameless)
    rows = {
        (event_id, fact.item): (event_id, fact.item, fact.kind, fact.reason, fact.fragment) for event_id, fact in facts
    }
    connection.execute(
        "DELETE FROM parked p WHERE p.event_id = ANY(%s::bigint[])"
        " AND NOT EXISTS ("
        "  SELECT FROM unnest(%s::bigint[], %s::text[]) AS u (e, i) WHERE u.e = p.event_id AND u.i = p.item)",
        [array([event.id for event in events]), *columns(list(rows), 2)],
    )
    if rows:
        connection.execute(
            "INSERT INTO parked AS p (event_id, item, kind, reason, fragment)"
            " SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::bytea[])"
            " ON CONFLICT (event_id, item) DO UPDATE SET kind = excluded.kind, reason = excluded.reason,"
            " fragment = excluded.fragment WHERE (p.kind, p.reason) IS DISTINCT FROM (excluded.kind, excluded.reason)",
            columns([rows[key] for key in sorted(rows)], 5),
        )


def _json_text(fragment: bytes | None) -> str | None:
    return None if fragment is None else fragment.decode("utf-8", "replace")

"""Participants as the admin API's JSON: names over time, identifiers, conversations, groups, merges."""

from datetime import date, datetime

from pydantic import BaseModel

from wamcp.archive.views import (
    AliasView,
    CandidateView,
    MembershipView,
    MergeView,
    NameView,
    Page,
    PersonDetailView,
    PersonView,
)
from wamcp.vocabulary import participant_ref
from wamcp.web.answers import Contact, Conversation, contact, conversation
from wamcp.web.answers_account import AccountEvent, account_event


class Person(Contact):
    """A participant; ``merged_into`` is the one who stands for him, if anybody does."""

    merged_into: str | None


class Participants(BaseModel):
    """One page of participants."""

    participants: list[Person]
    next_cursor: str | None


class Name(BaseModel):
    """What somebody was called: name, username, or book, as the business's contact book has it."""

    kind: str
    value: str
    first_seen_at: datetime | None
    last_seen_day: date


class Alias(BaseModel):
    """One of Meta's identifiers (bsuid, parent_bsuid, wa_id), unique within its scope."""

    participant_id: str
    scope: str
    kind: str
    value: str
    first_seen_at: datetime | None


class Membership(BaseModel):
    """A group in which somebody is, or was until ``left_at``."""

    group_id: str
    subject: str | None
    since: datetime
    left_at: datetime | None


class Candidate(BaseModel):
    """Somebody who may be the same person; ``reason`` is number, parent_bsuid or change."""

    participant: Contact
    reason: str
    since: datetime | None


class Merge(BaseModel):
    """People decided that ``into`` stands for ``participant``; in force unless it was undone."""

    participant: str
    into: str
    made_at: datetime
    made_by: str
    undone_at: datetime | None
    undone_by: str | None


class Participant(Person):
    """All that is known of a participant. Times of names and identifiers are those of what Meta told with them."""

    names: list[Name]
    aliases: list[Alias]
    conversations: list[Conversation]
    groups: list[Membership]
    merge_candidates: list[Candidate]
    merges: list[Merge]
    account_events: list[AccountEvent]


def participants(page: Page[PersonView]) -> Participants:
    """A page of the list as JSON."""
    people = [Person(**_person(item)) for item in page.items]
    return Participants(participants=people, next_cursor=page.next_cursor)


def participant(view: PersonDetailView) -> Participant:
    """The whole of a participant as JSON."""
    return Participant(
        names=[_name(each) for each in view.names],
        aliases=[_alias(each) for each in view.aliases],
        conversations=[conversation(each) for each in view.conversations],
        groups=[_membership(each) for each in view.groups],
        merge_candidates=[_candidate(each) for each in view.candidates],
        merges=[_merge(each) for each in view.merges],
        account_events=[account_event(each) for each in view.account_events],
        **_person(view.person),
    )


def _person(view: PersonView) -> dict[str, str | None]:
    person = view.participant
    return {
        "id": participant_ref(person.id),
        "name": person.name,
        "username": person.username,
        "wa_id": person.wa_id,
        "bsuid": person.bsuid,
        "merged_into": participant_ref(view.merged_into) if view.merged_into is not None else None,
    }


def _name(view: NameView) -> Name:
    return Name(kind=view.kind, value=view.value, first_seen_at=view.first_seen_at, last_seen_day=view.last_seen_day)


def _alias(view: AliasView) -> Alias:
    return Alias(
        participant_id=participant_ref(view.participant_id),
        scope=view.scope,
        kind=view.kind,
        value=view.value,
        first_seen_at=view.first_seen_at,
    )


def _membership(view: MembershipView) -> Membership:
    return Membership(group_id=view.group_id, subject=view.subject, since=view.since, left_at=view.left_at)


def _candidate(view: CandidateView) -> Candidate:
    other = contact(view.participant)
    assert other is not None
    return Candidate(participant=other, reason=view.reason, since=view.since)


def _merge(view: MergeView) -> Merge:
    return Merge(
        participant=participant_ref(view.from_id),
        into=participant_ref(view.into_id),
        made_at=view.made_at,
        made_by=view.made_by,
        undone_at=view.undone_at,
        undone_by=view.undone_by,
    )

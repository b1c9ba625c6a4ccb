"""Account events, groups, webhook events, unknowns and gaps as the admin API's JSON."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from wamcp.archive.events import EventView
from wamcp.archive.gaps import KINDS, GapsView
from wamcp.archive.groups import GroupDetail, GroupView
from wamcp.archive.unknowns import UnknownView
from wamcp.archive.views import AccountEventView, Page
from wamcp.vocabulary import conversation_ref
from wamcp.web.answers import Contact, Number, contact


class Subject(BaseModel):
    """What an account event is about: a ``template``, ``call``, ``message`` ..., and Meta's id of it."""

    kind: str
    id: str | None


class AccountEvent(BaseModel):
    """One account event; ``details`` is what Meta wrote."""

    id: int
    field: str
    event: str
    at: datetime
    waba_id: str | None
    phone_number_id: str | None
    display_phone_number: str | None
    group_id: str | None
    participant: Contact | None
    subject: Subject | None
    severity: str
    text: str
    details: Any
    event_id: int


class AccountEvents(BaseModel):
    """One page of account events, newest first."""

    account_events: list[AccountEvent]
    next_cursor: str | None


class Group(BaseModel):
    """One group as it is now; ``member_count`` counts whom Meta named."""

    group_id: str
    number: Number | None
    subject: str | None
    description: str | None
    deleted: bool
    suspended: bool
    member_count: int
    conversation_id: str | None
    last_active_at: datetime


class Groups(BaseModel):
    """One page of groups."""

    groups: list[Group]
    next_cursor: str | None


class Member(BaseModel):
    """Somebody in a group as Meta named him; ``participant`` is who the archive knows by these names."""

    wa_id: str | None
    bsuid: str | None
    parent_bsuid: str | None
    username: str | None
    participant: Contact | None


class GroupWithHistory(Group):
    """One group, who is in it now, and its newest 500 events, newest first."""

    participants: list[Member]
    history: list[AccountEvent]


class Parked(BaseModel):
    """What was not understood; ``item`` is its place in the event, empty for the event as a whole."""

    item: str
    kind: str
    reason: str
    parked_at: datetime


class Event(BaseModel):
    """One webhook event; ``size`` in bytes is known while it is pending."""

    id: int
    received_at: datetime
    state: str
    size: int | None
    parked: list[Parked]


class Events(BaseModel):
    """One page of webhook events, last received first."""

    events: list[Event]
    next_cursor: str | None


class Unknown(BaseModel):
    """Something of Meta's that this release has no word for."""

    kind: str
    path: str
    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    first_event_id: int
    last_event_id: int


class Unknowns(BaseModel):
    """Those that came last."""

    unknowns: list[Unknown]


class Gap(BaseModel):
    """How many of one kind pointed to messages that never came, and at most three of the missing wamids."""

    count: int
    examples: list[str]


class GapHour(BaseModel):
    """One hour of one number; what is absent is null."""

    phone_number_id: str
    hour: datetime
    statuses: Gap | None = None
    replies: Gap | None = None
    reactions: Gap | None = None
    edits: Gap | None = None
    revocations: Gap | None = None


class Gaps(BaseModel):
    """Hours with gaps, newest first, and how many there were in all."""

    since: datetime
    until: datetime
    totals: dict[str, int]
    hours: list[GapHour]


def account_events(page: Page[AccountEventView]) -> AccountEvents:
    """A page of account events as JSON."""
    return AccountEvents(account_events=[account_event(item) for item in page.items], next_cursor=page.next_cursor)


def groups(page: Page[GroupView]) -> Groups:
    """A page of groups as JSON."""
    return Groups(groups=[Group(**_group(item)) for item in page.items], next_cursor=page.next_cursor)


def group(found: GroupDetail) -> GroupWithHistory:
    """One group as JSON."""
    members = [
        Member(
            wa_id=member.wa_id,
            bsuid=member.bsuid,
            parent_bsuid=member.parent_bsuid,
            username=member.username,
            participant=contact(member.participant),
        )
        for member in found.members
    ]
    history = [account_event(item) for item in found.history]
    return GroupWithHistory(**_group(found.group), participants=members, history=history)


def events(page: Page[EventView]) -> Events:
    """A page of webhook events as JSON."""
    return Events(
        events=[
            Event(
                id=item.id,
                received_at=item.received_at,
                state=item.state,
                size=item.size,
                parked=[
                    Parked(item=part.item, kind=part.kind, reason=part.reason, parked_at=part.parked_at)
                    for part in item.parked
                ],
            )
            for item in page.items
        ],
        next_cursor=page.next_cursor,
    )


def unknowns(found: list[UnknownView]) -> Unknowns:
    """What is unknown as JSON."""
    return Unknowns(
        unknowns=[
            Unknown(
                kind=item.kind,
                path=item.path,
                count=item.count,
                first_seen_at=item.first_seen_at,
                last_seen_at=item.last_seen_at,
                first_event_id=item.first_event_id,
                last_event_id=item.last_event_id,
            )
            for item in found
        ]
    )


def gaps(found: GapsView) -> Gaps:
    """Gaps as JSON, the kinds of one hour together."""
    hours: dict[tuple[str, datetime], GapHour] = {}
    totals = dict.fromkeys(KINDS, 0)
    for gap in found.gaps:
        hour = hours.setdefault(
            (gap.phone_number_id, gap.hour), GapHour(phone_number_id=gap.phone_number_id, hour=gap.hour)
        )
        setattr(hour, gap.kind, Gap(count=gap.count, examples=gap.examples))
        totals[gap.kind] += gap.count
    return Gaps(since=found.since, until=found.until, totals=totals, hours=list(hours.values()))


def account_event(view: AccountEventView) -> AccountEvent:
    """One account event as JSON."""
    return AccountEvent(
        id=view.id,
        field=view.field,
        event=view.event,
        at=view.at,
        waba_id=view.waba_id,
        phone_number_id=view.phone_number_id,
        display_phone_number=view.display_phone_number,
        group_id=view.group_id,
        participant=contact(view.participant),
        subject=Subject(kind=view.subject_kind, id=view.subject) if view.subject_kind else None,
        severity=view.severity,
        text=view.text,
        details=view.details,
        event_id=view.event_id,
    )


def _group(view: GroupView) -> dict[str, Any]:
    number = view.number
    return {
        "group_id": view.group_id,
        "number": number
        and Number(phone_number_id=number.phone_number_id, display_phone_number=number.display_phone_number),
        "subject": view.subject,
        "description": view.description,
        "deleted": view.deleted,
        "suspended": view.suspended,
        "member_count": view.member_count,
        "conversation_id": conversation_ref(view.conversation_id) if view.conversation_id is not None else None,
        "last_active_at": view.last_active_at,
    }

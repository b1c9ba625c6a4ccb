"""The admin API's reads beside messages: account events, groups, webhook events, unknowns, gaps."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel

from wamcp.archive import account_events as happenings
from wamcp.archive import events as webhooks
from wamcp.archive import gaps as missing
from wamcp.archive import groups as circles
from wamcp.archive import unknowns as words
from wamcp.archive.account_events import AccountEventsQuery
from wamcp.archive.asking import asking
from wamcp.archive.events import EventsQuery
from wamcp.archive.gaps import GapsQuery
from wamcp.archive.groups import GroupsQuery
from wamcp.archive.page import MAX_LIMIT
from wamcp.vocabulary import Severity
from wamcp.web import answers_account as answers
from wamcp.web.asked import (
    Cursor,
    Limit,
    Moment,
    documented,
    grant_of,
    moment,
    note_shown,
    participant_id,
    unlimited_grant,
)

router = APIRouter(prefix="/admin", tags=["account"], **documented)

OurNumber = Annotated[str | None, Query(description="One of our numbers: Meta's id of it, or the number.")]
GroupId = Annotated[str, Path(description="Meta's id of the group.", max_length=200)]


class AccountEventParameters(BaseModel):
    """What `/admin/account-events` takes."""

    field: str | None = Query(None, description="Meta's field, e.g. `account_update`.")
    event: str | None = Query(None, description="Meta's word for it, e.g. `ACCOUNT_RESTRICTION`.")
    severity: Severity | None = None
    since: str | None = Query(None, description="ISO 8601, or seconds since 1970; inclusive.")
    before: str | None = Query(None, description="ISO 8601, or seconds since 1970; exclusive.")
    number: str | None = Query(None, description="One of our numbers: Meta's id of it, or the number.")
    group_id: str | None = None
    participant: str | None = Query(None, description="`p7` or `7`.")
    limit: int = Query(50, ge=1, le=MAX_LIMIT)
    cursor: str | None = Query(None, description="`next_cursor` of the page before.")


@router.get("/account-events")
def list_account_events(request: Request, given: Annotated[AccountEventParameters, Query()]) -> answers.AccountEvents:
    """What happened to accounts, numbers, templates, groups, calls and preferences, newest first."""
    query = AccountEventsQuery(
        field=given.field,
        event=given.event,
        severity=given.severity,
        since=moment(given.since),
        before=moment(given.before),
        number=given.number,
        group_id=given.group_id,
        participant=participant_id(given.participant) if given.participant is not None else None,
        limit=given.limit,
        cursor=given.cursor,
    )
    with asking(request.app.state.reader) as connection:
        page = happenings.newest(connection, grant_of(request), query)
    answer = answers.account_events(page)
    note_shown(request, [f"a{item.id}" for item in answer.account_events])
    return answer


@router.get("/groups")
def list_groups(request: Request, number: OurNumber = None, limit: Limit = 50, cursor: Cursor = None) -> answers.Groups:
    """Groups as they are now, the most recently active first."""
    query = GroupsQuery(number, limit, cursor)
    with asking(request.app.state.reader) as connection:
        page = circles.newest(connection, grant_of(request), query)
    answer = answers.groups(page)
    note_shown(request, [item.group_id for item in answer.groups])
    return answer


@router.get("/groups/{group_id}")
def get_group(request: Request, group_id: GroupId) -> answers.GroupWithHistory:
    """One group: subject, description, who is in it now, and what happened in it."""
    with asking(request.app.state.reader) as connection:
        found = circles.get(connection, grant_of(request), group_id)
    answer = answers.group(found)
    note_shown(request, [answer.group_id, *(f"a{item.id}" for item in answer.history)])
    return answer


@router.get("/events")
def list_events(
    request: Request,
    state: Literal["pending", "parked", "applied"] | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> answers.Events:
    """Webhook events, last received first, and what of them could not be understood. Only for keys without limits."""
    with asking(request.app.state.reader) as connection:
        page = webhooks.newest(connection, unlimited_grant(request), EventsQuery(state, limit, cursor))
    answer = answers.events(page)
    note_shown(request, [f"e{item.id}" for item in answer.events])
    return answer


@router.get("/unknowns")
def list_unknowns(request: Request) -> answers.Unknowns:
    """What Meta sent that this release has no word for, the last 1,000. Only for keys without limits."""
    unlimited_grant(request)
    with asking(request.app.state.reader) as connection:
        return answers.unknowns(words.unknowns(connection))


@router.get("/gaps")
def list_gaps(request: Request, since: Moment = None, until: Moment = None, number: OurNumber = None) -> answers.Gaps:
    """What points to messages that never came, by number and hour; the last seven days unless said otherwise."""
    query = GapsQuery(moment(since), moment(until), number)
    with asking(request.app.state.reader) as connection:
        return answers.gaps(missing.gaps(connection, grant_of(request), query))

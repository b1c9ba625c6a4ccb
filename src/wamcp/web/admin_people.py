"""The admin API's reads about one message and about participants."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from wamcp.archive import detail, participants
from wamcp.archive.asking import asking
from wamcp.archive.participants import ParticipantsQuery
from wamcp.web import answers_detail, answers_people, asked
from wamcp.web.asked import Cursor, Limit, documented, grant_of, note_shown

MAX_WAMID = 1_000

router = APIRouter(prefix="/admin", tags=["admin"], **documented)

Wamid = Annotated[
    str, Path(max_length=MAX_WAMID, description="Meta's id of a message or call, slashes and all, or `m123`.")
]
NumberId = Annotated[
    str | None, Query(description="One of our numbers, where several know the wamid: Meta's id of it, or the number.")
]
Ref = Annotated[str, Path(description="`p7` or `7`.")]


@router.get("/messages/{wamid:path}")
def show_message(request: Request, wamid: Wamid, phone_number_id: NumberId = None) -> answers_detail.MessageDetail:
    """Everything that is known of one message, its reactions, edits and statuses; also of one that never came."""
    with asking(request.app.state.reader) as connection:
        found = detail.find(connection, grant_of(request), wamid, phone_number_id)
    answer = answers_detail.message_detail(found)
    shown = [answer.id, *(file.id for file in answer.files), *(file.document_id for file in answer.files)]
    note_shown(request, [each for each in shown if each])
    return answer


@router.get("/participants")
def list_participants(
    request: Request,
    q: Annotated[str | None, Query(max_length=200, description="In the name, the username or the number.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> answers_people.Participants:
    """Those who write to us, the newest first."""
    query = ParticipantsQuery(text=q, limit=limit, cursor=cursor)
    with asking(request.app.state.reader) as connection:
        page = participants.list_newest(connection, grant_of(request), query)
    answer = answers_people.participants(page)
    note_shown(request, [person.id for person in answer.participants])
    return answer


@router.get("/participants/{participant_id}")
def show_participant(request: Request, participant_id: Ref) -> answers_people.Participant:
    """One participant with his names over time, identifiers, conversations, groups, and who he may also be."""
    with asking(request.app.state.reader) as connection:
        view = participants.get(connection, grant_of(request), asked.participant_id(participant_id))
    answer = answers_people.participant(view)
    note_shown(request, [answer.id, *(conversation.id for conversation in answer.conversations)])
    return answer

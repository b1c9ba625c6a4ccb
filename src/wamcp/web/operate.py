"""The admin API's hands: reading events again, merging people. Only for keys without limits; each is audited."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field

from wamcp.ingest import merging, unpark
from wamcp.settings import Settings
from wamcp.vocabulary import participant_ref
from wamcp.web import asked

router = APIRouter(prefix="/admin", tags=["operate"], **asked.documented)

EventId = Annotated[int, Path(ge=1, le=2**63 - 1, description="The id of a webhook event.")]
Ref = Annotated[str, Path(description="`p7` or `7`.")]


class Replayed(BaseModel):
    """``state`` is queued, to be worked soon, or applied; ``parked`` counts the items that are still parked."""

    event_id: int
    state: str
    parked: int


class MergeInto(BaseModel):
    """Who shall stand for the participant."""

    into: str = Field(description="`p9` or `9`.", max_length=40)


class Merged(BaseModel):
    """The participant, and who stands or stood for him."""

    participant_id: str
    into: str


@router.post("/events/{event_id}/replay")
def replay_event(request: Request, event_id: EventId) -> Replayed:
    """Read one webhook event again, parked or not. Repeating it changes nothing."""
    done = unpark.replay(_owner_url(request), [event_id])
    return Replayed(event_id=event_id, state="queued" if done.queued else "applied", parked=done.still_parked)


@router.post("/participants/{participant_id}/merge")
def merge_participant(request: Request, participant_id: Ref, wanted: MergeInto) -> Merged:
    """Put one participant under another, who stands for both from now on. It can be undone."""
    gone, into = asked.participant_id(participant_id), asked.participant_id(wanted.into)
    merging.merge(_owner_url(request), gone, into, asked.grant_of(request).label)
    return Merged(participant_id=participant_ref(gone), into=participant_ref(into))


@router.post("/participants/{participant_id}/unmerge")
def unmerge_participant(request: Request, participant_id: Ref) -> Merged:
    """Undo the merge of a participant: his conversations and messages are his own again."""
    gone = asked.participant_id(participant_id)
    stood = merging.unmerge(_owner_url(request), gone, asked.grant_of(request).label)
    return Merged(participant_id=participant_ref(gone), into=participant_ref(stood))


def _owner_url(request: Request) -> str:
    """The address to write through. Raises :class:`NotAllowed` for a bearer whose sight is limited."""
    asked.unlimited_grant(request)
    settings: Settings = request.app.state.settings
    return settings.direct_url()

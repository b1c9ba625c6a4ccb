"""Sends for the operator: what was asked to be sent, where it stands, and trying again by hand."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from wamcp.archive.asking import translating
from wamcp.db.sends import SendsQuery
from wamcp.phones import digits_of
from wamcp.sending.desk import Desk
from wamcp.sending.told import SendAnswer
from wamcp.vocabulary import SendOrigin, SendState
from wamcp.web import asked
from wamcp.web.send_work import STATUS, desk_of, in_thread

router = APIRouter(prefix="/admin/sends", tags=["send"], **asked.documented)

PHONE = re.compile(r"[\s\d+().\-/]+")

Ref = Annotated[str, Path(description="`s12` or `12`.")]
_retried: dict[int | str, dict[str, Any]] = {202: {"model": SendAnswer}, 409: {"description": "Nothing to try again."}}


class SendsPage(BaseModel):
    """Sends, newest first."""

    sends: list[SendAnswer]
    next_before: str | None = Field(description="Ask with `before` set to this for the next page.")


class Retry(BaseModel):
    """How to try again."""

    even_if_unknown: bool = Field(False, description="Send it again although the first one may have arrived.")


@router.get("")
def list_sends(  # noqa: PLR0913 - one argument for each parameter of the route
    request: Request,
    state: SendState | None = None,
    origin: SendOrigin | None = None,
    to: Annotated[str | None, Query(max_length=200, description="A phone number, a BSUID or a group id.")] = None,
    phone_number_id: Annotated[str | None, Query(max_length=200)] = None,
    before: Annotated[str | None, Query(max_length=30, description="`next_before` of the page before.")] = None,
    limit: asked.Limit = 50,
) -> SendsPage:
    """What was asked to be sent, newest first."""
    desk = _desk(request)
    query = SendsQuery(
        state=None if state is None else state.value,
        origin=None if origin is None else origin.value,
        phone_number_id=_clean(phone_number_id),
        recipient=None if to is None else _recipient(to),
        before=None if before is None else asked.send_id(before),
        limit=limit,
    )
    with translating():
        found = desk.newest(query)
    asked.note_shown(request, [send.send_id for send in found])
    return SendsPage(sends=found, next_before=found[-1].send_id if len(found) == limit else None)


@router.get("/{send_id}")
def get_send(request: Request, send_id: Ref) -> SendAnswer:
    """Where one send stands."""
    with translating():
        found = _desk(request).look(asked.send_id(send_id))
    asked.note_shown(request, [found.send_id])
    return found


@router.post("/{send_id}/retry", responses=_retried)
async def retry_send(request: Request, response: Response, send_id: Ref, wanted: Retry | None = None) -> SendAnswer:
    """Send again what failed, as a new send. What is unknown only with `even_if_unknown`."""
    desk, by = _desk(request), asked.grant_of(request).label
    risk = wanted is not None and wanted.even_if_unknown
    told = await in_thread(request, lambda: desk.retry(asked.send_id(send_id), by, even_if_unknown=risk))
    asked.note_shown(request, [told.send_id])
    if told.error is not None:
        asked.note_failure(request, f"{told.send_id} {told.state}: {told.error.meaning}")
    response.status_code = STATUS.get(told.state, 202)
    return told


def _desk(request: Request) -> Desk:
    """Where sends are taken. Raises :class:`NotAllowed` for a bearer whose sight is limited."""
    asked.unlimited_grant(request)
    return desk_of(request)


def _recipient(written: str) -> str:
    """A phone number in any formatting as its digits; in an address ``+`` is a blank. Whatever else as it stands."""
    text = _clean(written) or ""
    return digits_of(text) if PHONE.fullmatch(text) else text


def _clean(written: str | None) -> str | None:
    return None if written is None else written.replace("\0", "")

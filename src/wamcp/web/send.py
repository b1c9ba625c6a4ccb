"""Sending over HTTP: one route for each kind of message, for keys without limits; each is audited."""

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from wamcp.sending.told import SendAnswer
from wamcp.web import send_asked as wanted
from wamcp.web.send_work import SendRoute, desk_of, documented, hand_over, in_thread

router = APIRouter(prefix="/send", tags=["send"], route_class=SendRoute, **documented)

Key = Annotated[
    str | None,
    Header(alias="Idempotency-Key", description="At most 200 characters. The same key never sends twice."),
]


@router.post("/text")
async def send_text(request: Request, response: Response, given: wanted.SendText, key: Key = None) -> SendAnswer:
    """Send plain text."""
    return await hand_over(request, response, given, key)


@router.post("/template")
async def send_template(
    request: Request, response: Response, given: wanted.SendTemplate, key: Key = None
) -> SendAnswer:
    """Send a template that Meta approved."""
    return await hand_over(request, response, given, key)


@router.post("/location")
async def send_location(
    request: Request, response: Response, given: wanted.SendLocation, key: Key = None
) -> SendAnswer:
    """Send a place."""
    return await hand_over(request, response, given, key)


@router.post("/contacts")
async def send_contacts(
    request: Request, response: Response, given: wanted.SendContacts, key: Key = None
) -> SendAnswer:
    """Send contact cards."""
    return await hand_over(request, response, given, key)


@router.post("/reaction")
async def send_reaction(
    request: Request, response: Response, given: wanted.SendReaction, key: Key = None
) -> SendAnswer:
    """Put one emoji under a message, or take it back."""
    return await hand_over(request, response, given, key)


@router.post("/interactive")
async def send_interactive(
    request: Request, response: Response, given: wanted.SendInteractive, key: Key = None
) -> SendAnswer:
    """Send buttons, a list or a link."""
    return await hand_over(request, response, given, key)


@router.post("/read")
async def mark_read(request: Request, given: wanted.MarkRead) -> wanted.MarkedRead:
    """Mark a message, and what came before it, as read; with `typing`, show that an answer is being written."""
    desk, sender = desk_of(request), given.our_number()

    def mark() -> None:
        desk.mark_read(sender, desk.wamid(given.message_id, sender), given.typing)

    await in_thread(request, mark)
    return wanted.MarkedRead(message_id=given.message_id, typing=given.typing)

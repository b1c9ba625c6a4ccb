"""What the routers of the admin API ask of a request: who asks, for which row, since when; and what they tell of it."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Query, Request, Security
from fastapi.security import APIKeyHeader

from wamcp.access.grants import Grant
from wamcp.archive.page import MAX_LIMIT
from wamcp.errors import NotAllowed, NotVisible, Rejected
from wamcp.vocabulary import row_id
from wamcp.web import answers
from wamcp.web.auth import HEADER

_key = APIKeyHeader(name=HEADER, auto_error=False, description="ADMIN_API_KEY, or an admin token.")
_problems: dict[int | str, dict[str, Any]] = {
    status: {"model": answers.Problem} for status in (400, 401, 403, 404, 422, 429, 503)
}
documented: dict[str, Any] = {"dependencies": [Security(_key)], "responses": _problems}

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many rows, at most.")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before.")]
Moment = Annotated[str | None, Query(description="ISO 8601, or seconds since 1970. Without a zone it is UTC.")]


def grant_of(request: Request) -> Grant:
    """What the bearer of the key may see."""
    grant: Grant = request.state.grant
    return grant


def unlimited_grant(request: Request) -> Grant:
    """The same. Raises :class:`NotAllowed` for a bearer whose sight is limited."""
    grant = grant_of(request)
    if grant.numbers is not None or grant.since is not None:
        raise NotAllowed
    return grant


def note_shown(request: Request, refs: list[str]) -> None:
    """Notes the references that the answer shows, for the audit."""
    request.state.shown.extend(refs)


def note_failure(request: Request, sentence: str) -> None:
    """Notes for the audit why it failed, instead of the answer itself; ``sentence`` has neither texts nor numbers."""
    request.state.failure = sentence


def conversation_id(written: str) -> int:
    """The row id in ``c123`` or ``123``. Raises :class:`NotVisible`."""
    return _row_id(written, "c", "conversation id: it looks like c123 or 123; list the conversations.")


def participant_id(written: str) -> int:
    """The row id in ``p7`` or ``7``. Raises :class:`NotVisible`."""
    return _row_id(written, "p", "participant id: it looks like p7 or 7; list the participants and take one.")


def send_id(written: str) -> int:
    """The row id in ``s12`` or ``12``. Raises :class:`NotVisible`."""
    return _row_id(written, "s", "send: it looks like s12 or 12; list the sends and take one.")


def media_id(written: str) -> int:
    """The row id in ``f12`` or ``12``. Raises :class:`NotVisible`."""
    return _row_id(written, "f", "file: it looks like f12 or 12.")


def document_id(written: str) -> int:
    """The row id in ``d12`` or ``12``. Raises :class:`NotVisible`."""
    return _row_id(written, "d", "document: it looks like d12 or 12; list the documents and take one.")


def _row_id(written: str, letter: str, what: str) -> int:
    found = row_id(written, letter)
    if found is None:
        raise NotVisible(f"{written[:40]!r} is no {what}")
    return found


def moment(written: str | None) -> datetime | None:
    """A moment written as ISO 8601 or as seconds since 1970. Raises :class:`Rejected`."""
    if written is None:
        return None
    # A plus sign that was not percent-encoded arrives as a blank.
    text = re.sub(r" (\d\d:?\d\d)$", r"+\1", written.strip())
    try:
        if re.fullmatch(r"-?\d+(\.\d+)?", text):
            return datetime.fromtimestamp(float(text), UTC)
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise Rejected(
            f"{written[:40]!r} is no time: write ISO 8601 (2026-03-02T12:00:00Z) or seconds since 1970 (1772452800)."
        ) from None

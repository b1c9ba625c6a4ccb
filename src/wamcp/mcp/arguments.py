"""What a model typed, understood: short ids, dates, query words; errors say what to type instead."""

import re
from datetime import UTC, datetime

from wamcp.errors import NotVisible, Rejected

_MAX_ROW_ID = 2**63 - 1


def conversation_id(text: str) -> int:
    """The row id in ``c123`` or ``123``. Raises :class:`NotVisible` in the words used for hidden ones."""
    return _row_id(text, "c", no_conversation(text))


def message_id(text: str) -> int:
    """The row id in ``m123`` or ``123``. Raises :class:`NotVisible` in the words used for hidden ones."""
    return _row_id(text, "m", no_message(text))


def document_id(text: str) -> int:
    """The row id in ``d12`` or ``12``. Raises :class:`NotVisible` in the words used for hidden ones."""
    return _row_id(text, "d", no_document(text))


def no_document(text: str) -> NotVisible:
    """The one answer for documents that do not exist and for those that this client may not see."""
    return NotVisible(f"No document {quoted(text)} is visible to this client; call list_documents.")


def no_conversation(text: str) -> NotVisible:
    """The one answer for conversations that do not exist and for those that this client may not see."""
    return NotVisible(f"No conversation {quoted(text)} is visible to this client; call list_conversations.")


def no_message(text: str) -> NotVisible:
    """The one answer for messages that do not exist and for those that this client may not see."""
    return NotVisible(f"No message {quoted(text)} is visible in this conversation; call search_messages.")


def no_such_message(text: str) -> NotVisible:
    """As :func:`no_message`, where no conversation was named."""
    return NotVisible(f"No message {quoted(text)} is visible to this client; call search_messages.")


def moment(name: str, text: str | None) -> datetime | None:
    """An ISO 8601 date (its first moment, UTC) or datetime (UTC unless it says otherwise)."""
    if text is None or not text.strip():
        return None
    try:
        found = datetime.fromisoformat(text.strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Rejected(
            f"{name} is not a date: {quoted(text)}. Use ISO 8601, such as 2026-11-20 or 2026-11-20T14:30Z."
        ) from None


def span(after: str | None, before: str | None) -> tuple[datetime | None, datetime | None]:
    """Both ends of a time range, in order."""
    start, end = moment("after", after), moment("before", before)
    if start is not None and end is not None and start >= end:
        raise Rejected("after must be earlier than before; swap them, or leave one out.")
    return start, end


def words(text: str | None) -> str | None:
    """A query as Postgres can take it (no NUL, no lone surrogates); None when nothing is left of it."""
    if text is None:
        return None
    return text.encode("utf-8", "replace").decode().replace("\x00", " ").strip() or None


def quoted(text: str) -> str:
    """The caller's own words, for an error: one line, cut."""
    plain = re.sub(r"[^\x20-\x7e]", "?", text)
    return repr(plain if len(plain) <= 40 else plain[:40] + "...")


def _row_id(text: str, letter: str, otherwise: NotVisible) -> int:
    match = re.fullmatch(rf"{letter}?([0-9]{{1,19}})", text.strip().lower(), re.ASCII)
    if match is None or int(match.group(1)) > _MAX_ROW_ID:
        raise otherwise
    return int(match.group(1))

"""How rows become views: the columns that every answer takes, and what is masked in them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from wamcp.archive.scope import Scope
from wamcp.archive.views import ConversationView, ParticipantView

REPLY_WINDOW = timedelta(hours=24)
"""How long after a customer's message free text may be sent (Meta, "Customer service windows")."""

PARTICIPANT_COLUMNS = """
  p.id AS participant_id, p.name, p.username,
  (SELECT value FROM participant_aliases a WHERE a.participant_id = p.id AND a.kind = 'wa_id'
    ORDER BY first_seen_at DESC, value DESC LIMIT 1) AS wa_id,
  (SELECT value FROM participant_aliases a WHERE a.participant_id = p.id AND a.kind = 'bsuid'
    ORDER BY first_seen_at DESC, value DESC LIMIT 1) AS bsuid"""
"""The person ``p``, with the identifiers that were introduced last."""

UNANSWERED = (
    "(c.last_inbound_at IS NOT NULL AND (c.last_outbound_at IS NULL OR c.last_outbound_at < c.last_inbound_at))"
)

_PHONE = r"[\s+().\-/]*(?:[0-9][\s+().\-/]*){7,}"
_LOOKS_LIKE_PHONE = re.compile(_PHONE)
IS_PHONE = f"p.name ~ '^{_PHONE}$'"
"""The predicate: the contact's name is a phone number."""


def bare_letters(column: str) -> str:
    """The SQL for ``column`` without accents and capitals.

    It says what wa_norm does: to call a function of SQL takes longer than the work. Plain ASCII has no accents.
    """
    unaccented = f"public.unaccent('public.unaccent'::regdictionary, {column})"
    return f"lower(CASE WHEN octet_length({column}) = length({column}) THEN {column} ELSE {unaccented} END)"


def participant_view(row: dict[str, Any], scope: Scope) -> ParticipantView | None:
    """The person in ``row``, with phone numbers masked unless the bearer may see them."""
    if row["participant_id"] is None:
        return None
    name, wa_id = row["name"], row["wa_id"]
    if not scope.phones:
        wa_id = mask(wa_id) if wa_id else wa_id
        name = mask(name) if name and looks_like_phone(name) else name
    return ParticipantView(row["participant_id"], name, row["username"], wa_id, row["bsuid"])


def looks_like_phone(text: str) -> bool:
    """Whether ``text`` is seven digits or more, however they are parted, and nothing else."""
    return _LOOKS_LIKE_PHONE.fullmatch(text) is not None


def mask(phone: str) -> str:
    """The last four digits of ``phone``, as ``…0100``."""
    return "…" + "".join(character for character in phone if character.isdecimal())[-4:]


def conversation_view(row: dict[str, Any], scope: Scope, group_subject: str | None = None) -> ConversationView:
    """The thread in ``row``; nothing that lies before the bearer's window shows in it."""
    inbound, outbound = (within(row[name], scope) for name in ("last_inbound_at", "last_outbound_at"))
    closes = inbound + REPLY_WINDOW if inbound else None
    return ConversationView(
        id=row["id"],
        number=scope.numbers[row["number_id"]],
        participant=participant_view(row, scope),
        group_id=row["group_id"],
        message_count=row["message_count"],
        last_message_at=within(row["last_message_at"], scope),
        last_inbound_at=inbound,
        last_outbound_at=outbound,
        unanswered=inbound is not None and (outbound is None or outbound < inbound),
        reply_window_open_until=closes if closes and closes > row["read_at"] else None,
        group_subject=group_subject,
    )


def within(moment: datetime | None, scope: Scope) -> datetime | None:
    """``moment`` in UTC; None when it lies before the bearer's window."""
    if moment is None or (scope.since is not None and moment < scope.since):
        return None
    return moment.astimezone(UTC)

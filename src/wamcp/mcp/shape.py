"""The archive's answers in the shape that Claude reads: short ids, minutes, days, and what is untrusted named so."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from wamcp.access.grants import Grant
from wamcp.archive.views import ConversationView, MessageView, NumberView, ParticipantView
from wamcp.mcp import sanitize
from wamcp.mcp.budget import MAX_TEXT, Answer, add_notice
from wamcp.mcp.snippet import snippet
from wamcp.vocabulary import Direction, conversation_ref, message_ref, participant_ref

MAX_NAME = 80
US = "us"


def minute(moment: datetime | None) -> str | None:
    """``2026-11-20T14:30Z``."""
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")


def number(view: NumberView) -> str:
    """Our number as people know it, or Meta's id of it."""
    return view.display_phone_number or view.phone_number_id


def contact_name(person: ParticipantView | None) -> str | None:
    """The name that the person chose, else the username; outside people's words."""
    if person is None:
        return None
    name = person.name or (f"@{person.username}" if person.username else None)
    return sanitize.clean_line(name, MAX_NAME) if name else None


def conversation(view: ConversationView, grant: Grant) -> Answer:
    """One conversation; the phone number in full only for a grant that allows it."""
    person = view.participant
    digits = re.sub(r"\D", "", person.wa_id or "") if person else ""
    phone = {"phone": f"+{digits}" if digits else None} if grant.phones else {"phone_last4": digits[-4:] or None}
    return {
        "id": conversation_ref(view.id),
        "untrusted_contact": contact_name(person) if view.group_id is None else "(group)",
        **phone,
        "business_number": number(view.number),
        "last_message_at": minute(view.last_message_at),
        "message_count": view.message_count,
        "unanswered": view.unanswered,
        "reply_window_open": _is_ahead(view.reply_window_open_until),
    }


def by_day(
    messages: Sequence[MessageView], *, with_conversation: bool = False, query: str | None = None, words: bool = True
) -> Answer:
    """Messages as rows under their days (UTC), in the order given; the names of their writers once.

    ``query`` and ``words`` are those of :func:`snippet`; without ``query`` the rows have the texts themselves.
    """
    days: dict[str, list[list[str]]] = {}
    cut = 0
    for message in messages:
        text, was_cut = _text(message, query, words)
        cut += was_cut
        at = message.sent_at.astimezone(UTC)
        row = [message_ref(message.id), at.strftime("%H:%M"), _writer(message), text]
        if with_conversation:
            row.insert(2, conversation_ref(message.conversation_id))
        days.setdefault(at.strftime("%Y-%m-%d"), []).append(row)
    columns = ["id", "time", "from", "untrusted_text" if query is None else "untrusted_snippet"]
    if with_conversation:
        columns.insert(2, "conversation")
    answer: Answer = {"columns": columns, "days": days, "untrusted_names": _names(messages)}
    _say_cut(answer, cut if query is None else 0)
    return answer


def in_detail(messages: Sequence[MessageView], query: str | None = None, *, words: bool = True) -> Answer:
    """Messages as objects with everything that is known of them."""
    items = []
    cut = 0
    for message in messages:
        cleaned = sanitize.clean(message.text)
        flags = list(cleaned.flags)
        if sanitize.looks_like_an_order(cleaned.text):
            flags.append(sanitize.INJECTION)
        cut += len(cleaned.text) > MAX_TEXT
        item = {
            "id": message_ref(message.id),
            "at": minute(message.sent_at),
            "conversation_id": conversation_ref(message.conversation_id),
            "direction": message.direction,
            "from": _writer(message),
            "type": message.type,
            "status": message.status,
            "reply_to": message_ref(message.reply_to_id) if message.reply_to_id is not None else None,
            "flags": flags,
            "links": [{"host": host} for host in cleaned.hosts[:20]],
            "untrusted_text": sanitize.cut(cleaned.text, MAX_TEXT),
        }
        if query is not None:
            item["untrusted_snippet"] = snippet(cleaned.text, query, words=words)
        items.append(item)
    answer: Answer = {"messages": items, "untrusted_names": _names(messages)}
    _say_cut(answer, cut)
    return answer


def refs(messages: Iterable[MessageView]) -> list[str]:
    """The short ids of the messages, and of their conversations, each once."""
    found: dict[str, None] = {}
    for message in messages:
        found[conversation_ref(message.conversation_id)] = None
        found[message_ref(message.id)] = None
    return list(found)


def _text(message: MessageView, query: str | None, words: bool) -> tuple[str, bool]:
    text = sanitize.clean(message.text).text
    if query is not None:
        return snippet(text, query, words=words), False
    return sanitize.cut(text, MAX_TEXT), len(text) > MAX_TEXT


def _writer(message: MessageView) -> str:
    if message.direction == Direction.OUTBOUND:
        return US
    return participant_ref(message.sender.id) if message.sender else "unknown"


def _names(messages: Sequence[MessageView]) -> dict[str, str | None]:
    people = {message.sender.id: message.sender for message in messages if message.sender}
    return {participant_ref(key): contact_name(person) for key, person in people.items()}


def _say_cut(answer: Answer, cut: int) -> None:
    if cut:
        add_notice(answer, f"Cut at {MAX_TEXT} characters: {cut} message{'s' if cut > 1 else ''}.")


def _is_ahead(moment: datetime | None) -> bool:
    return moment is not None and moment > datetime.now(UTC)

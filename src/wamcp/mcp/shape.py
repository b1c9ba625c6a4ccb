"""The archive's answers in the shape that Claude reads: short ids, minutes, days, and what is untrusted named so."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from wamcp.access.grants import Grant
from wamcp.archive.views import ConversationView, DocumentHit, MessageView, NumberView, ParticipantView, ReactionView
from wamcp.mcp import sanitize
from wamcp.mcp.budget import MAX_TEXT, Answer, add_notice
from wamcp.mcp.snippet import snippet
from wamcp.vocabulary import Direction, conversation_ref, document_ref, message_ref, participant_ref

MAX_NAME = 80
MAX_REACTIONS = 10
MAX_EMOJI = 12
"""Characters: families and flags are joined of several."""
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
        "untrusted_contact": contact_name(person) if view.group_id is None else _group_name(view.group_subject),
        **phone,
        "business_number": number(view.number),
        "last_message_at": minute(view.last_message_at),
        "message_count": view.message_count,
        "unanswered": view.unanswered,
        "reply_window_open": view.reply_window_open_until is not None,
    }


def by_day(
    messages: Sequence[MessageView], *, with_conversation: bool = False, query: str | None = None, words: bool = True
) -> Answer:
    """Messages as rows under their days (UTC), in the order given; the names of their writers once.

    Rows end with notes (found in a document, edited, revoked, reactions ...) where there is something to note.

    ``query`` and ``words`` are those of :func:`snippet`; without ``query`` the rows have the texts themselves.
    """
    days: dict[str, list[list[str]]] = {}
    cut, has_notes = 0, False
    for message in messages:
        text, was_cut = _text(message, query, words)
        cut += was_cut
        at = message.sent_at.astimezone(UTC)
        row = [message_ref(message.id), at.strftime("%H:%M"), writer(message), text]
        if with_conversation:
            row.insert(2, conversation_ref(message.conversation_id))
        if noted := notes(message):
            row.append(noted)
            has_notes = True
        days.setdefault(at.strftime("%Y-%m-%d"), []).append(row)
    columns = ["id", "time", "from", "untrusted_text" if query is None else "untrusted_snippet"]
    if with_conversation:
        columns.insert(2, "conversation")
    if has_notes:
        columns.append("notes")
    answer: Answer = {"columns": columns, "days": days, "untrusted_names": names(messages)}
    _say_cut(answer, cut if query is None else 0)
    return answer


def in_detail(messages: Sequence[MessageView], query: str | None = None, *, words: bool = True) -> Answer:
    """Messages as objects with everything that is known of them."""
    items = []
    cut = 0
    for message in messages:
        cleaned = sanitize.clean(message.text)
        cut += len(cleaned.text) > MAX_TEXT
        seen = sanitize.clean(message.document.snippet) if message.document is not None else cleaned
        item: Answer = {
            "id": message_ref(message.id),
            "at": minute(message.sent_at),
            "conversation_id": conversation_ref(message.conversation_id),
            "direction": message.direction,
            "from": writer(message),
            "type": message.type,
            "status": message.status,
            "reply_to": ref_or_none(message.reply_to_id),
            "refers_to": ref_or_none(message.refers_to_id),
            "forwarded": message.forwarded,
            "edited": message.edited,
            "revoked_at": minute(message.revoked_at),
            "reactions": reactions(message.reactions),
            "flags": list(dict.fromkeys([*flags(cleaned), *flags(seen)])),
            "links": [{"host": host} for host in list(dict.fromkeys([*cleaned.hosts, *seen.hosts]))[:20]],
            "untrusted_text": sanitize.cut(cleaned.text, MAX_TEXT),
        }
        if query is not None:
            item["untrusted_snippet"] = _text(message, query, words)[0]
        if message.document is not None:
            item["document"] = _document(message.document)
        items.append(item)
    answer: Answer = {"messages": items, "untrusted_names": names(messages)}
    _say_cut(answer, cut)
    return answer


def refs(messages: Iterable[MessageView]) -> list[str]:
    """The short ids of the messages, of their conversations and of documents found in them, each once."""
    found: dict[str, None] = {}
    for message in messages:
        found[conversation_ref(message.conversation_id)] = None
        found[message_ref(message.id)] = None
        if message.document is not None:
            found[document_ref(message.document.id)] = None
    return list(found)


def notes(message: MessageView) -> str:
    """What is to be said of a message beside its text, in short; empty when there is nothing."""
    told = [_found_in(message.document)] if message.document is not None else []
    if message.refers_to_id is not None:
        told.append(f"about {message_ref(message.refers_to_id)}")
    if message.forwarded:
        told.append("forwarded")
    if message.edited:
        told.append("edited")
    if message.revoked_at is not None:
        told.append(f"revoked {minute(message.revoked_at)}")
    shown = message.reactions[:MAX_REACTIONS]
    told += [f"{_emoji(each)} {reacted(each)}" for each in shown]
    if len(message.reactions) > len(shown):
        told.append(f"{len(message.reactions) - len(shown)} more reactions")
    return ", ".join(told)


def reactions(found: Sequence[ReactionView], limit: int = MAX_REACTIONS) -> list[dict[str, str]]:
    """The first reactions that stand, each with who reacted."""
    return [{"untrusted_emoji": _emoji(each), "from": reacted(each)} for each in found[:limit]]


def reacted(reaction: ReactionView) -> str:
    """Whose reaction it is: us, or the short id of a person."""
    if reaction.ours:
        return US
    return participant_ref(reaction.by.id) if reaction.by else "unknown"


def flags(cleaned: sanitize.Clean) -> list[str]:
    """What readers should know of a text before they believe it."""
    return [*cleaned.flags, *([sanitize.INJECTION] if sanitize.looks_like_an_order(cleaned.text) else [])]


def names(messages: Sequence[MessageView]) -> dict[str, str | None]:
    """The names of those who wrote the messages or reacted to them, by short id."""
    people = {message.sender.id: message.sender for message in messages if message.sender}
    for message in messages:
        people |= {each.by.id: each.by for each in message.reactions[:MAX_REACTIONS] if each.by}
    return {participant_ref(key): contact_name(person) for key, person in people.items()}


def ref_or_none(row_id: int | None) -> str | None:
    """The short id of a message, if there is one."""
    return message_ref(row_id) if row_id is not None else None


def _group_name(subject: str | None) -> str:
    return f"(group) {sanitize.clean_line(subject, MAX_NAME)}" if subject else "(group)"


def _emoji(reaction: ReactionView) -> str:
    return sanitize.clean_line(reaction.emoji, MAX_EMOJI)


def _found_in(hit: DocumentHit) -> str:
    """``found in document d12 pages 3 5, read by machine with confidence 0.82``."""
    listed = f"page{'s' if len(hit.pages) > 1 else ''} {' '.join(map(str, hit.pages))}"
    more = f" and {hit.page_count - len(hit.pages)} more" if hit.page_count > len(hit.pages) else ""
    sure = f", read by machine with confidence {hit.confidence:.2f}" if hit.confidence is not None else ""
    return f"found in document {document_ref(hit.id)} {listed}{more}{sure}"


def _document(hit: DocumentHit) -> Answer:
    return {
        "id": document_ref(hit.id),
        "untrusted_file_name": sanitize.clean_line(hit.file_name, MAX_NAME) if hit.file_name else None,
        "mime_type": sanitize.clean_line(hit.mime_type, MAX_NAME) if hit.mime_type else None,
        "pages": list(hit.pages),
        "page_count": hit.page_count,
        "confidence": None if hit.confidence is None else round(hit.confidence, 2),
    }


def _text(message: MessageView, query: str | None, words: bool) -> tuple[str, bool]:
    if query is not None and message.document is not None:
        name = sanitize.clean_line(message.document.file_name or "", MAX_NAME)
        found = snippet(sanitize.clean(message.document.snippet).text, query, words=words)
        return f"{name}: {found}" if name else found, False
    text = sanitize.clean(message.text).text
    if query is not None:
        return snippet(text, query, words=words), False
    return sanitize.cut(text, MAX_TEXT), len(text) > MAX_TEXT


def writer(message: MessageView) -> str:
    """Who wrote it: us, or the short id of a person."""
    if message.direction == Direction.OUTBOUND:
        return US
    return participant_ref(message.sender.id) if message.sender else "unknown"


def _say_cut(answer: Answer, cut: int) -> None:
    if cut:
        add_notice(answer, f"Cut at {MAX_TEXT} characters: {cut} message{'s' if cut > 1 else ''}.")

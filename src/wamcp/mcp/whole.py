"""One message with everything known of it, cut down step by step until it fits a context window."""

from dataclasses import dataclass
from typing import Any

from wamcp.archive.views import AccountEventView, CarriedFileView, DeliveryView, DetailView, RevisionView
from wamcp.mcp import sanitize, shape
from wamcp.mcp.budget import TOKENS, Answer, add_notice, estimated_tokens
from wamcp.vocabulary import Direction, conversation_ref, document_ref, media_ref, message_ref, participant_ref

MAX_DEPTH = 6
MAX_KEY = 60
_NOT_FOR_READING = {"sha256", "url", "vcard"}


@dataclass(frozen=True, slots=True)
class _Room:
    """How much is shown: characters of the text, of each other text, and items of each list."""

    text: int
    words: int
    items: int


_ROOMS = (_Room(20_000, 1_000, 50), _Room(8_000, 500, 20), _Room(4_000, 200, 10), _Room(2_000, 100, 5))
_LEAST = _Room(1_000, 100, 3)


def whole(view: DetailView) -> Answer:
    """The message as Claude reads it, as much of it as fits; the notice says what was cut."""
    for room in _ROOMS:
        answer = _answer(view, room)
        if estimated_tokens(answer) <= TOKENS:
            break
    else:
        answer = _answer(view, _LEAST) | {"untrusted_content": {}}
        add_notice(answer, "What the message carries beside its text is too much to show.")
    return answer


def refs(view: DetailView) -> list[str]:
    """The short ids that the answer shows."""
    if view.message is None:
        return []
    documents = [document_ref(file.document_id) for file in view.files if file.document_id is not None]
    return [conversation_ref(view.message.conversation_id), message_ref(view.message.id), *documents]


def _answer(view: DetailView, room: _Room) -> Answer:
    original = view.original_text
    answer: Answer = {
        "known_from": view.known_from,
        **_message(view, room),
        "wamid": view.wamid,
        "business_number": shape.number(view.number) if view.number else None,
        "to": participant_ref(view.recipient.participant_id) if view.recipient else None,
        "status": view.status,
        "edited": original is not None,
        "revoked_at": shape.minute(view.revoked_at),
        "untrusted_original_text": _words(original, room.text) if original is not None else None,
        "untrusted_content": _plain(view.content, room),
        "files": [_file(each) for each in view.files[: room.items]],
        "reactions": shape.reactions(view.reactions, room.items),
        "revisions": [_revision(each, room) for each in view.revisions[: room.items]],
        "statuses": [_delivery(each, room) for each in view.deliveries[: room.items]],
        "pricing": _plain(view.pricing, room) if isinstance(view.pricing, dict) else None,
        "errors": [_plain(each, room) for each in view.errors[: room.items] if isinstance(each, dict)],
        "account_events": [_account_event(each, room) for each in view.account_events[: room.items]],
        "untrusted_names": _names(view, room),
    }
    _say_what_is_missing(answer, view, room)
    return answer


def _message(view: DetailView, room: _Room) -> Answer:
    message = view.message
    cleaned = sanitize.clean(message.text if message else "")
    return {
        "id": shape.ref_or_none(message.id if message else None),
        "at": shape.minute(message.sent_at if message else None),
        "conversation_id": conversation_ref(message.conversation_id) if message else None,
        "direction": message.direction if message else None,
        "from": shape.writer(message) if message else None,
        "type": message.type if message else None,
        "source": message.source if message else None,
        "reply_to": shape.ref_or_none(message.reply_to_id if message else None),
        "refers_to": shape.ref_or_none(message.refers_to_id if message else None),
        "forwarded": message.forwarded if message else False,
        "flags": shape.flags(cleaned),
        "links": [{"host": host} for host in cleaned.hosts[: room.items]],
        "untrusted_text": sanitize.cut(cleaned.text, room.text) if message else None,
    }


def _plain(value: Any, room: _Room, depth: int = 0) -> Any:
    """What Meta wrote, cleaned like every text; without what is of no use in reading."""
    if isinstance(value, str):
        return _words(value, room.words)
    if isinstance(value, dict) and depth < MAX_DEPTH:
        kept = [(key, item) for key, item in value.items() if key not in _NOT_FOR_READING]
        return {sanitize.clean_line(key, MAX_KEY): _plain(item, room, depth + 1) for key, item in kept[: room.items]}
    if isinstance(value, list) and depth < MAX_DEPTH:
        return [_plain(item, room, depth + 1) for item in value[: room.items]]
    return "…" if isinstance(value, dict | list) else value


def _words(text: str, limit: int) -> str:
    return sanitize.cut(sanitize.clean(text).text, limit)


def _file(view: CarriedFileView) -> Answer:
    document = document_ref(view.document_id) if view.document_id is not None else None
    return {
        "id": media_ref(view.id),
        "state": view.state,
        "document_id": document,
        "document_state": view.document_state,
    }


def _revision(view: RevisionView, room: _Room) -> Answer:
    return {
        "id": message_ref(view.id),
        "at": shape.minute(view.at),
        "type": view.type,
        "untrusted_text": _words(view.text, room.words) if view.text is not None else None,
    }


def _delivery(view: DeliveryView, room: _Room) -> Answer:
    told: Answer = {"status": sanitize.clean_line(view.status, MAX_KEY), "at": shape.minute(view.at)}
    if view.recipient is not None:
        told["to"] = participant_ref(view.recipient.id)
    if view.kind:
        told["kind"] = sanitize.clean_line(view.kind, MAX_KEY)
    if view.errors:
        told["errors"] = _plain(view.errors, room)
    return told


def _account_event(view: AccountEventView, room: _Room) -> Answer:
    return {
        "at": shape.minute(view.at),
        "field": sanitize.clean_line(view.field, MAX_KEY),
        "event": sanitize.clean_line(view.event, MAX_KEY),
        "untrusted_text": _words(view.text, room.words),
    }


def _names(view: DetailView, room: _Room) -> dict[str, str | None]:
    people = [view.message.sender] if view.message and view.message.direction == Direction.INBOUND else []
    people += [each.by for each in view.reactions[: room.items]]
    people += [each.recipient for each in view.deliveries[: room.items]]
    return {participant_ref(person.id): shape.contact_name(person) for person in people if person}


def _say_what_is_missing(answer: Answer, view: DetailView, room: _Room) -> None:
    if max(len(view.message.text if view.message else ""), len(view.original_text or "")) > room.text:
        add_notice(answer, f"Texts are cut at {room.text} characters.")
    found = {
        "reactions": view.reactions,
        "revisions": view.revisions,
        "statuses": view.deliveries,
        "account events": view.account_events,
    }
    for name, items in found.items():
        if len(items) > room.items:
            add_notice(answer, f"The first {room.items} of {len(items)} {name} are shown.")
    answer["truncated"] = "notice" in answer
    if view.message is None:
        add_notice(answer, "The message itself never came: this is what Meta told about it.")
    answer.setdefault("notice", None)

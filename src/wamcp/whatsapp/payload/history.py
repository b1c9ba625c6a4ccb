"""``history``: what was written before the number came to the Cloud API, in chunks that come in any order."""

from typing import Any

from wamcp.vocabulary import ParkedKind, Severity, Source
from wamcp.whatsapp.payload import repair
from wamcp.whatsapp.payload.facts import AccountFact, Facts, NumberFact, ParkedFact, Person, PersonFact, StatusFact
from wamcp.whatsapp.payload.message import Letterbox, read_item
from wamcp.whatsapp.payload.people import Company, identified, person_named
from wamcp.whatsapp.payload.scalars import identifier, mapping, objects, string, unix_seconds
from wamcp.whatsapp.payload.unknown import ERROR, Shape, note_unknown_keys

_STATUSES = {"PENDING": "queued", "ERROR": "failed"}
_CHUNK: Shape = {
    "metadata": dict.fromkeys(("phase", "chunk_order", "progress")),
    "threads": {
        **dict.fromkeys(("id", "messages")),
        "context": dict.fromkeys(("wa_id", "user_id", "parent_user_id", "username", "name", "profile")),
    },
    "errors": ERROR,
}


def read_history(chunks: object, number: NumberFact, path: str, facts: Facts) -> None:
    """Adds to ``facts`` the messages of all threads, how far ours had come, and an account event for each chunk."""
    for index, chunk in enumerate(chunks if isinstance(chunks, list) else [chunks]):
        place = f"{path}/history/{index}"
        if not isinstance(chunk, dict):
            facts.parked.append(
                ParkedFact(place, ParkedKind.MALFORMED.value, "a chunk that is no object", repair.encode(chunk))
            )
            continue
        note_unknown_keys(facts.unknowns, chunk, _CHUNK, "history")
        facts.account.append(_about(chunk, number, place))
        for t, thread in enumerate(objects(chunk.get("threads"))):
            _read_thread(thread, mapping(chunk.get("metadata")), number, f"{place}/threads/{t}", facts)


def _read_thread(thread: dict[str, Any], chunk: dict[str, Any], number: NumberFact, path: str, facts: Facts) -> None:
    context = mapping(thread.get("context"))
    partner = person_named(
        identified(
            identifier(context.get("wa_id")) or identifier(thread.get("id")),
            identifier(context.get("user_id")),
            identifier(context.get("parent_user_id")),
        ),
        context,
    )
    if partner is not None:
        facts.people.append(PersonFact(number.phone_number_id, partner))
    messages = thread.get("messages")
    for index, item in enumerate(messages if isinstance(messages, list) else []):
        place = f"{path}/messages/{index}"
        if isinstance(item, dict):
            _read_old(item, chunk, partner, number, place, facts)
        else:
            facts.parked.append(
                ParkedFact(place, ParkedKind.MALFORMED.value, "a message that is no object", repair.encode(item))
            )


def _read_old(
    item: dict[str, Any], chunk: dict[str, Any], partner: Person | None, number: NumberFact, path: str, facts: Facts
) -> None:
    outbound = _is_ours(item, _digits(number.display_phone_number), partner)
    side, other = ("to", "from") if outbound else ("from", "to")
    if partner is not None and not item.get("group_id"):
        item = {key: part for key, part in item.items() if not key.startswith((f"{side}_", f"{other}_"))}
        named = (("", partner.wa_id), ("_user_id", partner.bsuid), ("_parent_user_id", partner.parent_bsuid))
        item = {key: part for key, part in item.items() if key != side}
        item |= {f"{side}{key}": value for key, value in named if value}
    context = mapping(item.get("history_context"))
    known = {"status": context.get("status"), "phase": chunk.get("phase"), "chunk_order": chunk.get("chunk_order")}
    before = len(facts.messages)
    box = Letterbox(number.phone_number_id, Company([], lambda: True), Source.HISTORY.value, outbound)
    read_item(item, box, path, facts, history={key: part for key, part in known.items() if part is not None})
    if outbound and len(facts.messages) > before and (word := string(context.get("status"))):
        message = facts.messages[-1]
        status = _STATUSES.get(word.upper(), word.lower())
        facts.statuses.append(
            StatusFact(
                f"{path}/history_context", message.phone_number_id, message.wamid, status, "", message.sent_at,
                message.person, None, None, extra=b'{"source":"history"}',
            )
        )  # fmt: skip


def _is_ours(item: dict[str, Any], ours: str, partner: Person | None) -> bool:
    """Whether the business wrote the message: it goes to somebody else, or comes from our number."""
    if item.get("to_user_id") or _digits(identifier(item.get("to"))) not in ("", ours):
        return True
    sender = _digits(identifier(item.get("from")))
    return sender != "" and sender == ours and not (partner is not None and partner.wa_id == ours)


def _digits(written: str | None) -> str:
    return "".join(filter(str.isdecimal, written or ""))


def _about(chunk: dict[str, Any], number: NumberFact, path: str) -> AccountFact:
    """That the chunk came, or why there is none."""
    metadata, errors = mapping(chunk.get("metadata")), objects(chunk.get("errors"))
    details = {key: part for key, part in chunk.items() if key != "threads"}
    threads = objects(chunk.get("threads"))
    details["threads"] = len(threads)
    details["messages"] = sum(len(each["messages"]) for each in threads if isinstance(each.get("messages"), list))
    if errors:
        text = "; ".join(filter(None, (string(error.get("title") or error.get("message")) for error in errors)))
    else:
        text = "History: phase {phase}, chunk {chunk_order}, {progress} %".format_map(
            {key: metadata.get(key, "?") for key in ("phase", "chunk_order", "progress")}
        )
    return AccountFact(
        path, "history", "error" if errors else "chunk", unix_seconds(metadata.get("timestamp")), number.waba_id,
        number.phone_number_id, number.display_phone_number, None, None, None, None,
        (Severity.WARNING if errors else Severity.INFO).value, text, repair.encode(details),
    )  # fmt: skip

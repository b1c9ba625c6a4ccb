"""``calls``: what happens to a call, the call itself as a message, and how far an outgoing one came."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from wamcp.vocabulary import Direction, Source, Standing
from wamcp.whatsapp.payload.facts import Facts, MessageFact, Person
from wamcp.whatsapp.payload.fields.lines import called, failures, joined, line, said, word
from wamcp.whatsapp.payload.fields.place import Place
from wamcp.whatsapp.payload.fields.reading import (
    BESIDE_ITEMS,
    VALUE,
    Ours,
    Reader,
    company_of,
    dialled,
    happened,
    items,
    keys,
    meet_strangers,
    our_number,
    park,
    read_errors,
)
from wamcp.whatsapp.payload.people import Company, identified, known
from wamcp.whatsapp.payload.repair import encode
from wamcp.whatsapp.payload.scalars import identifier, objects, unix_seconds

_USER_INITIATED, _BUSINESS_INITIATED = "USER_INITIATED", "BUSINESS_INITIATED"
_ENDED = "terminate"


def read_calls(value: dict[str, Any], place: Place, facts: Facts) -> None:
    """Adds the events of calls, the calls as messages of type ``call`` keyed by wacid, and the calls' statuses."""
    ours = our_number(value, place, facts)
    company = company_of(value, lambda: _parties(value, ours))
    for path, item in items(value, "calls", place, facts):
        _read_call(item, place, path, (ours, company), facts)
    for path, item in items(value, "statuses", place, facts):
        _read_status(item, place, path, (ours, company), facts)
    read_errors(value, place, ours, facts)
    meet_strangers(ours, company, facts)


def _read_call(item: dict[str, Any], place: Place, path: str, beside: tuple[Ours, Company], facts: Facts) -> None:
    wacid = identifier(item.get("id"))
    if wacid is None:
        park(path, "a call without id", item, facts)
        return
    ours, company = beside
    person = known(_party(item, ours), company)
    event, inbound = word(item.get("event")), _is_inbound(item, ours)
    text = _words(item, event, inbound)
    told = replace(
        happened(place, path, item, ours),
        event=event,
        person=person,
        subject_kind="call",
        subject=wacid,
        text=line(f"Call {'from' if inbound else 'to'} {called(person) or 'somebody'}", text),
    )
    facts.account.append(told)
    if ours.phone_number_id is None or person is None or told.at is None:
        return
    facts.messages.append(
        MessageFact(
            item=path,
            phone_number_id=ours.phone_number_id,
            wamid=wacid,
            direction=(Direction.INBOUND if inbound else Direction.OUTBOUND).value,
            source=Source.WEBHOOK.value,
            type="call",
            sent_at=told.at,
            person=person,
            group_id=None,
            text=f"[call] {text}".rstrip(),
            reply_to=None,
            refers_to=None,
            standing=int(Standing.ENDED_CALL if event == _ENDED else Standing.PLACEHOLDER),
            content=encode({"call": _content(item)}),
        )
    )


def _read_status(item: dict[str, Any], place: Place, path: str, beside: tuple[Ours, Company], facts: Facts) -> None:
    wacid = identifier(item.get("id"))
    if wacid is None:
        park(path, "a status of a call without id", item, facts)
        return
    ours, company = beside
    person, status = known(_recipient(item), company), word(item.get("status"))
    facts.account.append(
        replace(
            happened(place, path, item, ours),
            event=status,
            person=person,
            subject_kind="call",
            subject=wacid,
            text=line(f"Call to {called(person) or 'somebody'}", status, failures(item.get("errors"))),
        )
    )


def _party(item: dict[str, Any], ours: Ours) -> Person | None:
    """The other side of a call. Which of the two keys names it varies; only people have business-scoped ids."""
    side, other = ("from", "to") if _is_from_them(item, ours) else ("to", "from")
    user_id = item.get(f"{side}_user_id") or item.get(f"{other}_user_id")
    parent_id = item.get(f"{side}_parent_user_id") or item.get(f"{other}_parent_user_id")
    return identified(identifier(item.get(side)), identifier(user_id), identifier(parent_id))


def _is_from_them(item: dict[str, Any], ours: Ours) -> bool:
    own = dialled(ours.display_phone_number or "")
    sender, receiver = (dialled(identifier(item.get(side)) or "") for side in ("from", "to"))
    if own and (sender == own) != (receiver == own):
        return receiver == own
    if own and bool(sender) != bool(receiver):
        return bool(sender)
    direction = item.get("direction")
    if direction in (_USER_INITIATED, _BUSINESS_INITIATED):
        return bool(direction == _USER_INITIATED)
    return bool(item.get("from") or item.get("from_user_id"))


def _is_inbound(item: dict[str, Any], ours: Ours) -> bool:
    """By the direction that Meta states, and by the sides for the events that state none."""
    direction = item.get("direction")
    return bool(direction == _USER_INITIATED) if direction else _is_from_them(item, ours)


def _recipient(item: dict[str, Any]) -> Person | None:
    words = (identifier(item.get(f"recipient_{key}")) for key in ("id", "user_id", "parent_user_id"))
    return identified(*words)


def _parties(value: dict[str, Any], ours: Ours) -> set[Person | None]:
    parties = {_party(item, ours) for item in objects(value.get("calls"))}
    return parties | {_recipient(item) for item in objects(value.get("statuses"))}


def _words(item: dict[str, Any], event: str, inbound: bool) -> str:
    if event != _ENDED:
        return joined((event.removeprefix("call_").replace("_", " "), failures(item.get("errors"))))
    seconds = _whole(item.get("duration"))
    if isinstance(seconds, int):
        return f"ended after {seconds} s"
    if "completed" in _status(item.get("status")).lower():
        return "ended"
    return joined(("missed" if inbound else "not answered", failures(item.get("errors"))))


def _content(item: dict[str, Any]) -> dict[str, Any]:
    """The call without what the columns hold and without its session, which is of use to no reader."""
    return {key: _TIDY.get(key, _as_it_is)(each) for key, each in item.items() if key not in _LEFT_OUT}


def _status(value: object) -> str:
    """A status, of which some pages print several in a list."""
    return joined(value) if isinstance(value, list) else said(value)


def _whole(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10 else value


def _moment(value: object) -> object:
    return unix_seconds(value) or value


def _as_it_is(value: object) -> object:
    return value


_TIDY: dict[str, Callable[[object], object]] = {
    "status": _status,
    "duration": _whole,
    "start_time": _moment,
    "end_time": _moment,
}
_SIDES = {f"{side}{key}" for side in ("from", "to") for key in ("", "_user_id", "_parent_user_id")}
_LEFT_OUT = _SIDES | {"id", "timestamp", "session", "connection"}

_KNOWN = BESIDE_ITEMS | keys(
    value=VALUE + "calls statuses",
    calls="id event timestamp direction from to from_user_id to_user_id from_parent_user_id to_parent_user_id session"
    " connection biz_opaque_callback_data deeplink_payload cta_payload status start_time end_time duration"
    " call_recording call_transcript errors",
    session="sdp_type sdp",
    connection="webrtc",
    webrtc="sdp",
    call_recording="type audio",
    call_transcript="type document",
    audio="id mime_type sha256 url voice",
    document="id mime_type sha256 url filename",
    statuses="id type status timestamp recipient_id recipient_user_id recipient_parent_user_id"
    " biz_opaque_callback_data errors",
)

READERS = {"calls": Reader(read_calls, _KNOWN)}

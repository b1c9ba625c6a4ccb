"""What happens in the invented town beside talk between two: calls, groups, standby threads, history, preferences."""

import base64
from functools import partial

from wamcp.simulator import bodies, contents
from wamcp.simulator.bodies import Item
from wamcp.simulator.cast import Group, Soul, Spoken, Town, named_as, one_sided
from wamcp.simulator.phrases import words
from wamcp.simulator.said import Change, SaidMessage, SaidStatus
from wamcp.simulator.speech import Line, say
from wamcp.vocabulary import Direction, Standing

Happening = list[Change]

GROUPS = 40
_ERRORS = "https://errors.example/codes"


def call(town: Town) -> Happening:
    """Somebody calls, or we do; it ends by talk, or with a message on the voice mail under the id of the call."""
    soul, ours = town.somebody(), town.rng.random() < 0.4
    wacid = "wacid." + bodies.wamid(town.rng)[6:]
    session = {"sdp_type": "offer", "sdp": "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-"}
    began = int(town.now)
    change = _call(town, soul, wacid, ours, {"event": "connect", "session": session})
    if ours:
        town.later(1, partial(_call_status, soul, wacid, "RINGING"))
        town.later(2, partial(_call_status, soul, wacid, "ACCEPTED"))
    town.later(town.rng.randint(4, 30), partial(_hung_up, soul, wacid, ours, began))
    return [change]


def group(town: Town) -> Happening:
    """Something happens in one of our groups; there is always one, and never too many."""
    rng = town.rng
    if not town.groups or (len(town.groups) < GROUPS and rng.random() < 0.04):
        return [_open_group(town)]
    of = rng.choice(town.groups)
    chance = rng.random()
    if chance < 0.6:
        return _talk_in(town, of, ours=chance > 0.4)
    if chance < 0.7:
        return [_added(town, of)]
    if chance < 0.78 and len(of.members) > 2:
        gone = of.members.pop(rng.randrange(len(of.members)))
        told = {"removed_participants": [bodies.participant(gone.who)], "initiated_by": "participant"}
        return [_group(town, of, "group_participants_update", "group_participants_remove", told, gone)]
    if chance < 0.84:
        asking = town.somebody()
        told = {"join_request_id": f"join-{rng.randrange(10**9)}", **bodies.participant(asking.who)}
        kind = rng.choice(("group_join_request_created", "group_join_request_revoked"))
        return [_group(town, of, "group_participants_update", kind, told, asking)]
    if chance < 0.93:
        subject: Item = {"text": f"{of.subject} {rng.randrange(100)}", "update_successful": True}
        picture: Item = {"mime_type": "image/jpeg", "sha256": bodies.wamid(rng)[6:50], "update_successful": False}
        picture["errors"] = [{**bodies.error(131208, "Group rate limit hit", "Too many."), "code": "131208"}]
        settings = {"group_subject": subject, "profile_picture": picture}
        return [_group(town, of, "group_settings_update", "group_settings_update", settings)]
    if chance < 0.97:
        kind = rng.choice(("group_suspend", "group_suspend_cleared"))
        return [_group(town, of, "group_status_update", kind, {})]
    town.groups.remove(of)
    return [_group(town, of, "group_lifecycle_update", "group_delete", {"request_id": f"gone-{rng.randrange(10**9)}"})]


def standby(town: Town) -> Happening:
    """An agent of Meta's takes the thread, talks with the customer beside us, and hands it back."""
    soul = town.somebody()
    hello = say(town, soul, Line(contents.text(town, soul)))
    hello.messages[0] = hello.messages[0]._replace(text=hello.value["messages"][0]["text"]["body"])
    town.later(1, lambda town: [_handover(town, soul, "control_passed")])
    town.later(2, partial(_standby_echo, soul))
    town.later(4, partial(_standby_message, soul))
    town.later(6, partial(_standby_echo, soul))
    town.later(9, lambda town: [_handover(town, soul, "control_taken")])
    return [hello]


def preference(town: Town) -> Happening:
    """Somebody wants no more marketing, or wants it again."""
    soul, value = town.somebody(), town.rng.choice(("stop", "stop", "resume", "signup"))
    at = int(town.now)
    told: Item = {
        **bodies.participant(soul.who),
        "detail": f"User requested to {value} marketing messages",
        "category": "marketing_messages",
        "value": value,
        "timestamp": str(at) if town.rng.random() < 0.2 else at,
    }
    if value == "signup":
        told["signup_id"] = f"signup-{town.rng.randrange(10**6)}"
    content = {"contacts": [bodies.contact(soul.who)], "user_preferences": [told]}
    return [Change("user_preferences", bodies.about(soul.number, content), people=[named_as(soul)])]


def book(town: Town) -> Happening:
    """The contact book of the business's telephone changed."""
    soul, action = town.somebody(), town.rng.choice(("add", "add", "remove"))
    who = soul.who
    person = bodies.named(("phone_number", who.wa_id), ("user_id", who.bsuid), ("username", who.username))
    if action == "add":
        person |= {"full_name": f"{who.name} (tiles)", "first_name": who.name.split()[0]}
    synced = {"type": "contact", "contact": person, "action": action, "metadata": {"timestamp": str(int(town.now))}}
    value = bodies.about(soul.number, {"state_sync": [synced]})
    return [Change("smb_app_state_sync", value, people=[named_as(soul, _without_parent(soul))])]


def error(town: Town) -> Happening:
    """Meta reports trouble of our account beside any message."""
    told = town.rng.choice(
        (
            bodies.error(130429, "Rate limit hit", "Too many messages were sent in a short time."),
            bodies.error(131000, "Something went wrong", "Try again later."),
            bodies.error(131035, "Webhook not delivered", "The webhook could not be delivered in time."),
        )
    )
    told |= {"href": f"{_ERRORS}#{town.rng.randrange(10**9)}"}
    return [Change("messages", bodies.about(town.somebody().number, {"errors": [told]}))]


def action(town: Town) -> Happening:
    """Somebody, of whom Meta does not say who, followed a link of a marketing message."""
    chance, at = town.rng.random(), int(town.now)
    told: Item = {"action_type": "landing_page_view", "timestamp": at if chance > 0.9 else str(at)}
    told["landing_page_view_data"] = {"click_id": bodies.wamid(town.rng)[6:30]}
    if chance < 0.8:
        told = {"action_type": "marketing_messages_link_click", "timestamp": str(at)}
        told["marketing_messages_link_click_data"] = {
            "click_component": "CTA" if chance < 0.4 else "body",
            "click_id": bodies.wamid(town.rng)[6:30],
            "client_user_agent": "Browser/1.0",
        }
    return [Change("messages", bodies.about(town.somebody().number, {"user_actions": [told]}))]


def unknown(town: Town) -> Happening:
    """Meta has a new word: a field, a type of message, a status, a key."""
    soul, which = town.somebody(), town.rng.randrange(4)
    if which == 0:
        return [
            Change("thread_moods", bodies.about(soul.number, {"thread_moods": [{"mood": "sunny", "at": town.now}]}))
        ]
    if which == 1:
        return [say(town, soul, Line({"type": "hologram", "hologram": {"caption": "a tile, turning", "frames": 24}}))]
    change = say(town, soul, Line(contents.text(town, soul), text=""))
    item = change.value["messages"][0]
    change.messages[0] = change.messages[0]._replace(text=item["text"]["body"])
    if which == 2:
        item["text"] |= {"colour": "blue"}
        change.value["weather"] = {"sky": "clear"}
        return [change]
    town.later(1, lambda town: [_glimpsed(town, soul)])
    return [change]


def _call(town: Town, soul: Soul, wacid: str, ours: bool, told: Item) -> Change:
    us, them = soul.number.display, bodies.recipient(soul.who)
    ends = {"from": us, **them} if ours else {**bodies.sender(soul.who), "to": us}
    direction = "BUSINESS_INITIATED" if ours else "USER_INITIATED"
    item = {"id": wacid, **ends, "timestamp": str(int(town.now)), "direction": direction, **told}
    said = SaidMessage(
        soul.number.phone_number_id,
        wacid,
        "call",
        Direction.OUTBOUND if ours else Direction.INBOUND,
        int(town.now),
        soul.key,
        standing=Standing.ENDED_CALL if told["event"] == "terminate" else Standing.PLACEHOLDER,
    )
    content = {"contacts": [bodies.contact(soul.who)], "calls": [item]}
    return Change("calls", bodies.about(soul.number, content), None, [said], [], [named_as(soul)])


def _call_status(soul: Soul, wacid: str, name: str, town: Town) -> Happening:
    item = {"id": wacid, "type": "call", "status": name, "timestamp": str(int(town.now)), **bodies.reached(soul.who)}
    said = SaidStatus(soul.number.phone_number_id, wacid, name, int(town.now), kind="call")
    return [Change("calls", bodies.about(soul.number, {"statuses": [item]}), None, [], [said], [named_as(soul)])]


def _hung_up(soul: Soul, wacid: str, ours: bool, began: int, town: Town) -> Happening:
    chance, now = town.rng.random(), int(town.now)
    completed = chance < 0.6
    told: Item = {"event": "terminate", "status": "COMPLETED" if completed else "FAILED"}
    if completed:
        told |= {"start_time": str(began), "end_time": str(now), "duration": max(1, now - began)}
    if chance < 0.1:
        told["status"] = ["COMPLETED"]
    elif completed and chance < 0.3:
        audio = {"id": str(town.rng.randrange(10**15, 10**16)), "mime_type": "audio/ogg", "sha256": "q83vEjRWeJA="}
        recording = {"event": "call_recording_available", "call_recording": {"type": "audio", "audio": audio}}
        town.later(2, lambda town: [_call(town, soul, wacid, ours, recording)])
    elif not completed and not ours:
        town.later(2, lambda town: [say(town, soul, Line(contents.voice(town, soul), wamid=wacid))])
    return [_call(town, soul, wacid, ours, told)]


def _open_group(town: Town) -> Change:
    members = {soul.key: soul for soul in (town.somebody() for _ in range(town.rng.randint(2, 8)))}
    key = base64.b64encode(b"capi_group:" + town.rng.randbytes(18)).decode("ascii")
    of = Group(key, town.somebody().number, f"Obra {town.rng.randrange(1000)}", list(members.values()))
    town.groups.append(of)
    told: Item = {"subject": of.subject, "description": "Tiles and dates", "request_id": f"new-{key[-9:]}"}
    told["added_participants"] = [bodies.participant(soul.who) for soul in of.members]
    return _group(town, of, "group_lifecycle_update", "group_create", told, *of.members)


def _added(town: Town, of: Group) -> Change:
    soul = town.somebody()
    if soul not in of.members and len(of.members) < 30:
        of.members.append(soul)
    named = bodies.participant(soul.who)
    if town.rng.random() < 0.2 and soul.who.wa_id:
        named |= {"input": int(soul.who.wa_id), "wa_id": int(soul.who.wa_id)}
    told = {"added_participants": [named], "reason": "invite_link"}
    return _group(town, of, "group_participants_update", "group_participants_add", told, soul)


def _group(town: Town, of: Group, field: str, kind: str, told: Item, *named: Soul) -> Change:
    at = int(town.now)
    item = {"timestamp": at if town.rng.random() < 0.1 else str(at), "group_id": of.group_id, "type": kind, **told}
    value = bodies.about(of.number, {"groups": [item]})
    return Change(field, value, people=[named_as(soul) for soul in named])


def _talk_in(town: Town, of: Group, *, ours: bool) -> Happening:
    soul = town.rng.choice(of.members)
    if of.recent and town.rng.random() < 0.15:
        about = town.rng.choice(of.recent)
        return [say(town, soul, Line(contents.reaction(about.wamid, "👍"), ours, group=of))]
    content = contents.text(town, soul) if town.rng.random() < 0.8 else contents.image(town, soul)
    said = content["text"]["body"] if content["type"] == "text" else None
    if of.recent and town.rng.random() < 0.2:
        content["context"] = {"id": town.rng.choice(of.recent).wamid}
    return [say(town, soul, Line(content, ours, said, group=of))]


def _standby_message(soul: Soul, town: Town) -> Happening:
    content = contents.text(town, soul)
    change = say(town, soul, Line(content, text=content["text"]["body"]))
    return [_aside(change)]


def _standby_echo(soul: Soul, town: Town) -> Happening:
    """What was sent to Meta in our name, as it was sent: to a phone number, or to a BSUID."""
    rng, who, number = town.rng, one_sided(soul), soul.number
    sent: Item = {"messaging_product": "whatsapp", "recipient_type": "individual", "type": "text"}
    sent |= {"to": who.wa_id} if who.wa_id else {"recipient": who.bsuid}
    chance, said = rng.random(), None
    if chance < 0.7:
        said = words(rng, soul.country)
        sent["text"] = {"body": said, "preview_url": "true" if chance < 0.35 else True}
    else:
        parameters = [{"type": "text", "text": who.name}]
        sent["type"] = "template"
        sent["template"] = {
            "name": "order_ready",
            "language": {"code": "pt_PT"},
            "components": [{"type": "body", "parameters": parameters}],
        }
    if chance > 0.9:
        sent["biz_opaque_callback_data"] = "agent-7"
    wamid, at = bodies.wamid(rng), int(town.now)
    echo = {"id": wamid, "timestamp": str(at), "message": sent}
    value = bodies.about(number, {"standby": {"message_echoes": [echo]}})
    told = SaidMessage(number.phone_number_id, wamid, sent["type"], Direction.OUTBOUND, at, soul.key, said)
    town.later(2, partial(_standby_status, soul, wamid))
    soul.recent.append(Spoken(wamid, True, sent["type"], soul))
    return [Change("standby", value, None, [told], [], [named_as(soul, who)])]


def _standby_status(soul: Soul, wamid: str, town: Town) -> Happening:
    item = bodies.status(wamid, town.rng.choice(("sent", "delivered")), int(town.now)) | bodies.reached(soul.who)
    value = bodies.about(soul.number, {"standby": {"statuses": [item]}})
    said = SaidStatus(soul.number.phone_number_id, wamid, item["status"], int(town.now))
    return [Change("standby", value, None, [], [said], [named_as(soul)])]


def _aside(change: Change) -> Change:
    """The same as a standby: one level deeper."""
    beside = {key: change.value.pop(key) for key in ("contacts", "messages")}
    change.field, change.value["standby"] = "standby", beside
    return change


def _handover(town: Town, soul: Soul, kind: str) -> Change:
    number = soul.number
    told: Item = {"previous_owner_app_id": "610000000000001", "metadata": "asked for a person"}
    told |= {"previous_owner_role": "ai_agent", "new_owner_role": "escalation"}
    if kind == "control_passed":
        told["conversation_context"] = {"type": "summary", "summary": {"text": words(town.rng, soul.country)}}
    value: Item = {
        "messaging_product": "whatsapp",
        "sender": bodies.named(("phone_number", soul.who.wa_id)),
        "recipient": {"phone_number_id": number.phone_number_id, "display_phone_number": number.display},
        "timestamp": str(int(town.now)),
        "type": kind,
        kind: told,
    }
    return Change("messaging_handovers", value, people=[named_as(soul, one_sided(soul))] if soul.who.wa_id else [])


def _without_parent(soul: Soul) -> bodies.Customer:
    who = soul.who
    return bodies.Customer(who.name, who.bsuid, who.wa_id, who.username)


def _glimpsed(town: Town, soul: Soul) -> Change:
    wamid, number = bodies.wamid(town.rng), soul.number
    content = contents.text(town, soul)
    change = say(town, soul, Line(content, True, content["text"]["body"], wamid))
    item = bodies.status(wamid, "glimpsed", int(town.now)) | bodies.reached(soul.who)
    seen = Change("messages", bodies.about(number, {"statuses": [item]}), people=[named_as(soul)])
    seen.statuses.append(SaidStatus(number.phone_number_id, wamid, "glimpsed", int(town.now)))
    town.later(1, lambda _: [seen])
    return change

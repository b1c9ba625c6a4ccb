"""How something is said: a message or a status with everything that Meta writes around it, and its truth."""

from dataclasses import dataclass, replace

from wamcp.simulator import bodies
from wamcp.simulator.bodies import Item
from wamcp.simulator.cast import Group, Soul, Spoken, Town, Waiting, named_as, one_sided
from wamcp.simulator.said import Change, SaidMessage, SaidStatus
from wamcp.vocabulary import Direction, Standing

_SAID_LATER = ("reaction", "edit", "revoke", "system", "unsupported")


@dataclass(frozen=True, slots=True)
class Line:
    """What is said: ``content`` has the type and all that goes with it, ``text`` is set where it is plain words."""

    content: Item
    ours: bool = False
    text: str | None = None
    wamid: str | None = None
    group: Group | None = None


def say(town: Town, soul: Soul, line: Line) -> Change:
    """The message ``line`` between ``soul`` and us, in a group if it has one."""
    wamid, group = line.wamid or bodies.wamid(town.rng), line.group
    number = group.number if group else soul.number
    item: Item = {"id": wamid, "timestamp": str(int(town.now)), **line.content}
    if group:
        item["group_id"] = group.group_id
    said = _truth(number.phone_number_id, item, line, None if group and line.ours else soul.key)
    if line.content["type"] not in _SAID_LATER:
        (group or soul).recent.append(Spoken(wamid, line.ours, line.content["type"], soul))
        if line.ours:
            town.expect(Waiting(wamid, soul, number, _course(town, line), group))
    if line.ours:
        ends = {"from": number.display, **({} if group else bodies.recipient(soul.who))}
        value = bodies.about(number, {"message_echoes": [{**ends, **item}]})
        return Change("smb_message_echoes", value, None, [said], [], [] if group else [named_as(soul)])
    content = {"contacts": [bodies.contact(soul.who)], "messages": [{**bodies.sender(soul.who), **item}]}
    return Change("messages", bodies.about(number, content), None, [said], [], [named_as(soul)])


def next_status(town: Town) -> Change | None:
    """The next status of a message of ours, None where no message waits for one."""
    if not town.waiting:
        return None
    waiting = town.waiting.popleft()
    name = waiting.left.pop(0)
    if waiting.left:
        town.waiting.append(waiting)
    item = bodies.status(waiting.wamid, name, int(town.now))
    _embellish(town, item)
    if waiting.group:
        return _of_a_group(town, waiting, item)
    return _of_a_person(waiting, item)


def _truth(phone_number_id: str, item: Item, line: Line, customer: int | None) -> SaidMessage:
    kind = item["type"]
    about = item.get(kind)
    about = about if isinstance(about, dict) else {}
    context: Item = item.get("context") or {}
    ghost = kind == "unsupported" and any(str(each["code"]) == "131060" for each in item["errors"])
    return SaidMessage(
        phone_number_id,
        item["id"],
        kind,
        Direction.OUTBOUND if line.ours else Direction.INBOUND,
        int(item["timestamp"]),
        customer,
        line.text,
        line.group.group_id if line.group else None,
        context.get("id"),
        about.get("message_id") or about.get("original_message_id"),
        Standing.PLACEHOLDER if ghost else Standing.MESSAGE,
    )


def _course(town: Town, line: Line) -> list[str]:
    """The statuses that a message of ours will have; ``delivered`` may be left out, and some messages fail."""
    chance = town.rng.random()
    if chance < 0.02:
        return ["sent", "failed"] if chance < 0.01 else ["failed"]
    course = ["sent", "read"] if chance < 0.1 else ["sent", "delivered", "read"]
    if line.content.get("audio", {}).get("voice"):
        return [*course, "played"]
    return course[: 2 if chance > 0.85 else 3]


def _embellish(town: Town, item: Item) -> None:
    """What only some statuses carry."""
    chance = town.rng.random()
    if item["status"] == "sent" and chance < 0.1:
        item["conversation"] = {
            "id": f"{town.rng.getrandbits(128):032x}",
            "expiration_timestamp": str(int(town.now) + 259_200) if chance < 0.05 else int(town.now) + 259_200,
            "origin": {"type": "referral_conversion"},
        }
        item["pricing"] |= {"type": "free_entry_point", "category": "referral_conversion"}
    elif item["status"] == "sent" and chance > 0.7:
        item["pricing"] |= {"billable": True, "category": town.rng.choice(("utility", "marketing", "authentication"))}
    elif 0.2 < chance < 0.25:
        item["biz_opaque_callback_data"] = f"campaign-{town.rng.randrange(40)}"


def _of_a_person(waiting: Waiting, item: Item) -> Change:
    """A failure comes without contacts, and names but the number to which was sent."""
    soul, number = waiting.soul, waiting.number
    who, contacts = soul.who, {"contacts": [bodies.contact(soul.who)]}
    if item["status"] == "failed":
        who, contacts = one_sided(soul), {}
    value = bodies.about(number, {**contacts, "statuses": [{**item, **bodies.reached(who)}]})
    said = SaidStatus(number.phone_number_id, item["id"], item["status"], int(item["timestamp"]))
    return Change("messages", value, None, [], [said], [named_as(soul, who)])


def _of_a_group(town: Town, waiting: Waiting, item: Item) -> Change:
    """Sent once for the group; delivered and read by every member who is in it at that time."""
    group, number = waiting.group, waiting.number
    assert group is not None
    item |= {"recipient_id": group.group_id, "recipient_type": "group"}
    members = [None] if item["status"] in ("sent", "failed") else group.members[:20]
    change = Change("messages", bodies.about(number, {"statuses": []}))
    spelling = "participant_recipient_id" if town.rng.random() < 0.1 else "recipient_participant_id"
    for member in members:
        who = bodies.Customer("", None, None) if member is None else member.who
        named = bodies.named((spelling, who.wa_id), ("recipient_participant_user_id", who.bsuid))
        change.value["statuses"].append({**item, **named})
        participant = who.wa_id or who.bsuid or ""
        change.statuses.append(
            SaidStatus(number.phone_number_id, item["id"], item["status"], int(item["timestamp"]), participant)
        )
        if member is not None:
            change.people.append(named_as(member, replace(who, parent_bsuid=None)))
    return change

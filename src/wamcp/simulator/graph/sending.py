"""``POST /{number}/messages``: checks in Meta's order, an id, and the statuses that follow."""

from typing import Any

from wamcp.simulator.graph import templates, validate
from wamcp.simulator.graph.call import MESSAGING, Call
from wamcp.simulator.graph.follow import Sent, follow
from wamcp.simulator.graph.media import bare, kind_of
from wamcp.simulator.graph.people import Person
from wamcp.simulator.graph.templates import Template
from wamcp.simulator.graph.trouble import no_object, trouble
from wamcp.whatsapp.spellings import spellings

Item = dict[str, Any]


async def send(call: Call) -> Item:
    """Accepts a message, or marks one as read; raises ``Trouble`` as Meta would answer."""
    world = call.world
    call.authorize(MESSAGING)
    if call.node not in world.account.numbers:
        raise no_object(call.node)
    body = validate.check(call.body)
    _check_number(call)
    if validate.is_read(body):
        return {"success": True}
    template = None
    if body.get("type") == "template":
        template = templates.check(body.get("template"), world.account.templates)
    _check_media(call, body)
    person, by_phone = _whom(call, body)
    failure = _check_recipient(call, body, person, by_phone, template)
    _take_turn(call, body, person)
    return await _accept(call, body, Recipient(person, by_phone, failure), template)


class Recipient:
    """Whom a message is for: nobody (None) for a group, and for a BSUID that stands in ``to``."""

    def __init__(self, person: Person | None, by_phone: bool, failure: int | None) -> None:
        self.person = person
        self.by_phone = by_phone
        self.failure = failure


def _check_number(call: Call) -> None:
    number = call.world.account.numbers[call.node]
    if call.world.account.locked:
        raise trouble(131031, "The account is locked.", status=403)
    if number.platform_type != "CLOUD_API":
        raise trouble(133010, "The number is not registered with the Cloud API.")


def _check_media(call: Call, body: Item) -> None:
    kind = body.get("type", "text")
    content = body.get(kind) if kind in validate.MEDIA else None
    if content is None or "id" not in content:
        return
    media = call.world.media.find(content["id"])
    if media is None or media.number not in (None, call.node):
        raise trouble(131053, f"{kind}.id: there is no media with id {content['id']}, or it has expired.")
    fits = kind_of(media.mime) == kind or (kind == "document" and bare(media.mime).startswith(("image/", "text/")))
    if not fits:
        raise trouble(131053, f"{kind}.id: the media is {media.mime}, which {kind} cannot carry.")


def _whom(call: Call, body: Item) -> tuple[Person | None, bool]:
    to = body.get("to")
    if not to:
        return call.world.people.by_id(body["recipient"]), False
    if body.get("recipient_type") == "group":
        return None, False
    if "recipient" in body:
        call.notes.append("both to and recipient: to counts")
    if validate.BSUID.fullmatch(to):
        call.notes.append("lost")
        return None, True
    if not to.startswith("+"):
        call.notes.append("to without +")
    return call.world.people.by_phone(validate.digits(to)), True


def _check_recipient(
    call: Call, body: Item, person: Person | None, by_phone: bool, template: Template | None
) -> int | None:
    """The code with which the message will fail later, if it will; raises ``Trouble`` for what Meta says at once."""
    account = call.world.account
    if person is None:
        return None
    names = set(spellings(person.wa_id)) if person.wa_id else {person.user_id}
    if validate.digits(account.numbers[call.node].display_phone_number) in names:
        raise trouble(131021, "The recipient is the sending number.")
    if account.allowed_recipients is not None and not names & _digits(account.allowed_recipients):
        raise trouble(131030, "The recipient is not on the list of this test number.")
    if template is not None and template.category == "AUTHENTICATION" and not by_phone:
        raise trouble(131062, "Authentication templates need a phone number.")
    if names & _digits(account.undeliverable):
        return 131026
    for number, code in account.failing.items():
        if names & _digits([number]):
            return code
    return _check_window(call, person, template)


def _check_window(call: Call, person: Person, template: Template | None) -> int | None:
    account = call.world.account
    if template is not None or not account.enforce_window:
        return None
    if call.world.people.is_open(person, call.node, account.open_windows == "all"):
        return None
    if account.window_error == "status":
        return 131047
    raise trouble(
        131047,
        "Message failed to send because more than 24 hours have passed since the customer last replied to this number.",
    )


def _digits(numbers: list[str]) -> set[str]:
    """The numbers in both spellings; business-scoped ids as they are."""
    found: set[str] = set()
    for number in numbers:
        found |= {number} if validate.BSUID.fullmatch(number) else set(spellings(validate.digits(number)))
    return found


def _take_turn(call: Call, body: Item, person: Person | None) -> None:
    account = call.world.account
    who = person.user_id if person is not None else body.get("to", "")
    call.world.limits.take(call.node, who, account.rate, account.pair_limit)


async def _accept(call: Call, body: Item, recipient: Recipient, template: Template | None) -> Item:
    world, wamid = call.world, call.world.new_wamid()
    call.wamid = wamid
    is_group = body.get("recipient_type") == "group"
    sent = Sent(
        wamid=wamid,
        number_id=call.node,
        person=recipient.person,
        by_phone=recipient.by_phone,
        group_id=body.get("to") if is_group else None,
        kind=body.get("type", "text"),
        category="service" if template is None else template.category.lower(),
        opaque=body.get("biz_opaque_callback_data"),
        failure=recipient.failure,
    )
    world.remember(wamid, {"wamid": wamid, "phone_number_id": call.node, "body": body, "statuses": []})
    answer: Item = {"messaging_product": "whatsapp", "contacts": [_contact(body, recipient)]}
    answer["messages"] = [{"id": wamid, **({"message_status": "accepted"} if template is not None else {})}]
    if "lost" not in call.notes:
        await _start_statuses(call, sent)
    return answer


async def _start_statuses(call: Call, sent: Sent) -> None:
    world = call.world
    early = world.account.statuses.before_answer
    if early:
        await follow(world, sent, first_only=True)
    world.deliveries.start(follow(world, sent, skip_first=early))


def _contact(body: Item, recipient: Recipient) -> Item:
    """What the answer says of the recipient: a group has no wa_id, a BSUID in ``to`` is taken for its digits."""
    written = body.get("to") or body["recipient"]
    if body.get("recipient_type") == "group":
        return {"input": written}
    if recipient.person is None:
        return {"input": written, "wa_id": validate.digits(written)}
    if recipient.by_phone:
        return {"input": written, "wa_id": recipient.person.wa_id}
    return {"input": written, "user_id": recipient.person.user_id}

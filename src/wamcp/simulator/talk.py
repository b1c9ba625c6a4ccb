"""The conversations of the invented town: what customers and company write to each other, and what comes of it."""

from collections.abc import Callable
from functools import partial

from wamcp.simulator import bodies, contents
from wamcp.simulator.bodies import Item
from wamcp.simulator.cast import Soul, Spoken, Town, moved, named_as
from wamcp.simulator.phrases import EMOJI, words
from wamcp.simulator.said import Change, SaidPerson, SaidStatus
from wamcp.simulator.speech import Line, next_status, say

Happening = list[Change]

_IDENTIFIERS = {
    "from": "wa_id",
    "wa_id": "wa_id",
    "from_user_id": "bsuid",
    "user_id": "bsuid",
    "previous_user_id": "bsuid",
    "from_parent_user_id": "parent_bsuid",
    "parent_user_id": "parent_bsuid",
    "previous_parent_user_id": "parent_bsuid",
}
"""The kind of identifier behind each key that a message about a change may have."""


def text(town: Town) -> Happening:
    """Words, often an answer to something, sometimes forwarded or about a product."""
    soul = town.somebody()
    content = contents.text(town, soul)
    chance = town.rng.random()
    if chance < 0.2 and soul.recent:
        content["context"] = quotation(soul, town.rng.choice(soul.recent))
    elif chance < 0.23:
        content["context"] = {"forwarded": True} if chance < 0.22 else {"frequently_forwarded": True}
    elif chance < 0.25:
        product = {"catalog_id": "800000000000001", "product_retailer_id": "azulejo-mare-15"}
        content["context"] = {"from": soul.number.display, "referred_product": product}
    return _written(town, soul, content, ours=town.rng.random() < 0.35)


def one(kind: Callable[[Town, Soul], Item], ours: float = 0.0) -> Callable[[Town], Happening]:
    """A message of ``kind``; ``ours`` is the share that we write."""

    def scene(town: Town) -> Happening:
        soul = town.somebody()
        return _written(town, soul, kind(town, soul), ours=town.rng.random() < ours)

    return scene


def answer(kind: Callable[[Town, Soul], Item]) -> Callable[[Town], Happening]:
    """A message of ``kind`` that answers one of ours, which is said first where there is none."""

    def scene(town: Town) -> Happening:
        soul = town.somebody()
        asked = next((said for said in soul.recent if said.ours), None)
        if asked is None:
            town.later(2, partial(_answer, soul, kind))
            return _written(town, soul, contents.text(town, soul), ours=True)
        return _answer(soul, kind, town)

    return scene


def reaction(town: Town) -> Happening:
    """Somebody reacts to what was said, and may think better of it."""
    soul, about = _somebody_with_a_past(town)
    if about is None:
        return text(town)
    ours = not about.ours if town.rng.random() < 0.9 else about.ours
    if town.rng.random() < 0.25:
        town.later(town.rng.randint(3, 40), partial(_unreact, soul, about, ours))
    return [say(town, soul, Line(contents.reaction(about.wamid, town.rng.choice(EMOJI)), ours))]


def edit(town: Town) -> Happening:
    """Somebody corrects words of his own."""
    soul, about = _somebody_with_a_past(town, "text")
    if about is None:
        return text(town)
    corrected = words(town.rng, soul.country)
    inner: Item = {"type": "text", "text": {"body": corrected}}
    content = {"type": "edit", "edit": {"original_message_id": about.wamid, "message": inner}}
    return [say(town, soul, Line(content, about.ours, corrected))]


def revoke(town: Town) -> Happening:
    """Somebody deletes a message of his own."""
    soul, about = _somebody_with_a_past(town)
    if about is None:
        return text(town)
    soul.recent.remove(about)
    content = {"type": "revoke", "revoke": {"original_message_id": about.wamid}}
    return [say(town, soul, Line(content, about.ours))]


def ghost(town: Town) -> Happening:
    """A message that Meta cannot show; the real one mostly follows under the same wamid, sometimes it comes first."""
    soul, wamid = town.somebody(), bodies.wamid(town.rng)
    content = contents.text(town, soul)
    if town.rng.random() < 0.5:
        content["referral"] = contents.advert(town)
    shadow = say(town, soul, Line(contents.ghost(), wamid=wamid))
    chance = town.rng.random()
    if chance < 0.2:
        return [shadow]
    real = say(town, soul, Line(content, text=content["text"]["body"], wamid=wamid))
    first, then = (real, shadow) if chance < 0.3 else (shadow, real)
    town.later(town.rng.randint(1, 4), lambda _: [then])
    return [first]


def referral(town: Town) -> Happening:
    """Somebody writes because of an ad; Meta may count it as a lead."""
    soul = town.somebody()
    kind = town.rng.choice((contents.text, contents.text, contents.image, contents.voice, contents.location))
    content: Item = {"referral": contents.advert(town), **kind(town, soul)}
    happened = _written(town, soul, content, ours=False)
    if town.rng.random() < 0.3:
        town.later(5, partial(_lead, soul, happened[0].messages[0].wamid, content["referral"].get("ctwa_clid")))
    return happened


def move(town: Town) -> Happening:
    """Somebody changes the number, and with it the BSUID; Meta says so in one message or in two, and he writes on."""
    soul = town.somebody()
    before = soul.who
    hello = _written(town, soul, contents.text(town, soul), ours=False)
    after = moved(town, soul)
    phones: Item = {"body": f"{before.name} changed the number", "type": "user_changed_number"}
    phones |= bodies.named(("wa_id", after.wa_id))
    ids: Item = {"body": f"{before.name} changed", "type": "user_changed_user_id"}
    ids |= bodies.named(("user_id", after.bsuid), ("previous_user_id", before.bsuid))
    ids |= bodies.named(("parent_user_id", after.parent_bsuid), ("previous_parent_user_id", before.parent_bsuid))
    old = bodies.named(("from", before.wa_id))
    if before.wa_id and before.bsuid and town.rng.random() < 0.5:
        told = [(old, {**ids, **phones})]
    else:
        told = ([(old, phones)] if before.wa_id else []) + ([({}, ids)] if before.bsuid else [])
    town.later(3, lambda town: _written(town, soul, contents.text(town, soul), ours=False))
    return [*hello, *(_system(town, soul, *each) for each in told)]


def identity(town: Town) -> Happening:
    """Somebody has a new telephone: his keys changed."""
    soul = town.somebody()
    told = {"body": f"{soul.who.name} has new keys", "type": "customer_identity_changed", "identity": "7kx2"}
    return [_system(town, soul, bodies.sender(soul.who), told)]


def status(town: Town) -> Happening:
    """How far a message of ours came; a new message where none waits."""
    change = next_status(town)
    if change is not None:
        return [change]
    soul = town.somebody()
    return _written(town, soul, contents.text(town, soul), ours=True)


def payment(town: Town) -> Happening:
    """We ask for money, the customer chooses how to pay, the payment is pending, captured or has failed."""
    soul = town.somebody()
    asked = _written(town, soul, contents.text(town, soul), ours=True)
    town.later(2, partial(_answer, soul, contents.payment))
    town.later(5, partial(_paid, soul, soul.recent[-1].wamid))
    return asked


def quotation(soul: Soul, about: Spoken) -> Item:
    """``context`` of an answer to ``about``, whose author is named as far as Meta would."""
    if about.ours:
        return {"from": soul.number.display, "id": about.wamid}
    who = about.by.who
    return {**bodies.named(("from", who.wa_id), ("from_user_id", who.bsuid)), "id": about.wamid}


def _written(town: Town, soul: Soul, content: Item, *, ours: bool) -> Happening:
    """What is written; with the fault ``early`` statuses overtake a message of ours."""
    said = content["text"]["body"] if content["type"] == "text" else None
    change = say(town, soul, Line(content, ours, said))
    if ours and town.early and town.rng.random() < town.early and town.waiting:
        town.waiting.rotate(1)
        town.later(3, lambda _: [change])
        return status(town)
    return [change]


def _answer(soul: Soul, kind: Callable[[Town, Soul], Item], town: Town) -> Happening:
    content, asked = kind(town, soul), next((said for said in reversed(soul.recent) if said.ours), None)
    if asked is not None:
        content["context"] = quotation(soul, asked)
    return _written(town, soul, content, ours=False)


def _somebody_with_a_past(town: Town, kind: str | None = None) -> tuple[Soul, Spoken | None]:
    for _ in range(4):
        soul = town.somebody()
        past = [said for said in soul.recent if kind in (None, said.type)]
        if past:
            return soul, town.rng.choice(past)
    return soul, None


def _unreact(soul: Soul, about: Spoken, ours: bool, town: Town) -> Happening:
    return [say(town, soul, Line(contents.reaction(about.wamid, "" if town.rng.random() < 0.2 else None), ours))]


def _system(town: Town, soul: Soul, sender: Item, told: Item) -> Change:
    """A message of Meta's about ``soul``: without contacts, and with no more of his identifiers than it says."""
    change = say(town, soul, Line({"type": "system", "system": told}))
    del change.value["contacts"]
    item = change.value["messages"][0]
    change.value["messages"] = [{**sender, **{key: item[key] for key in ("id", "timestamp", "type", "system")}}]
    known = {**sender, **told}
    named = ((kind, known[key]) for key, kind in _IDENTIFIERS.items() if known.get(key))
    change.people[:] = [SaidPerson(soul.key, frozenset(named))]
    return change


def _lead(soul: Soul, wamid: str, click: str | None, town: Town) -> Happening:
    name = town.rng.choice(("LeadSubmitted", "Purchase"))
    event: Item = {"id": wamid, "event_name": name, "timestamp": int(town.now), **bodies.named(("ctwa_clid", click))}
    if name == "Purchase":
        event["custom_data"] = {"currency": "EUR", "value": town.rng.randrange(2000)}
    return [Change("automatic_events", bodies.about(soul.number, {"automatic_events": [event]}))]


def _paid(soul: Soul, about: str, town: Town) -> Happening:
    name, number = town.rng.choice(("pending", "captured", "failed")), soul.number
    item: Item = {"id": about, "status": name, "timestamp": str(int(town.now)), "type": "payment"}
    amount = {"value": town.rng.randrange(1000, 90_000), "offset": 100}
    item["payment"] = {
        "reference_id": f"ENC-2026-{town.rng.randrange(10_000):04d}",
        "amount": amount,
        "currency": "BRL",
    }
    value = bodies.about(number, {"statuses": [{**item, **bodies.reached(soul.who)}]})
    said = SaidStatus(number.phone_number_id, about, name, int(town.now), kind="payment")
    return [Change("messages", value, None, [], [said], [named_as(soul)])]

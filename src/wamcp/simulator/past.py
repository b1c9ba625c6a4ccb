"""The history of a telephone that was in use before: its chunks come out of order, its media later."""

from functools import partial

from wamcp.simulator import bodies, contents
from wamcp.simulator.bodies import Item
from wamcp.simulator.cast import Soul, Town, named_as, one_sided
from wamcp.simulator.said import Change, SaidMessage
from wamcp.vocabulary import Direction, Standing

_DAY = 86_400
_PHASES = ((0, 1), (1, 90), (90, 180))
"""How many days ago the messages of each phase were written."""

_STATUSES = ("DELIVERED", "READ", "READ", "SENT", "PLAYED", "PENDING", "ERROR")


def history(town: Town) -> list[Change]:
    """The back-fill of a few threads in three phases; sometimes the business wants none of it."""
    number, souls = town.somebody().number, {soul.key: soul for soul in (town.somebody() for _ in range(3))}
    if town.rng.random() < 0.1:
        declined = bodies.error(2593109, "History sync is turned off", "History sharing was turned off.")
        return [Change("history", bodies.about(number, {"history": [{"errors": [declined]}]}))]
    chunks = [_chunk(town, number, list(souls.values()), phase, order) for phase in range(3) for order in (1, 2)]
    town.rng.shuffle(chunks)
    for delay, chunk in enumerate(chunks[1:], start=1):
        town.later(delay, partial(_itself, chunk))
    return [chunks[0]]


def _chunk(town: Town, number: bodies.Number, souls: list[Soul], phase: int, order: int) -> Change:
    change = Change("history", {})
    threads = [_thread(town, number, soul, phase, change) for soul in souls]
    progress = min(100, 17 * (2 * phase + order))
    chunk = {"metadata": {"phase": phase, "chunk_order": order, "progress": progress}, "threads": threads}
    change.value = bodies.about(number, {"history": [chunk]})
    return change


def _thread(town: Town, number: bodies.Number, soul: Soul, phase: int, change: Change) -> Item:
    change.people.append(named_as(soul))
    who = soul.who
    messages = [_message(town, number, soul, phase, change) for _ in range(town.rng.randint(1, 3))]
    context = {**bodies.participant(who), **bodies.named(("username", who.username))}
    return {**bodies.named(("id", who.wa_id)), "context": context, "messages": messages}


def _message(town: Town, number: bodies.Number, soul: Soul, phase: int, change: Change) -> Item:
    rng, (newest, oldest) = town.rng, _PHASES[phase]
    at = int(town.now) - rng.randrange(newest * _DAY + 1, oldest * _DAY)
    ours, wamid = rng.random() < 0.4, bodies.wamid(rng)
    ends = {"from": number.display, **bodies.recipient(soul.who)} if ours else bodies.sender(soul.who)
    content = contents.text(town, soul)
    said = SaidMessage(
        number.phone_number_id,
        wamid,
        "text",
        Direction.OUTBOUND if ours else Direction.INBOUND,
        at,
        soul.key,
        content["text"]["body"],
    )
    if rng.random() < 0.25:
        content = {"type": "media_placeholder"}
        said = said._replace(type="media_placeholder", text=None, standing=Standing.PLACEHOLDER)
        if rng.random() < 0.8:
            town.later(rng.randint(0, 12), partial(_completed, number, soul, said))
    change.messages.append(said)
    return {**ends, "id": wamid, "timestamp": str(at), **content, "history_context": {"status": rng.choice(_STATUSES)}}


def _completed(number: bodies.Number, soul: Soul, placeholder: SaidMessage, town: Town) -> list[Change]:
    content, who = contents.image(town, soul), one_sided(soul)
    item: Item = {"id": placeholder.wamid, "timestamp": str(placeholder.sent_at), **content}
    said = placeholder._replace(type="image", standing=Standing.MESSAGE)
    if placeholder.direction is Direction.OUTBOUND:
        told: Item = {"message_echoes": [{"from": number.display, **bodies.recipient(who), **item}]}
    else:
        told = {"messages": [{**bodies.sender(who), **item}]}
    return [Change("history", bodies.about(number, told), None, [said], [], [named_as(soul, who)])]


def _itself(change: Change, _town: Town) -> list[Change]:
    return [change]

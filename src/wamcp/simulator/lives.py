"""The full mix: a town whose people live, and every kind of webhook that comes of it; always the same for a seed."""

import random
from collections.abc import Callable, Iterator
from itertools import accumulate, islice

from wamcp.simulator import contents, happenings, talk
from wamcp.simulator.bodies import MIDNIGHT
from wamcp.simulator.cast import Town, populate
from wamcp.simulator.faults import NONE, Faults, put_together
from wamcp.simulator.mix import ALL, Mix
from wamcp.simulator.office import account
from wamcp.simulator.past import history
from wamcp.simulator.said import Change, Said

SCENES: dict[str, Callable[[Town], list[Change]]] = {
    "text": talk.text,
    "status": talk.status,
    "media": talk.one(contents.media, ours=0.3),
    "interactive": talk.answer(contents.interactive),
    "reaction": talk.reaction,
    "referral": talk.referral,
    "location": talk.one(contents.location, ours=0.2),
    "contacts": talk.one(contents.contacts, ours=0.1),
    "button": talk.answer(contents.button),
    "order": talk.one(contents.order),
    "edit": talk.edit,
    "revoke": talk.revoke,
    "ghost": talk.ghost,
    "unsupported": talk.one(contents.unsupported),
    "move": lambda town: talk.move(town) if town.rng.random() < 0.8 else talk.identity(town),
    "payment": talk.payment,
    "call": happenings.call,
    "group": happenings.group,
    "standby": happenings.standby,
    "history": history,
    "book": happenings.book,
    "preference": happenings.preference,
    "account": account,
    "error": happenings.error,
    "action": happenings.action,
    "unknown": happenings.unknown,
}
"""What can happen, by the kinds of ``mix.EVERYTHING``."""


def lives(  # noqa: PLR0913 - what can be chosen about a town
    seed: int,
    count: int,
    *,
    mix: Mix = ALL,
    faults: Faults = NONE,
    people: int = 3000,
    start: int = MIDNIGHT,
    rate: float = 1.0,
) -> Iterator[Said]:
    """``count`` webhooks (0: without end) and what each of them says.

    ``people`` is the number of customers; Meta's timestamps begin at ``start`` (unix seconds) and advance by
    1 / ``rate`` seconds a change on average. Without ``faults`` each webhook has one change and none comes twice.
    """
    rng = random.Random(seed)  # noqa: S311 - invented content
    town = populate(rng, people, start)
    town.early = faults.early
    chance = random.Random(f"faults of {seed}")  # noqa: S311 - so that what goes wrong leaves the story as it is
    said = put_together(chance, _changes(town, mix, rate), faults)
    return islice(said, count) if count else said


def _changes(town: Town, mix: Mix, rate: float) -> Iterator[Change]:
    scenes = [SCENES[kind] for kind in mix.weights]
    shares = list(accumulate(mix.weights.values()))
    while True:
        act = town.due() or town.rng.choices(scenes, cum_weights=shares)[0]
        for change in act(town):
            town.now += town.rng.expovariate(rate)
            town.step += 1
            yield change

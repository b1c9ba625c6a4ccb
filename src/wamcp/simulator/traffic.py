"""Texts and statuses by the thousand, one in a webhook; always the same for the same seed."""

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from itertools import count as counting
from typing import NamedTuple

from wamcp.errors import Misconfigured
from wamcp.simulator import bodies
from wamcp.simulator.bodies import MIDNIGHT, SHOP, WORKSHOP, Customer, Item, Number
from wamcp.simulator.day import a_day
from wamcp.simulator.faults import NONE, Faults
from wamcp.simulator.lives import lives
from wamcp.simulator.mix import parse_mix
from wamcp.simulator.phrases import EMOJI, NAMES, WEIGHTS, words

__all__ = ["a_day", "events", "lives", "traffic"]

_STATUS_ORDER = ("sent", "delivered", "read")
_REMEMBERED = 500


class _Regular(NamedTuple):
    customer: Customer
    number: Number
    country: str


@dataclass(slots=True)
class _Town:
    """The state of one run: the customers, the clock, and our messages that still wait for a status."""

    rng: random.Random
    now: float
    customers: list[_Regular]
    popularity: list[float]
    waiting: deque[tuple[str, Customer, Number, int]] = field(default_factory=deque)

    def somebody(self) -> _Regular:
        return self.rng.choices(self.customers, cum_weights=self.popularity)[0]


def events(
    seed: int, count: int, *, statuses: float = 0.6, people: int = 3000, start: int = MIDNIGHT, rate: float = 1.0
) -> Iterator[bytes]:
    """``count`` webhooks (0: without end) of one message or one status each.

    ``statuses`` is the share of statuses, ``people`` the number of customers, of whom few write much and many little;
    Meta's timestamps begin at ``start`` (unix seconds) and advance by 1 / ``rate`` seconds on average.
    """
    rng = random.Random(seed)  # noqa: S311 - invented content
    customers = [_customer(rng, rank) for rank in range(people)]
    town = _Town(rng, start, customers, list(accumulate(1 / (rank + 10) for rank in range(people))))
    for _ in range(count) if count else counting():
        town.now += rng.expovariate(rate)
        yield _status(town) if rng.random() < statuses else _message(town)


def traffic(seed: int, count: int, mix: str, faults: Faults, rate: float) -> Iterator[bytes]:
    """``count`` webhooks (0: without end) of a ``mix`` as the command line names it, ``rate`` a second by their times.

    The mix ``texts`` knows no faults; raises ``Misconfigured`` for those, and for a mix that there is not.
    """
    chosen = parse_mix(mix)
    if chosen is not None:
        return (said.body for said in lives(seed, count, mix=chosen, faults=faults, rate=rate))
    if faults != NONE:
        raise Misconfigured("Duplicates, batches, reordering and faults need another mix than texts.")
    return events(seed, count, rate=rate)


def _customer(rng: random.Random, rank: int) -> _Regular:
    """Every tenth customer hides the phone number behind a username."""
    country = rng.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))[0]
    bsuid = f"{country}.{10**16 + rank * 1_000_003}"
    name = rng.choice(NAMES)
    hidden = rank % 10 == 9
    who = Customer(name, bsuid, None if hidden else f"15550100{rank:04d}", f"customer.{rank}" if hidden else None)
    return _Regular(who, SHOP if (10**16 + rank * 1_000_003) % 3 else WORKSHOP, country)


def _status(town: _Town) -> bytes:
    """The next status of a message of ours; a new message where none is waiting, as if sent by another system."""
    if town.waiting and town.rng.random() < 0.9:
        message_id, customer, number, reached = town.waiting.popleft()
    else:
        message_id, (customer, number, _), reached = bodies.wamid(town.rng), town.somebody(), 0
    name = "failed" if reached == 0 and town.rng.random() < 0.01 else _STATUS_ORDER[reached]
    if name not in ("failed", "read") and len(town.waiting) < _REMEMBERED:
        town.waiting.append((message_id, customer, number, reached + 1))
    return bodies.statuses(customer, number, bodies.status(message_id, name, int(town.now)))


def _message(town: _Town) -> bytes:
    customer, number, country = town.somebody()
    item: Item = {"id": bodies.wamid(town.rng), "timestamp": str(int(town.now)), **_content(town, country)}
    if town.rng.random() < 0.3:
        if len(town.waiting) < _REMEMBERED:
            town.waiting.append((item["id"], customer, number, 0))
        return bodies.echo(customer, number, item)
    return bodies.inbound(customer, number, item)


def _content(town: _Town, country: str) -> Item:
    rng, kind = town.rng, town.rng.random()
    if kind < 0.88:
        return {"type": "text", "text": {"body": words(rng, country)}}
    if kind < 0.94:
        media = {"id": str(rng.randrange(10**15, 10**16)), "mime_type": "image/jpeg", "sha256": "q83vEjRWeJA="}
        return {"type": "image", "image": {"caption": words(rng, country), **media}}
    if kind < 0.97:
        return {"type": "reaction", "reaction": {"message_id": bodies.wamid(rng), "emoji": rng.choice(EMOJI)}}
    reply = {"id": f"button_{rng.randrange(3)}", "title": rng.choice(("OK", "Sim", "نعم", "好的"))}
    return {"type": "interactive", "interactive": {"type": "button_reply", "button_reply": reply}}

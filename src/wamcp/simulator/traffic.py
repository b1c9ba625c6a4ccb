"""Believable webhooks by the thousand, for load tests; always the same for the same seed."""

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from wamcp.simulator import bodies
from wamcp.simulator.bodies import SHOP, WORKSHOP, Customer, Item, Number
from wamcp.simulator.day import MIDNIGHT, a_day
from wamcp.simulator.phrases import EMOJI, NAMES, PHRASES, WEIGHTS

__all__ = ["a_day", "events"]

_STATUS_ORDER = ("sent", "delivered", "read")
_REMEMBERED = 500


@dataclass(slots=True)
class _Town:
    """The state of one run: the customers, the clock, and our messages that still wait for a status."""

    rng: random.Random
    now: float
    customers: list[Customer]
    popularity: list[float]
    waiting: deque[tuple[str, Customer, Number, int]] = field(default_factory=deque)

    def somebody(self) -> tuple[Customer, Number]:
        customer = self.rng.choices(self.customers, cum_weights=self.popularity)[0]
        return customer, SHOP if int(customer.bsuid[3:]) % 3 else WORKSHOP


def events(
    seed: int, count: int, *, statuses: float = 0.6, people: int = 3000, start: int = MIDNIGHT, rate: float = 1.0
) -> Iterator[bytes]:
    """``count`` webhooks of one message or one status each.

    ``statuses`` is the share of statuses, ``people`` the number of customers, of whom few write much and many little;
    Meta's timestamps begin at ``start`` (unix seconds) and advance by 1 / ``rate`` seconds on average.
    """
    rng = random.Random(seed)  # noqa: S311 - invented content
    customers = [_customer(rng, rank) for rank in range(people)]
    town = _Town(rng, start, customers, list(accumulate(1 / (rank + 10) for rank in range(people))))
    for _ in range(count):
        town.now += rng.expovariate(rate)
        yield _status(town) if rng.random() < statuses else _message(town)


def _customer(rng: random.Random, rank: int) -> Customer:
    """Every tenth customer hides the phone number behind a username."""
    country = rng.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))[0]
    bsuid = f"{country}.{10**16 + rank * 1_000_003}"
    name = rng.choice(NAMES)
    hidden = rank % 10 == 9
    return Customer(name, bsuid, None if hidden else f"15550100{rank:04d}", f"customer.{rank}" if hidden else None)


def _status(town: _Town) -> bytes:
    """The next status of a message of ours; a new message where none is waiting, as if sent by another system."""
    if town.waiting and town.rng.random() < 0.9:
        message_id, customer, number, reached = town.waiting.popleft()
    else:
        message_id, (customer, number), reached = bodies.wamid(town.rng), town.somebody(), 0
    name = "failed" if reached == 0 and town.rng.random() < 0.01 else _STATUS_ORDER[reached]
    if name not in ("failed", "read") and len(town.waiting) < _REMEMBERED:
        town.waiting.append((message_id, customer, number, reached + 1))
    return bodies.statuses(customer, number, bodies.status(message_id, name, int(town.now)))


def _message(town: _Town) -> bytes:
    customer, number = town.somebody()
    item: Item = {"id": bodies.wamid(town.rng), "timestamp": str(int(town.now)), **_content(town, customer)}
    if town.rng.random() < 0.3:
        if len(town.waiting) < _REMEMBERED:
            town.waiting.append((item["id"], customer, number, 0))
        return bodies.echo(customer, number, item)
    return bodies.inbound(customer, number, item)


def _content(town: _Town, customer: Customer) -> Item:
    rng, kind = town.rng, town.rng.random()
    if kind < 0.88:
        return {"type": "text", "text": {"body": _words(rng, customer.bsuid[:2])}}
    if kind < 0.94:
        media = {"id": str(rng.randrange(10**15, 10**16)), "mime_type": "image/jpeg", "sha256": "q83vEjRWeJA="}
        return {"type": "image", "image": {"caption": _words(rng, customer.bsuid[:2]), **media}}
    if kind < 0.97:
        return {"type": "reaction", "reaction": {"message_id": bodies.wamid(rng), "emoji": rng.choice(EMOJI)}}
    reply = {"id": f"button_{rng.randrange(3)}", "title": rng.choice(("OK", "Sim", "نعم", "好的"))}
    return {"type": "interactive", "interactive": {"type": "button_reply", "button_reply": reply}}


def _words(rng: random.Random, country: str) -> str:
    """One or two sentences, some 63 characters on average."""
    sentences = rng.choices(PHRASES[country], k=rng.choice((1, 2)))
    euros, cents = divmod(rng.randrange(1_000, 900_000), 100)
    return " ".join(sentences).format(
        order=f"ENC-2026-{rng.randrange(10_000):04d}",
        invoice=f"INV-2026-{rng.randrange(1_000_000):06d}",
        amount=f"{euros:,}".replace(",", ".") + f",{cents:02d}",
        n=rng.randrange(2, 20),
    )

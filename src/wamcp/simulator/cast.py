"""Who lives in the invented town, who knows whom, and what is going to happen next."""

import random
from bisect import bisect
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from itertools import accumulate, count

from wamcp.simulator.bodies import SHOP, WORKSHOP, Customer, Number
from wamcp.simulator.phrases import NAMES, WEIGHTS
from wamcp.simulator.said import Change, SaidPerson
from wamcp.vocabulary import AliasKind

REMEMBERED = 8
WAITING = 500

_OURS = 100
"""Numbers below are the company's own, and those of the day."""

_COUNTRIES = list(WEIGHTS)
_SHARES = list(accumulate(WEIGHTS.values()))
_PREFIXES = {"PT": ("1555010", "551195550", "55115550"), "ES": ("52155501", "5255501", "54911555", "5411555")}
"""Numbers of Brazil, Mexico and Argentina come with and without the digit that is only sometimes dialled."""


def populate(rng: random.Random, people: int, start: float) -> "Town":
    """A town of ``people`` customers, of whom few write much and many little."""
    fresh = count(_OURS)
    souls = [_soul(rng, key, fresh) for key in range(people)]
    return Town(rng, start, souls, list(accumulate(1 / (rank + 10) for rank in range(people))), fresh)


def moved(town: "Town", soul: "Soul") -> Customer:
    """``soul`` with another phone number, and so with other business-scoped ids; he is that customer from now on."""
    n = next(town.fresh)
    who = soul.who
    soul.who = replace(
        who,
        wa_id=None if who.wa_id is None else _phone(town.rng, soul.country, n),
        bsuid=None if who.bsuid is None else _bsuid(soul.country, n),
        parent_bsuid=None if who.parent_bsuid is None else _parent(soul.country, n),
    )
    return soul.who


def named_as(soul: "Soul", who: Customer | None = None) -> SaidPerson:
    """The truth about all the identifiers of ``soul``, or about those of ``who``, as which he is named."""
    who = who or soul.who
    pairs = ((AliasKind.WA_ID, who.wa_id), (AliasKind.BSUID, who.bsuid), (AliasKind.PARENT_BSUID, who.parent_bsuid))
    return SaidPerson(soul.key, frozenset((kind.value, value) for kind, value in pairs if value is not None))


def one_sided(soul: "Soul") -> Customer:
    """``soul`` as the webhooks name him that give one identifier: the phone number, or else the BSUID."""
    who = soul.who
    if who.wa_id is None:
        return replace(who, parent_bsuid=None)
    return replace(who, bsuid=None, parent_bsuid=None)


def _soul(rng: random.Random, key: int, fresh: "Iterator[int]") -> "Soul":
    """Of ten customers one hides the phone number behind a username, two have no BSUID, seven have both."""
    n = next(fresh)
    country = _COUNTRIES[bisect(_SHARES, rng.random() * _SHARES[-1])]
    hidden, old = key % 10 == 9, key % 5 == 3
    who = Customer(
        rng.choice(NAMES),
        None if old else _bsuid(country, n),
        None if hidden else _phone(rng, country, n),
        f"customer.{key}" if hidden or key % 7 == 1 else None,
        _parent(country, n) if key % 12 == 5 and not old else None,
    )
    return Soul(key, who, country, SHOP if key % 3 else WORKSHOP)


def _phone(rng: random.Random, country: str, n: int) -> str:
    return f"{rng.choice(_PREFIXES.get(country, ('1555010',)))}{n:04d}"


def _bsuid(country: str, n: int) -> str:
    return f"{country}.{10**16 + n * 1_000_003}"


def _parent(country: str, n: int) -> str:
    return f"{country}.ENT.{2 * 10**16 + n * 1_000_003}"


@dataclass(frozen=True, slots=True)
class Spoken:
    """A message that later ones can refer to."""

    wamid: str
    ours: bool
    type: str
    by: "Soul"


@dataclass(slots=True, eq=False)
class Soul:
    """A customer: who he is today, the number of ours to which he writes, and what was said last."""

    key: int
    who: Customer
    country: str
    number: Number
    recent: deque[Spoken] = field(default_factory=lambda: deque(maxlen=REMEMBERED))


@dataclass(slots=True, eq=False)
class Group:
    """A group of ours; its members come and go."""

    group_id: str
    number: Number
    subject: str
    members: list[Soul]
    recent: deque[Spoken] = field(default_factory=lambda: deque(maxlen=REMEMBERED))


@dataclass(slots=True)
class Waiting:
    """A message of ours about which ``left`` statuses are still to come; in a group, about each of its members."""

    wamid: str
    soul: Soul
    number: Number
    left: list[str]
    group: Group | None = None


@dataclass(slots=True, eq=False)
class Town:
    """The state of one run. It does not grow: what is remembered has bounds."""

    rng: random.Random
    now: float
    souls: list[Soul]
    popularity: list[float]
    fresh: "Iterator[int]"
    groups: list[Group] = field(default_factory=list)
    waiting: deque[Waiting] = field(default_factory=deque)
    early: float = 0.0
    step: int = 0
    _agenda: list[tuple[int, int, Callable[["Town"], list[Change]]]] = field(default_factory=list)
    _tie: "Iterator[int]" = field(default_factory=count)

    def somebody(self) -> Soul:
        """A customer, as often as he writes."""
        return self.souls[bisect(self.popularity, self.rng.random() * self.popularity[-1])]

    def later(self, steps: int, act: Callable[["Town"], list[Change]]) -> None:
        """Lets ``act`` happen ``steps`` changes from now."""
        heappush(self._agenda, (self.step + steps, next(self._tie), act))

    def due(self) -> Callable[["Town"], list[Change]] | None:
        """What has to happen now, if anything has."""
        if self._agenda and self._agenda[0][0] <= self.step:
            return heappop(self._agenda)[2]
        return None

    def expect(self, waiting: Waiting) -> None:
        """Lets statuses follow; while too many messages wait for theirs this one gets none."""
        if len(self.waiting) < WAITING:
            self.waiting.append(waiting)

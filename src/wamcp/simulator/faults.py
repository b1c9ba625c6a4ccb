"""What goes wrong on the way: the same thing twice, out of order, many in one, odd types, broken items."""

import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from wamcp.simulator import bodies
from wamcp.simulator.bodies import Item
from wamcp.simulator.said import Change, Said

_REPEATABLE = 200
_LISTS = ("contacts", "messages", "message_echoes", "statuses")
LARGEST = 1000
"""The most items that Meta puts into one body."""


@dataclass(frozen=True, slots=True)
class Faults:
    """Shares (0 to 1) of webhooks that go wrong; ``reorder`` is how many webhooks are shuffled at a time.

    ``duplicates`` come again, in the same bytes or in others; ``batches`` hold up to 1,000 items; ``odd`` ones have
    other types, orders and keys than usual; ``broken`` ones have an item that nobody can read beside a good one, or
    characters that cannot be stored; ``early`` is the share of our messages that are overtaken by a status.
    """

    duplicates: float = 0.0
    reorder: int = 0
    batches: float = 0.0
    odd: float = 0.0
    broken: float = 0.0
    early: float = 0.0


NONE = Faults()
SOME = Faults(duplicates=0.02, reorder=8, batches=0.02, odd=0.03, broken=0.01, early=0.03)


def put_together(rng: random.Random, changes: Iterator[Change], faults: Faults) -> Iterator[Said]:
    """Webhooks of ``changes``, one in each but for the faults."""
    said = _bodies(rng, (_mistreated(rng, change, faults) for change in changes), faults)
    return _shuffled(rng, said, faults.reorder) if faults.reorder > 1 else said


def _bodies(rng: random.Random, changes: Iterator[Change], faults: Faults) -> Iterator[Said]:
    past: deque[tuple[list[Change], Said]] = deque(maxlen=_REPEATABLE)
    for change in changes:
        if past and rng.random() < faults.duplicates:
            before, said = rng.choice(past)
            if rng.random() < 0.5:
                yield replace(said, again=True)
            else:
                yield _said(rng, [*before, change])
                continue
        together = [change]
        if rng.random() < faults.batches:
            size = LARGEST if rng.random() < 0.01 else rng.randint(2, 20)
            together += islice(changes, size - 1)
        webhook = _said(rng, together, merge=len(together) > 1)
        if faults.duplicates and len(together) < 4:
            past.append((together, webhook))
        yield webhook


def _said(rng: random.Random, changes: list[Change], *, merge: bool = False) -> Said:
    written = _merged(changes) if merge else changes
    return Said(
        bodies.written(*_entries(rng, written)),
        tuple(said for change in changes for said in change.messages),
        tuple(said for change in changes for said in change.statuses),
        tuple(said for change in changes for said in change.people),
        tuple(
            change.field for change in changes if change.field == "calls" or not (change.messages or change.statuses)
        ),
        sum(change.malformed for change in changes),
    )


def _merged(changes: list[Change]) -> list[Change]:
    """The messages and statuses of a number in one value, as Meta gathers them; everything else by itself."""
    gathered: dict[tuple[str, str], Change] = {}
    rest = []
    for change in changes:
        if change.at is not None or not set(change.value) <= {"messaging_product", "metadata", *_LISTS}:
            rest.append(change)
            continue
        key = change.field, change.value["metadata"]["phone_number_id"]
        into = gathered.setdefault(key, Change(change.field, {**change.value, **{name: [] for name in _LISTS}}))
        for name in _LISTS:
            into.value[name] += (item for item in change.value.get(name, ()) if item not in into.value[name][-20:])
    for into in gathered.values():
        for name in _LISTS:
            if not into.value[name]:
                del into.value[name]
    return [*gathered.values(), *rest]


def _entries(rng: random.Random, changes: list[Change]) -> Iterator[Item]:
    """One entry, or several of the same account; account events have a time."""
    cut = rng.randrange(1, len(changes)) if len(changes) > 1 and rng.random() < 0.5 else len(changes)
    for part in (changes[:cut], changes[cut:]):
        if part:
            at = next((change.at for change in part if change.at is not None), None)
            timed = {} if at is None else {"time": str(at) if at % 20 == 0 else at}
            written = [{"value": change.value, "field": change.field} for change in part]
            yield {"id": bodies.WABA_ID, **timed, "changes": written}


def _mistreated(rng: random.Random, change: Change, faults: Faults) -> Change:
    if faults.odd and rng.random() < faults.odd:
        rng.choice(_ODD)(rng, change)
    if faults.broken and rng.random() < faults.broken:
        rng.choice(_BROKEN)(rng, change)
    return change


def _items(change: Change) -> list[Item]:
    """The list of the change that holds messages or statuses, empty where it has none."""
    found: list[Item] = next((change.value[name] for name in _LISTS[1:] if change.value.get(name)), [])
    return found


def _number_for_time(_rng: random.Random, change: Change) -> None:
    for item in _items(change):
        item["timestamp"] = int(item["timestamp"])


def _other_order(_rng: random.Random, change: Change) -> None:
    items = _items(change)
    items[:] = [dict(reversed(item.items())) for item in items]
    change.value = dict(reversed(change.value.items()))


def _no_profile(_rng: random.Random, change: Change) -> None:
    for contact in change.value.get("contacts", []):
        contact.pop("profile", None)


def _blank_name(_rng: random.Random, change: Change) -> None:
    for contact in change.value.get("contacts", []):
        contact["profile"] = {"name": " "}


def _handle_with_at(_rng: random.Random, change: Change) -> None:
    for contact in change.value.get("contacts", []):
        if "username" in contact.get("profile", {}):
            contact["profile"]["username"] = "@" + contact["profile"]["username"]


def _no_contacts(_rng: random.Random, change: Change) -> None:
    change.value.pop("contacts", None)


def _hidden_number(rng: random.Random, change: Change) -> None:
    """Where the number is hidden: nothing, null, or the BSUID in its place."""
    for item in change.value.get("messages", []):
        if "from" not in item and "from_user_id" in item:
            item["from"] = rng.choice(("", None, item["from_user_id"]))


def _new_keys(_rng: random.Random, change: Change) -> None:
    for item in _items(change):
        item["delivery_hint"] = {"route": "north"}
    for contact in change.value.get("contacts", []):
        contact["country_code"] = "pt"


def _no_type(_rng: random.Random, change: Change) -> None:
    for item in change.value.get("messages", []):
        if item["type"] in ("text", "image", "location", "order"):
            del item["type"]


def _unreadable(rng: random.Random, change: Change) -> None:
    """An item beside the good ones that lacks what everything hangs on, or is none at all."""
    items = _items(change)
    if items:
        good = items[0]
        bad: tuple[object, ...] = (
            "not an item",
            7,
            {key: value for key, value in good.items() if key != "id"},
            {**good, "id": bodies.wamid(rng), "timestamp": "soon"},
        )
        items.insert(rng.randrange(len(items) + 1), rng.choice(bad))  # type: ignore[arg-type]
        change.malformed += 1


def _unstorable(rng: random.Random, change: Change) -> None:
    """A NUL, or half of a surrogate pair, which an archive replaces."""
    items = change.value.get("messages") or []
    if len(items) == 1 and len(change.messages) == 1 and change.messages[0].type == "text":
        text = items[0]["text"]["body"]
        items[0]["text"] = {"body": text + rng.choice(("\x00", "\ud83d")) + "!"}
        change.messages[0] = change.messages[0]._replace(text=text + "\N{REPLACEMENT CHARACTER}!")


def _shuffled(rng: random.Random, said: Iterable[Said], window: int) -> Iterator[Said]:
    held: list[Said] = []
    for webhook in said:
        held.append(webhook)
        if len(held) >= window:
            yield held.pop(rng.randrange(len(held)))
    rng.shuffle(held)
    yield from held


_Fault = Callable[[random.Random, Change], None]
_ODD: tuple[_Fault, ...] = (
    _number_for_time,
    _other_order,
    _no_profile,
    _blank_name,
    _handle_with_at,
    _no_contacts,
    _hidden_number,
    _new_keys,
    _no_type,
)
_BROKEN: tuple[_Fault, ...] = (_unreadable, _unstorable)

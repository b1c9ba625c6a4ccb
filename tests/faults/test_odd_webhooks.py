"""Webhooks that are poison, and the same ones again in any order and in other batches: neighbours do not notice."""

import asyncio
import json
import random
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.figures import acknowledged_in, is_unnoticed, tally
from tests.e2e.house import DRAIN_S, House, eventually, house_up
from tests.e2e.meta import Ledger, Meta, webhook
from tests.webhooks import change, event, message_event, status, text

GOOD = 500
MESSAGES = 300
TIMES = 4
SEED = 14

pytestmark = [pytest.mark.embedded, pytest.mark.slow]
Told = Callable[[str, object], None]


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with house_up(WAMCP_LOG_LEVEL="warning") as house:
        yield house


@pytest.fixture
def well(house: House) -> House:
    assert eventually(house.is_well, 60)
    return house


def drained(house: House) -> bool:
    return eventually(lambda: house.value("SELECT count(*) FROM webhook_queue") == 0, DRAIN_S)


def poison() -> list[bytes]:
    """Bodies that nobody can understand, or not all of."""
    deep = b'{"object":"whatsapp_business_account","entry":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    shapes: list[Any] = [None, 0, "", [], {}, {"entry": 1}, {"entry": [None, 3, {"changes": "none"}]}, [[[]]], 1e308]
    odd = [
        text("wamid.odd.time", "when", at=10**18),
        text("wamid.odd.nul", "nul \x00 and \ud800 alone"),
        {"id": "wamid.odd.kind", "type": "hologram", "timestamp": "1770000000", "from": "15550100101", "hologram": {}},
        {"id": 7, "type": ["text"], "timestamp": {}, "text": "none"},
        {"id": "wamid.odd.long" + "x" * 100_000, "type": "text", "timestamp": "1770000000", "from": "1" * 5000},
    ]
    return [
        b"",
        b"\x00",
        b"\xff\xfe broken UTF-8 \xc3\x28",
        b"{",
        b"NaN",
        deep,
        b'{"object": "whatsapp_business_account", "object": "page", "entry": []}',
        message_event("wamid.odd.bytes", "PLACE").replace(b"PLACE", b"\xc3\x28\xa0\xa1"),
        *(json.dumps(shape).encode() for shape in shapes),
        *(event(change(messages=[item, text(f"wamid.beside.{n}", "beside")])) for n, item in enumerate(odd)),
        event(change(field="a_field_of_tomorrow", news={"deep": [{"er": None}]})),
    ]


@pytest.mark.fault(10)
@pytest.mark.timeout(120)
def test_poison_is_kept_and_shown_and_its_neighbours_are_understood(
    well: House, tmp_path: Path, record_property: Told
) -> None:
    run, bad = 0x10A, poison()
    bodies = [webhook(number, run) for number in range(GOOD)] + bad
    random.Random(SEED).shuffle(bodies)
    with Ledger(tmp_path / "ledger") as ledger:
        meta = Meta(well.port, well.secret, ledger)
        began = time.monotonic()
        asyncio.run(meta.deliver(bodies))
        assert drained(well)
        took = time.monotonic() - began
        found = tally(well, ledger, run)
    for body in bad:
        assert well.value("SELECT body FROM webhook_events WHERE sha256 = %s", sha256(body).digest()) == body
    kinds = dict(well.rows("SELECT kind, count(*) FROM parked GROUP BY kind"))
    record_property(
        "figure",
        f"{len(bad)} of poison among {GOOD}: all kept byte for byte, {sum(kinds.values())} items parked,"
        f" none deadly; {found}; {acknowledged_in(meta)}; all understood {took:.1f} s after the first",
    )
    assert is_unnoticed(meta, len(bodies)), meta.answers
    assert (found.lost, found.double) == (0, 0)
    assert well.value("SELECT count(*) FROM messages WHERE wamid LIKE %s", f"wamid.HBgL{run:08x}%") == GOOD
    assert well.value("SELECT count(*) FROM messages WHERE wamid LIKE 'wamid.beside.%%'") == 5
    assert kinds and "killed" not in kinds


@pytest.mark.fault(14)
@pytest.mark.timeout(120)
def test_the_same_in_any_order_and_in_other_batches_is_kept_once(
    well: House, tmp_path: Path, record_property: Told
) -> None:
    dice = random.Random(SEED)
    items: list[tuple[str, dict[str, Any]]] = []
    for number in range(MESSAGES):
        echo = text(f"wamid.shuffled.{number}", f"line {number}", sender="15550100001") | {"to": "15550100101"}
        items.append(("message_echoes", echo))
        items += [("statuses", status(echo["id"], name, at=1_770_000_000 + n)) for n, name in enumerate(STATES)]
    bodies: list[bytes] = []
    for _ in range(TIMES):
        dice.shuffle(items)
        cuts = [0, *sorted(dice.sample(range(1, len(items)), 250)), len(items)]
        bodies += [event(*map(one_change, items[start:end])) for start, end in pairwise(cuts)]
    bodies += dice.sample(bodies, 100)
    dice.shuffle(bodies)
    with Ledger(tmp_path / "ledger") as ledger:
        meta = Meta(well.port, well.secret, ledger)
        asyncio.run(meta.deliver(bodies))
        assert drained(well)
        acknowledged = set(ledger.digests())
    kept = {digest for (digest,) in well.rows("SELECT sha256 FROM webhook_events")}
    of_these = "WHERE wamid LIKE 'wamid.shuffled.%%'"
    messages, distinct = well.rows(f"SELECT count(*), count(DISTINCT wamid) FROM messages {of_these}")[0]
    states = well.rows(f"SELECT status, count(*) FROM message_state {of_these} GROUP BY status")
    statuses = well.value(f"SELECT count(*) FROM statuses {of_these}")
    record_property(
        "figure",
        f"{len(items):,} items, each {TIMES} times in {len(bodies):,} webhooks of other batches, 100 of them twice:"
        f" {len(acknowledged - kept)} of {len(acknowledged):,} lost; {messages} messages, {messages - distinct} twice;"
        f" all {states[0][1]} at {states[0][0]!r}; {acknowledged_in(meta)}",
    )
    assert acknowledged <= kept
    assert (messages, distinct, statuses) == (MESSAGES, MESSAGES, MESSAGES * len(STATES))
    assert states == [("read", MESSAGES)]


STATES = ("sent", "delivered", "read")


def one_change(item: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    kind, content = item
    field = "messages" if kind == "statuses" else "smb_message_echoes"
    return change(field=field, **{kind: [content]})

"""A webhook as large as Meta's may be: 3 MB with a thousand changes; the same again, and the same in other bytes."""

import asyncio
import json
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest

from tests.e2e.house import DRAIN_S, House, eventually
from tests.e2e.meta import Connection, wamid, webhook
from tests.faults.running import tally, understood
from tests.patience import PATIENCE

CHANGES = 1000
BYTES = 3_000_000
TOLD_S = 1.0
"""How soon Meta has to have its answer."""
BODIES = 5

pytestmark = [pytest.mark.embedded, pytest.mark.fault(11)]


def large(run: int, letter: str) -> bytes:
    """One body of a thousand changes, a text message in each, filled up with one letter to three megabytes."""
    body: dict[str, Any] = {"object": "whatsapp_business_account", "entry": []}
    for number in range(CHANGES):
        entry = json.loads(webhook(number, run))["entry"][0]
        entry["changes"][0]["value"]["messages"][0]["text"]["body"] = letter
        if not body["entry"]:
            body["entry"].append(entry)
        else:
            body["entry"][0]["changes"] += entry["changes"]
    spare = (BYTES - len(json.dumps(body))) // CHANGES
    for change in body["entry"][0]["changes"]:
        change["value"]["messages"][0]["text"]["body"] = letter * spare
    return json.dumps(body).encode()


@pytest.mark.timeout(240)
def test_a_thousand_changes_in_three_megabytes(house: House, record_property: Callable[[str, object], None]) -> None:
    runs = [0x11_0000 + number for number in range(BODIES)]
    bodies = [large(run, "a") for run in runs]
    assert all(BYTES - 2 * CHANGES <= len(body) <= BYTES for body in bodies)
    # The same bytes again and both at once, then the same messages in a batch of other bytes.
    deliveries = [*bodies, *bodies, large(runs[0], "a").replace(b'"object"', b' "object"', 1)]

    async def deliver() -> list[tuple[int, float]]:
        lines = [Connection(house.port, house.secret) for _ in range(2)]
        told: list[tuple[int, float]] = []

        async def one(line: Connection, body: bytes) -> None:
            status, again = 0, 1 if PATIENCE == 1 else 5
            while status != 200 and again:
                began, again = time.monotonic(), again - 1
                status = await line.post(body)
            told.append((status, time.monotonic() - began))

        for body in deliveries:
            await asyncio.gather(*(one(line, body) for line in lines))
        for line in lines:
            line.close()
        return told

    began = time.monotonic()
    told = asyncio.run(deliver())
    assert {status for status, _ in told} == {200}
    slowest = max(seconds for _, seconds in told)
    assert slowest < TOLD_S * PATIENCE

    assert eventually(lambda: house.value("SELECT count(*) FROM webhook_queue") == 0, DRAIN_S)
    taken = time.monotonic() - began
    found = [tally(house, run, {sha256(body).digest()}) for run, body in zip(runs, bodies, strict=True)]
    names = {name for (name,) in house.rows("SELECT wamid FROM messages")}
    assert names == {wamid(number, run) for run in runs for number in range(CHANGES)}
    assert sum(understood(house, run) for run in runs) == len(names)
    assert house.value("SELECT count(*) FROM webhook_events") == BODIES + 1
    assert house.value("SELECT count(*) FROM parked") == 0
    lost, twice = sum(one.lost for one in found), sum(one.twice for one in found)
    assert (lost, twice) == (0, 0)
    record_property(
        "figure",
        f"ack of 3 MB at most {slowest * 1000:.0f} ms, two at a time; {BODIES * CHANGES} messages understood"
        f" {taken:.1f} s after the first byte; {lost} of {len(told)} lost, {twice} twice",
    )

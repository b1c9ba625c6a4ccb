"""Meta posts at a steady rate, answered or not, while workers, broker and database are killed and frozen beside it."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.figures import acknowledged_in, is_unnoticed, p99, refused_until, tally, well_again
from tests.e2e.house import DRAIN_S, House, eventually, house_up
from tests.e2e.meta import Ledger, Meta, webhook
from tests.e2e.test_nothing_is_lost import frozen
from tests.patience import PATIENCE

RATE = 200
SECONDS = 10
PROMISED_P99_S = 0.25
AGAIN_S = 30.0
REFUSED_S = 2.0
"""A refusal comes sooner than that, whatever the database does."""

pytestmark = [pytest.mark.embedded, pytest.mark.slow]
Told = Callable[[str, object], None]


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with house_up(WAMCP_LOG_LEVEL="warning") as house:
        yield house


@pytest.fixture
def well(house: House) -> House:
    assert eventually(house.is_well, 60)
    assert eventually(lambda: house.value("SELECT count(*) FROM webhook_queue") == 0, DRAIN_S)
    return house


@pytest.mark.fault(2)
@pytest.mark.fault(4)
@pytest.mark.timeout(180)
def test_200_a_second_do_not_notice_that_worker_normalizer_and_broker_go(
    well: House, tmp_path: Path, record_property: Told
) -> None:
    run = 0x200
    bodies = [webhook(number, run) for number in range(RATE * SECONDS)]
    with Ledger(tmp_path / "ledger") as ledger:
        meta = Meta(well.port, well.secret, ledger)

        async def story() -> float:
            sending = asyncio.create_task(meta.deliver_steadily(bodies, RATE))
            for name in ("worker", "normalizer"):
                await asyncio.sleep(2)
                well.kill(name)
            await asyncio.sleep(2)
            with frozen(well.pid("valkey") or 0):
                await asyncio.sleep(2)
            last = well.kill("valkey")
            await sending
            return last

        last = asyncio.run(story())
        found = tally(well, ledger, run)
    caught_up = time.monotonic() - last
    record_property(
        "figure",
        f"{RATE}/s for {SECONDS} s; worker and normalizer killed, broker frozen for 2 s and killed: every answer 200;"
        f" {found}; {acknowledged_in(meta)}; all understood {caught_up:.1f} s after the last kill",
    )
    assert is_unnoticed(meta, len(bodies)), meta.answers
    assert found == (len(bodies), 0, 0)
    assert p99(meta) < PROMISED_P99_S * PATIENCE
    assert caught_up < AGAIN_S * PATIENCE


@pytest.mark.fault(3)
@pytest.mark.timeout(180)
def test_postgres_is_killed_and_meta_is_asked_to_come_back(well: House, tmp_path: Path, record_property: Told) -> None:
    run = 0x300
    bodies = [webhook(number, run) for number in range(700)]
    with Ledger(tmp_path / "ledger") as ledger:
        meta = Meta(well.port, well.secret, ledger)

        async def story() -> float:
            sending = asyncio.create_task(meta.deliver(bodies, pause=0.05))
            await asyncio.sleep(1)
            killed = well.kill("postgres")
            await sending
            return killed

        killed = asyncio.run(story())
        found = tally(well, ledger, run)
    understood = time.monotonic() - killed
    refused, again = meta.seconds[503], refused_until(meta, killed)
    record_property(
        "figure",
        f"kill -9: {len(refused)} refusals, the slowest after {max(refused):.1f} s; {found};"
        f" {acknowledged_in(meta)}; webhooks taken again after {again:.1f} s, all understood after {understood:.1f} s",
    )
    assert set(meta.answers) == {200, 503}
    assert max(refused) < REFUSED_S * PATIENCE
    assert found == (len(bodies), 0, 0)
    assert again < AGAIN_S * PATIENCE


@pytest.mark.fault(3)
@pytest.mark.timeout(180)
def test_postgres_is_frozen_for_half_a_minute(well: House, tmp_path: Path, record_property: Told) -> None:
    run = 0x330
    bodies = [webhook(number, run) for number in range(1000)]
    with Ledger(tmp_path / "ledger") as ledger:
        meta = Meta(well.port, well.secret, ledger)

        async def story() -> tuple[float, float]:
            sending = asyncio.create_task(meta.deliver(bodies, connections=12))
            await asyncio.sleep(0.5)
            began = time.monotonic()
            with frozen(well.pid("postgres") or 0):
                await asyncio.sleep(30)
            thawed = time.monotonic()
            await sending
            return began, thawed

        began, thawed = asyncio.run(story())
        found = tally(well, ledger, run)
    held = [taken for at, taken, status in meta.times if status != 200 and at > began]
    again = well_again(meta, [thawed])
    record_property(
        "figure",
        f"SIGSTOP for 30 s: {len(held)} refusals, the slowest after {max(held):.1f} s; {found};"
        f" well again {again:.2f} s after SIGCONT",
    )
    assert set(meta.answers) == {200, 503}
    assert max(held) < REFUSED_S * PATIENCE
    assert found == (len(bodies), 0, 0)
    assert again < AGAIN_S * PATIENCE

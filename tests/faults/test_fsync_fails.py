"""The disk refuses to keep what was written: Postgres gives up rather than promise, and nothing promised is lost."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.house import DRAIN_S, eventually
from tests.e2e.meta import Ledger, Meta, webhook
from tests.faults.failing_disk import can_be_built, failing_disk
from tests.faults.running import all_run, ask, tally, understood_if_asked, up
from tests.patience import PATIENCE
from wamcp.embedded.scratch import temporary_directory

ANSWER_S = 2.0 * PATIENCE
FAILS_S = 6.0
WELL_S = 30.0
RUN = 0x7E10

pytestmark = [
    pytest.mark.embedded,
    pytest.mark.slow,
    pytest.mark.fault(7),
    pytest.mark.skipif(not can_be_built(), reason="gcc is not here to build a disk that fails"),
]


@pytest.mark.timeout(240)
def test_nothing_is_promised_that_the_disk_does_not_keep(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    bodies = [webhook(number, RUN) for number in range(500)]
    with temporary_directory() as parent, Ledger(tmp_path / "ledger") as ledger:
        disk = failing_disk(parent)
        with up(parent / "state", WAMCP_PG_BIN=str(disk.bin)) as house:
            first = house.pid("postgres")
            meta = Meta(house.port, house.secret, ledger)

            async def story() -> float:
                await meta.deliver(bodies[:200])
                delivering = asyncio.create_task(meta.deliver(bodies[200:], connections=8, pause=0.05))
                await asyncio.sleep(0.2)
                disk.trigger.touch()
                failing_since = time.monotonic()
                await asyncio.sleep(FAILS_S)
                late = [began for began, _, status in meta.times if status == 200 and began > failing_since]
                assert late == [], "nothing may be acknowledged while the disk keeps nothing"
                ready = await asyncio.to_thread(ask, house, "/readyz")
                assert ready.status == 503
                assert not delivering.done()
                disk.trigger.unlink()
                began = time.monotonic()
                await asyncio.wait_for(delivering, WELL_S * PATIENCE)
                said = (parent / "state/pg/postgres.log").read_text()
                assert "PANIC" in said and "Input/output error" in said
                assert await asyncio.to_thread(
                    eventually, lambda: understood_if_asked(house, RUN) == len(bodies) and all_run(house), DRAIN_S
                )
                return time.monotonic() - began

            well_after = asyncio.run(story())
            found = tally(house, RUN, ledger.digests())
            restarted = house.pid("postgres") != first
    slowest = max(max(seconds) for seconds in meta.seconds.values())
    assert set(meta.answers) == {200, 503} and slowest < ANSWER_S
    assert found == (len(bodies), 0, 0, len(bodies))
    assert restarted, "the supervisor has to have started Postgres again"
    record_property(
        "figure",
        f"{meta.answers[503]} answers 503, the slowest after {slowest * 1000:.0f} ms, no 200 while it lasted; {found};"
        f" well again {well_after:.1f} s after the disk was",
    )

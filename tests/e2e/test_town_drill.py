"""A whole town writes while the api and the normalizer are killed: all of it is there, and can be derived again."""

import asyncio
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.figures import acknowledged_in, well_again
from tests.e2e.house import DRAIN_S, House, eventually
from tests.e2e.meta import Ledger, Meta
from tests.e2e.test_nothing_is_lost import KILLED, kill_again_and_again, rebuilds_to_the_same
from tests.patience import PATIENCE
from wamcp.simulator.faults import Faults
from wamcp.simulator.lives import lives

EVENTS = int(os.environ.get("DRILL_EVENTS", "6000"))
FAULTS = Faults(duplicates=0.05, reorder=20, batches=0.01, odd=0.03, broken=0.01, early=0.05)

pytestmark = [pytest.mark.embedded, pytest.mark.slow]


@pytest.mark.fault(1)
@pytest.mark.fault(2)
@pytest.mark.fault(14)
@pytest.mark.timeout(240 + EVENTS // 50)
def test_a_town_is_kept_whole_whatever_is_killed(
    well: House, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    seed = random.getrandbits(31)
    rng = random.Random(seed)
    said = list(lives(seed, EVENTS, faults=FAULTS, people=max(200, EVENTS // 20)))

    async def story() -> list[float]:
        delivering = asyncio.create_task(meta.deliver([each.body for each in said], pause=0.02 * PATIENCE))
        killed, _ = await asyncio.gather(*(kill_again_and_again(well, name, meta, rng) for name in KILLED))
        await delivering
        return killed

    with Ledger(tmp_path / "ledger") as ledger:
        meta = Meta(well.port, well.secret, ledger)
        killed = asyncio.run(asyncio.wait_for(story(), 150 * PATIENCE + EVENTS // 100))
    assert eventually(lambda: well.value("SELECT count(*) FROM webhook_queue") == 0, DRAIN_S + EVENTS / 500)
    told = f"seed {seed}, answers {meta.answers}"
    held = well.rows("SELECT n.phone_number_id, m.wamid FROM messages m JOIN numbers n ON n.id = m.number_id")
    lost = {(each.phone_number_id, each.wamid) for one in said for each in one.messages} - set(held)
    twice = len(held) - len(set(held))
    assert (lost, twice) == (set(), 0), told
    statuses = set(well.rows(
        "SELECT n.phone_number_id, s.wamid, s.status, s.participant, extract(epoch FROM s.at)::bigint"
        " FROM statuses s JOIN numbers n ON n.id = s.number_id"
    ))  # fmt: skip
    wanted = {
        (each.phone_number_id, each.wamid, each.status, each.participant, each.at)
        for one in said
        for each in one.statuses
        if each.kind != "call"
    }
    assert wanted <= statuses, told
    assert well.rows("SELECT kind, reason FROM parked WHERE kind <> 'malformed'") == [], told
    rebuilds_to_the_same(well)
    print(told)
    record_property(
        "figure",
        f"{len(said):,} events of a town, doubled, reordered and regrouped, api and normalizer killed:"
        f" {len(lost)} of {len(held):,} messages lost, {twice} twice;"
        f" {acknowledged_in(meta)}; well again after {well_again(meta, killed):.1f} s",
    )

"""The promise of the house: what was answered with 200 is there, once, whatever is killed meanwhile."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
import redis

from tests.e2e.figures import acknowledged_in, is_unnoticed, tally, well_again
from tests.e2e.house import DRAIN_S, House, eventually
from tests.e2e.meta import Connection, Ledger, Meta, wamid, webhook
from tests.patience import PATIENCE
from wamcp.embedded.process import is_running
from wamcp.whatsapp.signature import sign

UNIQUE = 10_000
DUPLICATES = 500
KILLED = "api", "normalizer"
KILLS = 3  # of each
FROZEN_S = 6.0
ANSWER_S = 2.0  # the door's promise while the database is stuck

pytestmark = [
    pytest.mark.embedded,
    pytest.mark.slow,
]


@pytest.mark.fault(1)
@pytest.mark.fault(2)
@pytest.mark.timeout(240)
def test_nothing_acknowledged_is_lost_while_the_api_and_the_normalizer_are_killed(
    well: House, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    seed = random.getrandbits(31)
    rng = random.Random(seed)
    bodies = [webhook(number, seed) for number in range(UNIQUE)]
    deliveries = bodies + rng.sample(bodies, DUPLICATES)
    rng.shuffle(deliveries)

    async def story() -> list[float]:
        delivering = asyncio.create_task(meta.deliver(deliveries, pause=0.03 * PATIENCE))
        killed, _ = await asyncio.gather(*(kill_again_and_again(well, name, meta, rng) for name in KILLED))
        assert not delivering.done(), f"the killing (seed {seed}) must happen while webhooks come"
        await delivering
        return killed

    with Ledger(tmp_path / "ledger") as ledger:
        meta = Meta(well.port, well.secret, ledger)
        killed = asyncio.run(asyncio.wait_for(story(), 150 * PATIENCE))
        acknowledged, answers = ledger.digests(), meta.answers
        found = tally(well, ledger, seed)

    assert len(acknowledged) == len(deliveries)
    assert answers[200] == len(deliveries)
    kept = well.rows("SELECT sha256, body FROM webhook_events WHERE position(%s::bytea IN body) > 0", _mark(seed))
    assert all(sha256(body).digest() == digest for digest, body in kept)
    assert set(acknowledged) - {digest for digest, _ in kept} == set(), f"lost (seed {seed}; answers {answers})"
    assert len(kept) == len({body for _, body in kept}) == UNIQUE
    assert {body for _, body in kept} == set(bodies)
    parked = "SELECT p.kind, p.item, p.reason FROM parked p JOIN webhook_events e ON e.id = p.event_id"
    assert well.rows(f"{parked} WHERE position(%s::bytea IN e.body) > 0", _mark(seed)) == []
    known = {name for (name,) in well.rows("SELECT wamid FROM messages WHERE wamid LIKE %s", f"wamid.HBgL{seed:08x}%")}
    assert known == {wamid(number, seed) for number in range(UNIQUE)}
    assert (found.lost, found.double) == (0, 0)
    rebuilds_to_the_same(well)
    print(f"seed {seed}: answers {answers}")
    record_property(
        "figure",
        f"{found}, {KILLS} kills of the api and {KILLS} of the normalizer; {acknowledged_in(meta)};"
        f" well again after {well_again(meta, killed):.1f} s",
    )


@pytest.mark.timeout(120)
def test_while_the_database_is_frozen_nobody_waits_long_and_afterwards_everything_flows(
    well: House, tmp_path: Path
) -> None:
    run = 0xF0F0
    bodies = [webhook(number, run) for number in range(2000)]

    async def story() -> list[tuple[int, float]]:
        meta = Meta(well.port, well.secret, ledger)
        await meta.deliver(bodies[:200])
        with frozen(well.pid("postgres") or 0):
            delivering = asyncio.create_task(meta.deliver(bodies[200:]))
            ending = time.monotonic() + FROZEN_S
            timed = await asyncio.gather(*(_timed_posts(well, ending) for _ in range(8)))
            await asyncio.sleep(ending - time.monotonic())
        await asyncio.wait_for(delivering, 60 * PATIENCE)
        return [answer for answers in timed for answer in answers]

    with Ledger(tmp_path / "ledger") as ledger:
        timed = asyncio.run(story())
        acknowledged = set(ledger.digests())

    assert {status for status, _ in timed} == {503}
    assert max(seconds for _, seconds in timed) < ANSWER_S * PATIENCE
    kept = {digest for (digest,) in well.rows("SELECT sha256 FROM webhook_events")}
    assert acknowledged == {sha256(body).digest() for body in bodies}
    assert acknowledged <= kept
    wanted = "SELECT count(*) FROM messages WHERE wamid LIKE %s"
    assert eventually(lambda: well.value(wanted, f"wamid.HBgL{run:08x}%") == len(bodies), DRAIN_S)


@pytest.mark.fault(4)
@pytest.mark.timeout(120)
def test_losing_the_broker_changes_nothing(
    well: House, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    run = 0xB0B0
    bodies = [webhook(number, run) for number in range(600)]

    async def story() -> None:
        await meta.deliver(bodies[:200])
        with redis.Redis.from_url(well.runtime["redis_url"]) as broker:
            broker.flushall()
        await meta.deliver(bodies[200:400])
        well.kill("valkey")
        await meta.deliver(bodies[400:])

    with Ledger(tmp_path / "ledger") as ledger:
        meta = Meta(well.port, well.secret, ledger)
        asyncio.run(story())
        found = tally(well, ledger, run)
    assert is_unnoticed(meta, len(bodies)), meta.answers
    assert found == (len(bodies), 0, 0)
    record_property("figure", f"FLUSHALL, then kill -9: every answer 200; {found}; {acknowledged_in(meta)}")


@pytest.mark.fault(14)
def test_the_same_body_fifty_times_at_once_is_one_event(
    well: House, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    body = webhook(1, 0x5050)

    with Ledger(tmp_path / "ledger") as ledger:
        meta = Meta(well.port, well.secret, ledger)
        asyncio.run(meta.deliver([body] * 50, connections=50))
    assert is_unnoticed(meta, 50), meta.answers
    assert well.value("SELECT count(*) FROM webhook_events WHERE sha256 = %s", sha256(body).digest()) == 1
    assert eventually(lambda: well.value("SELECT count(*) FROM messages WHERE wamid = %s", wamid(1, 0x5050)) == 1, 20)
    record_property("figure", "50 times at once: 50 answers of 200, 1 event, 1 message")


def test_five_megabytes_are_refused(well: House) -> None:
    body = b" " * 5_000_000
    answer = httpx.post(well.url, content=body, headers={"X-Hub-Signature-256": sign(body, well.secret)}, timeout=10)
    assert answer.status_code == 413
    assert well.value("SELECT count(*) FROM webhook_events WHERE sha256 = %s", sha256(body).digest()) == 0


def rebuilds_to_the_same(house: House) -> None:
    ids = "SELECT array_agg((id, number_id, wamid) ORDER BY id)::text FROM messages"
    before = house.command("checksum"), house.value(ids)
    assert "No difference" in house.command("reprocess", "--verify")
    house.command("reprocess")
    assert (house.command("checksum"), house.value(ids)) == before


async def kill_again_and_again(house: House, name: str, meta: Meta, rng: random.Random) -> list[float]:
    """Kills the process again and again, at random moments soon after it took up its work; returns them (monotonic)."""
    last, killed = None, [0.0]
    for _ in range(KILLS):
        while (pid := house.pid(name)) is None or pid == last or not is_running(pid):
            await asyncio.sleep(0.02)
        takes = partial(_has_taken, meta, killed[-1])
        at_work = takes if name == "api" else partial(_has_gone_on, house, _applied(house))
        while not await asyncio.to_thread(at_work):
            await asyncio.sleep(0.05)
        await asyncio.sleep(rng.uniform(0.0, 0.8))
        os.kill(pid, signal.SIGKILL)
        killed.append(time.monotonic())
        last = pid
    return killed[1:]


def _has_taken(meta: Meta, since: float) -> bool:
    return any(status == 200 and began > since for began, _, status in meta.times[-100:])


def _applied(house: House) -> int:
    return house.value("SELECT count(*) FROM applied")


def _has_gone_on(house: House, since: int) -> bool:
    return _applied(house) > since


async def _timed_posts(house: House, ending: float) -> list[tuple[int, float]]:
    answers = []
    line = Connection(house.port, house.secret)
    while time.monotonic() < ending - ANSWER_S:
        body = webhook(random.randrange(10**6), 0xF1F1)
        began = time.monotonic()
        answers.append((await line.post(body), time.monotonic() - began))
    line.close()
    return answers


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A process and its children, stopped for a while."""
    pids = [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    try:
        for each in pids:
            os.kill(each, signal.SIGSTOP)
        yield
    finally:
        for each in pids:
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGCONT)


def _mark(run: int) -> bytes:
    return f"wamid.HBgL{run:08x}".encode()

"""Disks that fill up, under the database, the broker and the objects: nothing is lost, and all goes on afterwards."""

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
import redis

from tests.e2e.house import DRAIN_S, House, eventually
from tests.e2e.meta import Connection, Ledger, Meta, webhook
from tests.faults.mounts import MB, Disk, needs_mounts, small_disk
from tests.faults.running import Answer, all_run, ask, p99_ms, tally, understood, understood_if_asked, up
from tests.fetching_office import file_event
from tests.patience import PATIENCE
from wamcp.embedded.scratch import temporary_directory
from wamcp.simulator.graph.account import Config
from wamcp.simulator.graph.run import Simulated, simulated

ANSWER_S = 2.0 * PATIENCE
WELL_S = 30.0
ROOMY = 1500 * MB
SPARE = 100 * MB
"""With less than this the object store takes nothing."""

pytestmark = [pytest.mark.embedded, pytest.mark.slow, pytest.mark.fault(6), needs_mounts]

Record = Callable[[str, object], None]


class Cramped(NamedTuple):
    """A house whose database, broker and objects each lie on a small disk of their own, and Meta's files beside it."""

    house: House
    database: Disk
    broker: Disk
    objects: Disk
    meta: Simulated


@pytest.fixture(scope="module")
def cramped() -> Iterator[Cramped]:
    config = Config()
    with temporary_directory() as parent, simulated(config) as meta:
        state = parent / "state"
        state.mkdir()
        state.chmod(0o711)
        with (
            small_disk(state / "pg", ROOMY, for_servers=True) as database,
            small_disk(state / "valkey", 64 * MB, for_servers=True) as broker,
            small_disk(state / "objects", 2 * SPARE) as objects,
            up(
                state,
                WHATSAPP_BASE_URL=meta.url,
                WHATSAPP_ACCESS_TOKEN=config.access_token,
                WHATSAPP_PHONE_NUMBER_ID=config.phone_number_id,
                WHATSAPP_WABA_ID=config.waba_id,
            ) as house,
        ):
            yield Cramped(house, database, broker, objects, meta)


@pytest.fixture(autouse=True)
def room_again(cramped: Cramped) -> Iterator[None]:
    """However a test ends, the next one finds room."""
    yield
    for disk, size in ((cramped.database, ROOMY), (cramped.broker, 64 * MB), (cramped.objects, 2 * SPARE)):
        disk.resize(size)


def bulky(number: int, run: int) -> bytes:
    """A webhook of 32 kB that does not compress well."""
    body = json.loads(webhook(number, run))
    message = body["entry"][0]["changes"][0]["value"]["messages"][0]
    message["text"]["body"] = secrets.token_urlsafe(24_000)
    return json.dumps(body).encode()


async def until(condition: Callable[[], bool], seconds: float = WELL_S) -> bool:
    return await asyncio.to_thread(eventually, condition, seconds)


@pytest.mark.timeout(240)
def test_the_database_s_disk_is_full(cramped: Cramped, tmp_path: Path, record_property: Record) -> None:
    house, disk, run = cramped.house, cramped.database, 0x6A
    bodies = [bulky(number, run) for number in range(400)]
    pids = house.runtime["pids"]

    async def story(meta: Meta) -> tuple[float, float]:
        # The log has a segment of 16 MB before it, so that it is the tables that find no room.
        await asyncio.to_thread(house.rows, "SELECT pg_switch_wal()")
        await meta.deliver(bodies[:20])
        disk.leave(3 * MB)
        delivering = asyncio.create_task(meta.deliver(bodies[20:], connections=8))
        assert await until(lambda: meta.answers.get(503, 0) > 20), meta.answers
        looks: dict[str, Answer] = {}

        def says_why() -> bool:
            looks["/readyz"] = ask(house, "/readyz")
            return looks["/readyz"].status == 503 and "disk is full: make room" in looks["/readyz"].body

        assert await until(says_why), looks
        looks["/admin/health"] = await asyncio.to_thread(ask, house, "/admin/health")
        assert looks["/admin/health"].status == 200 and '"events_pending"' in looks["/admin/health"].body
        assert max(look.seconds for look in looks.values()) < ANSWER_S
        assert not delivering.done() and all_run(house) and house.runtime["pids"] == pids
        disk.resize(ROOMY)
        began = time.monotonic()
        await asyncio.wait_for(delivering, WELL_S * PATIENCE)
        taken = time.monotonic() - began
        assert await until(lambda: understood(house, run) == len(bodies), DRAIN_S)
        return taken, time.monotonic() - began

    with Ledger(tmp_path / "ledger") as ledger:
        meta = Meta(house.port, house.secret, ledger)
        taken, well_after = asyncio.run(story(meta))
        found = tally(house, run, ledger.digests())
    assert set(meta.answers) == {200, 503}
    slowest = max(max(seconds) for seconds in meta.seconds.values())
    assert slowest < ANSWER_S
    assert found == (len(bodies), 0, 0, len(bodies))
    assert eventually(lambda: ask(house, "/readyz").status == 200, WELL_S)
    record_property(
        "figure",
        f"heap: {meta.answers[503]} answers 503, the slowest after {slowest * 1000:.0f} ms; {found};"
        f" all taken {taken:.1f} s, all understood {well_after:.1f} s after there was room",
    )


@pytest.mark.timeout(240)
def test_there_is_no_room_for_the_database_s_log(cramped: Cramped, tmp_path: Path, record_property: Record) -> None:
    """Postgres gives up and starts again until there is room: its log is what it cannot do without."""
    house, disk, run = cramped.house, cramped.database, 0x6B
    bodies = [webhook(number, run) for number in range(600)]

    async def story(meta: Meta) -> float:
        await meta.deliver(bodies[:200])
        await asyncio.to_thread(house.rows, "SELECT pg_switch_wal()")
        disk.leave(1 * MB)
        delivering = asyncio.create_task(meta.deliver(bodies[200:], connections=8, pause=0.02))
        await asyncio.to_thread(_use_up_the_log, house)
        assert await until(lambda: meta.answers.get(503, 0) > 20), meta.answers
        ready = await asyncio.to_thread(ask, house, "/readyz")
        assert ready.status == 503 and ready.seconds < 4 * ANSWER_S
        assert not delivering.done()
        disk.resize(ROOMY)
        began = time.monotonic()
        await asyncio.wait_for(delivering, WELL_S * PATIENCE)
        assert await until(lambda: all_run(house) and understood_if_asked(house, run) == len(bodies), DRAIN_S)
        return time.monotonic() - began

    with Ledger(tmp_path / "ledger") as ledger:
        meta = Meta(house.port, house.secret, ledger)
        well_after = asyncio.run(story(meta))
        found = tally(house, run, ledger.digests())
    slowest = max(max(seconds) for seconds in meta.seconds.values())
    assert set(meta.answers) == {200, 503} and slowest < ANSWER_S
    assert found == (len(bodies), 0, 0, len(bodies))
    record_property(
        "figure",
        f"log: {meta.answers[503]} answers 503, the slowest after {slowest * 1000:.0f} ms; {found};"
        f" well again {well_after:.1f} s after there was room",
    )


@pytest.mark.timeout(240)
def test_the_broker_s_disk_is_full(cramped: Cramped, tmp_path: Path, record_property: Record) -> None:
    """A broker that refuses to write does not end the worker, however often it is asked."""
    house, run = cramped.house, 0x6C
    bodies = [webhook(number, run) for number in range(600)]
    pids, said = house.runtime["pids"], house.directory.parent / "said"
    before = len(said.read_text())
    file = cramped.meta.put_in(b"%PDF-1.4 an invented page\n" * 400, "application/pdf")
    cramped.broker.leave(0)
    try:
        assert eventually(lambda: "MISCONF" in _broker_says(house)), "the broker has to refuse writes"
        with Ledger(tmp_path / "ledger") as ledger:
            meta = Meta(house.port, house.secret, ledger)
            asyncio.run(meta.deliver(bodies))
            assert eventually(lambda: _post(house, file_event(file, Config().phone_number_id)) == 200)
            assert eventually(lambda: understood(house, run) == len(bodies), DRAIN_S)
            found = tally(house, run, ledger.digests())
        assert eventually(lambda: "Connection to broker lost" in said.read_text()[before:], WELL_S)
    finally:
        cramped.broker.resize(64 * MB)
    began = time.monotonic()
    state = "SELECT state FROM media WHERE media_id = %s"
    assert eventually(lambda: house.value(state, file["id"]) == "stored", WELL_S)
    assert all_run(house) and house.runtime["pids"] == pids
    record_property(
        "figure",
        f"broker: ack p99 {p99_ms(meta.seconds[200])} ms; {found}; slow work goes on"
        f" {time.monotonic() - began:.1f} s after there was room",
    )


@pytest.mark.timeout(240)
def test_the_disk_of_the_objects_is_full(cramped: Cramped, record_property: Record) -> None:
    house = cramped.house
    content = secrets.token_bytes(300_000)
    file = cramped.meta.put_in(content, "application/pdf")
    wanted = "SELECT state, coalesce(reason, ''), attempts FROM media WHERE media_id = %s"
    cramped.objects.leave(SPARE // 2)
    try:
        assert eventually(lambda: _post(house, file_event(file, Config().phone_number_id)) == 200)
        assert eventually(lambda: any(why for _, why, _ in house.rows(wanted, file["id"])), WELL_S)
        [(state, reason, _)] = house.rows(wanted, file["id"])
        assert state == "pending" and "MB left; make room before files are refused" in reason
        message = "SELECT count(*) FROM messages WHERE wamid = %s"
        assert house.value(message, f"wamid.{file['id']}") == 1, "the message is there without its file"
        health = json.loads(ask(house, "/admin/health").body)
        assert health["object_store"]["status"] == "failed" and health["status"] == "degraded"
    finally:
        cramped.objects.resize(2 * SPARE)
    began = time.monotonic()
    assert eventually(lambda: house.rows(wanted, file["id"])[0][0] == "stored", WELL_S)
    taken = time.monotonic() - began
    key = house.value("SELECT storage_key_raw FROM media WHERE media_id = %s", file["id"])
    assert sha256((cramped.objects.path / key).read_bytes()).digest() == sha256(content).digest()
    record_property(
        "figure",
        f"objects: the file waits as pending with the reason; 0 of 1 lost, fetched {taken:.1f} s after there was room",
    )


def _use_up_the_log(house: House) -> None:
    """Goes from segment to segment, each of 16 MB, until there is none."""
    try:
        for _ in range(50):
            house.rows("SELECT pg_switch_wal(), pg_logical_emit_message(true, 'fill', 'up')")
    except psycopg.Error:
        return
    raise AssertionError("the log never ran out of room")


def _broker_says(house: House) -> str:
    """How the broker refuses to write; nothing while it writes."""
    with redis.Redis.from_url(house.runtime["redis_url"]) as broker:
        try:
            broker.set("filler", "x" * 100_000, ex=2)
        except redis.RedisError as error:
            return str(error)
    return ""


def _post(house: House, body: bytes) -> int:
    async def story() -> int:
        line = Connection(house.port, house.secret)
        status = await line.post(body)
        line.close()
        return status

    return asyncio.run(story())

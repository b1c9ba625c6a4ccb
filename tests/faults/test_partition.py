"""The network between the processes and what they need: silent, slow, cut off and reset, one after the other."""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api_process import KEY, SECRET, Served, serving
from tests.e2e.figures import is_unnoticed, p99
from tests.e2e.house import DRAIN_S, House, eventually
from tests.e2e.meta import Ledger, Meta, webhook
from tests.faults.proxy import Fault, Proxy, between
from tests.faults.running import ask, p99_ms, tally, understood
from tests.fetching_office import MailRoom, file_event, mail_room
from tests.patience import PATIENCE
from tests.s3_servers import serving as s3_serving
from tests.working import Doorbell, Program
from wamcp.db.logins import create_logins
from wamcp.db.migrate import migrate
from wamcp.embedded.scratch import TemporaryPostgres, temporary_directory
from wamcp.settings import load

ANSWER_S = 2.0 * PATIENCE
WELL_S = 30.0
DARK_S = 5.0
AWAY_S = 0.1

pytestmark = [pytest.mark.embedded, pytest.mark.slow, pytest.mark.fault(15)]

Record = Callable[[str, object], None]


class Street(House):
    """WAMCP's processes and the proxies between them and what they need; questions of the test go around those."""

    def __init__(self, served: Served, room: MailRoom, database: Proxy, broker: Proxy, objects: Proxy) -> None:
        self.served, self.room = served, room
        self.database, self.broker, self.objects = database, broker, objects

    @property
    def runtime(self) -> dict[str, Any]:
        """What the helpers of the house need."""
        return {
            "database_url": self.room.environ["DATABASE_URL"],
            "api_url": f"http://127.0.0.1:{self.served.full}",
            "app_secret": SECRET.decode(),
            "admin_api_key": KEY,
        }


@pytest.fixture(scope="module")
def street(postgres: TemporaryPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    here = tmp_path_factory.mktemp("street")
    url = postgres.create()
    migrate(load({"DATABASE_URL": url}))
    with (
        temporary_directory() as shared,
        s3_serving("rclone", here / "s3") as s3,
        between(postgres.cluster.port) as database,
        between(s3.port) as objects,
        mail_room(url, here / "unused", **s3.environ()) as room,
    ):
        bell = Doorbell(shared)
        environ = room.environ | {"WHATSAPP_APP_SECRET": SECRET.decode(), "ADMIN_API_KEY": KEY}
        assert create_logins(room.db, load(environ)) == []
        with between(_port(bell.url())) as broker:
            environ |= {
                "DATABASE_URL": url.replace(f":{postgres.cluster.port}/", f":{database.port}/"),
                "REDIS_URL": bell.url().replace(f":{_port(bell.url())}/", f":{broker.port}/"),
                "MINIO_ENDPOINT": f"http://127.0.0.1:{objects.port}",
                "WAMCP_MIGRATE_ON_START": "false",
            }
            del environ["WAMCP_OBJECT_DIR"]
            workers = [Program(here, environ, "worker", "--only", half) for half in ("normalizer", "celery")]
            try:
                given = {name: value for name, value in environ.items() if name != "DATABASE_URL"}
                with serving(environ["DATABASE_URL"], here, **given) as served:
                    yield Street(served, room, database, broker, objects)
            finally:
                for worker in workers:
                    worker.kill()
                bell.kill()
    postgres.drop(url)


@pytest.fixture
def well(street: Street) -> Street:
    """The street with everything on speaking terms."""
    assert eventually(lambda: ask(street, "/readyz").status == 200, WELL_S)
    return street


@pytest.mark.timeout(240)
def test_the_database_is_silent(well: Street, tmp_path: Path, record_property: Record) -> None:
    run = 0x15A
    bodies = [webhook(number, run) for number in range(600)]

    async def story(meta: Meta) -> tuple[float, float]:
        await meta.deliver(bodies[:200])
        with well.database.broken(Fault.BLACK_HOLE):
            began = time.monotonic()
            delivering = asyncio.create_task(meta.deliver(bodies[200:], connections=8))
            await asyncio.sleep(0.5)
            looks = await asyncio.gather(*(asyncio.to_thread(ask, well, path) for path in ("/readyz", "/admin/health")))
            await asyncio.sleep(began + DARK_S - time.monotonic())
            assert meta.answers.keys() == {200, 503} and meta.answers[200] == 200
            assert not delivering.done()
        began = time.monotonic()
        await asyncio.wait_for(delivering, WELL_S * PATIENCE)
        assert await _until(lambda: understood(well, run) == len(bodies), DRAIN_S), _what_is_left(well)
        assert await _until(lambda: ask(well, "/admin/health").status == 200)
        assert looks[0].status == 503
        return time.monotonic() - began, max(look.seconds for look in looks)

    with Ledger(tmp_path / "ledger") as ledger:
        meta = Meta(well.served.public, SECRET, ledger)
        well_after, asked = asyncio.run(story(meta))
        found = tally(well, run, ledger.digests())
    slowest = max(meta.seconds[503])
    assert slowest < ANSWER_S and asked < WELL_S / 3 * PATIENCE
    assert found == (len(bodies), 0, 0, len(bodies))
    record_property(
        "figure",
        f"database silent: {meta.answers[503]} answers 503, the slowest after {slowest * 1000:.0f} ms,"
        f" the operator told after {asked:.1f} s; {found}; well again after {well_after:.1f} s",
    )


@pytest.mark.timeout(240)
def test_connections_to_the_database_are_reset_and_cut_off(
    well: Street, tmp_path: Path, record_property: Record
) -> None:
    run = 0x15B
    bodies = [webhook(number, run) for number in range(500)]

    async def story(meta: Meta) -> float:
        delivering = asyncio.create_task(meta.deliver(bodies, connections=8, pause=0.08))
        for _ in range(3):
            await asyncio.sleep(0.5)
            with well.database.broken(Fault.RESET):
                await asyncio.sleep(0.3)
        well.database.cut_after = 6_000
        with well.database.broken(Fault.RESET):
            pass
        await asyncio.sleep(3)
        well.database.cut_after = None
        began = time.monotonic()
        await asyncio.wait_for(delivering, WELL_S * PATIENCE)
        assert await _until(lambda: understood(well, run) == len(bodies), DRAIN_S), _what_is_left(well)
        return time.monotonic() - began

    with Ledger(tmp_path / "ledger") as ledger:
        meta = Meta(well.served.public, SECRET, ledger)
        try:
            well_after = asyncio.run(story(meta))
        finally:
            well.database.cut_after = None
        found = tally(well, run, ledger.digests())
    assert set(meta.answers) <= {200, 503}
    slowest = max(max(seconds) for seconds in meta.seconds.values())
    assert slowest < ANSWER_S
    assert found == (len(bodies), 0, 0, len(bodies))
    record_property(
        "figure",
        f"database reset and cut off: {meta.answers.get(503, 0)} answers 503, the slowest answer after"
        f" {slowest * 1000:.0f} ms; {found}; well again after {well_after:.1f} s",
    )


@pytest.mark.timeout(240)
def test_the_database_is_far_away(well: Street, tmp_path: Path, record_property: Record) -> None:
    run = 0x15C
    bodies = [webhook(number, run) for number in range(600)]
    well.database.delay_s = AWAY_S / 2
    try:
        with Ledger(tmp_path / "ledger") as ledger:
            meta = Meta(well.served.public, SECRET, ledger)
            asyncio.run(meta.deliver(bodies))
            assert eventually(lambda: understood(well, run) == len(bodies), DRAIN_S)
            found = tally(well, run, ledger.digests())
        health = ask(well, "/admin/health")
    finally:
        well.database.delay_s = 0.0
    assert is_unnoticed(meta, len(bodies)), meta.answers
    assert min(meta.seconds[200]) > AWAY_S
    assert found == (len(bodies), 0, 0, len(bodies))
    assert health.status == 200
    record_property(
        "figure",
        f"database {AWAY_S * 1000:.0f} ms away: ack p99 {p99_ms(meta.seconds[200])} ms; {found}",
    )


@pytest.mark.timeout(240)
@pytest.mark.parametrize("fault", [Fault.BLACK_HOLE, Fault.RESET])
def test_the_broker_is_out_of_reach(fault: Fault, well: Street, tmp_path: Path, record_property: Record) -> None:
    run = 0x15D0 + len(fault.name)
    bodies = [webhook(number, run) for number in range(600)]
    file = well.room.put_in(secrets.token_bytes(20_000))
    with Ledger(tmp_path / "ledger") as ledger, Ledger(tmp_path / "files") as files:
        meta = Meta(well.served.public, SECRET, ledger)
        with well.broker.broken(fault):
            arriving = Meta(well.served.public, SECRET, files)
            asyncio.run(arriving.deliver([file_event(file, well.room.config.phone_number_id)]))
            asyncio.run(meta.deliver(bodies))
            assert eventually(lambda: understood(well, run) == len(bodies), DRAIN_S)
        began = time.monotonic()
        assert eventually(lambda: _is_stored(well, file), WELL_S)
        well_after = time.monotonic() - began
        found = tally(well, run, ledger.digests())
    assert is_unnoticed(meta, len(bodies)), meta.answers
    assert p99(meta) < 1.0 * PATIENCE
    assert found == (len(bodies), 0, 0, len(bodies))
    record_property(
        "figure",
        f"broker {'silent' if fault is Fault.BLACK_HOLE else 'resets'}: ack p99 {p99_ms(meta.seconds[200])} ms;"
        f" {found}; slow work goes on after {well_after:.1f} s",
    )


@pytest.mark.timeout(240)
def test_the_object_store_is_silent_then_cuts_off(well: Street, tmp_path: Path, record_property: Record) -> None:
    content = secrets.token_bytes(400_000)
    file = well.room.put_in(content)
    with Ledger(tmp_path / "ledger") as ledger:
        meta = Meta(well.served.public, SECRET, ledger)
        with well.objects.broken(Fault.BLACK_HOLE):
            asyncio.run(meta.deliver([file_event(file, well.room.config.phone_number_id)]))
            wanted = f"wamid.{file['id']}"
            seen = "SELECT count(*) FROM messages WHERE wamid = %s"
            assert eventually(lambda: well.value(seen, wanted) == 1, DRAIN_S), "the message does not wait for its file"
            time.sleep(2)
            assert not _is_stored(well, file)
        well.objects.cut_after = 100
        with well.objects.broken(Fault.RESET):
            time.sleep(2)
        well.objects.cut_after = None
    began = time.monotonic()
    assert eventually(lambda: _is_stored(well, file), 2 * WELL_S)
    well_after = time.monotonic() - began
    key = well.value("SELECT storage_key_raw FROM media WHERE media_id = %s", file["id"])
    assert sha256(well.room.store.read(key, 0, len(content) + 1)).digest() == sha256(content).digest()
    record_property(
        "figure",
        f"object store silent, reset and cut off: the message is there at once, 0 of 1 files lost,"
        f" stored {well_after:.1f} s after it was reached again",
    )


async def _until(condition: Callable[[], bool], seconds: float = WELL_S) -> bool:
    return await asyncio.to_thread(eventually, condition, seconds)


def _what_is_left(street: Street) -> str:
    waiting = street.value("SELECT count(*) FROM webhook_queue")
    return f"{waiting} wait; parked: {street.rows('SELECT kind, reason, count(*) FROM parked GROUP BY 1, 2')}"


def _is_stored(street: Street, file: dict[str, Any]) -> bool:
    found = street.rows("SELECT state FROM media WHERE media_id = %s", file["id"])
    return found == [("stored",)]


def _port(url: str) -> int:
    return httpx.URL(url).port or 0

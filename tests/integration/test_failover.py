"""The primary dies and its standby takes over: what was acknowledged is there, once, and nobody is restarted."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.e2e.house import eventually
from tests.e2e.meta import Ledger, Meta, wamid, webhook
from tests.patience import PATIENCE
from tests.running import processes
from tests.standby import Standby, cut_power, end, standby_of, wait_for_standby
from tests.webhooks import message_event
from wamcp.backup.make import back_up
from wamcp.db.migrate import migrate
from wamcp.db.session import open_pool
from wamcp.embedded.ports import free_port
from wamcp.embedded.scratch import TemporaryPostgres, temporary_directory, temporary_postgres
from wamcp.errors import Overloaded
from wamcp.ingest.receive import KeepResult, Writer
from wamcp.settings import load
from wamcp.simulator.graph.account import Config
from wamcp.simulator.graph.run import Simulated, simulated
from wamcp.storage.read import open_store

SAFE = {"shared_buffers": "128MB"}
"""Of servers that are killed: with fsync, and every commit on the disk."""
RUN, WEBHOOKS = 0xFA11, 3000
NOTICED_S = 1.0
"""As long as whoever watches the primary needs to be sure that it is gone."""
ADMIN_KEY = "a key of the admin's"
pytestmark = [pytest.mark.embedded, pytest.mark.slow]


@dataclass
class Pair:
    """Two servers, and the address that names both."""

    primary: TemporaryPostgres
    standby: Standby
    url: str

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(statement, parameters).fetchall()


@pytest.fixture
def pair() -> Iterator[Pair]:
    with temporary_directory() as directory, temporary_postgres(directory, SAFE) as primary:
        url = primary.create()
        with standby_of(primary, SAFE) as standby:
            one, other = (f"127.0.0.1:{each.cluster.port}" for each in (primary, standby))
            url = url.replace(one, f"{one},{other}") + "?target_session_attrs=read-write"
            migrate(load({"DATABASE_URL": url}))
            yield Pair(primary, standby, url)


def test_without_its_standby_nothing_is_acknowledged_and_an_asynchronous_one_may_lose_what_was(pair: Pair) -> None:
    async def kept(writer: Writer, body: bytes) -> KeepResult | None:
        try:
            return await writer.keep(body)
        except Overloaded:
            return None

    async def story() -> None:
        writer = Writer(pair.url)
        await writer.start()
        try:
            wait_for_standby(pair.primary, "*")
            assert await kept(writer, b"both have it") == KeepResult.ACCEPTED
            end(pair.standby)
            assert await kept(writer, b"only the primary has it") is None
            pair.standby.start()
            assert await until(lambda: kept(writer, b"only the primary has it")) is not None

            wait_for_standby(pair.primary, "")
            end(pair.standby)
            assert await kept(writer, b"acknowledged and lost") == KeepResult.ACCEPTED
            cut_power(pair.primary)
            pair.standby.start()
            pair.standby.promote()
            assert await until(lambda: kept(writer, b"acknowledged and lost")) == KeepResult.ACCEPTED
        finally:
            await writer.stop()

    asyncio.run(story())
    bodies = [body for (body,) in pair.rows("SELECT body FROM webhook_events ORDER BY id")]
    assert bodies == [b"both have it", b"only the primary has it", b"acknowledged and lost"]


async def until(ask: Callable[[], Any], seconds: float = 20) -> KeepResult | None:
    """The first answer that is not a refusal."""
    deadline = time.monotonic() + seconds
    while (answer := await ask()) is None and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    return answer  # type: ignore[no-any-return]


@dataclass
class House:
    """The api and the worker, which know nothing of what happens to the servers."""

    pair: Pair
    meta: Simulated
    port: int
    secret: bytes
    log: Path

    def found(self, words: str) -> list[str]:
        answer = self._ask("GET", "/admin/search/messages", params={"q": words})
        return [item["wamid"] for item in answer["messages"]] if answer else []

    def send(self, words: str) -> str | None:
        answer = self._ask("POST", "/send/text", json={"to": "15550100101", "body": words})
        return answer["state"] if answer else None

    def _ask(self, method: str, path: str, **more: Any) -> dict[str, Any] | None:
        headers = {"X-Admin-Api-Key": ADMIN_KEY}
        try:
            answer = httpx.request(method, f"http://127.0.0.1:{self.port}{path}", headers=headers, timeout=15, **more)
        except httpx.HTTPError:
            return None
        return answer.json() if answer.status_code == 200 else None


@pytest.fixture
def house(pair: Pair, valkey_url: str, tmp_path: Path) -> Iterator[House]:
    port = free_port()
    config = Config(webhook_url=f"http://127.0.0.1:{port}/webhooks/whatsapp")
    with simulated(config) as meta:
        env = {
            "DATABASE_URL": pair.url,
            "REDIS_URL": valkey_url,
            "WAMCP_ENV": "development",
            "WAMCP_PORT": str(port),
            "WAMCP_OBJECT_DIR": str(tmp_path / "objects"),
            "ADMIN_API_KEY": ADMIN_KEY,
            "WHATSAPP_VERIFY_TOKEN": config.verify_token,
            "WHATSAPP_APP_SECRET": config.app_secret,
            "WHATSAPP_BASE_URL": meta.url,
            "WHATSAPP_ACCESS_TOKEN": config.access_token,
            "WHATSAPP_PHONE_NUMBER_ID": config.phone_number_id,
            "WHATSAPP_WABA_ID": config.waba_id,
        }
        with processes(tmp_path, env, "api", "worker"):
            yield House(pair, meta, port, config.app_secret.encode(), tmp_path / "log")


@pytest.mark.fault(3)
@pytest.mark.timeout(180)
def test_the_primary_is_killed_and_its_standby_takes_over(
    house: House, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    pair = house.pair
    wait_for_standby(pair.primary, "*")
    bodies = [webhook(number, RUN) for number in range(WEBHOOKS)]
    first, last = (message_event(f"w.{name}", f"the {name} bicycle") for name in ("first", "last"))

    async def story(meta: Meta) -> tuple[float, float]:
        await meta.deliver([first])
        assert await asyncio.to_thread(eventually, lambda: house.found("first bicycle") == ["w.first"])
        assert await asyncio.to_thread(house.send, "Yes, the first one") == "sent"
        delivering = asyncio.create_task(meta.deliver(bodies))
        while len(ledger.digests()) < WEBHOOKS // 4:
            await asyncio.sleep(0.05)
        killed = time.monotonic()
        await asyncio.to_thread(cut_power, pair.primary)
        acknowledged = len(ledger.digests())
        await asyncio.sleep(NOTICED_S)
        assert len(ledger.digests()) - acknowledged <= 1 and not delivering.done()
        await asyncio.to_thread(pair.standby.promote)
        promoted = time.monotonic()
        while len(ledger.digests()) <= acknowledged + 1:
            await asyncio.sleep(0.01)
        taken = time.monotonic()
        await meta.deliver([last])
        assert await asyncio.to_thread(eventually, lambda: house.found("last bicycle") == ["w.last"], 60)
        well = time.monotonic()
        assert await asyncio.to_thread(eventually, lambda: house.send("Yes, the last one") == "sent", 60)
        await delivering
        assert taken - killed < 20
        return taken - promoted, well - promoted

    with Ledger(tmp_path / "ledger") as ledger:
        meta = Meta(house.port, house.secret, ledger)
        taken_s, well_s = asyncio.run(story(meta))
        acknowledged = set(ledger.digests())

    assert acknowledged == {sha256(body).digest() for body in [first, *bodies, last]}
    names = f"wamid.HBgL{RUN:08x}%"
    wanted = "SELECT count(*) FROM messages WHERE wamid LIKE %s"
    assert eventually(lambda: pair.rows(wanted, names) == [(WEBHOOKS,)], 45)
    kept = [digest for (digest,) in pair.rows("SELECT sha256 FROM webhook_events")]
    lost, double = len(acknowledged - set(kept)), len(kept) - len(set(kept))
    counted = pair.rows("SELECT sum(inbound)::int FROM daily_counts")[0][0]
    assert (lost, double, counted) == (0, 0, WEBHOOKS + 2)
    assert {name for (name,) in pair.rows("SELECT wamid FROM messages WHERE wamid LIKE %s", names)} == {
        wamid(number, RUN) for number in range(WEBHOOKS)
    }
    calls = [entry for entry in house.meta.wire() if entry["kind"] == "request" and entry["path"].endswith("/messages")]
    said = [str(call["body"]) for call in calls]
    assert [sum(words in body for body in said) for words in ("first one", "last one")] == [1, 1]
    bins = [pair.standby.cluster.bin]
    copied = back_up(pair.url, open_store(load({"WAMCP_OBJECT_DIR": str(tmp_path)})), tmp_path / "copy", bins)
    assert copied.rows["webhook_events"] >= WEBHOOKS + 2
    refused = {status: count for status, count in meta.answers.items() if status != 200}
    record_property(
        "figure",
        f"{lost} of {len(acknowledged)} acknowledged webhooks lost, {double} double; webhooks are taken again"
        f" {taken_s:.1f} s after the standby was promoted, found by searches after {well_s:.1f} s; refused meanwhile:"
        f" {sum(refused.values())}",
    )


def test_a_host_that_says_nothing_is_passed_over(pair: Pair) -> None:
    end(pair.standby)
    with socket.socket() as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        silent.bind(("127.0.0.1", pair.standby.cluster.port))
        silent.listen()
        one, other = (f"127.0.0.1:{each.cluster.port}" for each in (pair.primary, pair.standby))
        url = pair.url.replace(f"{one},{other}", f"{other},{one}")

        async def story() -> float:
            writer = Writer(url)
            began = time.monotonic()
            await writer.start()
            assert await writer.keep(b"a webhook") == KeepResult.ACCEPTED
            await writer.stop()
            return time.monotonic() - began

        assert asyncio.run(story()) < 5 * PATIENCE
        with open_pool(url, "test") as pool, pool.connection(timeout=20) as connection:
            assert connection.execute("SELECT count(*) FROM webhook_events").fetchone() == (1,)

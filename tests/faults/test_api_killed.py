"""The api killed at named points between the arrival of webhooks and their answers: what had its 200 is there, once."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.e2e.figures import well_again
from tests.e2e.meta import Ledger, Meta, webhook
from tests.patience import PATIENCE
from tests.understanding import rows, understand
from tests.working import APP_SECRET, Program
from wamcp.embedded.ports import free_port

POINTS = {
    "before the insert": "around(Writer, '_store', die)",
    "while the insert is on its way": "after(Line, 'run', die)",
    "committed, not yet told": "around(Writer, '_tell', die)",
    "told, not yet answered": "around(Writer, '_tell', lambda: None, die)",
}
KILLED = """
import asyncio, inspect, os, signal
from wamcp.ingest.line import Line
from wamcp.ingest.receive import Writer
calls = 0
def die():
    global calls
    calls += 1
    if calls > 20:
        os.kill(os.getpid(), signal.SIGKILL)
def around(place, name, first, last=lambda: None):
    real = getattr(place, name)
    def told(*given):
        first()
        real(*given)
        last()
    async def stored(*given):
        first()
        await real(*given)
    setattr(place, name, stored if inspect.iscoroutinefunction(real) else told)
def after(place, name, then):
    real = getattr(place, name)
    async def sent(*given):
        answer = asyncio.ensure_future(real(*given))
        await asyncio.sleep(0)
        then()
        return await answer
    setattr(place, name, sent)
POINT
from wamcp.cli.main import main
main()
"""
COUNT = 1500
AGAIN_S = 30.0


@pytest.mark.slow
@pytest.mark.fault(1)
@pytest.mark.timeout(180)
def test_killed_at_every_point_what_had_its_200_is_kept_once(
    database_url: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    port, run = free_port(), 0x101
    environ = {
        "DATABASE_URL": database_url,
        "WAMCP_ENV": "development",
        "WAMCP_PORT": str(port),
        "WHATSAPP_APP_SECRET": APP_SECRET,
        "ADMIN_API_KEY": "a key of invented letters",
    }
    bodies = [webhook(number, run) for number in range(COUNT)]

    async def story(meta: Meta) -> tuple[list[float], Program]:
        loop = asyncio.get_running_loop()
        delivering = asyncio.create_task(meta.deliver(bodies, connections=8))
        killed = []
        for point in POINTS.values():
            dying = Program(tmp_path, environ, "api", "--only", "door", code=KILLED.replace("POINT", point))
            assert await asyncio.to_thread(dying.wait, 60) == -signal.SIGKILL, dying.said
            killed.append(loop.time())
        assert not delivering.done(), "each process has to die while webhooks come"
        living = Program(tmp_path, environ, "api", "--only", "door")
        await delivering
        return killed, living

    with Ledger(tmp_path / "ledger") as ledger:
        meta = Meta(port, APP_SECRET.encode(), ledger)
        killed, living = asyncio.run(story(meta))
        living.end()
        promised = set(ledger.digests())
    with psycopg.connect(database_url, autocommit=True) as db:
        understand(db)
        kept = rows(db, "SELECT sha256, body FROM webhook_events")
        messages, distinct = rows(db, "SELECT count(*), count(DISTINCT wamid) FROM messages")[0]
    lost = len(promised - {digest for digest, _ in kept})
    again = well_again(meta, killed)
    double = len(kept) - len({body for _, body in kept}) + messages - distinct
    record_property(
        "figure",
        f"killed at {len(POINTS)} points: {lost} of {len(promised):,} lost, {double} twice;"
        f" {meta.answers.get(0, 0)} got no answer and were sent again;"
        f" the next process took webhooks {again:.1f} s later",
    )
    assert (len(promised), lost, double, messages) == (COUNT, 0, 0, COUNT)
    assert again < AGAIN_S * PATIENCE

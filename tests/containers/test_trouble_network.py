"""What WAMCP needs is cut off while webhooks come: what was acknowledged is there, once, and all goes on by itself."""

import json
import time
from pathlib import Path
from statistics import median

import pytest

from tests.containers.engine import Stack, until
from tests.containers.traffic import Traffic

QUICKLY_S = 2.0
"""The door's promise, whatever is gone; a machine that is busy with other things may be late with some answers."""
META_WAITS_S = 5.0
BEFORE_S = 3.0


def ready(stack: Stack) -> bool:
    """What the health check of ``api`` finds."""
    return not stack.unwell("api", "api")


def admin_health(stack: Stack) -> dict[str, object]:
    return dict(json.loads(stack.asked_by_operator("/admin/health")))


@pytest.fixture(scope="module", autouse=True)
def running(stack: Stack) -> None:
    stack.make("dev")


@pytest.mark.parametrize("elsewhere", [False, True], ids=["same address", "another address"])
def test_a_database_that_is_cut_off(stack: Stack, tmp_path: Path, elsewhere: bool) -> None:
    """Back at another address, nobody tells those who wait at the old one that they wait in vain."""
    with Traffic(stack, tmp_path / "ledger") as traffic:
        time.sleep(BEFORE_S)
        address = stack.address("db")
        stack.cut("db")
        cut = time.monotonic()
        until(lambda: not ready(stack), 40, "/readyz does not say that the database is gone")
        noticed = time.monotonic() - cut
        red = stack.becomes("api", "unhealthy") + noticed
        assert 200 not in traffic.statuses(cut)
        while_gone = traffic.since(cut)
        if elsewhere:
            stack.mend_elsewhere("db", address)
        else:
            stack.mend("db")
        mended = time.monotonic()
        back = until(lambda: traffic.accepts(mended), 60, "webhooks are not taken again")
        understood = until(lambda: stack.sql("SELECT count(*) FROM webhook_queue") == "0", 240, "nothing is understood")
        traffic.end()
    slowest = max(answer.seconds for answer in while_gone)
    usual = median(answer.seconds for answer in while_gone)
    print(
        f"database cut off: /readyz red after {noticed:.1f} s, the container after {red:.1f} s; {len(while_gone)}"
        f" answers meanwhile, usually after {usual:.2f} s, the slowest after {slowest:.2f} s;"
        f" back: taken after {back:.1f} s, understood after"
        f" {understood:.1f} s; {len(traffic.bodies)} webhooks, {traffic.told()}"
    )
    assert {answer.status for answer in while_gone} == {503}
    assert usual < QUICKLY_S and slowest < META_WAITS_S
    traffic.check_all_is_there_once()
    healthy = max(stack.becomes(service, "healthy") for service in ("api", "mcp", "worker"))
    print(f"and all healthy {healthy:.1f} s later")
    stack.make("smoke")


@pytest.mark.parametrize(("service", "named"), [("valkey", "redis"), ("minio", "object_store")])
def test_acknowledging_and_understanding_need_nothing_else(
    stack: Stack, service: str, named: str, tmp_path: Path
) -> None:
    with Traffic(stack, tmp_path / "ledger") as traffic:
        time.sleep(BEFORE_S)
        stack.cut(service)
        cut = time.monotonic()
        until(lambda: admin_health(stack)[named]["status"] == "failed", 20, "health does not say so")  # type: ignore[index]
        noticed = time.monotonic() - cut
        assert admin_health(stack)["status"] == "degraded"
        assert ready(stack)
        red = (
            f", worker red after {stack.becomes('worker', 'unhealthy') + noticed:.1f} s" if service == "valkey" else ""
        )
        time.sleep(5)
        until(lambda: int(stack.sql("SELECT count(*) FROM webhook_queue")) < 10, 10, "nothing is understood meanwhile")
        answers = traffic.since(cut)
        stack.mend(service)
        mended = time.monotonic()
        until(lambda: admin_health(stack)["status"] == "ok", 120, "health does not become well again")
        for each in ("api", "mcp", "worker"):
            stack.becomes(each, "healthy")
        well = time.monotonic() - mended
        traffic.end()
    print(f"{service} cut off: said after {noticed:.1f} s{red}; {len(answers)} answers meanwhile, the slowest after "
          f"{max(answer.seconds for answer in answers):.2f} s; all well {well:.1f} s after it was back; "
          f"{len(traffic.bodies)} webhooks, {traffic.told()}")  # fmt: skip
    assert set(traffic.told()) == {200}
    traffic.check_all_is_there_once()
    stack.make("smoke")

"""The sender killed at every point of a send: nothing on the wire twice, nothing lost without a word."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.killed_send import POINTS
from tests.sending_office import Office, office

ROUNDS = int(os.environ.get("KILL_ROUNDS", "35"))
"""The drill of the release is 200: KILL_ROUNDS=200."""
DELAY_S = 0.25
NEVER_CALLED = ("written", "turn taken")


def kill_one(here: Office, environ: dict[str, str], number: int) -> str:
    """Sends message ``number`` in a process that is killed; returns the point."""
    point = POINTS[number % len(POINTS)]
    after = random.Random(number).uniform(0.05, DELAY_S + 0.1)
    done = subprocess.run(
        [sys.executable, "-m", "tests.killed_send", point, f"1555013{number:04d}", f"message {number}"],
        env={**environ, "KILL_AFTER_S": f"{after:.3f}"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL, (point, done.returncode, done.stderr[-2000:])
    return point


@pytest.mark.fault(2)
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_at_every_point_nothing_goes_twice_and_nothing_is_lost(
    database_url: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with office(database_url, tmp_path / "objects", WAMCP_SENDS_PER_SECOND="1000") as here:
        here.meta.account(rate=0)
        here.meta.script([{"when": {"path": "/messages"}, "do": {"delay_ms": DELAY_S * 1000}}])
        settings = here.means.settings
        environ = {
            **os.environ,
            "DATABASE_URL": database_url,
            "WHATSAPP_BASE_URL": settings.base_url,
            "WHATSAPP_ACCESS_TOKEN": settings.require("access_token"),
            "WHATSAPP_PHONE_NUMBER_ID": settings.phone_number_id or "",
            "WHATSAPP_WABA_ID": settings.waba_id or "",
            "WAMCP_OBJECT_DIR": str(tmp_path / "objects"),
            "WAMCP_SENDS_PER_SECOND": "1000",
        }
        with ThreadPoolExecutor(4) as threads:
            points = list(threads.map(lambda number: kill_one(here, environ, number), range(ROUNDS)))
        here.meta.script([])
        # As if the time of the leases had passed; then a worker and the sweep do what they always do.
        here.db.execute("UPDATE sends SET lease_until = now() - interval '1 second' WHERE lease_until IS NOT NULL")
        end = time.monotonic() + 60
        while time.monotonic() < end:
            here.settle()
            here.hurry()
            here.drain()
            left = here.rows("SELECT count(*) FROM sends WHERE state IN ('queued', 'sending')")[0][0]
            if not left and settled_statuses(here):
                break
            time.sleep(0.1)
        check(here, points)
    record_property("figure", f"{len(points)} senders killed at {len(POINTS)} points: 0 sent twice, 0 lost")


def settled_statuses(here: Office) -> bool:
    """Whether every status that Meta posted was read, and whatever it spoke of is known as sent."""
    told = [entry for entry in here.meta.wire() if entry["kind"] == "webhook" and entry["about"] == "read"]
    here.settle()
    return len(told) >= len(here.accepted()) and not here.rows(
        "SELECT 1 FROM sends s JOIN statuses t ON t.callback_data = s.callback WHERE s.state = 'unknown'"
    )


def check(here: Office, points: list[str]) -> None:
    on_the_wire = Counter(call["body"]["to"].lstrip("+") for call in here.calls() if call["accepted"])
    assert max(on_the_wire.values()) == 1, "a message went twice"
    ends = {person: (state, wamid) for person, state, wamid in here.rows("SELECT recipient, state, wamid FROM sends")}
    assert len(ends) == len(points), "a send was lost"
    wamids = {call["body"]["to"].lstrip("+"): call["wamid"] for call in here.calls() if call["accepted"]}
    for number, point in enumerate(points):
        person = f"1555013{number:04d}"
        state, wamid = ends[person]
        if on_the_wire[person]:
            assert (state, wamid) == ("sent", wamids[person]), (point, state)
        else:
            assert state == "unknown", (point, state)
        if point in NEVER_CALLED:
            assert on_the_wire[person] == 1, f"killed at {point!r} before Meta was called, it has to go out later"
    kept = here.rows("SELECT wamid, count(*) FROM messages WHERE source = 'send' GROUP BY wamid")
    assert sorted(kept) == sorted((wamid, 1) for wamid in wamids.values())

"""Meta in every kind of trouble at once, while much is sent: nothing twice, nothing without an end, nothing claimed."""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.sending_office import DEADLINE_S, Office, office

SENDS = 120
TROUBLE: tuple[dict[str, Any], ...] = (
    {"answer": {"status": 429, "code": 130429, "retry_after": 1}},
    {"answer": {"status": 429}},
    {"answer": {"status": 500, "code": 131000}},
    {"status": 503, "html": True},
    {"timeout": "before"},
    {"timeout": "after"},
    {"reset": "before"},
    {"reset": "after"},
    {"garbage": True, "accepted": True},
    {"garbage": True, "accepted": False},
    {"drip": 0.2},
    {"drip": 0.2, "headers": True},
)
SHARE = 0.05


def settled(here: Office) -> bool:
    """Whether every status of what Meta took was read."""
    here.settle()
    told = {entry["wamid"] for entry in here.meta.wire() if entry["kind"] == "webhook" and entry["about"] == "read"}
    return set(here.accepted()) <= told


@pytest.mark.slow
@pytest.mark.fault(8)
@pytest.mark.timeout(240)
def test_sends_into_trouble_go_once_and_end_truly(
    database_url: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    people = [f"1555014{number:04d}" for number in range(SENDS)]
    taken: list[float] = []
    with office(database_url, tmp_path / "objects", WAMCP_SENDS_PER_SECOND="1000") as here:
        here.meta.account(rate=0)
        here.meta.script([{"when": {"path": "/messages", "share": SHARE}, "do": do} for do in TROUBLE])

        def send(person: str) -> None:
            began = time.monotonic()
            here.send(person)
            taken.append(time.monotonic() - began)
            here.hurry()

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(send, people))
        for _ in range(3):
            here.hurry()
            here.drain()
        troubled = Counter(str(entry["script"]) for entry in here.calls() if entry.get("script") is not None)
        here.meta.script([])
        end = time.monotonic() + 60
        while here.rows("SELECT 1 FROM sends WHERE state IN ('queued', 'sending')") or not settled(here):
            assert time.monotonic() < end, here.rows("SELECT state, count(*) FROM sends GROUP BY 1")
            here.hurry()
            here.drain()
        here.settle()
        wire = Counter(call["body"]["to"].lstrip("+") for call in here.calls() if call["accepted"])
        ends = dict(here.rows("SELECT recipient, state FROM sends"))
        calls = len(here.calls())
    states = Counter(ends.values())
    twice = sum(times > 1 for times in wire.values())
    untrue = [person for person in people if (ends[person] == "sent") != (wire[person] == 1)]
    record_property(
        "figure",
        f"{SENDS} sends, {len(TROUBLE)} kinds of trouble in {troubled.total()} of {calls} calls: {twice} twice,"
        f" {SENDS - len(ends)} lost; {states['sent']} sent, {states['unknown']} unknown and none of them taken by Meta;"
        f" the slowest answer to the asker after {max(taken):.1f} s with a deadline of {DEADLINE_S} s",
    )
    assert len(ends) == SENDS and set(states) <= {"sent", "unknown"}
    assert twice == 0 and untrue == []
    assert troubled.total() > SENDS * SHARE

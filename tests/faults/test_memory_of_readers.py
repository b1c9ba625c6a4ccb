"""Readers of documents that run out of memory, or are killed for it: only they die, and the worker reads on."""

import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hostile_documents import HOSTILE, good_pdf
from tests.integration.test_documents_worker import children, peak_mb
from tests.reading_office import ReadingRoom, reading_room
from tests.understanding import rows
from tests.working import Doorbell, Program, eventually
from wamcp.embedded.process import is_running
from wamcp.embedded.scratch import temporary_directory

SLOW = "24 M operators"
"""Its reader works for seconds."""
LITTLE = 1 << 20
GROWTH_MB = 50


def starve(pid: int) -> None:
    """Takes the memory away from a process that runs."""
    resource.prlimit(pid, resource.RLIMIT_AS, (LITTLE, LITTLE))


def kill(pid: int) -> None:
    """Does what the kernel does when memory runs out."""
    os.kill(pid, signal.SIGKILL)


@pytest.mark.embedded
@pytest.mark.slow
@pytest.mark.fault(16)
@pytest.mark.timeout(180)
def test_only_the_reader_dies_and_what_kills_it_twice_is_quarantined(
    database_url: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with temporary_directory() as broker, reading_room(database_url, tmp_path / "objects") as room:
        bell = Doorbell(broker)
        environ = room.environ | {"REDIS_URL": bell.url(), "WAMCP_MIGRATE_ON_START": "false"}
        worker = Program(tmp_path, environ, "worker", "--only", "celery")
        try:
            room.arrive(good_pdf("before"))
            assert eventually(lambda: room.ends() == [("done", None)], 60), worker.said
            before = peak_mb(worker)
            deaths = sum(let_die(room, worker, number, end) for number, end in enumerate((starve, kill), start=1))
            room.arrive(good_pdf("after"))
            assert eventually(lambda: room.ends()[-1] == ("done", None), 60), worker.said
            assert is_running(worker.pid)
            growth = peak_mb(worker) - before
        finally:
            worker.kill()
            bell.kill()
        assert [state for state, _ in room.ends()] == ["done", "quarantined", "quarantined", "done"]
        assert [words for _, _, words in room.words()] == ["before", "after"]
        assert rows(room.db, "SELECT count(*) FROM documents WHERE lease_until IS NOT NULL") == [(0,)]
    record_property(
        "figure",
        f"{deaths} readers died, two of each document; 2 documents quarantined, the 2 others read; the worker lives and"
        f" grew by {growth} MB; 0 of 4 lost",
    )
    assert deaths >= 4 and growth < GROWTH_MB


def let_die(room: ReadingRoom, worker: Program, number: int, end: Callable[[int], None]) -> int:
    """Ends each reader of one document until nobody reads it any more; how many died."""
    room.arrive(HOSTILE[SLOW][0]() + b"\n%" + b"x" * number)
    died: set[int] = set()

    def is_given_up() -> bool:
        for pid in set(children(worker, "read")) - died:
            end(pid)
            died.add(pid)
        room.db.execute("UPDATE documents SET next_attempt_at = now() WHERE state = 'pending'")
        return room.ends()[-1][0] == "quarantined"

    assert eventually(is_given_up, 60), (room.ends(), worker.said)
    return len(died)

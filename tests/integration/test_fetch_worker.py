"""Fetching by real workers: the sweep finds what came, whoever is killed is replaced, and the broker may forget all."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.fetching_office import PAGE, MailRoom, key_of, mail_room
from tests.understanding import rows
from tests.working import Doorbell, Program, eventually, holds
from wamcp.embedded.scratch import temporary_directory

pytestmark = pytest.mark.embedded

DOWNLOAD = {"path": "/_media/"}


@pytest.fixture(scope="module")
def bell() -> Iterator[Doorbell]:
    with temporary_directory() as directory:
        bell = Doorbell(directory)
        yield bell
        bell.kill()


@pytest.fixture
def room(database_url: str, tmp_path: Path) -> Iterator[MailRoom]:
    with mail_room(database_url, tmp_path / "objects") as room:
        yield room


@pytest.fixture
def start(tmp_path: Path, room: MailRoom, bell: Doorbell) -> Iterator[Callable[[], Program]]:
    """Starts a worker, which is ended with the test."""
    bell.empty()
    environ = room.environ | {"REDIS_URL": bell.url(), "WAMCP_MIGRATE_ON_START": "false"}
    started: list[Program] = []

    def begin() -> Program:
        started.append(Program(tmp_path, environ, "worker", "--only", "celery"))
        return started[-1]

    yield begin
    for program in started:
        program.kill()


def is_stored(db: psycopg.Connection, count: int = 1) -> bool:
    return rows(db, "SELECT count(*) FROM media WHERE state = 'stored'") == [(count,)]


def downloads(room: MailRoom) -> int:
    return room.asked("/_media/")


@pytest.mark.fault(2)
def test_a_worker_that_is_killed_while_downloading_is_replaced(
    room: MailRoom, start: Callable[[], Program], record_property: Callable[[str, object], None]
) -> None:
    room.meta.script([{"when": DOWNLOAD, "do": {"drip": 0.05}, "times": 1}])
    room.arrive(room.put_in())
    first = start()
    assert eventually(lambda: downloads(room) == 1, 30), first.said
    first.signal(signal.SIGKILL)
    first.wait()
    assert rows(room.db, "SELECT state, attempts, lease_until > now() FROM media") == [("pending", 1, True)]
    second = start()
    assert holds(lambda: downloads(room) == 1, 4), "the lease keeps others away"
    room.db.execute("UPDATE media SET lease_until = now()")
    assert eventually(lambda: is_stored(room.db), 30), second.said
    assert downloads(room) == 2 and room.store.read(key_of(PAGE), 0, len(PAGE)) == PAGE
    assert rows(room.db, "SELECT attempts FROM media") == [(2,)]
    record_property("figure", "killed within a download: the lease keeps others away, then it is fetched once, whole")


@pytest.mark.fault(4)
def test_what_the_broker_forgot_is_fetched_once(
    room: MailRoom, start: Callable[[], Program], bell: Doorbell, record_property: Callable[[str, object], None]
) -> None:
    room.meta.script([{"when": DOWNLOAD, "do": {"delay_ms": 100}}])
    worker = start()
    for number in range(30):
        room.arrive(room.put_in(b"file %d" % number))
        if number % 5 == 0:
            bell.empty()
    assert eventually(lambda: is_stored(room.db, 30), 60), worker.said
    assert downloads(room) == 30
    assert rows(room.db, "SELECT max(attempts) FROM media") == [(1,)]
    record_property("figure", "FLUSHALL 6 times while 30 files come: 30 fetched, each once")


def test_sigterm_does_not_wait_for_a_download(room: MailRoom, start: Callable[[], Program]) -> None:
    room.meta.script([{"when": DOWNLOAD, "do": {"drip": 0.05}}])
    room.arrive(room.put_in())
    worker = start()
    assert eventually(lambda: downloads(room) == 1, 30), worker.said
    worker.signal(signal.SIGTERM)
    assert worker.wait(8) == 0
    assert rows(room.db, "SELECT state, lease_until, reason FROM media") == [("pending", None, None)]

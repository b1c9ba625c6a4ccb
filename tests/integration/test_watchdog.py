"""Workers show that they live, and end themselves when work waits and they hang; whoever is busy goes on."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.fetching_office import MailRoom, mail_room
from tests.freezing import wire
from tests.understanding import rows
from tests.working import Doorbell, Program, eventually
from wamcp.archive import house
from wamcp.archive.asking import asking
from wamcp.db import heartbeats
from wamcp.db.heartbeats import Worker
from wamcp.db.session import Pool
from wamcp.embedded.scratch import temporary_directory

pytestmark = pytest.mark.embedded

IMPATIENT = (
    "from wamcp.worker import pulse, tasks; pulse.PATIENCE_S, pulse.LOOK_EVERY_S, pulse.BEAT_EVERY_S = {}, 0.5, 0.3;"
    " tasks.BEAT_EVERY_S = 0.3; from wamcp.cli.main import main; main()"
)
CELERY, NORMALIZER = ("worker", "--only", "celery"), ("worker", "--only", "normalizer")
ENDED = 70


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
def start(tmp_path: Path, room: MailRoom, bell: Doorbell) -> Iterator[Callable[..., Program]]:
    """Starts an impatient worker, which is ended with the test."""
    bell.empty()
    environ = room.environ | {"REDIS_URL": bell.url(), "WAMCP_MIGRATE_ON_START": "false"}
    started: list[Program] = []

    def begin(*arguments: str, patience_s: float = 4.0, **given: str) -> Program:
        started.append(Program(tmp_path, environ | given, *arguments, code=IMPATIENT.format(patience_s)))
        return started[-1]

    yield begin
    for program in started:
        program.kill()


def through(url: str, port: int) -> str:
    return url.replace(f":{urlsplit(url).port}", f":{port}")


def beats(db: psycopg.Connection, role: str) -> bool:
    return rows(db, f"SELECT count(*) FROM heartbeats WHERE role = '{role}' AND beat_at > now() - interval '2 s'") == [
        (1,)
    ]


def test_a_worker_that_no_longer_hears_its_bell_ends_when_work_waits(
    room: MailRoom, start: Callable[..., Program], bell: Doorbell
) -> None:
    with wire(urlsplit(bell.url()).port or 0) as line:
        worker = start(*CELERY, REDIS_URL=through(bell.url(), line.port))
        assert eventually(lambda: beats(room.db, "celery"), 30), worker.said
        assert line.freeze() > 0
        time.sleep(7)
        assert "watchdog" not in worker.said, "nothing waits, so nothing is lost by waiting"
        room.arrive(room.put_in())
        assert worker.wait(30) == ENDED, worker.said
        assert '"event": "watchdog_ends_process"' in worker.said and '"role": "celery"' in worker.said
    again = start(*CELERY)
    assert eventually(lambda: rows(room.db, "SELECT state FROM media") == [("stored",)], 30), again.said


def test_a_worker_that_is_busy_with_one_long_download_is_left_alone(
    room: MailRoom, start: Callable[..., Program], bell: Doorbell
) -> None:
    room.meta.script([{"when": {"path": "/_media/"}, "do": {"drip": 0.05}}])
    with wire(urlsplit(bell.url()).port or 0) as line:
        worker = start(*CELERY, REDIS_URL=through(bell.url(), line.port))
        room.arrive(room.put_in(b"long" * 1000))
        assert eventually(lambda: room.asked("/_media/") == 1, 30), worker.said
        assert line.freeze() > 0
        room.arrive(room.put_in(b"waits"))
        time.sleep(8)
        assert "watchdog" not in worker.said and eventually(lambda: beats(room.db, "celery"), 5)
        assert rows(room.db, "SELECT worked_at IS NOT NULL FROM heartbeats") == [(True,)]


def test_a_worker_is_not_to_blame_for_a_broker_that_is_gone(
    room: MailRoom, start: Callable[..., Program], bell: Doorbell
) -> None:
    worker = start(*CELERY, patience_s=12.0)  # to ring for nobody takes six
    assert eventually(lambda: beats(room.db, "celery"), 30), worker.said
    bell.kill()
    try:
        room.arrive(room.put_in())
        time.sleep(17)
        assert "watchdog" not in worker.said
    finally:
        bell.start()
    assert eventually(lambda: rows(room.db, "SELECT state FROM media") == [("stored",)], 30), worker.said


def test_a_normalizer_whose_database_went_silent_ends_when_events_wait(
    room: MailRoom, start: Callable[..., Program]
) -> None:
    url = room.environ["DATABASE_URL"]
    with wire(urlsplit(url).port or 0) as line:
        worker = start(*NORMALIZER, DATABASE_URL=through(url, line.port))
        assert eventually(lambda: beats(room.db, "normalizer"), 30), worker.said
        assert line.freeze() > 0
        put_event(room.db)
        assert worker.wait(30) == ENDED, worker.said
        assert '"role": "normalizer"' in worker.said
    again = start(*NORMALIZER)
    assert eventually(lambda: rows(room.db, "SELECT count(*) FROM webhook_queue") == [(0,)], 30), again.said


def test_a_normalizer_that_waits_for_a_rebuild_is_left_alone(room: MailRoom, start: Callable[..., Program]) -> None:
    worker = start(*NORMALIZER)
    assert eventually(lambda: beats(room.db, "normalizer"), 30), worker.said
    room.db.execute("SELECT pg_advisory_lock(%s)", [0x57414D43_02])
    put_event(room.db)
    time.sleep(8)
    assert "watchdog" not in worker.said
    room.db.execute("SELECT pg_advisory_unlock(%s)", [0x57414D43_02])
    assert eventually(lambda: rows(room.db, "SELECT count(*) FROM webhook_queue") == [(0,)]), worker.said
    assert rows(room.db, "SELECT sum(events), sum(seconds) > 5 FROM event_lags") == [(1, True)]


def test_who_ends_in_order_leaves_no_row(room: MailRoom, start: Callable[..., Program]) -> None:
    workers = [start(*CELERY), start(*NORMALIZER)]
    assert eventually(lambda: beats(room.db, "celery") and beats(room.db, "normalizer"), 30), workers[0].said
    for worker in workers:
        worker.end()
    assert rows(room.db, "SELECT * FROM heartbeats") == []


def test_the_house_tells_of_its_workers(db: psycopg.Connection, reader: Pool) -> None:
    heartbeats.beat(db, Worker("celery", "one", 7, "0.1.0", "abc1234"), worked=True)
    heartbeats.beat(db, Worker("celery", "one", 7, "0.1.0", "abc1234"), worked=False)
    heartbeats.beat(db, Worker("celery", "old", 8, "0.1.0", None), worked=False)
    db.execute("UPDATE heartbeats SET beat_at = now() - interval '90 s' WHERE pid = 8")
    with asking(reader) as connection:
        first, second = house.processes(connection)
    assert (first.pid, first.worked_at, second.pid) == (8, None, 7)
    assert first.seconds_since_beat > house.FRESH_S > second.seconds_since_beat and second.worked_at is not None
    db.execute("UPDATE heartbeats SET beat_at = now() - interval '2 hours' WHERE pid = 8")
    heartbeats.beat(db, Worker("celery", "one", 7, "0.1.0", "abc1234"), worked=False)
    assert rows(db, "SELECT pid FROM heartbeats") == [(7,)]


def put_event(db: psycopg.Connection) -> None:
    db.execute(
        "WITH e AS (INSERT INTO webhook_events (sha256, body) VALUES ('x', '{}') RETURNING id)"
        " INSERT INTO webhook_queue (event_id, size) SELECT id, 2 FROM e"
    )

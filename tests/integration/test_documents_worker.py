"""Documents read by real workers: whoever is killed is replaced, the broker may forget all, poison harms nobody."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.drawing import ENGLISH, as_file, slip
from tests.fetching_office import mail_room
from tests.hostile_documents import HOSTILE, good_pdf
from tests.reading_office import ReadingRoom, reading_room
from tests.s3_servers import serving
from tests.understanding import rows
from tests.working import Doorbell, Program, eventually, holds, people_of
from wamcp.embedded.process import is_running
from wamcp.embedded.scratch import temporary_directory
from wamcp.jobs import EXTRACT, kick

pytestmark = pytest.mark.embedded

SLOW = "24 M operators"
"""Its reader works for seconds."""
GROWTH_MB = 50
SECRETS = {"ADMIN_API_KEY": "a-key-of-the-tests-5501", "WHATSAPP_APP_SECRET": "5e" * 16}


@pytest.fixture(scope="module")
def bell() -> Iterator[Doorbell]:
    with temporary_directory() as directory:
        bell = Doorbell(directory)
        yield bell
        bell.kill()


@pytest.fixture
def room(database_url: str, tmp_path: Path) -> Iterator[ReadingRoom]:
    with reading_room(database_url, tmp_path / "objects") as room:
        yield room


Start = Callable[..., Program]


@pytest.fixture
def start(tmp_path: Path, database_url: str, bell: Doorbell) -> Iterator[Start]:
    """Starts a worker, which is ended with the test; ``more`` are environment variables."""
    bell.empty()
    started: list[Program] = []

    def begin(environ: dict[str, str], **more: str) -> Program:
        environ = environ | SECRETS | {"REDIS_URL": bell.url(), "WAMCP_MIGRATE_ON_START": "false"} | more
        started.append(Program(tmp_path, environ, "worker", "--only", "celery"))
        return started[-1]

    yield begin
    for program in started:
        program.kill()


def children(program: Program, task: str = "") -> list[int]:
    """The readers of a worker."""
    found = []
    for pid in people_of(program.pid):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
        except OSError:
            continue
        if "documents.child" in command and f'"task":"{task}' in command:
            found.append(pid)
    return found


def is_done(room: ReadingRoom, count: int) -> bool:
    return [state for state, _ in room.ends()] == ["done"] * count


@pytest.mark.fault(2)
def test_a_worker_that_is_killed_while_reading_is_replaced(
    room: ReadingRoom, start: Start, record_property: Callable[[str, object], None]
) -> None:
    room.arrive(HOSTILE[SLOW][0]())
    first = start(room.environ)
    assert eventually(lambda: children(first, "read"), 30), first.said
    [reader] = children(first, "read")
    environment = Path(f"/proc/{reader}/environ").read_text()
    assert not any(secret in environment for secret in [*SECRETS.values(), room.environ["DATABASE_URL"]])
    assert eventually(lambda: os.getpriority(os.PRIO_PROCESS, reader) == 10, 5)
    first.kill()
    assert eventually(lambda: not is_running(reader), 10), "its reader dies with it"
    assert rows(room.db, "SELECT state, attempts, lease_until > now() FROM documents") == [("extracting", 1, True)]
    room.arrive(good_pdf("the next one"))
    second = start(room.environ)
    assert eventually(lambda: room.ends()[1:] == [("done", None)], 30), second.said
    assert rows(room.db, "SELECT attempts FROM documents WHERE id = 1") == [(1,)], "the lease keeps others away"
    room.hurry()
    assert eventually(lambda: room.ends()[0][0] not in ("downloading", "extracting", "pending"), 40), second.said
    assert rows(room.db, "SELECT attempts, cut_off FROM documents WHERE id = 1") == [(2, 1)]
    record_property(
        "figure",
        "killed within a document: its reader dies too, the lease keeps others away, then another worker reads it",
    )


def test_a_worker_that_is_killed_while_looking_at_a_picture_loses_nothing(room: ReadingRoom, start: Start) -> None:
    room.arrive(as_file(slip(ENGLISH * 4)).getvalue())
    first = start(room.environ, OCR_ENGINE="auto")
    if not eventually(lambda: children(first, "look") or is_done(room, 1), 40) or room.ends()[0][1] == "no_ocr":
        pytest.skip("nothing here reads pictures: scripts/install_tesseract.sh")
    first.signal(signal.SIGSTOP)
    is_cut_off = room.ends() == [("extracting", None)] and room.words() == []
    first.kill()
    assert is_cut_off
    room.hurry()
    second = start(room.environ, OCR_ENGINE="auto")
    assert eventually(lambda: is_done(room, 1), 60), second.said
    [(_, page, words)] = room.words()
    assert page == 1 and words.count("HS-55192") >= 3
    assert rows(room.db, "SELECT attempts, cut_off, doc_type FROM documents") == [(2, 1, "invoice")]


def test_sigterm_gives_the_document_back_at_once(room: ReadingRoom, start: Start) -> None:
    room.arrive(HOSTILE[SLOW][0]())
    worker = start(room.environ)
    assert eventually(lambda: children(worker, "read"), 30), worker.said
    worker.signal(signal.SIGTERM)
    assert worker.wait(8) == 0
    assert rows(room.db, "SELECT state, lease_until, cut_off, next_attempt_at <= now() FROM documents") == [
        ("pending", None, 0, True)
    ]


def test_what_the_broker_forgot_is_read_once(room: ReadingRoom, start: Start, bell: Doorbell) -> None:
    worker = start(room.environ)
    for number in range(12):
        room.arrive(good_pdf(f"page of document {number}"))
        if number % 3 == 0:
            bell.empty()
    assert eventually(lambda: is_done(room, 12), 60), worker.said
    assert [words for _, _, words in room.words()] == [f"page of document {number}" for number in range(12)]
    assert rows(room.db, "SELECT max(attempts) FROM documents") == [(1,)]


def test_two_workers_read_the_same_file_of_fifty_customers_once(room: ReadingRoom, start: Start) -> None:
    room.arrive(good_pdf("sent by everybody"), count=50)
    workers = [start(room.environ), start(room.environ)]
    assert eventually(lambda: is_done(room, 50), 60), workers[0].said
    assert room.words() == [(number, 1, "sent by everybody") for number in range(1, 51)]
    said = "".join(worker.said for worker in workers)
    assert said.count("document_read ") + said.count('"document_read"') == 1, said
    assert rows(room.db, "SELECT max(attempts) FROM documents") == [(1,)]


def test_a_store_that_comes_back_is_read_from(database_url: str, tmp_path: Path, start: Start) -> None:
    with serving("rclone", tmp_path / "s3") as server, reading_room(database_url, tmp_path, **server.environ()) as room:
        room.arrive(good_pdf("kept in a bucket"))
        server.kill()
        worker = start(room.environ)
        assert eventually(lambda: room.ends() == [("pending", "store_down")], 40), worker.said
        server.start()
        assert eventually(lambda: is_done(room, 1), 40), worker.said
        assert room.words() == [(1, 1, "kept in a bucket")]


def test_none_is_read_where_reading_is_switched_off(room: ReadingRoom, start: Start, bell: Doorbell) -> None:
    room.arrive(good_pdf())
    worker = start(room.environ, WAMCP_EXTRACTORS="0")
    assert kick(bell.url(), EXTRACT) and eventually(bell.is_heard, 40), worker.said
    assert holds(lambda: room.ends() == [("pending", None)], 3)


def test_a_file_is_read_as_soon_as_it_is_fetched(database_url: str, tmp_path: Path, start: Start) -> None:
    with mail_room(database_url, tmp_path / "objects") as room:
        file = room.put_in(good_pdf("straight from Meta"))
        room.meta.script([{"when": {"path": "/_media/"}, "do": {"media": "expired"}, "times": 1}])
        worker = start(room.environ, OCR_ENGINE="none")
        room.arrive(file | {"url": room.url_of(file)})
        assert eventually(lambda: rows(room.db, "SELECT state FROM documents") == [("done",)], 40), worker.said
        [(text, waited)] = rows(
            room.db,
            "SELECT p.text, extract(epoch FROM d.read_at - f.stored_at)::float8 FROM documents d"
            " JOIN media f ON f.id = d.media_row_id JOIN document_pages p ON p.document_id = d.id",
        )
        assert text == "straight from Meta" and waited < 10


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_hostile_files_harm_nobody(room: ReadingRoom, start: Start) -> None:
    """One worker for all: each comes to its end, what it takes to memory stays small, and no word gets into a log."""
    room.arrive(good_pdf("zebracanary before"))
    worker = start(room.environ)
    assert eventually(lambda: is_done(room, 1), 40), worker.said
    before = peak_mb(worker)
    for make, _, _ in HOSTILE.values():
        room.arrive(make())
    room.arrive(good_pdf("zebracanary after"))
    waiting = ("pending", "downloading", "extracting")
    assert eventually(lambda: not any(state in waiting for state, _ in room.ends()), 240), room.ends()
    growth = peak_mb(worker) - before
    print(f"the worker grew by {growth} MB from {before} MB")
    assert growth < GROWTH_MB
    ends = dict(zip(HOSTILE, room.ends()[1:], strict=False))
    odd = {
        name: end
        for name, end in ends.items()
        if end[0] not in HOSTILE[name][1]
        and not (end[0] == "quarantined" and end[1] in HOSTILE[name][2])
        and end != ("timeout", "timeout")  # as all may on a busy machine
    }
    assert not odd
    assert room.ends()[-1] == ("done", None) and room.words()[-1][2] == "zebracanary after"
    for words in ("zebracanary", "quick brown", "nested", "secret words", "haha"):
        assert words not in worker.said


def peak_mb(program: Program) -> int:
    """The most memory that a process ever had."""
    lines = Path(f"/proc/{program.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024

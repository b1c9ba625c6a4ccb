"""``wamcp worker`` as processes: its two children, its bells and its sweep, and the orders that it refuses."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.patience import PATIENCE
from tests.working import OURS, WITHOUT_SWEEP, Doorbell, Program, eventually, holds, people_of
from wamcp.db import sends
from wamcp.db.sends import NewSend
from wamcp.embedded.ports import free_port
from wamcp.embedded.process import is_running
from wamcp.embedded.scratch import temporary_directory
from wamcp.jobs import ECHO, SEND, kick
from wamcp.simulator.graph.run import Simulated, simulated

pytestmark = pytest.mark.embedded

NUMBER = "700000000000001"
CELERY = ("worker", "--only", "celery")
NO_ECHO = "DEBUG_ECHO_MODE=true is refused in production: set it to false, or set WAMCP_ENV=development.\n"


@pytest.fixture(scope="module")
def bell() -> Iterator[Doorbell]:
    with temporary_directory() as directory:
        bell = Doorbell(directory)
        yield bell
        bell.kill()


@pytest.fixture(scope="module")
def meta() -> Iterator[Simulated]:
    with simulated() as meta:
        yield meta


@pytest.fixture
def environ(database_url: str, bell: Doorbell, meta: Simulated) -> dict[str, str]:
    bell.empty()
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": bell.url(),
        "WAMCP_ENV": "development",
        "WAMCP_MIGRATE_ON_START": "false",
        "WHATSAPP_BASE_URL": meta.url,
        "WHATSAPP_ACCESS_TOKEN": "simulated_access_token",
        "WHATSAPP_PHONE_NUMBER_ID": NUMBER,
        "WHATSAPP_WABA_ID": "900000000000001",
    }


@pytest.fixture
def start(tmp_path: Path, environ: dict[str, str]) -> Iterator[Callable[..., Program]]:
    """Starts a command of WAMCP in ``environ``, which is ended with the test."""
    started: list[Program] = []

    def begin(*arguments: str, code: str | None = None) -> Program:
        started.append(Program(tmp_path, environ, *arguments, code=code))
        return started[-1]

    yield begin
    for program in started:
        program.kill()


def queue(db: psycopg.Connection, name: str) -> str:
    """Writes down a send that is due now; returns the text by which it is found again."""
    body = {"messaging_product": "whatsapp", "to": "+15550100042", "type": "text", "text": {"body": name}}
    new = NewSend(
        callback=f"wamcp-{name}",
        origin="api",
        asked_by="a test",
        idempotency_key=None,
        fingerprint=b"",
        retry_of=None,
        phone_number_id=NUMBER,
        recipient_kind="phone",
        recipient="15550100042",
        type="text",
        body=body,
        media_row_id=None,
        window_open_until=None,
        outside_window=False,
    )
    assert sends.write_down(db, new, leased=False) is not None
    return name


def arrived(meta: Simulated, name: str) -> bool:
    return any(f"wamcp-{name}" in str(entry["body"]) for entry in meta.wire() if entry["kind"] == "request")


def ready(start: Callable[..., Program], bell: Doorbell, *arguments: str, code: str | None = None) -> Program:
    """A worker that hears its bell: the echo's, which is switched off, so that nothing is done."""
    worker = start(*arguments, code=code)
    assert kick(bell.url(), ECHO)
    assert eventually(bell.is_heard, 30), worker.said
    return worker


def test_a_ring_is_worked_on_without_the_sweep(
    db: psycopg.Connection, start: Callable[..., Program], bell: Doorbell, meta: Simulated
) -> None:
    ready(start, bell, *CELERY, code=WITHOUT_SWEEP)
    unheard, rung = queue(db, "unheard"), queue(db, "rung")
    time.sleep(1.5)
    assert not arrived(meta, unheard) and not arrived(meta, rung)
    assert kick(bell.url(), SEND)
    assert eventually(lambda: arrived(meta, unheard) and arrived(meta, rung), 5)


def test_what_nobody_rang_for_or_whose_ring_got_lost_is_found_by_the_sweep(
    db: psycopg.Connection, start: Callable[..., Program], bell: Doorbell, meta: Simulated
) -> None:
    lost = queue(db, "lost")
    assert kick(bell.url(), SEND)
    bell.empty()
    ready(start, bell, *CELERY)
    assert eventually(lambda: arrived(meta, lost), 5)
    silent = queue(db, "silent")
    assert eventually(lambda: arrived(meta, silent), 5)


def test_a_ring_is_heard_at_once(
    db: psycopg.Connection, start: Callable[..., Program], bell: Doorbell, meta: Simulated
) -> None:
    ready(start, bell, *CELERY, code=WITHOUT_SWEEP)
    took = []
    for number in range(5):
        name, began = queue(db, f"quick{number}"), time.monotonic()
        kick(bell.url(), SEND)
        assert eventually(lambda name=name: arrived(meta, name), 5)
        took.append(time.monotonic() - began)
    assert min(took) < 0.25 * PATIENCE


def test_both_parts_run_one_that_dies_is_replaced_and_sigterm_ends_all(
    db: psycopg.Connection, start: Callable[..., Program], bell: Doorbell, meta: Simulated
) -> None:
    worker = ready(start, bell, "worker")
    first = parts(worker)
    assert set(first) == {"normalizer", "celery"}
    for name in first:
        os.kill(first[name], signal.SIGKILL)
    assert eventually(lambda: set(now := parts(worker)) == set(first) and not set(now.values()) & set(first.values()))
    again = queue(db, "again")
    assert eventually(lambda: arrived(meta, again))
    everybody = people_of(worker.pid)
    assert len(everybody) >= 2
    began = time.monotonic()
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0 and time.monotonic() - began < 8 * PATIENCE
    assert not any(map(is_running, everybody))


def test_nothing_is_left_of_a_worker_that_is_killed(start: Callable[..., Program], bell: Doorbell) -> None:
    worker = ready(start, bell, "worker")
    everybody = people_of(worker.pid)
    assert len(parts(worker)) == 2
    worker.kill()
    assert eventually(lambda: not any(map(is_running, everybody)), 5)


def test_a_broker_that_refuses_to_write_ends_nobody(
    db: psycopg.Connection, start: Callable[..., Program], bell: Doorbell, meta: Simulated
) -> None:
    worker = ready(start, bell, *CELERY)
    bell.refuse()
    try:
        assert eventually(lambda: "Connection to broker lost" in worker.said), worker.said
        unheard = queue(db, "unheard of")
        assert holds(lambda: is_running(worker.pid), 3), worker.said
        assert not arrived(meta, unheard)
    finally:
        bell.refuse(refuses=False)
    assert eventually(lambda: arrived(meta, unheard)), worker.said
    assert is_running(worker.pid) and worker.said.count("Cannot connect") < 3


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_celery_ends_within_seconds_also_while_the_broker_is_gone(
    start: Callable[..., Program], bell: Doorbell, signal_number: int
) -> None:
    worker = ready(start, bell, *CELERY)
    if signal_number == signal.SIGTERM:
        bell.kill()
        time.sleep(0.5)
    began = time.monotonic()
    worker.signal(signal_number)
    try:
        worker.wait()
        took = time.monotonic() - began
    finally:
        if signal_number == signal.SIGTERM:
            bell.start()
    assert took < 8 * PATIENCE


def test_celery_ends_within_seconds_also_while_much_is_queued(
    db: psycopg.Connection, environ: dict[str, str], start: Callable[..., Program], bell: Doorbell, meta: Simulated
) -> None:
    environ["WAMCP_SENDS_PER_SECOND"] = "20"
    worker = ready(start, bell, *CELERY)
    for number in range(300):
        queue(db, f"many{number}")
    db.execute("UPDATE sends SET recipient = id::text")
    assert eventually(lambda: arrived(meta, "many5"))
    began = time.monotonic()
    worker.signal(signal.SIGTERM)
    worker.wait()
    assert time.monotonic() - began < 8
    assert not db.execute("SELECT FROM sends WHERE state IN ('sending', 'unknown')").fetchall()


def test_orders_are_looked_at_before_the_database(environ: dict[str, str], tmp_path: Path) -> None:
    nowhere = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing", "WAMCP_MIGRATE_ON_START": "true"}
    more = {"WAMCP_ENV": "production", "DEBUG_ECHO_MODE": "true"}
    assert run(tmp_path, environ | nowhere | more, "worker") == (1, NO_ECHO)


def test_nobody_listens_without_a_broker(environ: dict[str, str], tmp_path: Path) -> None:
    del environ["REDIS_URL"]
    for command in (("worker",), CELERY):
        code, said = run(tmp_path, environ, *command)
        assert code == 1 and said.startswith("REDIS_URL is not set:")


@pytest.mark.parametrize("command", [("api",), ("worker",), CELERY], ids=" ".join)
def test_the_echo_is_refused_in_production(environ: dict[str, str], tmp_path: Path, command: tuple[str, ...]) -> None:
    safe = {"WHATSAPP_VERIFY_TOKEN": "a-word", "ADMIN_API_KEY": "a-key-of-our-own", "WHATSAPP_APP_SECRET": "5e" * 16}
    more = {"WAMCP_ENV": "production", "DEBUG_ECHO_MODE": "true", "WAMCP_PORT": str(free_port())}
    assert run(tmp_path, environ | safe | more, *command) == (1, NO_ECHO)


@pytest.mark.parametrize("command", [("api",), ("worker",), CELERY], ids=" ".join)
def test_a_list_that_cannot_be_meant_is_refused(
    environ: dict[str, str], tmp_path: Path, command: tuple[str, ...]
) -> None:
    more = {"DEBUG_ECHO_MODE": "true", "WAMCP_PORT": str(free_port())}
    code, said = run(tmp_path, environ | more | {"DEBUG_ECHO_ALLOWLIST_E164": "5555550100"}, *command)
    assert code == 1 and said.startswith("DEBUG_ECHO_ALLOWLIST_E164 names '5555550100':") and "15555550100" in said


def test_letters_are_no_number(environ: dict[str, str], tmp_path: Path) -> None:
    more = {"DEBUG_ECHO_MODE": "true", "DEBUG_ECHO_ALLOWLIST_E164": "+15550100001, Ana"}
    code, said = run(tmp_path, environ | more, *CELERY)
    assert code == 1 and said.startswith("DEBUG_ECHO_ALLOWLIST_E164 names 'Ana': it holds letters")


def test_a_list_is_not_looked_at_while_the_echo_is_off(
    environ: dict[str, str], start: Callable[..., Program], bell: Doorbell
) -> None:
    environ |= {"DEBUG_ECHO_MODE": "false", "DEBUG_ECHO_ALLOWLIST_E164": "5555550100"}
    ready(start, bell, *CELERY)


def parts(worker: Program) -> dict[str, int]:
    """The parts of ``wamcp worker`` that run, by name."""
    found = {}
    for pid in people_of(worker.pid):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_text()
        except OSError:
            continue
        if match := re.search("--only\0(\\w+)", words):
            found[match[1]] = pid
    return found


def run(directory: Path, environ: dict[str, str], *arguments: str) -> tuple[int, str]:
    """A command that is to end by itself: its exit code, and what it said on stderr."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    done = subprocess.run(
        [sys.executable, "-m", "wamcp.cli.main", *arguments],
        cwd=directory,
        env=inherited | environ,
        capture_output=True,
        text=True,
        timeout=20,
    )
    return done.returncode, done.stderr

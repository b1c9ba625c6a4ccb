"""``wamcp up`` with the real servers, and stand-ins for WAMCP's own processes."""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from tests.working import eventually
from wamcp.embedded import state
from wamcp.embedded.process import is_running
from wamcp.embedded.scratch import temporary_directory

pytestmark = pytest.mark.embedded
STAND_INS = Path(__file__).with_name("stand_ins.py")


class Up:
    """One ``wamcp up`` on a directory."""

    def __init__(self, directory: Path, *, port: int = 0, by: Sequence[str] = (), **environ: str) -> None:
        self.directory = directory
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the fixture
        base = {name: value for name, value in os.environ.items() if not name.startswith(("WAMCP_", "WHATSAPP_"))}
        self.process = subprocess.Popen(
            [*by, sys.executable, str(STAND_INS), "up", str(directory), str(port)],
            env={**base, **environ},
            cwd=directory.parent,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    @property
    def runtime(self) -> dict[str, Any]:
        return json.loads((self.directory / "runtime.json").read_text())

    def ready(self) -> "Up":
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line == f"ready {self.runtime['api_url']}\n", self.said()
        return self

    def said(self) -> str:
        self.errors.seek(0)
        return self.errors.read().decode()

    def ended(self, seconds: float = 30) -> int:
        """Waits for the end and returns the exit code; nothing more may have come to standard output."""
        rest, _ = self.process.communicate(timeout=seconds)
        assert rest == ""
        return self.process.returncode

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def ask(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.runtime['api_url']}{path}", timeout=10) as response:
            return json.load(response)

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(self.runtime["database_url"], autocommit=True, connect_timeout=5)


@pytest.fixture
def directory() -> Iterator[Path]:
    with temporary_directory() as parent:
        yield parent / "state"


@pytest.fixture
def up(directory: Path) -> Iterator[Callable[..., Up]]:
    """Starts ``wamcp up``; what still runs at the end is ended."""
    started: list[Up] = []

    def start(**arguments: Any) -> Up:
        started.append(Up(**({"directory": directory} | arguments)))
        return started[-1]

    yield start
    for one in started:
        try:
            one.end()
        finally:
            one.errors.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[Up]:
    """One that runs, for tests that leave it running."""
    with temporary_directory() as parent:
        one = Up(parent / "state").ready()
        yield one
        assert one.end() == 0
        one.errors.close()


def pids(runtime: dict[str, Any]) -> list[int]:
    return [pid for pid in runtime["pids"].values() if pid is not None]


def processes_of(directory: Path) -> list[str]:
    """The command lines of all processes that work in or on ``directory``."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if str(directory) in words or str((process / "cwd").readlink()).startswith(str(directory)):
                found.append(words)
        except OSError:
            continue
    return found


def keep_a_backend_busy(one: Up) -> threading.Thread:
    """A backend that neither waits nor listens until it is ended."""

    def work() -> None:
        with pytest.raises(psycopg.OperationalError), one.connect() as connection:
            connection.execute("SELECT count(*) FROM (SELECT generate_series(1, 1e11::bigint)) AS many")

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.5)
    return thread


def test_it_starts_says_ready_once_and_stops_in_order(up: Callable[..., Up], directory: Path) -> None:
    one = up(DATABASE_URL="postgresql://elsewhere/x", WHATSAPP_APP_SECRET="of-the-environment", LD_DEBUG_X="1").ready()
    runtime = one.runtime
    assert (directory / "runtime.json").stat().st_mode & 0o777 == 0o600
    assert (directory / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert all(is_running(pid) for pid in pids(runtime))
    assert runtime["app_secret"] == "of-the-environment" and runtime["mcp_url"] == f"{runtime['api_url']}/mcp"
    with one.connect() as connection:
        row = connection.execute(
            "SELECT lower('É'), current_setting('fsync'), current_setting('data_checksums'), datlocprovider::text"
            " FROM pg_database WHERE datname = current_database()"
        ).fetchone()
    assert row == ("é", "on", "on", "b")
    env = one.ask("/env")
    assert env["DATABASE_URL"] == runtime["database_url"] and env["WAMCP_RUNTIME_FILE"] == str(
        directory / "runtime.json"
    )
    assert env["WAMCP_OBJECT_DIR"] == str(directory / "objects")
    assert env["cwd"] == str(directory) and "LD_DEBUG_X" not in env
    assert one.end() == 0
    assert not processes_of(directory)
    said = one.said()
    assert "not used, since wamcp up runs its own servers: DATABASE_URL" in said
    assert said.index("stand-in api leaves") < said.index("stand-in normalizer leaves")
    assert runtime["admin_api_key"] not in said and runtime["mcp_token"] not in said


def test_what_is_generated_and_stored_survives_a_restart(up: Callable[..., Up]) -> None:
    one = up().ready()
    before = one.runtime
    with one.connect() as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS n")
    client = redis.Redis.from_url(before["redis_url"])
    client.set("kept", "yes")
    client.close()
    assert one.end() == 0
    two = up().ready()
    after = two.runtime
    assert {**after, "pids": 0} == {**before, "pids": 0}
    with two.connect() as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (42,)
    client = redis.Redis.from_url(after["redis_url"])
    assert client.get("kept") == b"yes"
    client.close()


def test_no_child_outlives_a_killed_supervisor(up: Callable[..., Up], directory: Path) -> None:
    one = up().ready()
    runtime = one.runtime
    busy = keep_a_backend_busy(one)
    grandchild = one.ask("/child")
    with one.connect() as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS n")
    one.process.kill()
    one.process.wait()
    assert eventually(lambda: not any(is_running(pid) for pid in [*pids(runtime), grandchild]), 8)
    assert eventually(lambda: not processes_of(directory), 8), processes_of(directory)
    busy.join(10)
    two = up().ready()
    with two.connect() as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (42,)


def test_a_new_supervisor_takes_over_at_once_from_a_killed_one(up: Callable[..., Up]) -> None:
    one = up().ready()
    one.process.kill()
    one.process.wait()
    assert up().ready().runtime["api_url"] == one.runtime["api_url"]


@pytest.mark.parametrize("kill", [os.kill, os.killpg])
def test_a_killed_postmaster_comes_back_while_a_backend_was_busy(shared: Up, kill: Any) -> None:
    assert_postgres_comes_back(shared, kill)


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root has rights to give up")
def test_it_comes_back_too_where_root_may_not_look_at_other_users_processes(up: Callable[..., Up]) -> None:
    assert_postgres_comes_back(
        up(by=("setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace")).ready(), os.kill
    )


def assert_postgres_comes_back(one: Up, kill: Callable[[int, int], None]) -> None:
    before = one.runtime
    with one.connect() as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept AS SELECT 42 AS n")
    busy = keep_a_backend_busy(one)
    kill(before["pids"]["postgres"], signal.SIGKILL)

    def is_back() -> bool:
        try:
            with one.connect() as connection:
                return connection.execute("SELECT n FROM kept").fetchone() == (42,)
        except psycopg.OperationalError:
            return False

    assert eventually(is_back, 15), one.said()
    busy.join(10)
    after = one.runtime
    assert after["pids"]["postgres"] != before["pids"]["postgres"]
    assert after["pids"]["api"] == before["pids"]["api"] and after["database_url"] == before["database_url"]


@pytest.mark.parametrize("name", ["valkey", "api", "normalizer"])
def test_a_killed_child_comes_back_on_its_port_and_is_in_the_runtime_file(shared: Up, name: str) -> None:
    one = shared
    before = one.runtime
    os.kill(before["pids"][name], signal.SIGKILL)
    assert eventually(lambda: one.runtime["pids"][name] not in (None, before["pids"][name]), 5), one.said()
    after = one.runtime
    assert {**after, "pids": 0} == {**before, "pids": 0}
    assert is_running(after["pids"][name])


def test_a_second_one_on_the_same_directory_is_refused(shared: Up, up: Callable[..., Up]) -> None:
    one, directory = shared, shared.directory
    before = (directory / "runtime.json").stat().st_mtime_ns
    second = up(directory=directory)
    assert second.ended() == 1
    said = second.said()
    assert "already runs" in said and str(one.process.pid) in said and "Traceback" not in said
    assert (directory / "runtime.json").stat().st_mtime_ns == before
    assert all(is_running(pid) for pid in pids(one.runtime))


def test_a_port_that_is_taken_is_named(shared: Up, up: Callable[..., Up], directory: Path) -> None:
    port = int(shared.runtime["api_url"].rpartition(":")[2])
    other = up(port=port)
    assert other.ended() == 1
    assert f"Port {port} is taken" in other.said()
    assert not processes_of(directory)


def test_a_failing_migration_leaves_nothing_running(up: Callable[..., Up], directory: Path) -> None:
    one = up(WAMCP_TEST_BROKEN="1")
    assert one.ended() == 1
    assert "wamcp migrate failed (exit code 3)" in one.said()
    assert not processes_of(directory)


def test_it_can_be_stopped_while_it_starts(up: Callable[..., Up], directory: Path) -> None:
    one = up()
    assert eventually(lambda: (directory / "pg").is_dir())
    one.process.send_signal(signal.SIGTERM)
    one.process.communicate(timeout=30)
    assert one.process.returncode == 0
    assert eventually(lambda: not processes_of(directory), 3), processes_of(directory)
    assert "Traceback" not in one.said()
    up().ready()


def test_unsafe_settings_are_refused_before_anything_starts(up: Callable[..., Up], directory: Path) -> None:
    one = up(VERIFY_WEBHOOK_SIGNATURE="false", WHATSAPP_VERIFY_TOKEN="dev-verify-token")
    assert one.ended() == 1
    said = one.said()
    assert "VERIFY_WEBHOOK_SIGNATURE=false is refused" in said and "still a placeholder" in said
    assert not (directory / "pg").exists()


def test_a_cluster_of_another_major_version_is_refused_with_the_commands(
    up: Callable[..., Up], directory: Path
) -> None:
    up().ready().end()
    (directory / "pg" / "18").rename(directory / "pg" / "17")
    one = up()
    assert one.ended() == 1
    assert "made by PostgreSQL 17" in one.said() and "pg_upgrade" in one.said() and "pg_dump" in one.said()


def test_a_lock_file_with_a_reused_pid_does_not_stop_it(up: Callable[..., Up], directory: Path) -> None:
    one = up().ready()
    lock = directory / "pg" / "18" / "postmaster.pid"
    words = lock.read_text()
    one.process.kill()
    one.process.wait()
    assert eventually(lambda: not processes_of(directory), 8)
    lines = words.split("\n", 1)
    lock.write_text(f"{os.getpid()}\n{lines[1]}")
    shutil.chown(lock, (directory / "pg").stat().st_uid, (directory / "pg").stat().st_gid)
    up().ready()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes users")
def test_as_root_a_closed_parent_stays_closed_and_the_servers_live_elsewhere(
    up: Callable[..., Up], tmp_path: Path
) -> None:
    closed = tmp_path / f"closed-{secrets.token_hex(4)}"
    closed.mkdir(mode=0o700)
    one = up(directory=closed / "state").ready()
    home = Path((closed / "state" / "servers").read_text().strip())
    try:
        assert home.parent == state.RELOCATED and (home / "pg" / "18" / "PG_VERSION").is_file()
        assert closed.stat().st_mode & 0o777 == 0o700
        assert one.end() == 0
        two = up(directory=closed / "state").ready()
        assert two.runtime["database_url"] == one.runtime["database_url"]
        assert two.end() == 0
    finally:
        shutil.rmtree(home)

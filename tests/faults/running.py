"""``wamcp up`` for a test that breaks the machine under it, and what such a test counts and measures."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import psycopg

from tests.e2e.house import House
from tests.patience import PATIENCE
from tests.working import OURS
from wamcp.embedded.process import is_running

CHILDREN = ("postgres", "valkey", "api", "normalizer", "worker")


@contextmanager
def up(state: Path, **environ: str) -> Iterator[House]:
    """The whole of WAMCP on a state directory, from its being ready until it has ended; it writes to ``said``."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    command = [sys.executable, "-m", "wamcp.cli.main", "up", "--state-dir", str(state), "--port", "0"]
    said = state.parent / "said"
    with said.open("a") as log:
        running = subprocess.Popen(
            [*command, "--public-port", "0"],
            env=inherited | environ,
            cwd=state.parent,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert running.stdout is not None
        assert running.stdout.readline().startswith("ready "), said.read_text()[-4000:]
        yield House(state)
    finally:
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=60 * PATIENCE)


def all_run(house: House) -> bool:
    """Whether every process that ``wamcp up`` keeps is there."""
    pids = [house.pid(name) for name in CHILDREN]
    return all(pid is not None and is_running(pid) for pid in pids)


class Answer(NamedTuple):
    """How the operator is answered, and the seconds that it took."""

    status: int
    seconds: float
    body: str


def ask(house: House, path: str) -> Answer:
    """``GET path`` with the operator's key."""
    key = {"X-Admin-Api-Key": house.runtime["admin_api_key"]}
    began = time.monotonic()
    answer = httpx.get(f"{house.runtime['api_url']}{path}", headers=key, timeout=15 * PATIENCE, trust_env=False)
    return Answer(answer.status_code, time.monotonic() - began, answer.text)


class Tally(NamedTuple):
    """The ledger held against the archive; ``understood`` are the messages that it has of the run."""

    acknowledged: int
    lost: int
    twice: int
    understood: int

    def __str__(self) -> str:
        return f"{self.lost} of {self.acknowledged} lost, {self.twice} twice"


def tally(house: House, run: int, acknowledged: Iterable[bytes]) -> Tally:
    """What became of the webhooks of ``run`` (see ``tests.e2e.meta.webhook``) whose digests were acknowledged."""
    promised = set(acknowledged)
    mark = f"wamid.HBgL{run:08x}"
    kept = house.rows("SELECT sha256, body FROM webhook_events WHERE position(%s::bytea IN body) > 0", mark.encode())
    events_twice = len(kept) - len({body for _, body in kept})
    known = "SELECT count(*), count(DISTINCT wamid) FROM messages WHERE wamid LIKE %s"
    [(messages, distinct)] = house.rows(known, f"{mark}%")
    lost = len(promised - {digest for digest, _ in kept})
    return Tally(len(promised), lost, events_twice + messages - distinct, distinct)


def understood(house: House, run: int) -> int:
    """How many messages of ``run`` the archive has."""
    count: int = house.value("SELECT count(*) FROM messages WHERE wamid LIKE %s", f"wamid.HBgL{run:08x}%")
    return count


def understood_if_asked(house: House, run: int) -> int:
    """The same, and 0 while the database does not answer."""
    try:
        return understood(house, run)
    except psycopg.OperationalError:
        return 0


def p99_ms(seconds: Sequence[float]) -> int:
    """The 99th percentile of durations, in milliseconds."""
    ordered = sorted(seconds)
    return round(ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] * 1000)

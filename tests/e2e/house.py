"""A running ``wamcp up`` for tests that need the whole of it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg

from tests.patience import PATIENCE
from wamcp.embedded.scratch import temporary_directory

OURS = ("WAMCP_", "WHATSAPP_", "DEBUG_ECHO", "VERIFY_", "ADMIN_API_KEY", "DATABASE_", "REDIS_")
DRAIN_S = 45.0


class House:
    """A running ``wamcp up``, as its ``runtime.json`` describes it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def runtime(self) -> dict[str, Any]:
        return json.loads((self.directory / "runtime.json").read_text())

    @property
    def secret(self) -> bytes:
        return self.runtime["app_secret"].encode()

    @property
    def url(self) -> str:
        return f"{self.runtime['api_url']}/webhooks/whatsapp"

    @property
    def port(self) -> int:
        return urlsplit(self.runtime["api_url"]).port or 0

    def pid(self, name: str) -> int | None:
        return self.runtime["pids"].get(name)

    def kill(self, name: str) -> float:
        """Ends a process, once it is there, without a warning; returns when (monotonic)."""
        assert eventually(lambda: self.pid(name) is not None), f"{name} is not started"
        os.kill(int(self.runtime["pids"][name]), signal.SIGKILL)
        return time.monotonic()

    def is_well(self) -> bool:
        try:
            return httpx.get(f"{self.runtime['api_url']}/healthz", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def command(self, *arguments: str) -> str:
        """What ``wamcp ARGUMENTS`` says on standard output; it must end with exit code 0."""
        environ = {**os.environ, "WAMCP_RUNTIME_FILE": str(self.directory / "runtime.json")}
        done = subprocess.run(
            [sys.executable, "-m", "wamcp.cli.main", *arguments],
            cwd=self.directory,
            env=environ,
            capture_output=True,
            text=True,
            timeout=120 * PATIENCE,
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
        return done.stdout

    def rows(self, query: str, *parameters: object) -> list[Any]:
        with psycopg.connect(self.runtime["database_url"], autocommit=True) as connection:
            return connection.execute(query, parameters).fetchall()

    def value(self, query: str, *parameters: object) -> Any:
        return self.rows(query, *parameters)[0][0]


@contextmanager
def house_up(**more: str) -> Iterator[House]:
    """``wamcp up`` that has said ``ready``, until the block ends; ``more`` are environment variables."""
    command = [sys.executable, "-m", "wamcp.cli.main", "up"]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    with temporary_directory() as parent:
        running = subprocess.Popen(
            [*command, "--state-dir", str(parent / "state"), "--port", "0", "--public-port", "0"],
            env=inherited | more,
            cwd=parent,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert running.stdout is not None and running.stdout.readline().startswith("ready ")
            yield House(parent / "state")
        finally:
            running.send_signal(signal.SIGTERM)
            running.communicate(timeout=60 * PATIENCE)


def eventually(condition: Callable[[], bool], seconds: float = 30) -> bool:
    """Whether ``condition`` came true within ``seconds`` of a machine that is ours alone."""
    deadline = time.monotonic() + seconds * PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True

"""A running api and worker for tests that look at an installation from outside: real processes, Postgres, Valkey."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx
import psycopg

from tests.e2e.house import eventually
from tests.patience import PATIENCE
from wamcp.db.logins import create_logins
from wamcp.settings import load

COMMAND = (sys.executable, "-m", "wamcp.cli.main")
OURS = ("WAMCP_", "WHATSAPP_", "DEBUG_ECHO", "VERIFY_", "ADMIN_API_KEY", "DATABASE_", "REDIS_", "PUBLIC_BASE", "XDG_")


def bare(directory: Path) -> dict[str, str]:
    """The environment without any setting of WAMCP's, and without a ``wamcp up`` that runs here."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return kept | {"WAMCP_RUNTIME_FILE": str(directory / "runtime.json")}


@contextmanager
def processes(directory: Path, given: dict[str, str], *commands: str) -> Iterator[None]:
    """``wamcp COMMAND`` for each of ``commands`` with ``given`` as settings, once the api answers."""
    env = bare(directory) | given | {"WAMCP_MIGRATE_ON_START": "false"}
    started = []
    with (directory / "log").open("ab") as out:
        try:
            for command in commands:
                argv = [*COMMAND, *command.split()]
                started.append(subprocess.Popen(argv, cwd=directory, env=env, stdout=out, stderr=out))
            url = f"http://127.0.0.1:{given['WAMCP_PORT']}/healthz"
            is_well = "api" not in commands or eventually(lambda: _answers(url), 90)
            assert is_well, (directory / "log").read_text()[-2000:]
            yield
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait(20)


def with_logins(url: str) -> str:
    """``url``, whose database has the two limited logins from now on."""
    with psycopg.connect(url, autocommit=True) as connection:
        assert create_logins(connection, load({"DATABASE_URL": url})) == []
    return url


class Reading:
    """What a process says, as it comes."""

    def __init__(self, descriptor: int) -> None:
        self.text = ""
        self._seen = 0
        self._descriptor = descriptor
        os.set_blocking(descriptor, False)

    def until(self, words: str, seconds: float = 60 * PATIENCE) -> str:
        """All that was said once ``words`` came after those of the last time."""
        end = time.monotonic() + seconds
        while (at := self.text.find(words, self._seen)) < 0:
            assert time.monotonic() < end, f"{words!r} was not said: {self.text[-3000:]}"
            try:
                read = os.read(self._descriptor, 65536)
            except BlockingIOError:
                read = b""
            except OSError:  # Linux's way of saying that a terminal is closed
                read = b""
            self.text += read.decode("utf-8", "replace").replace("\r\n", "\n")
            if not read:
                time.sleep(0.02)
        self._seen = at + len(words)
        return self.text


@contextmanager
def reading(process: "subprocess.Popen[bytes]", stream: IO[bytes] | int | None) -> Iterator[Reading]:
    descriptor = stream if isinstance(stream, int) else stream.fileno() if stream is not None else -1
    try:
        yield Reading(descriptor)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(20)
        for each in (process.stdout, process.stderr):
            if each is not None:
                each.close()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False

"""A running api and worker for tests that look at an installation from outside: real processes, Postgres, Valkey."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg

from tests.e2e.house import eventually
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
            assert "api" not in commands or eventually(lambda: _answers(url)), (directory / "log").read_text()[-2000:]
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


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False

"""pg_dump and pg_restore: which ones fit the server, and running them without a password on the command line."""

import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from wamcp.errors import BackupFailed

_ENVIRONMENT = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "options": "PGOPTIONS",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}


def pick(directories: Iterable[Path], server: int) -> Path:
    """The directory whose pg_dump is of the server's major version, else of the next newer one.

    Raises :class:`BackupFailed` when there is none: an older pg_dump refuses a newer server.
    """
    found = [(major, each) for each in directories if (major := _major(each / "pg_dump")) is not None]
    fitting = [(major, each) for major, each in found if major >= server]
    if not fitting:
        seen = ", ".join(f"{major} in {each}" for major, each in found) or "none"
        raise BackupFailed(
            f"There is no pg_dump for Postgres {server} (found: {seen}):"
            " install its client programs, or set WAMCP_PG_BIN."
        )
    return min(fitting, key=lambda each: each[0])[1]


def run(program: Path, url: str, *arguments: str) -> None:
    """Runs ``program`` on the database at ``url``. Raises :class:`BackupFailed` with the last of what it said."""
    told = {key: str(value) for key, value in conninfo_to_dict(url).items()}
    given = {name: told[key] for key, name in _ENVIRONMENT.items() if key in told}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    done = subprocess.run(
        [program, *arguments], env=kept | given, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = " ".join(done.stderr.strip().splitlines()[-3:])[:600]
        raise BackupFailed(f"{program.name} failed (exit code {done.returncode}): {said}")


def _major(program: Path) -> int | None:
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    match = re.search(r"(\d+)", answer.stdout)
    return int(match[1]) if match else None

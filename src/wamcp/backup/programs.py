"""pg_dump and pg_restore: which ones fit the server, and running them without a password on the command line."""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterable
from contextlib import suppress
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
    done = subprocess.run(
        [program, *arguments],
        env=_environment(url),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    _require_fine(program.name, done.returncode, done.stderr)


def restore(programs: Path, url: str, dump: Path, server: int) -> None:
    """Puts a dump into the empty database at ``url``, all or nothing. Raises :class:`BackupFailed`.

    Since 17 pg_restore sets ``transaction_timeout`` first, which an older server does not know: there psql is told what
    pg_restore writes, without that line.
    """
    arguments = ("--no-owner", "--no-privileges", "--exit-on-error")
    if server >= _KNOWS_TIMEOUT:
        database = conninfo_to_dict(url).get("dbname") or ""
        run(programs / "pg_restore", url, *arguments, "--single-transaction", f"--dbname={database}", str(dump))
        return
    with tempfile.TemporaryFile("w+") as one, tempfile.TemporaryFile("w+") as other:
        script = (programs / "pg_restore", *arguments, "--file=-", dump)
        reading = subprocess.Popen(script, stdout=subprocess.PIPE, stderr=one)
        told = (programs / "psql", "--quiet", "--no-psqlrc", "--single-transaction", "--set=ON_ERROR_STOP=1")
        pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
        writing = subprocess.Popen(told, env=_environment(url), stdin=pipe, stdout=nothing, stderr=other)
        is_read = _passed_on(reading, writing)
        ended = [("psql", writing.wait(), other), ("pg_restore", reading.wait(), one)]
        for name, code, said in ended if is_read else reversed(ended):
            said.seek(0)
            _require_fine(name, code, said.read())


def _passed_on(reading: "subprocess.Popen[bytes]", writing: "subprocess.Popen[bytes]") -> bool:
    """Whether ``reading`` could read the dump, as far as ``writing`` took it."""
    assert reading.stdout is not None and writing.stdin is not None
    with suppress(BrokenPipeError), writing.stdin as into, reading.stdout as lines:
        is_ahead = True
        for line in lines:
            if is_ahead and line == _TIMEOUT:
                is_ahead = False
            else:
                into.write(line)
        if reading.wait() != 0:
            writing.kill()  # before it commits the half that it was told
            return False
    return True


_KNOWS_TIMEOUT = 17
_TIMEOUT = b"SET transaction_timeout = 0;\n"


def _environment(url: str) -> dict[str, str]:
    told = {key: str(value) for key, value in conninfo_to_dict(url).items()}
    given = {name: told[key] for key, name in _ENVIRONMENT.items() if key in told}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | given


def _require_fine(program: str, code: int, said: str) -> None:
    if code != 0:
        words = " ".join(said.strip().splitlines()[-3:])[:600]
        raise BackupFailed(f"{program} failed (exit code {code}): {words}")


def _major(program: Path) -> int | None:
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    match = re.search(r"(\d+)", answer.stdout)
    return int(match[1]) if match else None

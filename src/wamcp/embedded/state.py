"""The state directory of ``wamcp up``: one owner at a time, its secrets, its ports, and where its servers live."""

import errno
import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from wamcp.access.tokens import generate
from wamcp.embedded.ports import free_port, is_free
from wamcp.embedded.process import Account, reaches
from wamcp.errors import CannotStart

RELOCATED = Path("/var/lib/wamcp")
"""Where the servers live when their user cannot reach the state directory or the wheels."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What is generated once and survives restarts (``secrets.json``)."""

    admin_api_key: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    verify_token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    app_secret: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    db_password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    redis_password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    mcp_token: str = field(default_factory=generate, repr=False)
    demo_token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    """The access token of the account that the Graph simulator plays."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where everything listens on 127.0.0.1 (``ports.json``)."""

    postgres: int
    valkey: int
    api: int
    public: int | None
    graph: int | None = None


@contextmanager
def owned(directory: Path) -> Iterator[Path]:
    """The state directory, made when missing and ours until we leave. Raises :class:`CannotStart` when it is another's.

    The lock ends with the process that holds it, however it ends.
    """
    directory = directory.expanduser().absolute()
    directory.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            raise CannotStart(
                f"WAMCP already runs on {directory}{_who(directory)}: stop it first, or choose another --state-dir."
            ) from None
        yield directory
    finally:
        os.close(lock)


def load_secrets(directory: Path) -> Secrets:
    """The secrets of the directory; what is missing is generated and kept."""
    known = {item.name for item in fields(Secrets)}
    kept = Secrets(**{name: value for name, value in _read(directory / "secrets.json").items() if name in known})
    write_json(directory / "secrets.json", asdict(kept))
    return kept


def choose_ports(directory: Path, port: int, public_port: int | None, *, graph: bool = False) -> Ports:
    """The ports of the last time where they are free, else new ones; a port that was asked for must be free.

    0 asks for any port, None for no public one; ``graph`` says that the Graph simulator needs one too.
    Raises :class:`CannotStart` for a port that is taken.
    """
    last = _read(directory / "ports.json")
    chosen = Ports(
        postgres=free_port(last.get("postgres")),
        valkey=free_port(last.get("valkey")),
        api=_asked(port, last.get("api"), "--port"),
        public=None if public_port is None else _asked(public_port, last.get("public"), "--public-port"),
        graph=free_port(last.get("graph")) if graph else None,
    )
    taken = [value for value in asdict(chosen).values() if value is not None]
    if len(set(taken)) != len(taken):
        raise CannotStart("--port and --public-port must differ: choose two ports.")
    write_json(directory / "ports.json", asdict(chosen))
    return chosen


def servers_home(directory: Path, account: Account | None, programs: list[Path]) -> Path:
    """Where cluster and broker live: the state directory, or one under /var/lib/wamcp that the account can reach.

    The state directory then keeps a pointer, the file ``servers``. Nothing that exists is given other permissions.
    """
    pointer = directory / "servers"
    if pointer.is_file():
        home = Path(pointer.read_text().strip())
        if not home.is_dir():
            raise CannotStart(f"{pointer} says that the data is in {home}, which is gone: bring it back.")
        return home
    if account is None:
        return directory
    if (directory / "pg").is_dir():
        if reaches(account, directory / "pg"):
            return directory
        raise CannotStart(
            f"The user {account.name} cannot reach {directory}: set WAMCP_RUN_AS to the owner of its data."
        )
    if all(reaches(account, path) for path in [directory, *programs]):
        return directory
    home = RELOCATED / hashlib.sha256(str(directory).encode()).hexdigest()[:16]
    if home.exists():  # of a state directory that was deleted since: its data is kept, its secrets are gone
        home.rename(home.with_name(f"{home.name}-left-{secrets.token_hex(3)}"))
    home.mkdir(mode=0o711, parents=True)
    if not reaches(account, home):
        raise CannotStart(f"The user {account.name} cannot reach {home}: set WAMCP_RUN_AS to a user who can.")
    _replace(pointer, f"{home}\n")
    return home


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Replaces ``path`` in one step; only its owner may read it."""
    _replace(path, json.dumps(value, indent=2) + "\n")


def _replace(path: Path, text: str) -> None:
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    with unfinished.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError:
        raise CannotStart(f"{path} is not valid JSON: repair it, or bring back a copy.") from None
    return value if isinstance(value, dict) else {}


def _asked(wanted: int, last: int | None, option: str) -> int:
    if wanted == 0:
        return free_port(last)
    if not is_free(wanted):
        raise CannotStart(
            f"Port {wanted} is taken by another program: stop that, or choose another {option} (0 for any)."
        )
    return wanted


def _who(directory: Path) -> str:
    try:
        runtime = _read(directory / "runtime.json")
        return f" (process {runtime['pids']['supervisor']}, {runtime['api_url']})"
    except (CannotStart, KeyError, TypeError, OSError):
        return ""

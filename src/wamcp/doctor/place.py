"""Which installation is looked at: the settings here, and the addresses of the ``wamcp up`` that runs here."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from wamcp.mcp.bridge import read_runtime, runtime_path
from wamcp.settings import Settings, load

WEBHOOK = "/webhooks/whatsapp"
START_UP = "set -a; . ./.env; set +a; wamcp up --public-port 8001"
"""How a ``wamcp up`` gets the values of ``.env``, which it does not read."""


@dataclass(frozen=True, slots=True)
class Place:
    """``settings`` are those in force, ``api_url`` where the api listens here; ``is_up``: a ``wamcp up`` runs.

    ``borrowed`` names the fields that only the running ``wamcp up`` knows: it makes them up where it is given none.
    """

    settings: Settings
    api_url: str
    is_up: bool
    borrowed: frozenset[str] = frozenset()

    @property
    def start(self) -> str:
        """The command that starts WAMCP with the values of ``.env``."""
        if self.is_up or self.settings.database_url is None:
            return START_UP
        return f"wamcp api, and wamcp worker beside it (or, with servers of its own: {START_UP})"

    @property
    def restart(self) -> str:
        """What to do so that the processes take new values."""
        if self.is_up:
            return f"stop the running `wamcp up` with Ctrl-C and start it again: {START_UP}"
        return f"start it, or start it again: {self.start}"

    @property
    def callback(self) -> str | None:
        """The address that Meta has to call, None without ``PUBLIC_BASE_URL``."""
        return f"{self.settings.public_base_url}{WEBHOOK}" if self.settings.public_base_url else None


def find(environ: Mapping[str, str] | None = None, dotenv: Path = Path(".env")) -> Place:
    """The installation that this directory belongs to; writes nothing. Raises ``Misconfigured``.

    Database, broker and objects are those of the ``wamcp up`` that runs here, when one does: it has its own whatever
    the environment says. Its keys are taken where the settings name none.
    """
    settings = load(os.environ if environ is None else environ, dotenv=dotenv)
    runtime = running()
    if not runtime:
        return Place(settings, settings.local_url(), is_up=False)
    taken: dict[str, Any] = {
        "database_url": SecretStr(str(runtime["database_url"])),
        "database_direct_url": None,
        "database_reader_url": None,
        "database_audit_url": None,
        "redis_url": SecretStr(str(runtime["redis_url"])),
        "minio_endpoint": None,
        "object_dir": str(Path(runtime_path()).absolute().parent / "objects"),
    }
    keys = ("verify_token", "app_secret", "admin_api_key")
    borrowed = {
        name: SecretStr(str(runtime[name])) for name in keys if not getattr(settings, name) and runtime.get(name)
    }
    settings = settings.model_copy(update=taken | borrowed)
    return Place(settings, str(runtime["api_url"]).rstrip("/"), is_up=True, borrowed=frozenset(borrowed))


def running() -> dict[str, Any]:
    """What the ``wamcp up`` that runs here wrote about itself; empty when none runs."""
    runtime = read_runtime()
    pids = runtime.get("pids")
    supervisor = pids.get("supervisor") if isinstance(pids, dict) else None
    known = all(isinstance(runtime.get(name), str) for name in ("database_url", "redis_url", "api_url"))
    return runtime if known and isinstance(supervisor, int) and _is_wamcp(supervisor) else {}


def _is_wamcp(pid: int) -> bool:
    """A number of a process is given again: a file that was left behind may name somebody else's."""
    try:
        os.kill(pid, 0)
        return b"wamcp" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except PermissionError:
        return True
    except OSError:
        return not Path("/proc").is_dir() and _answers(pid)


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True

"""The api process as ``wamcp api`` starts it, on two free ports."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from wamcp.embedded.ports import free_port

SECRET = b"an app secret of invented letters"
KEY = "a key of invented letters"


@dataclass
class Served:
    """A running api process."""

    full: int
    public: int
    process: "subprocess.Popen[str]"
    log: Path


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def serving(
    database_url: str, directory: Path, *, files: int | None = None, ready: bool = True, **more: str
) -> Iterator[Served]:
    """The api process on two ports, allowed so many open ``files``, once it answers if ``ready``."""
    ports = free_port(), free_port()
    given = {
        "DATABASE_URL": database_url,
        "WAMCP_ENV": "development",
        "WAMCP_PORT": str(ports[0]),
        "WAMCP_PUBLIC_PORT": str(ports[1]),
        "WHATSAPP_APP_SECRET": SECRET.decode(),
        "ADMIN_API_KEY": KEY,
        "WHATSAPP_VERIFY_TOKEN": "a token",
        **more,
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WAMCP_")}
    path = directory / "log"

    def limit() -> None:
        if files:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    with path.open("w") as log:
        command = [sys.executable, "-m", "wamcp.cli.main", "api"]
        process = subprocess.Popen(
            command, cwd=directory, env=inherited | given, stdout=log, stderr=log, text=True, preexec_fn=limit
        )
        try:
            deadline = time.monotonic() + 90
            while ready and not all(map(answers, ports)) and time.monotonic() < deadline:
                assert process.poll() is None, path.read_text()
                time.sleep(0.05)
            yield Served(*ports, process, path)
        finally:
            process.terminate()
            process.wait(20)

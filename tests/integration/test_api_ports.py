"""The api process with the two ports that its settings name."""

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx

from tests.api_process import answers
from tests.e2e.house import eventually
from wamcp.embedded.ports import free_port


def test_a_public_port_that_is_left_to_the_system_is_public_too(database_url: str, tmp_path: Path) -> None:
    full = free_port()
    given = {
        "DATABASE_URL": database_url,
        "WAMCP_ENV": "development",
        "WAMCP_PORT": str(full),
        "WAMCP_PUBLIC_PORT": "0",
    }
    secrets = {"WHATSAPP_APP_SECRET": "an app secret", "ADMIN_API_KEY": "a key", "WHATSAPP_VERIFY_TOKEN": "a token"}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WAMCP_")}
    command = [str(Path(sys.executable).parent / "wamcp"), "api"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=inherited | given | secrets,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert any("startup complete" in line for line in process.stdout)
            (public,) = listening_beside(full, process.pid)
            assert eventually(lambda: answers(full), 60)
            assert httpx.get(f"http://127.0.0.1:{full}/metrics").status_code == 200
            assert httpx.get(f"http://127.0.0.1:{public}/healthz").status_code == 200
            assert httpx.get(f"http://127.0.0.1:{public}/metrics").status_code == 404
            assert httpx.post(f"http://127.0.0.1:{full}/send/text", json={}).status_code == 401
            assert httpx.post(f"http://127.0.0.1:{public}/send/text", json={}).status_code == 404
        finally:
            process.terminate()


def listening_beside(port: int, pid: int) -> set[int]:
    """The other ports of the process ``pid``, once there is one: it says that it started before it listens."""
    end = time.monotonic() + 10
    while not (others := listening(pid) - {port}) and time.monotonic() < end:
        time.sleep(0.02)
    return others


def listening(pid: int) -> set[int]:
    """The ports of the loopback on which the process ``pid`` listens (Linux)."""
    sockets = {str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir() if file.is_symlink()}
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return {int(row[1].partition(":")[2], 16) for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets}

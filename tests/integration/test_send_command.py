"""``wamcp send`` as somebody types it where nothing runs; sending itself is tried with the whole of WAMCP."""

import os
import subprocess
import sys
from pathlib import Path


def send(directory: Path, *options: str) -> tuple[int, str]:
    ours = ("WAMCP_", "WHATSAPP_", "ADMIN_API_KEY", "DATABASE_", "REDIS_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(
        [sys.executable, "-m", "wamcp.cli.main", "send", "15550100001", "Hello", *options],
        cwd=directory,
        env={**inherited, "XDG_DATA_HOME": str(directory)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "" and list(directory.iterdir()) == []
    return done.returncode, done.stderr


def test_where_nothing_runs_it_says_what_to_do(tmp_path: Path) -> None:
    code, said = send(tmp_path)
    assert code == 1 and said.startswith("No WAMCP runs here") and "wamcp up" in said and said.count("\n") == 1
    code, said = send(tmp_path, "--url", "http://127.0.0.1:9", "--api-key", "a-key")
    assert code == 1 and said.startswith("http://127.0.0.1:9 does not answer (ConnectError)")

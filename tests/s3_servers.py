"""Real S3 servers on loopback, as processes: rclone and nanio; and one that the environment names."""

import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from wamcp.embedded.ports import free_port

ACCESS, SECRET = "wamcp-tests", "a-secret-of-the-tests"
GIVEN = "WAMCP_TEST_S3_ENDPOINT"
"""Names one more server, with ``WAMCP_TEST_S3_ACCESS_KEY`` and ``WAMCP_TEST_S3_SECRET_KEY``; it gets new buckets."""


class Server:
    """One S3 server below ``directory``, which can be killed and started again at the same address."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name, self.directory = name, directory
        self.port = free_port()
        self.start()

    def start(self) -> None:
        """Starts it; returns when it answers."""
        self.directory.mkdir(exist_ok=True)
        argv, env = _command(self.name, self.directory, self.port)
        self.process = subprocess.Popen(
            argv, env=env, cwd=self.directory.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 20
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{self.port}/", timeout=1, trust_env=False)
                return
            except httpx.TransportError:
                assert self.process.poll() is None and time.monotonic() < deadline, f"{self.name} did not start"
                time.sleep(0.02)

    def kill(self) -> None:
        """Ends it without a warning."""
        self.process.kill()
        self.process.wait(10)

    def environ(self) -> dict[str, str]:
        """The variables that name a bucket there that nobody made yet."""
        return _named(f"http://127.0.0.1:{self.port}", ACCESS, SECRET)


@contextmanager
def serving(name: str, directory: Path) -> Iterator[Server]:
    """The server called ``name``, until the block ends."""
    server = Server(name, directory)
    try:
        yield server
    finally:
        server.kill()


def given() -> dict[str, str]:
    """The variables that name a new bucket on the server of the environment."""
    return _named(os.environ[GIVEN], os.environ[f"{GIVEN[:-8]}ACCESS_KEY"], os.environ[f"{GIVEN[:-8]}SECRET_KEY"])


def _named(endpoint: str, access_key: str, secret_key: str) -> dict[str, str]:
    return {
        "MINIO_ENDPOINT": endpoint,
        "MINIO_ACCESS_KEY": access_key,
        "MINIO_SECRET_KEY": secret_key,
        "MINIO_BUCKET": f"wamcp-{secrets.token_hex(6)}",
    }


def _command(name: str, directory: Path, port: int) -> tuple[list[str], dict[str, str]]:
    program = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert program is not None, f"{name} is not installed"
    if name == "rclone":
        keys = f"{ACCESS},{SECRET}"
        options = ("--addr", f"127.0.0.1:{port}", "--auth-key", keys, "--vfs-cache-mode", "off")
        return [program, "serve", "s3", *options, "--dir-cache-time", "1s", str(directory)], dict(os.environ)
    env = {**os.environ, "NANIO_ACCESS_KEY": ACCESS, "NANIO_SECRET_KEY": SECRET}
    return [program, "serve", "--data-dir", str(directory), "--host", "127.0.0.1", "--port", str(port)], env

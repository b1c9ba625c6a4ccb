"""WAMCP's processes beside a test: each a real command with its own environment, and a broker that may be killed."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
import redis

from tests.patience import PATIENCE
from wamcp.embedded import programs, valkey
from wamcp.embedded.ports import free_port
from wamcp.embedded.process import Launch, choose_account, is_running, spawn
from wamcp.simulator.bodies import Item
from wamcp.whatsapp.signature import sign

APP_SECRET = "5e" * 16
OURS = ("WAMCP_", "WHATSAPP_", "DEBUG_ECHO", "VERIFY_", "ADMIN_API_KEY", "DATABASE_", "REDIS_", "MINIO_")
WITHOUT_SWEEP = (
    "from wamcp.worker import tasks; tasks.SWEEP_S = 3600; from wamcp.cli.main import main; main()"  # Celery alone
)


def eventually(condition: Callable[[], object], seconds: float = 20) -> bool:
    """Whether ``condition`` came true within ``seconds`` of a machine that is ours alone."""
    deadline = time.monotonic() + seconds * PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def holds(condition: Callable[[], object], seconds: float) -> bool:
    """Whether ``condition`` is true for ``seconds``."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not condition():
            return False
        time.sleep(0.02)
    return True


class Program:
    """One ``wamcp`` command, from now until it ends; what it writes is kept in a file."""

    def __init__(self, directory: Path, environ: Mapping[str, str], *arguments: str, code: str | None = None) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        begin = ("-m", "wamcp.cli.main") if code is None else ("-c", code)
        self._log = directory / f"{time.monotonic_ns()}.log"
        argv = (sys.executable, *begin, *arguments)
        self._process = spawn(Launch(argv=argv, env={**inherited, **environ}, cwd=directory, log=self._log))
        self.pid = self._process.pid

    @property
    def said(self) -> str:
        """All that it wrote so far."""
        return self._log.read_text(errors="replace")

    def signal(self, number: int) -> None:
        """Sends a signal to it."""
        self._process.send_signal(number)

    def wait(self, seconds: float = 20) -> int:
        """Its exit code, once it has ended; it has ``seconds`` of a machine that is ours alone."""
        return self._process.wait(seconds * PATIENCE)

    def kill(self) -> None:
        """Ends it without a warning."""
        self._process.kill()
        self._process.wait(10)

    def end(self) -> None:
        """Ends it as an operator does, and forcefully when that takes too long."""
        self._process.terminate()
        try:
            self._process.wait(10 * PATIENCE)
        finally:
            self.kill()


class Doorbell:
    """A Valkey of one's own, which can be killed and started again at the same address."""

    def __init__(self, directory: Path) -> None:
        account = choose_account(None)
        self._broker = valkey.Broker(
            program=programs.valkey_server(account, directory / "bin"),
            home=directory,
            port=free_port(),
            password="a-password-of-the-tests",
            account=account,
        )
        valkey.prepare(self._broker)
        self.start()

    def start(self) -> None:
        """Starts it; returns when it answers."""
        self._process = spawn(valkey.launch(self._broker))
        valkey.wait_until_ready(self._broker, self._process.pid, lambda: self._process.poll() is None)

    def kill(self) -> None:
        """Ends it without a warning."""
        self._process.kill()
        self._process.wait(10)

    def url(self, index: int = 0) -> str:
        """The address of one of its databases: workers at different ones do not hear each other's bells."""
        return self._broker.url.removesuffix("0") + str(index)

    def is_heard(self, index: int = 0) -> bool:
        """Whether somebody took every ring at one of its databases."""
        with redis.Redis.from_url(self.url(index)) as client:
            return client.llen("wamcp") == 0

    def refuse(self, *, refuses: bool = True) -> None:
        """Refuses to write, as one does whose disk is full, until it is told not to."""
        with redis.Redis.from_url(self.url()) as client:
            client.config_set("min-replicas-to-write", int(refuses))

    def empty(self) -> None:
        """Loses everything in it, as FLUSHALL does."""
        with redis.Redis.from_url(self.url()) as client:
            client.flushall()


def post(url: str, body: bytes) -> None:
    """Posts a webhook as Meta does; it has to be taken."""
    signed = {"X-Hub-Signature-256": sign(body, APP_SECRET.encode())}
    answer = httpx.post(url, content=body, headers=signed, trust_env=False, timeout=5 * PATIENCE)
    assert answer.status_code == 200, answer.text


def people_of(pid: int) -> list[int]:
    """The processes whose parent is ``pid`` and that run still."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        if parent == pid and is_running(int(entry.name)):
            found.append(int(entry.name))
    return found


def text(words: str) -> Item:
    """The content of a text message."""
    return {"type": "text", "text": {"body": words}}

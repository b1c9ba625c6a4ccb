"""The embedded Valkey: the doorbell of jobs, kept on disk, reached on loopback with a password."""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from wamcp.embedded.process import Account, Launch, give, tail, wait_for
from wamcp.errors import CannotStart


@dataclass(frozen=True, slots=True)
class Broker:
    """A Valkey on 127.0.0.1: its program, its directory ``home/valkey``, its port and password."""

    program: Path
    home: Path
    port: int
    password: str = field(repr=False)
    account: Account | None = None

    @property
    def data(self) -> Path:
        return self.home / "valkey"

    @property
    def log(self) -> Path:
        return self.data / "valkey.log"

    @property
    def url(self) -> str:
        """Its address, database 0."""
        return f"redis://:{quote(self.password, safe='')}@127.0.0.1:{self.port}/0"


def prepare(broker: Broker) -> None:
    """Makes its directory and writes its configuration, which keeps the password out of the process list."""
    broker.data.mkdir(mode=0o700, exist_ok=True)
    give(broker.data, broker.account)
    configuration = _configuration_file(broker)
    configuration.unlink(missing_ok=True)
    configuration.touch(mode=0o600)
    give(configuration, broker.account)
    configuration.write_text("".join(f"{name} {value}\n" for name, value in _settings(broker).items()))


def launch(broker: Broker) -> Launch:
    """How the server is started. SIGKILL loses nothing that it acknowledged: the log was written, only not synced."""
    return Launch(
        argv=[str(broker.program), str(_configuration_file(broker))],
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},
        cwd=broker.data,
        account=broker.account,
        log=broker.log,
    )


def wait_until_ready(broker: Broker, pid: int | None, is_alive: Callable[[], bool], seconds: float = 60) -> None:
    """Waits until the server on the port answers and is ``pid``, since another on that port makes ours exit quietly.

    Raises :class:`CannotStart` with the log's last lines.
    """
    wait_for(lambda: not is_alive() or answering_pid(broker) is not None, seconds)
    if not is_alive() or (found := answering_pid(broker)) is None:
        raise CannotStart(f"Valkey did not start (its log is {broker.log}).\n{tail(broker.log)}".rstrip())
    if found != pid:
        raise CannotStart(f"Another Valkey (process {found}) answers on port {broker.port}: end it and start again.")


def answering_pid(broker: Broker) -> int | None:
    """The process id that the server on the port says it has; None while there is no answer or it is loading."""
    try:
        with socket.create_connection(("127.0.0.1", broker.port), timeout=2) as connection:
            connection.sendall(f"AUTH {broker.password}\r\nPING\r\nINFO server\r\nQUIT\r\n".encode())
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
    except OSError:
        return None
    if b"+PONG" not in answer:
        return None
    found = [line for line in answer.split(b"\r\n") if line.startswith(b"process_id:")]
    return int(found[0].partition(b":")[2]) if found else None


def _configuration_file(broker: Broker) -> Path:
    return broker.data / "valkey.conf"


def _settings(broker: Broker) -> dict[str, str]:
    return {
        "port": str(broker.port),
        "bind": "127.0.0.1",
        "dir": f'"{broker.data}"',
        "requirepass": broker.password,
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": '""',
        "maxmemory": "256mb",
        "maxmemory-policy": "noeviction",
        "loglevel": "notice",
    }

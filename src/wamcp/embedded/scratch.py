"""Temporary servers for tests and benches: a real Postgres and a real Valkey that are gone afterwards."""

import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from wamcp.embedded import postgres, programs, valkey
from wamcp.embedded.ports import free_port
from wamcp.embedded.process import choose_account, spawn

FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "128MB"}
"""For servers that no test kills: nothing needs to survive."""


@dataclass
class TemporaryPostgres:
    """A running Postgres whose databases are thrown away with it."""

    cluster: postgres.Cluster
    process: subprocess.Popen[bytes] = field(repr=False)
    _templates: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The maintenance database ``postgres``, as superuser."""
        return self.cluster.url()

    def create(self, template: str | None = None) -> str:
        """A new database, empty or a copy of ``template``; returns its URL."""
        name = f"t_{secrets.token_hex(6)}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            if template is None:
                connection.execute(postgres.create_database_sql(name, self.cluster.major))
            else:
                copy = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
                connection.execute(copy.format(sql.Identifier(name), sql.Identifier(template)))
        return self.cluster.url(name)

    def clone(self, label: str, prepare: Callable[[str], object]) -> str:
        """A copy of the database that ``prepare(url)`` fills once per ``label``; returns its URL."""
        if label not in self._templates:
            url = self.create()
            prepare(url)
            self._templates[label] = url.rpartition("/")[2]
        return self.create(self._templates[label])

    def drop(self, url: str) -> None:
        """Drops a database, whoever is still connected."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(url.rpartition("/")[2]))
            )


@contextmanager
def temporary_directory() -> Iterator[Path]:
    """A directory that the servers' user reaches even when we are root; gone afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="wamcp-"))
    directory.chmod(0o711)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def temporary_postgres(
    directory: Path, settings: Mapping[str, str] | None = None, pg_bin: str | None = None
) -> Iterator[TemporaryPostgres]:
    """A Postgres in ``directory``, which its user must reach; ``settings`` on top of ours, e.g. :data:`FAST`.

    ``pg_bin`` is the directory of another Postgres's programs; the wheel's without it.
    """
    account = choose_account(None)
    bin_directory = programs.postgres_bin(pg_bin, account, directory / "bin")
    cluster = postgres.Cluster(
        bin=bin_directory,
        home=directory,
        port=free_port(),
        password=secrets.token_urlsafe(12),
        account=account,
        major=programs.postgres_major(bin_directory),
    )
    postgres.prepare(cluster)
    process = spawn(postgres.launch(cluster, settings))
    try:
        postgres.wait_until_ready(cluster, lambda: process.poll() is None)
        yield TemporaryPostgres(cluster, process)
    finally:
        _end(process, signal.SIGINT)


@contextmanager
def temporary_valkey(directory: Path) -> Iterator[str]:
    """A Valkey in ``directory``, which its user must reach; yields its URL."""
    account = choose_account(None)
    broker = valkey.Broker(
        program=programs.valkey_server(account, directory / "bin"),
        home=directory,
        port=free_port(),
        password=secrets.token_urlsafe(12),
        account=account,
    )
    valkey.prepare(broker)
    process = spawn(valkey.launch(broker))
    try:
        valkey.wait_until_ready(broker, process.pid, lambda: process.poll() is None)
        yield broker.url
    finally:
        _end(process, signal.SIGTERM)


def _end(process: subprocess.Popen[bytes], gently: int) -> None:
    process.send_signal(gently)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGQUIT)
        process.wait(10)

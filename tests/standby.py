"""A Postgres that follows another one, and what may befall the two."""

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import psycopg

from tests.working import eventually
from wamcp.embedded import postgres
from wamcp.embedded.ports import free_port
from wamcp.embedded.process import give, running_in, signal_all, spawn
from wamcp.embedded.scratch import FAST, TemporaryPostgres, temporary_directory


@dataclass
class Standby(TemporaryPostgres):
    """A server that follows another one and can only be read, until it is promoted."""

    settings: Mapping[str, str] | None = None

    def start(self) -> None:
        """Starts it after :func:`end`."""
        self.process = spawn(postgres.launch(self.cluster, self.settings))
        postgres.wait_until_ready(self.cluster, lambda: self.process.poll() is None)

    def promote(self) -> None:
        """Makes it a primary; returns when it takes what is written."""
        launched = postgres.launch(self.cluster)
        argv = [str(self.cluster.bin / "pg_ctl"), "promote", "-D", str(self.cluster.data), "--wait"]
        assert spawn(replace(launched, argv=argv)).wait(60) == 0, self.cluster.log.read_text()


@contextmanager
def standby_of(primary: TemporaryPostgres, settings: Mapping[str, str] = FAST) -> Iterator[Standby]:
    """A server that follows ``primary`` in another directory, at another port."""
    with temporary_directory() as directory:
        cluster = replace(primary.cluster, home=directory, port=free_port())
        cluster.data.parent.mkdir(mode=0o700)
        give(cluster.data.parent, cluster.account)
        copy = [str(cluster.bin / "pg_basebackup"), "-d", primary.url, "-D", str(cluster.data), "-R", "-c", "fast"]
        launched = postgres.launch(cluster, settings)
        assert spawn(replace(launched, argv=copy)).wait(60) == 0, cluster.log.read_text()
        standby = Standby(cluster, spawn(launched), settings=settings)
        try:
            postgres.wait_until_ready(cluster, lambda: standby.process.poll() is None)
            yield standby
        finally:
            end(standby)


def end(server: TemporaryPostgres) -> None:
    """Stops a server in order, if it runs."""
    if server.process.poll() is None:
        server.process.send_signal(signal.SIGINT)
        server.process.wait(30)


def cut_power(server: TemporaryPostgres) -> None:
    """Kills the server with all that belongs to it, at once."""
    server.process.send_signal(signal.SIGSTOP)  # else it starts again what is killed first
    signal_all(list(running_in(server.cluster.data, "postgres")), signal.SIGKILL)
    server.process.wait(10)
    assert eventually(lambda: not list(running_in(server.cluster.data, "postgres")))


def wait_for_standby(primary: TemporaryPostgres, standbys: str) -> None:
    """From now on a commit of ``primary`` waits for ``standbys`` (``synchronous_standby_names``, empty for none)."""
    with psycopg.connect(primary.url, autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{standbys}'")
        connection.execute("SELECT pg_reload_conf()")
        sync = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
        assert eventually(lambda: connection.execute(sync).fetchone() == (1 if standbys else 0,))

"""The embedded Postgres: one cluster per state directory, made once, started as our child, reached on loopback."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from wamcp.embedded.process import (
    Account,
    Launch,
    adopted,
    bound_to_us,
    give,
    is_running,
    running_in,
    signal_all,
    tail,
    wait_for,
)
from wamcp.errors import CannotStart

USER = "wamcp"
_SOCKET_PATH_MAX = 107  # sun_path of unix(7), less the closing zero
_MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Postgres on 127.0.0.1: its programs, its directory ``home/pg/MAJOR``, its port and password."""

    bin: Path
    home: Path
    port: int
    password: str = field(repr=False)
    account: Account | None = None
    major: int = 18

    @property
    def data(self) -> Path:
        return self.home / "pg" / str(self.major)

    @property
    def log(self) -> Path:
        return self.data.parent / "postgres.log"

    def url(self, database: str = "postgres") -> str:
        """The address of one of its databases, as its owner."""
        return f"postgresql://{USER}:{quote(self.password, safe='')}@127.0.0.1:{self.port}/{database}"


def prepare(cluster: Cluster) -> bool:
    """Makes the cluster unless it is there; True when it was made. Needs ``home`` to be reachable by the account.

    Raises :class:`CannotStart` when the directory holds the cluster of another major version, or initdb fails.
    """
    pg = cluster.data.parent
    if (cluster.data / "PG_VERSION").is_file():
        return False
    _refuse_other_major(cluster)
    pg.mkdir(mode=0o700, exist_ok=True)
    give(pg, cluster.account)
    unfinished = pg / "unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    _initdb(cluster, unfinished)
    unfinished.rename(cluster.data)
    return True


def check_owner(cluster: Cluster) -> None:
    """Raises :class:`CannotStart` when the cluster belongs to another user than the one it would run as."""
    wanted = os.geteuid() if cluster.account is None else cluster.account.uid
    owner = cluster.data.stat().st_uid
    if owner != wanted:
        raise CannotStart(
            f"{cluster.data} belongs to the user with id {owner}: start WAMCP as that user (as root: WAMCP_RUN_AS)."
        )


def launch(cluster: Cluster, more: Mapping[str, str] | None = None) -> Launch:
    """How the server is started, ``more`` being settings on top of ours.

    When we die it gets SIGQUIT: the postmaster then ends every backend, whatever they are doing, and leaves within five
    seconds. After SIGKILL a busy backend would go on without it; SIGINT waits for a checkpoint. What was committed is
    in the log either way.
    """
    argv = [str(cluster.bin / "postgres"), "-D", str(cluster.data)]
    for name, value in {**_server_settings(cluster), **(more or {})}.items():
        argv += ["-c", f"{name}={value}"]
    return Launch(
        argv=argv,
        env=_environment(),
        cwd=cluster.home,
        account=cluster.account,
        log=cluster.log,
        death_signal=signal.SIGQUIT,
    )


def evict(cluster: Cluster) -> None:
    """Ends whatever still runs on this cluster's files and removes lock files whose pid is another program's by now.

    For the holder of the state directory's lock only, while it has no Postgres: nobody else may be using these files.
    A postmaster that lives was left by a supervisor that died; backends without one, which we adopted or find by their
    directory, hold the shared memory that the next start needs, for as long as their query takes.
    """
    postmaster_lock = cluster.data / "postmaster.pid"
    postmaster = _pid_in(postmaster_lock)
    if postmaster is not None and _is_postmaster(postmaster, cluster):
        signal_all([postmaster], signal.SIGQUIT)
        wait_for(lambda: not is_running(postmaster), 7)
    orphans = sorted({*running_in(cluster.data, "postgres"), *adopted("postgres")})
    signal_all(orphans, signal.SIGKILL)
    wait_for(lambda: not any(is_running(pid) for pid in orphans), 2)
    for lock in [postmaster_lock, *cluster.data.parent.glob(".s.PGSQL.*.lock")]:
        pid = _pid_in(lock)
        # Of a pid that is gone Postgres takes care itself; a reused one, or a zombie's, it believes to be a postmaster.
        if pid is not None and Path(f"/proc/{pid}").exists() and not _is_postmaster(pid, cluster):
            lock.unlink(missing_ok=True)


def shares_memory_with_the_dead(cluster: Cluster) -> bool:
    """Whether the last start failed because backends of a dead postmaster still hold its memory; that passes."""
    return "pre-existing shared memory block" in tail(cluster.log, 3)


def has_given_up(postmaster: int) -> bool:
    """Whether a postmaster lives without a server behind it: nobody recovers, and nobody writes the log.

    Postgres 18 is left like that, for good, when its recovery panics after a crash, as on a disk that fails.
    """
    process = Path(f"/proc/{postmaster}")
    try:
        children = (process / "task" / str(postmaster) / "children").read_text().split()
    except OSError:
        return False
    return not any(title.startswith((b"postgres: startup", b"postgres: walwriter")) for title in map(_title, children))


def wait_until_ready(cluster: Cluster, is_alive: Callable[[], bool], seconds: float = 120) -> None:
    """Waits for the first answer (crash recovery included). Raises :class:`CannotStart` with the log's last lines."""
    refused = ""

    def answers() -> bool:
        nonlocal refused
        if not is_alive():
            return True
        try:
            psycopg.connect(cluster.url(), connect_timeout=5).close()
        except psycopg.OperationalError as error:
            refused = str(error)
            return "password authentication failed" in refused
        refused = ""
        return True

    wait_for(answers, seconds)
    if "password authentication failed" in refused:
        raise CannotStart(
            f"The Postgres in {cluster.data} does not take our password: bring back the secrets.json it was made with."
        )
    if refused or not is_alive():
        raise CannotStart(explain(f"Postgres did not start (its log is {cluster.log}).", tail(cluster.log) or refused))


def ensure_database(cluster: Cluster, name: str) -> None:
    """Creates the database with the locale that WAMCP needs unless it is there."""
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
            connection.execute(create_database_sql(name, cluster.major))


def create_database_sql(name: str, major: int) -> sql.Composed:
    """CREATE DATABASE with UTF-8 and a locale that folds every letter: builtin C.UTF-8, on 16 libc's."""
    locale = "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'" if major >= 17 else "LOCALE_PROVIDER libc"
    statement = "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' " + locale + " LOCALE 'C.UTF-8'"
    return sql.SQL(statement).format(sql.Identifier(name))


def explain(sentence: str, details: str) -> str:
    """A sentence and what the program said; a full disk is said first."""
    if "No space left on device" in details:
        sentence = f"The disk is full: make room and start again. {sentence}"
    return f"{sentence}\n{details}".rstrip()


def _refuse_other_major(cluster: Cluster) -> None:
    others = sorted(path.parent for path in cluster.data.parent.glob("*/PG_VERSION") if path.parent.name.isdigit())
    if not others:
        return
    old = others[-1]
    new, initdb = cluster.data, " ".join(_initdb_argv(cluster, cluster.data))
    user = f"runuser -u {cluster.account.name} -- " if cluster.account else ""
    raise CannotStart(
        f"{old} was made by PostgreSQL {old.name}, but these programs are version {cluster.major}.\n"
        f"To go on with the old programs, set WAMCP_PG_BIN to their directory. To upgrade the data, once, with\n"
        f"OLD being that directory and PGPASSWORD the db_password of secrets.json:\n"
        f"  {user}{initdb} --pwprompt\n"
        f"  cd {cluster.home} && {user}{cluster.bin}/pg_upgrade -U {USER} -b $OLD -B {cluster.bin} -d {old} -D {new}\n"
        f"or by a dump, while the old server runs (WAMCP_PG_BIN=$OLD wamcp up), and after starting the new one:\n"
        f"  {cluster.bin}/pg_dump -Fc -d DATABASE_URL -f wamcp.dump     (database_url of runtime.json)\n"
        f"  mv {old} {cluster.home}/pg-{old.name}-before-upgrade\n"
        f"  {cluster.bin}/pg_restore --clean --if-exists -d DATABASE_URL wamcp.dump"
    )


def _initdb(cluster: Cluster, directory: Path) -> None:
    if shutil.disk_usage(cluster.home).free < 200 * _MB:
        raise CannotStart(f"The disk of {cluster.home} has less than 200 MB left: make room and start again.")
    password = directory.parent / "password"
    password.touch(mode=0o600)
    try:
        password.write_text(cluster.password)
        give(password, cluster.account)
        made = subprocess.run(
            [*_initdb_argv(cluster, directory), f"--pwfile={password}", "--no-instructions"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=_environment(),
            cwd=cluster.home,
            **bound_to_us(cluster.account),
        )
    finally:
        password.unlink(missing_ok=True)
    if made.returncode != 0:
        shutil.rmtree(directory, ignore_errors=True)
        raise CannotStart(explain("initdb could not make the database cluster.", made.stderr.strip()))


def _initdb_argv(cluster: Cluster, directory: Path) -> list[str]:
    locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if cluster.major >= 17 else []
    return [
        str(cluster.bin / "initdb"),
        *("-D", str(directory), "-U", USER, "--auth=scram-sha-256", "--encoding=UTF8", "--data-checksums"),
        *locale,
        "--locale=C.UTF-8",
    ]


def _server_settings(cluster: Cluster) -> dict[str, str]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _MB
    sockets = cluster.data.parent
    socket = sockets / f".s.PGSQL.{cluster.port}"
    library = cluster.bin.parent / "lib" / "pg_stat_statements.so"
    return {
        "port": str(cluster.port),
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": str(sockets) if len(os.fsencode(socket)) <= _SOCKET_PATH_MAX else "",
        "max_connections": "100",
        "shared_buffers": f"{min(max(memory // 8, 128), 1024)}MB",
        "effective_cache_size": f"{max(memory // 2, 256)}MB",
        "maintenance_work_mem": "128MB",
        "max_wal_size": "2GB",
        "random_page_cost": "1.1",
        "jit": "off",
        "shared_preload_libraries": "pg_stat_statements" if library.is_file() else "",
        "log_min_messages": "warning",
        # What customers wrote must not reach the log: neither statements nor the details of an error.
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
    }


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _pid_in(lock: Path) -> int | None:
    try:
        return abs(int(lock.read_text().split("\n", 1)[0]))
    except (OSError, ValueError):
        return None


def _title(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _is_postmaster(pid: int, cluster: Cluster) -> bool:
    if not is_running(pid):
        return False
    process = Path(f"/proc/{pid}")
    try:
        return (process / "exe").readlink().name == "postgres" and (
            process / "cwd"
        ).readlink() == cluster.data.resolve()
    except PermissionError:  # root without CAP_SYS_PTRACE, as in a container
        return str(cluster.data).encode() in (process / "cmdline").read_bytes()
    except OSError:
        return False

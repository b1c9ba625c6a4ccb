"""Starting a process that cannot outlive us, and asking the kernel about processes that others started."""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wamcp.errors import CannotStart

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LOG_BYTES = 10_000_000
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Account:
    """The user that the servers run as when we are root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Launch:
    """How one process is started. Its output goes to ``log``, or to our stderr when that is None."""

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    account: Account | None = None
    log: Path | None = None
    death_signal: int = signal.SIGKILL
    """What the kernel sends to it when we die."""


def choose_account(run_as: str | None) -> Account | None:
    """The user to drop to (``run_as``, else nobody), or None when we are not root and stay who we are."""
    if os.geteuid() != 0:
        return None
    name = run_as or "nobody"
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise CannotStart(f"There is no user {name}: set WAMCP_RUN_AS to a user that exists.") from None
    if entry.pw_uid == 0:
        raise CannotStart("Postgres refuses to run as root: set WAMCP_RUN_AS to another user.")
    return Account(name, entry.pw_uid, entry.pw_gid)


def spawn(launch: Launch) -> subprocess.Popen[bytes]:
    """Starts a process in a session of its own. Call it from the main thread: the kernel counts a thread as the parent.

    The death signal is armed after the change of user, which would clear it.
    """
    output = sys.stderr.fileno() if launch.log is None else _open_log(launch.log, launch.account)
    try:
        return subprocess.Popen(
            list(launch.argv),
            env=dict(launch.env),
            cwd=launch.cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            umask=0o077,
            **bound_to_us(launch.account, launch.death_signal),
        )
    finally:
        if launch.log is not None:
            os.close(output)


def bound_to_us(account: Account | None, death_signal: int = signal.SIGKILL) -> dict[str, Any]:
    """The arguments of subprocess that change the user and have the kernel send ``death_signal`` when we die."""
    arm = _die_with(os.getpid(), death_signal)
    if account is None:
        return {"preexec_fn": arm}
    return {"preexec_fn": arm, "user": account.uid, "group": account.gid, "extra_groups": []}


def give(path: Path, account: Account | None) -> None:
    """Hands ``path`` to the account."""
    if account is not None:
        os.chown(path, account.uid, account.gid)


def reaches(account: Account | None, path: Path, mode: int = os.X_OK) -> bool:
    """Whether the account can use ``path``, every parent directory included. Asked of the kernel, as that user."""
    if account is None:
        return os.access(path, mode)
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(account.gid)
            os.setuid(account.uid)
            os._exit(0 if os.access(path, mode) else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def is_running(pid: int) -> bool:
    """Whether ``pid`` is a process that still runs; a zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def running_in(directory: Path, program: str) -> Iterator[int]:
    """Processes named ``program`` whose working directory is ``directory``."""
    directory = directory.resolve()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "exe").readlink().name == program and (entry / "cwd").readlink() == directory:
                yield int(entry.name)
        except OSError:
            continue


def adopt_orphans() -> None:
    """Makes the kernel hand us the orphans among our descendants (PR_SET_CHILD_SUBREAPER), see :func:`adopted`."""
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def adopted(program: str) -> Iterator[int]:
    """Our children named ``program``. Needs no rights over them, unlike :func:`running_in`."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            name, _, rest = (entry / "stat").read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        if name == program and int(rest.split()[1]) == os.getpid():
            yield int(entry.name)


def reap_strangers(known: Collection[int]) -> None:
    """Buries adopted children that ended; ``known`` ones are left to those who wait for them."""
    while (ended := _next_ended()) is not None and ended not in known:
        os.waitpid(ended, 0)


def signal_all(pids: Sequence[int], number: int) -> None:
    """Sends a signal to each; who is gone is gone."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def wait_for(condition: Callable[[], bool], seconds: float, every: float = 0.02) -> bool:
    """Whether ``condition`` came true within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(every)
    return True


def tail(path: Path, lines: int = 8) -> str:
    """The last lines of a log."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 8192))
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return ""


def _next_ended() -> int | None:
    try:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return None if ended is None else ended.si_pid


def _open_log(path: Path, account: Account | None) -> int:
    if path.is_file() and path.stat().st_size > _LOG_BYTES:
        path.replace(path.with_name(f"{path.name}.1"))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    if account is not None:
        os.fchown(descriptor, account.uid, account.gid)
    return descriptor


def _die_with(parent: int, number: int) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None

    def arm() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return arm

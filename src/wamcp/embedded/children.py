"""Children that are kept alive: started, restarted with patience, ended in order, and never left behind."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from wamcp import log
from wamcp.embedded import guard
from wamcp.embedded.process import Launch, spawn

_FIRST_DELAY, _LONGEST_DELAY, _PASSING_DELAY = 0.1, 5.0, 0.05
_STABLE_SECONDS = 10.0
_PASSING_SECONDS = 10.0
_KILL_SECONDS = 5.0
_TELL_AGAIN_SECONDS = 1.0
_LOOK_SECONDS, _STUCK_SECONDS = 2.0, 6.0
_COME_AGAIN_SECONDS = 0.05

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Child:
    """A process to keep alive and how to end it."""

    name: str
    launch: Launch
    stop: Sequence[tuple[int, float]] = ((signal.SIGTERM, 10.0),)
    """Signals and the seconds that each is given, before SIGKILL."""
    orphan_seconds: float = 0
    """How long it may take to leave by itself when we are killed."""
    clear: Callable[[], None] | None = None
    """Ends what a predecessor left behind; called before each start and after the end."""
    is_passing: Callable[[], bool] | None = None
    """Whether its last death has a cause that passes by itself: then it is tried again at once, for ten seconds."""
    is_stuck: Callable[[int], bool] | None = None
    """Whether the process with this pid lives and will never work again; ended when that holds for six seconds."""


@dataclass(slots=True)
class _Kept:
    child: Child
    process: subprocess.Popen[bytes] | None = None
    started: float = 0
    due: float = 0
    failures: int = 0
    failing_since: float = 0
    look_at: float = 0
    stuck_since: float | None = None


class Family:
    """The children of this process. Use it from the main thread; ``changed`` is called after each start."""

    def __init__(self) -> None:
        self.changed: Callable[[], None] = lambda: None
        self._is_told = True
        self._kept: dict[str, _Kept] = {}
        self._guard = _start_guard()

    def start(self, child: Child) -> None:
        """Starts a child for the first time; from then on :meth:`tend` keeps it."""
        kept = _Kept(child)
        self._kept[child.name] = kept
        self._start(kept)
        self.changed()

    def is_alive(self, name: str) -> bool:
        """Whether the child runs now."""
        process = self._kept[name].process
        return process is not None and process.poll() is None

    def pid(self, name: str) -> int | None:
        """Its process id; None before its first start and between death and restart."""
        kept = self._kept.get(name)
        return kept.process.pid if kept is not None and kept.process is not None else None

    def pids(self) -> set[int]:
        """Every process that it started and waits for."""
        return {self._guard.pid, *(kept.process.pid for kept in self._kept.values() if kept.process is not None)}

    def tend(self) -> float | None:
        """Buries the dead and starts who is due; seconds until somebody is due or looked at, None for never."""
        now = time.monotonic()
        for kept in self._kept.values():
            if kept.process is not None and kept.process.poll() is not None:
                self._bury(kept, now)
            self._end_if_stuck(kept, now)
            if kept.process is None and kept.due <= now:
                self._restart(kept)
        self._tell()
        waiting = [kept.due for kept in self._kept.values() if kept.process is None]
        waiting += [kept.look_at for kept in self._kept.values() if kept.process is not None and kept.child.is_stuck]
        if not self._is_told:
            waiting.append(now + _TELL_AGAIN_SECONDS)
        return max(0.0, min(waiting) - time.monotonic()) if waiting else None

    def close(self) -> None:
        """Ends the children, last one first, each with its signals and limits, then SIGKILL."""
        for kept in reversed(self._kept.values()):
            if kept.process is not None:
                _end(kept.process, kept.child.stop)
                self._leave(kept.process)
                kept.process = None
            if kept.child.clear is not None:
                kept.child.clear()
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        self._guard.wait()

    def _start(self, kept: _Kept) -> None:
        child = kept.child
        if child.clear is not None:
            child.clear()
        kept.process = spawn(child.launch)
        kept.started = time.monotonic()
        self._tell_guard(f"+{kept.process.pid} {child.orphan_seconds}")

    def _restart(self, kept: _Kept) -> None:
        try:
            self._start(kept)
        except OSError as error:
            _log.error("child_not_started", child=kept.child.name, reason=str(error))
            self._postpone(kept, time.monotonic())
        else:
            self._is_told = False
            _log.info("child_restarted", child=kept.child.name, pid=self.pid(kept.child.name))

    def _tell(self) -> None:
        if self._is_told:
            return
        try:
            self.changed()
        except OSError as error:  # a full disk must not end what still runs
            _log.error("change_not_recorded", reason=str(error))
        else:
            self._is_told = True

    def _bury(self, kept: _Kept, now: float) -> None:
        if kept.process is None:
            return
        _log.warning("child_died", child=kept.child.name, pid=kept.process.pid, exit_code=kept.process.returncode)
        self._leave(kept.process)
        kept.process = None
        if now - kept.started >= _STABLE_SECONDS:
            kept.failures = 0
        self._postpone(kept, now)

    def _end_if_stuck(self, kept: _Kept, now: float) -> None:
        if kept.process is None or kept.child.is_stuck is None or now < kept.look_at:
            return
        kept.look_at = now + _LOOK_SECONDS
        if not kept.child.is_stuck(kept.process.pid):
            kept.stuck_since = None
            return
        kept.stuck_since = kept.stuck_since or now
        if now - kept.stuck_since >= _STUCK_SECONDS:
            _log.error("child_stuck", child=kept.child.name, pid=kept.process.pid)
            kept.stuck_since = None
            kept.process.kill()

    def _postpone(self, kept: _Kept, now: float) -> None:
        if kept.failures == 0:
            kept.failing_since = now
        kept.failures += 1
        delay = min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** min(kept.failures - 1, 10))
        if (
            kept.child.is_passing is not None
            and now - kept.failing_since < _PASSING_SECONDS
            and kept.child.is_passing()
        ):
            delay = _PASSING_DELAY
        kept.due = now + delay

    def _leave(self, process: subprocess.Popen[bytes]) -> None:
        """Ends what a dead child left in its process group."""
        guard.end({process.pid: 0})
        self._tell_guard(f"-{process.pid}")

    def _tell_guard(self, line: str) -> None:
        try:
            if self._guard.stdin is not None:
                self._guard.stdin.write(f"{line}\n".encode())
        except OSError:
            _log.warning("guard_lost")


class Signals:
    """SIGTERM, SIGINT and SIGHUP, as an exception while :attr:`interrupts` is set, else as a flag; children wake us."""

    def __init__(self) -> None:
        self.interrupts = True
        self.received = False
        self._unraisable = sys.unraisablehook
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._reading, False)
        os.set_blocking(self._writing, False)

    def __enter__(self) -> Self:
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays nohup
                signal.signal(number, self._handle)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.signal(signal.SIGALRM, self._handle)
        self._unraisable, sys.unraisablehook = sys.unraisablehook, self._come_again
        return self

    def __exit__(self, *_: object) -> None:
        self.interrupts = False
        sys.unraisablehook = self._unraisable

    def wait(self, seconds: float | None) -> None:
        """Until a signal comes, a child dies, or ``seconds`` have passed."""
        select.select([self._reading], [], [], seconds)
        try:
            os.read(self._reading, 4096)
        except BlockingIOError:
            return

    def _handle(self, _number: int, _frame: object) -> None:
        self.received = True
        if self.interrupts:
            self.interrupts = False
            raise KeyboardInterrupt

    def _come_again(self, unraisable: "sys.UnraisableHookArgs") -> None:
        """Interrupts again where Python passed no exception on, as in its hooks after a fork."""
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            self.interrupts = True
            signal.setitimer(signal.ITIMER_REAL, _COME_AGAIN_SECONDS)
        else:
            self._unraisable(unraisable)


def _start_guard() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", guard.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        bufsize=0,
    )


def _end(process: subprocess.Popen[bytes], ladder: Sequence[tuple[int, float]]) -> None:
    for number, seconds in (*ladder, (signal.SIGKILL, _KILL_SECONDS)):
        process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            _log.warning("child_stayed", pid=process.pid, signal=signal.Signals(number).name, seconds=seconds)
        else:
            return

"""A child process for one document: it may use so much, it says what it found as it finds it, and then it is gone."""

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import msgspec

from wamcp.documents import wire

_ROOT = str(Path(__file__).parents[2])
_START = "import sys; sys.path.insert(0, sys.argv[1]); from wamcp.documents.child import main; main(sys.argv[2])"
_PIECE = 1 << 16
_PREFIX = "wamcp-document-"
ABANDONED_S = 3600.0
"""A child's directory is older only when whoever started the child was killed."""
OUT_OF_MEMORY = 77
"""The exit code of a child that ran out of memory and could still say so."""
WATCH_EVERY_S = 0.5
NICENESS = 10
"""Children yield to whoever answers Meta and people."""
_PASSED_ON = ("PATH", "TESSDATA_PREFIX")

Watch = Callable[[int], None]
"""Is called twice a second with the number of pages so far; what it raises ends the child and is passed on."""


class Ending(StrEnum):
    """How a child ended. All but the first two are its death."""

    FINISHED = "finished"
    TOO_MUCH = "too_much"
    """It was stopped because it said more than anybody keeps."""
    TIMEOUT = "timeout"
    MEMORY = "memory"
    KILLED = "killed"


class Run(NamedTuple):
    """What a child said until its end, and how it ended."""

    answers: list[wire.Answer]
    ending: Ending


def run(job: wire.Job, document: int, wall_seconds: float, *, each: bool = False, watch: Watch = lambda _: None) -> Run:
    """Has a child do ``job`` on the file behind the descriptor ``document`` (its position is left alone).

    ``wall_seconds`` is for all of it, or with ``each`` for every page anew; of sound, each second that is written down
    adds ``job.wall_per_second``. The child has a session, a directory and a clean environment of its own; nothing that
    it writes to stderr is kept. Never raises for what the document does, but ``OSError`` where no child can be started,
    and what ``watch`` raises.
    """
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as own, _reopened(document) as stdin:
        command = [sys.executable, "-I", "-c", _START, _ROOT, msgspec.json.encode(job).decode()]
        child = subprocess.Popen(
            command,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=own,
            env=_environment(own),
            start_new_session=True,
        )
        try:
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, child.pid, NICENESS)
            return _listen(child, job, _Deadline(wall_seconds), each=each, watch=watch)
        finally:
            _end(child)


def sweep(older_than_s: float = ABANDONED_S) -> int:
    """Removes directories of children whose parent was killed, with what may lie in them; how many."""
    removed = 0
    for place in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            found = place.lstat()
            if found.st_uid == os.geteuid() and time.time() - found.st_mtime > older_than_s:
                shutil.rmtree(place)
                removed += 1
    return removed


@contextmanager
def _reopened(document: int) -> Iterator[int]:
    """The same file with a position of its own and for reading only, where the system can do that."""
    try:
        descriptor = os.open(f"/proc/self/fd/{document}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        descriptor = os.dup(document)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _environment(own: str) -> dict[str, str]:
    """No setting and no secret of ours."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {"LANG": "C.UTF-8", "TMPDIR": own, "HOME": own, "OMP_THREAD_LIMIT": "1", "OMP_NUM_THREADS": "1", **passed_on}


def _listen(child: subprocess.Popen[bytes], job: wire.Job, deadline: "_Deadline", *, each: bool, watch: Watch) -> Run:
    answers: list[wire.Answer] = []
    said, pages, frames = 0, 0, wire.Frames()
    try:
        for piece in _pieces(child, deadline):
            said += len(piece)
            if said > wire.ANSWER_BYTES:
                return Run(answers, Ending.TOO_MUCH)
            for answer in frames.feed(piece):
                answers.append(answer)
                pages += isinstance(answer, wire.PageRead)
                if each and isinstance(answer, wire.PageRead):
                    deadline.renew()
                if isinstance(answer, wire.Heard):
                    deadline.lengthen(job.wall_per_second * max(0, min(answer.seconds, job.sound_seconds)))
            watch(pages)
        while (code := child.poll()) is None:
            if deadline.left <= 0:
                raise TimeoutError
            watch(pages)
            with suppress(subprocess.TimeoutExpired):
                child.wait(min(WATCH_EVERY_S, deadline.left))
    except TimeoutError:
        return Run(answers, Ending.TIMEOUT)
    except msgspec.MsgspecError:
        return Run(answers, Ending.KILLED)
    return Run(answers, _ending(code))


def _pieces(child: subprocess.Popen[bytes], deadline: "_Deadline") -> Iterator[bytes]:
    """What the child says, until it closes its end; nothing at times, so that one can look around.

    Raises ``TimeoutError``.
    """
    assert child.stdout is not None
    descriptor = child.stdout.fileno()
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | select.POLLHUP)
    while True:
        if deadline.left <= 0:
            raise TimeoutError
        if not poll.poll(min(WATCH_EVERY_S, deadline.left) * 1000):
            yield b""
        elif piece := os.read(descriptor, _PIECE):
            yield piece
        else:
            return


def _ending(code: int) -> Ending:
    if code == 0:
        return Ending.FINISHED
    if code == -signal.SIGXCPU:
        return Ending.TIMEOUT
    # What cannot get memory aborts (C++) or leaves with this code (Python, see child.py).
    return Ending.MEMORY if code in (-signal.SIGABRT, OUT_OF_MEMORY) else Ending.KILLED


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ends the child and whatever it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    if child.stdout is not None:
        child.stdout.close()
    child.wait()


class _Deadline:
    """So many seconds from now, and from each time it is renewed."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._is_longer = False
        self.renew()

    def renew(self) -> None:
        self._at = time.monotonic() + self._seconds

    def lengthen(self, seconds: float) -> None:
        """Adds to what is left; a child that asks a second time gets nothing."""
        if not self._is_longer:
            self._at += seconds
            self._is_longer = True

    @property
    def left(self) -> float:
        return self._at - time.monotonic()

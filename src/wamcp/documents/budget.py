"""CPU time handed out in pieces, so that one page cannot eat the time of all the others."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from wamcp.documents.trouble import OutOfTime

_AGAIN = 0.25
"""Should the exception get lost in a destructor, it comes again so many seconds later."""


class Budget:
    """What is left of ``seconds`` of this process's CPU time, and of ``wall_seconds`` of everybody's.

    The second one matters where others use the processor as well. Works in the main thread alone.
    """

    def __init__(self, seconds: float, wall_seconds: float) -> None:
        self._end = time.process_time() + seconds
        self._wall_end = time.monotonic() + wall_seconds
        signal.signal(signal.SIGPROF, self._ring)

    @property
    def left(self) -> float:
        """Seconds."""
        return min(self._end - time.process_time(), self._wall_end - time.monotonic())

    @contextmanager
    def at_most(self, seconds: float) -> Iterator[None]:
        """What runs inside gets at most so many seconds, and no more than are left; then ``OutOfTime`` is raised."""
        granted = min(seconds, self.left)
        if granted <= 0:
            raise OutOfTime
        signal.setitimer(signal.ITIMER_PROF, granted, _AGAIN)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)

    @staticmethod
    def _ring(_number: int, _frame: FrameType | None) -> None:
        raise OutOfTime

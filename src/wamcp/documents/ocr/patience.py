"""How long one picture may be looked at, all tries together, so that something is said before the child is killed."""

import os
import time

SECONDS = 16.0
"""The child has twenty for a picture."""


class Patience:
    """Seconds that get fewer: ``seconds`` on everybody's clock, and ``cpu_seconds`` of this process and its children.

    The second ones matter where a document that says nothing must end soon: a busy machine does not use them up.
    """

    def __init__(self, seconds: float = SECONDS, cpu_seconds: float = SECONDS) -> None:
        self._end = time.monotonic() + seconds
        self._half, self._cpu_half = self._end - seconds / 2, _used() + cpu_seconds / 2
        self._cpu_end = _used() + cpu_seconds

    def left(self) -> float:
        """What is left of them; never zero, which pytesseract takes for no limit."""
        return max(0.1, self._end - time.monotonic())

    def cpu_left(self) -> float:
        """What is left of the CPU seconds; never zero."""
        return max(0.1, self._cpu_end - _used())

    def is_thin(self) -> bool:
        """Whether half of them are gone: another try would not end in time."""
        return time.monotonic() > self._half or _used() > self._cpu_half

    def is_over(self) -> bool:
        """Whether all of them are gone."""
        return time.monotonic() > self._end or _used() > self._cpu_end


def _used() -> float:
    return sum(os.times()[:4])

"""How long one picture may be looked at, all tries together, so that something is said before the child is killed."""

import time

SECONDS = 16.0
"""The child has twenty for a picture."""


class Patience:
    """Seconds that get fewer."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._end = time.monotonic() + seconds
        self._half = time.monotonic() + seconds / 2

    def left(self) -> float:
        """What is left of them; never zero, which pytesseract takes for no limit."""
        return max(0.1, self._end - time.monotonic())

    def is_thin(self) -> bool:
        """Whether half of them are gone: another try would not end in time."""
        return time.monotonic() > self._half

    def is_over(self) -> bool:
        """Whether all of them are gone."""
        return time.monotonic() > self._end

"""What this process holds in memory stays out of the reach of a child that a document has taken over."""

import ctypes
import sys
from contextlib import suppress

_PR_SET_DUMPABLE = 4


def keep_to_ourselves() -> None:
    """Makes the kernel refuse other processes of the same user to read this one's memory and environment.

    Debuggers and core dumps need root from then on. Does nothing where there is no such thing.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)

"""The last one to leave: when the supervisor is gone, ends the process groups that it had, grandchildren included.

Run by path with the standard library alone. Each line of its standard input is ``+GROUP SECONDS`` or ``-GROUP``; the
end of the input means that the supervisor died, or closed it because nobody is left.
"""

import os
import signal
import sys
import time


def main() -> None:
    """Reads until the supervisor is gone, then kills each group after its seconds."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: dict[int, float] = {}
    for line in sys.stdin:
        group, _, seconds = line[1:].partition(" ")
        if line.startswith("+"):
            groups[int(group)] = float(seconds)
        else:
            groups.pop(int(group), None)
    end(groups)


def end(groups: dict[int, float]) -> None:
    """Kills each process group, giving it the seconds that it needs to leave by itself."""
    began = time.monotonic()
    for group, seconds in sorted(groups.items(), key=lambda item: item[1]):
        while time.monotonic() - began < seconds and _signal(group, 0):
            time.sleep(0.05)
        _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    main()

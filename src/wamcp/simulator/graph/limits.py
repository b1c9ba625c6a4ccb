"""Meta's two speed limits: so many messages a second for a number, and for each pair of a number and a person."""

from collections import deque
from collections.abc import Callable
from time import monotonic

from wamcp.simulator.graph.trouble import trouble

PAIR_SECONDS = 6.0
PAIR_BURST = 45


class Limits:
    """Counts what was accepted; ``now`` is in seconds."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._sent: dict[str, deque[float]] = {}
        self._pairs: dict[tuple[str, str], float] = {}

    def take(self, number: str, person: str, rate: int, pairs: bool) -> None:
        """Counts one message; raises ``Trouble`` 130429 or 131056 and counts nothing where it is one too many.

        ``rate`` messages fit into any second (0: no limit). A pair has one message in 6 seconds, and may borrow 45.
        """
        now = self._now()
        sent = self._sent.setdefault(number, deque())
        while sent and sent[0] <= now - 1.0:
            sent.popleft()
        if rate and len(sent) >= rate:
            raise trouble(130429, f"Message failed to send because there were more than {rate} messages a second.")
        # Each message moves the time from which the pair owes nothing on by 6 s; it may be at most 45 messages ahead.
        free = max(self._pairs.get((number, person), 0.0), now)
        if pairs and free - now > PAIR_SECONDS * (PAIR_BURST - 1):
            raise trouble(
                131056, "Message failed to send because there were too many messages to the same recipient at once."
            )
        sent.append(now)
        if pairs:
            self._pairs[(number, person)] = free + PAIR_SECONDS
            self._forget(now)

    def _forget(self, now: float) -> None:
        if len(self._pairs) > 100_000:
            self._pairs = {pair: free for pair, free in self._pairs.items() if free > now}

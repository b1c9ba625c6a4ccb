"""Strangers at Claude's door: counted per minute and address, and told to the log once a minute."""

import asyncio
from collections import Counter

from wamcp import log

SUMMARY_SECONDS = 60.0
MAX_ADDRESSES = 1000

_log = log.get(__name__)


class Refusals:
    """Counts in memory; one log line per address and minute, so that a flood of strangers writes no flood of rows."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def count(self, address: str) -> None:
        """One more request without a valid token. Call it on the event loop."""
        if not self._counts:
            asyncio.get_running_loop().call_later(SUMMARY_SECONDS, self.tell)
        self._counts[address if address in self._counts or len(self._counts) < MAX_ADDRESSES else "others"] += 1

    def tell(self) -> None:
        """Writes what was counted to the log, and begins again."""
        counted, self._counts = self._counts, Counter()
        for address, requests in counted.items():
            _log.warning("mcp_strangers_refused", address=address, requests=requests)

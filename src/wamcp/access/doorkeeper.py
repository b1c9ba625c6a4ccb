"""Who comes in at a door: known tokens at once, unknown ones in turn, each token at its rate, strangers counted."""

import asyncio
import ipaddress
import time
from collections import OrderedDict

import anyio
import anyio.to_thread

from wamcp import log
from wamcp.access.grants import Grant
from wamcp.access.tokens import TokenCache, is_well_formed

FAILURES_A_MINUTE = 20
"""An address with more of them is asked to wait its turn before the database looks for a token of its."""
TURN_S = 0.02
MAX_ADDRESSES = 10_000

_log = log.get(__name__)


class Doorkeeper:
    """One for each door. Its methods belong on the event loop."""

    def __init__(self, tokens: TokenCache, *, door: str = "mcp", per_minute: int = 0) -> None:
        """``per_minute`` limits each token; 0 limits none."""
        self._tokens = tokens
        self._rates = Rates(per_minute)
        self._failures = Rates(FAILURES_A_MINUTE)
        self._strangers = log.Flood(_log, f"{door}_strangers_refused", "address")
        self._hurried = log.Flood(_log, f"{door}_rate_limited", "label")
        self._usual = anyio.CapacityLimiter(2)
        self._turn = asyncio.Lock()
        self.refused = 0
        """Requests without a valid token."""
        self.limited = 0
        """Requests of tokens that had asked too often."""

    async def find(self, token: str, address: str) -> Grant | None:
        """The rights of ``token``, else None. Raises psycopg's errors when that cannot be told.

        A token that is valid gets in however often its address has failed; if it was not seen for long, it waits in
        the line of such addresses.
        """
        known, grant = self._tokens.peek(token)
        if known or not is_well_formed(token):
            return grant
        if self._failures.wait(network(address)) and not self._tokens.was_valid(token):
            async with self._turn:
                await asyncio.sleep(TURN_S)
                return await self._look(token)
        return await self._look(token)

    def note_stranger(self, address: str) -> None:
        """Counts a request without a valid token."""
        self.refused += 1
        self._failures.take(network(address))
        self._strangers.note(address)

    def wait(self, grant: Grant) -> float:
        """0.0 when the bearer may ask now, which counts as having asked; else in how many seconds."""
        seconds = self._rates.take(str(grant.token_id))
        if seconds:
            self.limited += 1
            self._hurried.note(grant.label)
        return seconds

    def tell(self) -> None:
        """Logs what was counted and not told yet."""
        self._strangers.tell()
        self._hurried.tell()

    async def _look(self, token: str) -> Grant | None:
        return await anyio.to_thread.run_sync(self._tokens.grant, token, limiter=self._usual)


class Rates:
    """How often each key may: so many a minute, all of them at once if it likes. Keys long unused are forgotten."""

    def __init__(self, per_minute: int) -> None:
        """0 is no limit."""
        self._apart = 60 / per_minute if per_minute else 0.0
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def take(self, key: str) -> float:
        """0.0, and one is taken; or the seconds until there is one."""
        seconds = self.wait(key)
        if not seconds and self._apart:
            self._full_at[key] = max(self._full_at.get(key, 0.0), time.monotonic()) + self._apart
            self._full_at.move_to_end(key)
            if len(self._full_at) > MAX_ADDRESSES:
                self._full_at.popitem(last=False)
        return seconds

    def wait(self, key: str) -> float:
        """The same without taking any."""
        if not self._apart:
            return 0.0
        return max(0.0, self._full_at.get(key, 0.0) - time.monotonic() + self._apart - 60)


def network(address: str) -> str:
    """What counts as one address: of IPv6, a customer has a whole /64."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))

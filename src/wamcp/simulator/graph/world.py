"""The state of one simulator: facts, script, wire log, people, messages and media. It lives in memory."""

import random
from typing import Any

from wamcp.errors import Rejected
from wamcp.simulator.bodies import wamid
from wamcp.simulator.graph import account as facts
from wamcp.simulator.graph.account import Account, Config
from wamcp.simulator.graph.limits import Limits
from wamcp.simulator.graph.media import MediaStore
from wamcp.simulator.graph.people import People
from wamcp.simulator.graph.script import Script, parse
from wamcp.simulator.graph.webhooks import Deliveries
from wamcp.simulator.graph.wire import Wire

KEPT = 200_000


class World:
    """All of it; ``deliveries`` is there from the start of the event loop on.

    Raises ``Rejected`` for a script or facts that cannot be used.
    """

    deliveries: Deliveries

    def __init__(self, config: Config) -> None:
        self._start = facts.at_start(config)
        self._facts = self._start
        self.account: Account = facts.account_of(self._facts)
        self.script = Script([])
        self.set_script(config.script)
        self.wire = Wire(config.wire_log)
        self.limits = Limits()
        self.people = People()
        self.media = MediaStore()
        self.messages: dict[str, dict[str, Any]] = {}
        self._random = random.Random(random.SystemRandom().random())  # noqa: S311 - only to be unique

    def set_account(self, change: Any) -> None:
        """Merges JSON into the facts; raises ``Rejected`` and changes nothing where it is none."""
        if not isinstance(change, dict):
            raise Rejected("The account is changed by a JSON object of its facts.")
        merged = facts.merge(self._facts, change, self._start)
        self.account = facts.account_of(merged)
        self._facts = merged

    def set_script(self, script: Any) -> None:
        """Replaces all rules: a list of them, or ``{"rules": [...], "account": {...}}``; raises ``Rejected``."""
        rules = script
        if isinstance(script, dict):
            if unknown := sorted(script.keys() - {"rules", "account"}):
                raise Rejected(f"A script has `rules` and `account`, not `{unknown[0]}`.")
            rules = script.get("rules", [])
        parsed = parse(rules)
        if isinstance(script, dict) and "account" in script:
            self.set_account(script["account"])
        self.script = Script(parsed)

    def new_wamid(self) -> str:
        """An id that no other message has."""
        return wamid(self._random)

    def chance(self) -> float:
        """A random number from 0 to 1."""
        return self._random.random()

    def remember(self, message_id: str, record: dict[str, Any]) -> None:
        """Keeps a message that was accepted; the oldest of 200,000 is forgotten."""
        self.messages[message_id] = record
        if len(self.messages) > KEPT:
            del self.messages[next(iter(self.messages))]

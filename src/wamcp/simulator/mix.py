"""How often each kind of thing happens in the invented town."""

from dataclasses import dataclass

from wamcp.errors import Misconfigured

EVERYTHING: dict[str, float] = {
    "text": 300, "status": 560, "media": 70, "interactive": 20, "reaction": 25, "referral": 12, "location": 8,
    "contacts": 6, "button": 8, "order": 8, "edit": 10, "revoke": 8, "ghost": 5, "unsupported": 5, "move": 4,
    "payment": 4, "call": 8, "group": 20, "standby": 6, "history": 4, "book": 5, "preference": 4, "account": 6,
    "error": 2, "action": 4, "unknown": 3,
}  # fmt: skip
"""The kinds and their weights in the mix ``all``."""

TEXTS = "texts"
"""The mix of texts, images, button replies and statuses alone, always one in a webhook."""


@dataclass(frozen=True, slots=True)
class Mix:
    """A weight for each kind that happens."""

    weights: dict[str, float]


ALL = Mix(EVERYTHING)


def parse_mix(words: str) -> Mix | None:
    """``all``, or ``text=5,reaction=2,...``; None for ``texts``; raises ``Misconfigured`` for anything else."""
    if words == TEXTS:
        return None
    if words == "all":
        return ALL
    weights = {}
    for part in words.split(","):
        kind, _, weight = part.strip().partition("=")
        if kind not in EVERYTHING:
            raise Misconfigured(f"There is no kind {kind!r} to mix: texts, all, or weights of {', '.join(EVERYTHING)}.")
        try:
            weights[kind] = float(weight or 1)
        except ValueError:
            weights[kind] = -1.0
        if not 0 <= weights[kind] < float("inf"):
            raise Misconfigured(f"The weight of {kind} is {weight!r}, not a number from 0 up.")
    if not any(weights.values()):
        raise Misconfigured("A mix needs at least one kind that happens.")
    return Mix(weights)

"""The script of failures: rules that say which requests go wrong, and how. The first rule that fits wins."""

import random
import re
from typing import Any, Literal, NamedTuple

import msgspec

from wamcp.errors import Rejected

Moment = Literal["before", "after"]
_WHERE = re.compile(r"`\$\[(\d+)\]\.?([^`]*)`")


class _Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    pass


class Answer(_Strict):
    """An answer of the given HTTP status, with an error of Meta's ``code``, or with ``body`` as it stands."""

    status: int
    code: int | None = None
    body: Any = None
    retry_after: int | None = None
    details: str = ""
    is_transient: bool | None = None


class Do(_Strict):
    """What happens: exactly one of the kinds ``answer``, ``status``, ``timeout``, ``reset``, ``garbage``, ``drip``,
    ``delay_ms`` and ``media``; the other keys say more about it."""

    answer: Answer | None = None
    status: int | None = None
    html: bool = True
    timeout: Moment | None = None
    reset: Moment | None = None
    garbage: Literal[True] | None = None
    drip: float | None = None
    headers: bool = False
    delay_ms: float | None = None
    media: Literal["expired", "wrong_hash", "truncated"] | None = None
    accepted: bool | None = None

    def kind(self) -> str:
        """The one kind that is set; "" unless it is exactly one."""
        found = [kind for kind in _KINDS if getattr(self, kind) is not None]
        return found[0] if len(found) == 1 else ""

    def accepts(self) -> bool:
        """Whether Meta takes the request although its answer goes wrong."""
        if self.accepted is not None:
            return self.accepted
        return "after" in (self.timeout, self.reset) or self.kind() in ("drip", "delay_ms", "media")


_KINDS = ("answer", "status", "timeout", "reset", "garbage", "drip", "delay_ms", "media")


class When(_Strict):
    """Which requests: all that is given has to fit. ``path`` is a part of the path, ``to`` whom a message is for,
    ``nth`` counts the requests that fit the rest from 1, ``share`` is the probability."""

    path: str | None = None
    method: str | None = None
    type: str | None = None
    to: str | None = None
    nth: int | None = None
    share: float | None = None


class Rule(_Strict):
    """One rule; ``times`` is how often it may apply (without it: for ever)."""

    do: Do
    when: When = msgspec.field(default_factory=When)
    times: int | None = None


class Asked(NamedTuple):
    """What rules look at."""

    method: str
    path: str
    type: str
    to: str


def parse(script: Any) -> list[Rule]:
    """The rules of a script file (a list); raises ``Rejected`` that names the rule, counted from 1, and the key."""
    try:
        rules = msgspec.convert(script, list[Rule])
    except msgspec.ValidationError as error:
        raise Rejected(f"The script cannot be used: {_named(str(error))}. docs/simulator.md shows one.") from None
    for number, rule in enumerate(rules, start=1):
        if not rule.do.kind():
            raise Rejected(f"The script cannot be used: rule {number}, do: name exactly one of {', '.join(_KINDS)}.")
        if rule.when.share is not None and not 0 <= rule.when.share <= 1:
            raise Rejected(f"The script cannot be used: rule {number}, when.share: a number between 0 and 1.")
    return rules


class Script:
    """Rules, and how often each of them has fitted and been applied."""

    def __init__(self, rules: list[Rule], seed: int = 1) -> None:
        self._rules = rules
        self._random = random.Random(seed)  # noqa: S311 - which requests fail is no secret
        self._fitted = [0] * len(rules)
        self._applied = [0] * len(rules)

    def choose(self, asked: Asked) -> Do | None:
        """What is to go wrong with this request, None for nothing."""
        for index, rule in enumerate(self._rules):
            if rule.times is not None and self._applied[index] >= rule.times:
                continue
            if not _fits(rule.when, asked):
                continue
            self._fitted[index] += 1
            if rule.when.nth is not None and self._fitted[index] != rule.when.nth:
                continue
            if rule.when.share is not None and self._random.random() >= rule.when.share:
                continue
            self._applied[index] += 1
            return rule.do
        return None


def _fits(when: When, asked: Asked) -> bool:
    return (
        (when.path is None or when.path in asked.path)
        and (when.method is None or when.method.upper() == asked.method)
        and (when.type is None or when.type == asked.type)
        and (when.to is None or when.to.lstrip("+") == asked.to.lstrip("+"))
    )


def _named(complaint: str) -> str:
    """msgspec's complaint with its path, like ``$[2].do.answer``, in the words of this file."""
    match = _WHERE.search(complaint)
    if match is None:
        return complaint
    where = f"rule {int(match[1]) + 1}" + (f", {match[2]}" if match[2] else "")
    return f"{where}: {complaint[: match.start()].removesuffix(' - at ').strip()}"

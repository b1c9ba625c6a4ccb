"""Logging to stderr: constant event names, identifiers only, nothing that a customer wrote."""

import asyncio
import logging
import math
import re
import sys
import time
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog

_SECRET_KEYS = re.compile(r"authorization|api[_-]?key|signature|token|secret|password|cookie", re.IGNORECASE)
_BODY_KEYS = {"body", "text", "payload", "caption", "query"}
_PHONE = re.compile(r"(?<![\w.:-])\+?\d{7,15}(?![\w.:-])")

FLOOD_SECONDS = 60.0
MAX_KINDS = 1000
"""So many kinds of one flood are told apart, the rest are others."""


class _Stderr:
    """Whatever standard error is at the moment: it may have been replaced since the configuration."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def redact(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drops secrets and bodies by key, and masks whatever looks like a phone number to its last four digits."""
    for key, value in event.items():
        if _SECRET_KEYS.search(key):
            event[key] = "[secret]"
        elif key in _BODY_KEYS:
            event[key] = "[not logged]"
        elif isinstance(value, str) and key not in ("timestamp", "level"):
            event[key] = _PHONE.sub(lambda match: "*" * 4 + match.group()[-4:], value)
    return event


def configure(level: str = "info", *, json: bool | None = None) -> None:
    """Sends structlog and the standard library's records to stderr; JSON lines unless stderr is a terminal."""
    as_json = not sys.stderr.isatty() if json is None else json
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Stderr())),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
    )
    handler = logging.StreamHandler(cast(TextIO, _Stderr()))
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("uvicorn.access", "httpx", "mcp", "fastmcp", "alembic", "celery.app.trace"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def get(name: str) -> Any:
    """A logger bound to ``name``."""
    return structlog.get_logger(logger_name=name)


class Flood:
    """Counts what may come in floods. The first of a kind is logged at once, the rest in one line a minute, counted."""

    def __init__(self, logger: Any, event: str, label: str) -> None:
        """Its lines are warnings named ``event`` with the kind under ``label`` and their number as ``count``."""
        self._logger = logger
        self._event = event
        self._label = label
        self._counts: dict[str, int] = {}
        self._told_at: dict[str, float] = {}
        self._due = 0.0

    def note(self, kind: str) -> None:
        """One more of ``kind``. Call it on the event loop."""
        now = time.monotonic()
        if kind not in self._counts and len(self._counts) >= MAX_KINDS:
            kind = "others"
        self._counts[kind] = self._counts.get(kind, 0) + 1
        if now - self._told_at.get(kind, -math.inf) >= FLOOD_SECONDS:
            self._tell(kind, now)
        elif now > self._due:
            self._due = now + FLOOD_SECONDS
            asyncio.get_running_loop().call_later(FLOOD_SECONDS, self.tell)

    def tell(self) -> None:
        """Logs what was counted since, and forgets what did not come again."""
        self._due, now = 0.0, time.monotonic()
        for kind, count in list(self._counts.items()):
            if count:
                self._tell(kind, now)
            else:
                del self._counts[kind], self._told_at[kind]

    def _tell(self, kind: str, now: float) -> None:
        self._logger.warning(self._event, **{self._label: kind, "count": self._counts[kind]})
        self._counts[kind], self._told_at[kind] = 0, now

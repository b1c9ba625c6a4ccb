"""Logging to stderr: constant event names, identifiers only, nothing that a customer wrote."""

import asyncio
import logging
import math
import re
import sys
import time
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import AbstractContextManager
from typing import Any, TextIO, cast

import structlog

from wamcp.errors import WamcpError

_SECRET_KEYS = re.compile(r"authorization|api[_-]?key|signature|token|secret|password|cookie", re.IGNORECASE)
_BODY_KEYS = {"body", "text", "payload", "caption", "query"}
_EXCEPTION_LINES = 60
_PHONE = re.compile(r"(?<![\w.:-])\+?\d{7,15}(?!\w|[.:-]\w)")

FLOOD_SECONDS = 60.0
MAX_KINDS = 1000
"""So many kinds of one flood are told apart, the rest are others."""


class _OnceAMinute(logging.Filter):
    """Each sentence of an error once a minute, whatever stands in it: Celery says it waits seven times a second."""

    def __init__(self) -> None:
        super().__init__()
        self._said_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now, sentence = time.monotonic(), str(record.msg)
        if record.levelno < logging.ERROR:
            return True
        is_due = now - self._said_at.get(sentence, -math.inf) >= FLOOD_SECONDS
        if is_due:
            self._said_at[sentence] = now
        return is_due


_once_a_minute = _OnceAMinute()


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
            event[key] = _masked(value)
    return event


def _masked(text: str) -> str:
    return _PHONE.sub(lambda match: "*" * 4 + match.group()[-4:], text)


def configure(level: str = "info", *, json: bool | None = None) -> None:
    """Sends structlog and the standard library's records to stderr; JSON lines unless stderr is a terminal."""
    as_json = not sys.stderr.isatty() if json is None else json
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _name_stranger,
        redact,
        _tell_listeners,
        _place_exception,
    ]
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[*shared, renderer],
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
    logging.getLogger("celery.worker.consumer.consumer").addFilter(_once_a_minute)


def listen(listener: Callable[[Mapping[str, Any], Any], None]) -> None:
    """Has ``listener`` told every error that is logged, redacted, with the exception's (type, value, traceback)."""
    _listeners.append(listener)


_listeners: list[Callable[[Mapping[str, Any], Any], None]] = []


def _tell_listeners(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if _listeners and event.get("level") in ("error", "critical"):
        failure = _failure(event.get("exc_info"))
        for listener in _listeners:
            listener(event, None if failure is None else (type(failure), failure, failure.__traceback__))
    return event


def _name_stranger(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Says which library speaks. Celery puts an exception's words into its sentence, which is left out."""
    record = event.get("_record")
    if record is not None:
        event["logger_name"] = record.name
        if record.exc_info and record.name.startswith("celery."):
            event["event"] = "task_failed" if record.name == "celery.app.trace" else "celery_failed"
    return event


def _place_exception(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """An exception as its type and places in the code, without its words: Postgres quotes what it refuses."""
    failure = _failure(event.pop("exc_info", None))
    lines: list[str] = []
    while failure is not None and len(lines) < _EXCEPTION_LINES:
        lines.append(f"{type(failure).__name__}{_harmless_words(failure)}")
        places = traceback.extract_tb(failure.__traceback__)
        lines += [f"  {place.filename}:{place.lineno} {place.name}" for place in places]
        failure = failure.__cause__ or (None if failure.__suppress_context__ else failure.__context__)
    if lines:
        event["exception"] = "\n".join(lines[:_EXCEPTION_LINES])
    return event


def _failure(given: Any) -> BaseException | None:
    if given is True:
        return sys.exc_info()[1]
    if isinstance(given, tuple):
        given = given[1]
    return given if isinstance(given, BaseException) else None


def _harmless_words(failure: BaseException) -> str:
    """What may be said besides the type: our own sentences, the system's, and Postgres's code."""
    if isinstance(failure, WamcpError):
        return ": " + _masked(str(failure))
    if isinstance(failure, OSError) and failure.strerror:
        return f": {failure.strerror}"
    sqlstate = getattr(failure, "sqlstate", None)
    return f": SQLSTATE {sqlstate}" if isinstance(sqlstate, str) else ""


def get(name: str) -> Any:
    """A logger bound to ``name``."""
    return structlog.get_logger(logger_name=name)


def bound(**values: str) -> AbstractContextManager[None]:
    """Adds ``values`` to every line that is logged in a block, also by threads that work for it."""
    return structlog.contextvars.bound_contextvars(**values)


def bound_now(name: str) -> str | None:
    """What :func:`bound` adds under ``name`` here and now."""
    return structlog.contextvars.get_contextvars().get(name)


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

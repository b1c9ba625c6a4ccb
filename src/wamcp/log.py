"""Logging to stderr: constant event names, identifiers only, nothing that a customer wrote."""

import logging
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, TextIO, cast

import structlog

_SECRET_KEYS = re.compile(r"authorization|api[_-]?key|signature|token|secret|password|cookie", re.IGNORECASE)
_BODY_KEYS = {"body", "text", "payload", "caption", "query"}
_PHONE = re.compile(r"(?<![\w.:-])\+?\d{7,15}(?![\w.:-])")


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
        _tell_listeners,
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


def listen(listener: Callable[[Mapping[str, Any], Any], None]) -> None:
    """Has ``listener`` told every error that is logged, redacted, with the exception's (type, value, traceback)."""
    _listeners.append(listener)


_listeners: list[Callable[[Mapping[str, Any], Any], None]] = []


def _tell_listeners(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if _listeners and event.get("level") in ("error", "critical"):
        record = event.get("_record")
        failure = (record.exc_info if record is not None else None) or event.get("exc_info")
        for listener in _listeners:
            listener(event, sys.exc_info() if failure is True else failure if isinstance(failure, tuple) else None)
    return event


def get(name: str) -> Any:
    """A logger bound to ``name``."""
    return structlog.get_logger(logger_name=name)

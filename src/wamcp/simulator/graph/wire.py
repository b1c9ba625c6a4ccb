"""The wire log: every request and every webhook, in the order in which they were settled."""

import json
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

KEPT = 200_000
_SECRET = {"access_token", "input_token", "verify_token", "hub.verify_token", "app_secret"}

Entry = dict[str, Any]


class Wire:
    """The last 200,000 entries, and all of them in ``path``: a JSON line each, flushed as it is written."""

    def __init__(self, path: Path | None = None) -> None:
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._lock = threading.Lock()
        self._last = 0
        self._file = path.open("a", encoding="utf-8") if path is not None else None

    def write(self, entry: Entry) -> Entry:
        """Adds an entry; it gets the next number as ``n``."""
        with self._lock:
            self._last += 1
            numbered = {"n": self._last, **entry}
            self._entries.append(numbered)
            if self._file is not None:
                self._file.write(json.dumps(numbered, separators=(",", ":")) + "\n")
                self._file.flush()
        return numbered

    def since(self, number: int = 0) -> list[Entry]:
        """The entries after the one of this number."""
        with self._lock:
            if number <= 0:
                return list(self._entries)
            return [entry for entry in self._entries if entry["n"] > number]

    def clear(self) -> None:
        """Forgets the entries; numbers go on, and the file stays."""
        with self._lock:
            self._entries.clear()

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()


def stamp() -> Entry:
    """When it is: ``monotonic`` in seconds for differences, ``unix_ms`` for people."""
    return {"monotonic": round(time.monotonic(), 6), "unix_ms": int(time.time() * 1000)}


def masked(value: Any) -> Any:
    """``value`` with every token and secret in it replaced by three stars."""
    if isinstance(value, dict):
        return {key: "***" if key in _SECRET else masked(inner) for key, inner in value.items()}
    return [masked(inner) for inner in value] if isinstance(value, list) else value

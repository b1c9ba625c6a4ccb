"""Writing settings into ``.env``: the lines of others stay as they are, and the file is never there by half."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from wamcp.errors import Misconfigured

_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=-]*")


def write(path: Path, values: Mapping[str, str]) -> bool:
    """Sets ``values`` in the file, readable by its owner alone; what was there before is kept in ``.env.bak``.

    Returns whether anything changed. A variable keeps its line, repetitions of it go, new ones are added at the end.
    Raises ``Misconfigured`` for a value that neither a shell nor this file could hold, and ``OSError``.
    """
    path = path.resolve()
    before = path.read_text(encoding="utf-8") if path.is_file() else None
    after = _with(before or "", values)
    if after == before:
        path.chmod(0o600)
        return False
    if before is not None:
        _replace(path.with_name(f"{path.name}.bak"), before)
    _replace(path, after)
    return True


def _with(text: str, values: Mapping[str, str]) -> str:
    left = {name: f"{name}={_quoted(name, value)}" for name, value in values.items()}
    lines = []
    for line in text.splitlines():
        found = re.match(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=", line)
        name = found.group(1) if found else ""
        if name not in values:
            lines.append(line)
        elif name in left:
            lines.append(left.pop(name))
    return "\n".join([*lines, *left.values()]) + "\n"


def _quoted(name: str, value: str) -> str:
    """As a shell and dotenv both read it."""
    if not value.isprintable() or "'" in value or "\\" in value:
        raise Misconfigured(f"{name} holds a character that no value of .env may have: copy it again.")
    return value if _PLAIN.fullmatch(value) else f"'{value}'"


def _replace(path: Path, text: str) -> None:
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)

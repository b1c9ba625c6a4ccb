"""Which WAMCP this is."""

import subprocess
from functools import cache
from importlib.metadata import version as installed
from pathlib import Path


@cache
def version() -> str:
    """The installed version, e.g. ``0.1.0``."""
    return installed("wamcp")


@cache
def commit() -> str | None:
    """The commit of the checkout that runs, short, as git says; None outside of one."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "rev-parse", "--short", "HEAD"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=2, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return said.stdout.strip() or None

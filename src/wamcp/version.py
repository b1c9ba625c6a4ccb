"""Which WAMCP this is."""

from functools import cache
from importlib.metadata import version as installed


@cache
def version() -> str:
    """The installed version, e.g. ``0.1.0``."""
    return installed("wamcp")

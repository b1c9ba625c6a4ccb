"""Which scope of an admin key a request needs."""

import re

from wamcp.access.grants import Grant
from wamcp.errors import NotAllowed
from wamcp.vocabulary import TokenScope

HEALTH_PATHS = {"/metrics", "/openapi.json", "/readyz", "/admin/health"}
"""What tells of the installation and of nobody's messages."""
_SEND = re.compile(r"/send(/.*)?")


def require(grant: Grant, method: str, path: str) -> None:
    """Raises :class:`NotAllowed` with the scope to give when ``grant`` has none that this request needs."""
    enough = _enough(method, path)
    if grant.scopes.isdisjoint(enough):
        raise NotAllowed(
            f"This key has no scope for that: it needs {' or '.join(enough)}."
            f" Make one with `wamcp token create --kind admin --scope {enough[0]}`."
        )


def _enough(method: str, path: str) -> tuple[TokenScope, ...]:
    if _SEND.fullmatch(path):
        return (TokenScope.SEND,)
    if method not in ("GET", "HEAD"):
        return (TokenScope.OPERATE,)
    return (TokenScope.READ, TokenScope.METRICS) if path in HEALTH_PATHS else (TokenScope.READ,)

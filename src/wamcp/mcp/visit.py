"""One request of one client: whose rights it runs under, and what it was shown, for the audit."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from wamcp.access.grants import Grant


@dataclass(slots=True)
class Visit:
    """``shown`` collects the short ids of what the answer holds, in the order of the answer."""

    grant: Grant
    shown: list[str] = field(default_factory=list)


_current: ContextVar[Visit] = ContextVar("wamcp_mcp_visit")


def current() -> Visit:
    """The visit that this task or thread works for. Raises LookupError outside of one: no grant, no answer."""
    return _current.get()


@contextmanager
def entered(visit: Visit) -> Iterator[None]:
    """Makes ``visit`` the current one for the tasks and threads that are started inside."""
    token = _current.set(visit)
    try:
        yield
    finally:
        _current.reset(token)

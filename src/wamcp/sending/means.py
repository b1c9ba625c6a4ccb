"""What sending works with: the database, Meta, the bytes of media, and how fast the numbers may send."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from wamcp.db.pace import Pace, number_pace
from wamcp.db.session import Pool, open_pool
from wamcp.settings import Settings
from wamcp.storage.write import WriteStore, open_store
from wamcp.whatsapp.graph import Graph


@dataclass(frozen=True, slots=True)
class Means:
    """Shared by all threads of a process. ``graph`` is None without an access token."""

    settings: Settings
    pool: Pool
    graph: Graph | None
    store: WriteStore
    pace: Pace
    token_digest: str
    """Stands for the access token where a row has to name it."""


@contextmanager
def means_of(settings: Settings, name: str, *, connections: int) -> Iterator[Means]:
    """Opens what sending needs, with at most so many database connections, and closes it at the end."""
    token = settings.access_token.get_secret_value() if settings.access_token else ""
    prepares = not settings.is_pooled()
    pool = open_pool(settings.require("database_url"), name, size=connections, prepares=prepares)
    try:
        graph = Graph(settings.base_url, settings.api_version, token) if token else None
        try:
            digest = hashlib.sha256(token.encode()).hexdigest()[:32]
            yield Means(settings, pool, graph, open_store(settings), number_pace(settings.sends_per_second), digest)
        finally:
            if graph is not None:
                graph.close()
    finally:
        pool.close()

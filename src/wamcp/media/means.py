"""What fetching works with: the rows, Meta, and the store that the bytes go into."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from wamcp.db.session import Pool
from wamcp.settings import Settings
from wamcp.storage.write import WriteStore
from wamcp.whatsapp.download import MAX_MEDIA_BYTES, Downloads
from wamcp.whatsapp.graph import Graph


@dataclass(frozen=True, slots=True)
class Fetching:
    """Shared by all threads of a process. ``deadline_s`` bounds each download besides its size, in seconds.

    ``stored_one`` is called after each file that was stored.
    """

    pool: Pool
    graph: Graph
    store: WriteStore
    downloads: Downloads
    cap: int = MAX_MEDIA_BYTES
    deadline_s: float | None = None
    stored_one: Callable[[], object] = lambda: None


@contextmanager
def fetching_of(settings: Settings, pool: Pool, graph: Graph | None, store: WriteStore) -> Iterator[Fetching | None]:
    """What is needed besides what is open already; None without an access token, since nothing can be fetched then."""
    if graph is None:
        yield None
        return
    with Downloads(settings.base_url, settings.require("access_token")) as downloads:
        yield Fetching(pool, graph, store, downloads)

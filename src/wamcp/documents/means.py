"""What reading documents works with: the rows, the store that the bytes lie in, the limits, and what the reader is."""

from dataclasses import dataclass

from wamcp.db.session import Pool
from wamcp.documents.fingerprint import fingerprint
from wamcp.documents.limits import Limits
from wamcp.settings import Settings
from wamcp.storage.read import ReadStore


@dataclass(frozen=True, slots=True)
class Reading:
    """Shared by all threads of a process. ``reader`` names all that a result depends on besides the bytes."""

    pool: Pool
    store: ReadStore
    limits: Limits
    reader: str


def reading_of(settings: Settings, pool: Pool, store: ReadStore) -> Reading:
    """What is needed besides what is open already. Looks once at what is installed on this machine."""
    limits = Limits.of(settings)
    return Reading(pool, store, limits, fingerprint(limits))

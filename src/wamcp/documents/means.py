"""What reading documents works with: the rows, the store that the bytes lie in, the limits, and what the reader is."""

from dataclasses import dataclass

from msgspec.structs import replace

from wamcp.db.session import Pool
from wamcp.documents.fingerprint import fingerprint
from wamcp.documents.limits import Allowance, Limits
from wamcp.settings import Settings
from wamcp.storage.read import ReadStore

PATIENCE = 3
"""So many times longer than elsewhere a child may take by the clock: it yields to everybody else on the machine.

What keeps the processor busy is ended by its own time, as soon as anywhere.
"""


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
    limits = replace(limits, text=_patient(limits.text), ocr=_patient(limits.ocr))
    return Reading(pool, store, limits, fingerprint(limits))


def _patient(allowance: Allowance) -> Allowance:
    return replace(allowance, wall_seconds=allowance.wall_seconds * PATIENCE)

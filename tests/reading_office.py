"""An office that reads documents: the real rows, a real object store, real children, and files that were fetched."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.fetching_office import file_event
from tests.understanding import rows, understand
from tests.webhooks import OFFICE
from wamcp.db import incoming
from wamcp.db.incoming import FetchedFile
from wamcp.db.session import open_pool
from wamcp.documents import work
from wamcp.documents.means import Reading, reading_of
from wamcp.settings import load
from wamcp.storage.write import WriteStore, open_store

CAP = 20_000_000


@dataclass
class ReadingRoom:
    """Everything at hand, in one process."""

    means: Reading
    store: WriteStore
    db: psycopg.Connection
    environ: dict[str, str]

    def arrive(self, content: bytes, count: int = 1) -> str:
        """``count`` messages carry the same bytes, each as a file of its own, fetched; the key of the bytes."""
        (first,) = rows(self.db, "SELECT count(*) FROM media")[0]
        names = [str(number) for number in range(first + 1, first + count + 1)]
        understand(self.db, *(file_event({"id": name}, OFFICE) for name in names))
        stored = self.store.put(io.BytesIO(content), cap=CAP)
        fetched = FetchedFile(stored.key, stored.sha256, stored.size, "application/pdf", None, None)
        while (file := incoming.claim_wanted(self.db, 60)) is not None:
            assert incoming.note_stored(self.db, file, fetched)
        return stored.key

    def drain(self) -> int:
        """Works on what is due, once."""
        return work.drain(self.means, lambda: True)

    def hurry(self) -> None:
        """Lets everything that waits be due now, as if the time had passed."""
        self.db.execute(
            "UPDATE documents SET next_attempt_at = now(), lease_until = NULL WHERE next_attempt_at IS NOT NULL"
        )

    def ends(self) -> list[tuple[Any, ...]]:
        """State and error of every document."""
        return rows(self.db, "SELECT state, error_code FROM documents ORDER BY id")

    def words(self) -> list[tuple[Any, ...]]:
        """Document, page and text of every page."""
        return rows(self.db, "SELECT document_id, page, text FROM document_pages ORDER BY document_id, page")


@contextmanager
def reading_room(database_url: str, objects: Path, **more: str) -> Iterator[ReadingRoom]:
    """A reading room on ``database_url``; ``more`` are environment variables."""
    environ = {
        "DATABASE_URL": database_url,
        "WAMCP_ENV": "development",
        "WAMCP_OBJECT_DIR": str(objects),
        "OCR_ENGINE": "none",
        **more,
    }
    settings = load(environ)
    store = open_store(settings)
    with (
        psycopg.connect(database_url, autocommit=True) as db,
        open_pool(database_url, "reading room", size=6) as pool,
    ):
        yield ReadingRoom(reading_of(settings, pool, store), store, db, environ)
